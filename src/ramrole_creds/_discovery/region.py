"""The region that a program means when it names none."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from ramrole_creds.errors import ConfigurationError, ProviderUnavailable, RamRoleError
from ramrole_creds.metadata.client import MetadataClient
from ramrole_creds.providers.ecs_ram_role import DISABLED_VARIABLE, default_token_mode
from ramrole_creds.providers.profiles.cli_profile import configured_region as region_of_cli
from ramrole_creds.providers.profiles.ini_profile import configured_region as region_of_ini
from ramrole_creds.providers.variables import env_flag

if TYPE_CHECKING:
    from collections.abc import Callable

# As the aliyun CLI reads them.
REGION_VARIABLES = (
    "ALIBABA_CLOUD_REGION_ID",
    "ALIBABACLOUD_REGION_ID",
    "ALICLOUD_REGION_ID",
    "REGION_ID",
    "REGION",
)
_REGION = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")


def default_region(region: str | None = None, *, endpoint: str | None = None) -> str:
    """The region id: the argument, else a variable's, else the profile's, else that of the instance.

    Variables: ALIBABA_CLOUD_REGION_ID, ALIBABACLOUD_REGION_ID, ALICLOUD_REGION_ID, REGION_ID, REGION.

    Args:
        region: used as it is, where it is given.
        endpoint: base URL of the metadata service; see `MetadataClient`.

    Raises:
        ConfigurationError: what was given, or what a variable of this cloud holds, is no region id.
        ProviderUnavailable: nothing says which region; the message tells what was looked at.
    """
    if region:
        return _checked(region, "region")
    for variable in REGION_VARIABLES:
        value = os.environ.get(variable)
        if value and (_REGION.fullmatch(value) or variable.startswith("ALI")):
            return _checked(value, variable)
    passed = [f"none of {', '.join(REGION_VARIABLES)} names one"]
    sources: list[tuple[str, Callable[[], str | None]]] = [("cli_profile", region_of_cli), ("profile", region_of_ini)]
    if not env_flag(DISABLED_VARIABLE):
        sources.append(("metadata", lambda: MetadataClient(endpoint, default_token_mode()).get("region-id").strip()))
    for name, look in sources:
        try:
            found = look()
        except RamRoleError as error:
            passed.append(f"{name}: {error}")
            continue
        if found and _REGION.fullmatch(found):
            return found
        passed.append(f"{name}: names none")
    raise ProviderUnavailable(
        "No region is configured; set ALIBABA_CLOUD_REGION_ID. What was looked at:\n  " + "\n  ".join(passed)
    )


def _checked(region: str, source: str) -> str:
    if _REGION.fullmatch(region) is None:
        raise ConfigurationError(f'{source} must be a region id, such as "cn-hangzhou"; what it holds is none.')
    return region
