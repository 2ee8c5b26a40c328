"""Why credentials are found here, or are not: every source looked at, nothing secret told."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ramrole_creds import RamRoleError, default_provider
from ramrole_creds._discovery.region import REGION_VARIABLES
from ramrole_creds.cli.overlay import overlay_addresses
from ramrole_creds.metadata.client import MetadataClient
from ramrole_creds.providers.ecs_ram_role import DISABLED_VARIABLE, default_token_mode
from ramrole_creds.providers.profiles.cli_config import config_path
from ramrole_creds.providers.profiles.cli_modes import EXTERNAL_ID_VARIABLES
from ramrole_creds.providers.profiles.cli_profile import IGNORE_VARIABLES
from ramrole_creds.providers.profiles.files import is_there
from ramrole_creds.providers.profiles.ini_profile import ini_paths
from ramrole_creds.providers.variables import env_flag

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ramrole_creds.cli.screen import Screen

FAMILY = ("ALIBABA_CLOUD_", "RAMROLE_CREDS_")
OTHER_FAMILIES = ("ALIBABACLOUD_", "ALICLOUD_", "ALIYUN_")
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
READ_FROM_OTHER_FAMILIES = (*EXTERNAL_ID_VARIABLES, *IGNORE_VARIABLES, *REGION_VARIABLES)
DMI_PRODUCT = Path("/sys/class/dmi/id/product_name")
FIB_TRIE = Path("/proc/net/fib_trie")


def run_doctor(screen: Screen) -> bool:
    """Look at everything that decides about credentials here.

    Returns:
        True where a program would get credentials.
    """
    screen.title(
        "ramrole-creds doctor", "What decides about credentials here. Values of keys and tokens are not shown."
    )
    screen.step("Environment")
    for line in describe_environment(os.environ):
        screen.line(line)
    screen.step("Files")
    for line in describe_files():
        screen.line(line)
    screen.step("Instance metadata service")
    look_at_metadata(screen)
    screen.step("What default_provider() finds")
    return look_at_chain(screen)


def describe_environment(environment: Iterable[str]) -> list[str]:
    """The variables that matter, by name only."""
    names = sorted(environment)
    ours = [name for name in names if name.startswith(FAMILY)]
    proxies = [name for name in names if name.lower() in PROXIES]
    lines = [f"{name} is set" for name in ours] or ["no variable of this cloud is set"]
    others = [name for name in names if name.startswith(OTHER_FAMILIES) and name not in READ_FROM_OTHER_FAMILIES]
    lines += [f"{name} is set: other programs read it, this library and the SDKs do not" for name in others]
    if proxies:
        lines.append(f"{', '.join(proxies)} set: never used for the metadata service, used for STS")
    return lines


def describe_files() -> list[str]:
    """The profile files, where they are looked for here."""
    try:
        files = [config_path(), *ini_paths()]
    except RamRoleError as error:
        return [str(error)]
    named = {file.path: f", named by {file.variable}" if file.variable else "" for file in files}
    return [f"{path}: {'there' if is_there(path) else 'not there'}{who}" for path, who in named.items()]


def look_at_metadata(screen: Screen) -> None:
    """Ask the metadata service for what it says about roles."""
    product = _read(DMI_PRODUCT).strip()
    if product:
        screen.line(f"this machine says it is: {product}")
    if env_flag(DISABLED_VARIABLE):
        screen.line(f"not asked: {DISABLED_VARIABLE}=true")
        return
    try:
        roles = MetadataClient(token_mode=default_token_mode()).role_names()
    except RamRoleError as error:
        screen.check(str(error), holds=False)
        for address in overlay_addresses(_read(FIB_TRIE)):
            screen.line(
                f"this machine has the address {address}, of 100.64.0.0/10: an overlay network such as Tailscale takes "
                "the metadata service's packets. Turn off its packet filter (tailscale up --netfilter-mode=off), or "
                "route 100.100.100.200/32 past it."
            )
        return
    screen.check(f"role attached: {', '.join(roles)}", holds=True)


def look_at_chain(screen: Screen) -> bool:
    """Ask the default chain once."""
    try:
        with default_provider() as provider:
            for line in provider.explain().splitlines():
                screen.line(line)
            credentials = provider.get_credentials()
    except RamRoleError as error:
        for line in str(error).splitlines():
            screen.line(line)
        screen.closing("A program would find no credentials here.", holds=False)
        return False
    screen.line(repr(credentials))
    screen.closing("A program would find credentials here.", holds=True)
    return True


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
