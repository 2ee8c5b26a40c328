"""The region of a program that names none."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ramrole_creds._regions import is_region, region_id
from ramrole_creds.errors import ProviderUnavailable, RamRoleError
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


def default_region(region: str | None = None, *, endpoint: str | None = None) -> str:
    """The region id: the argument, else a variable's, else the profile's, else that of the instance.

    Variables: ALIBABA_CLOUD_REGION_ID, ALIBABACLOUD_REGION_ID, ALICLOUD_REGION_ID, REGION_ID, REGION.

    Args:
        region: used if given; `oss-cn-hangzhou` means `cn-hangzhou`.
        endpoint: base URL of the metadata service; see `MetadataClient`.

    Raises:
        ConfigurationError: the argument or a variable of this cloud is not a region id.
        ProviderUnavailable: no region is configured, and none can be found; the message lists what was tried.
    """
    if region:
        return region_id(region, "region")
    for variable in REGION_VARIABLES:
        value = os.environ.get(variable)
        if value and (is_region(value) or variable.startswith("ALI")):
            return region_id(value, variable)
    passed = [f"the variables {', '.join(REGION_VARIABLES)} do not name a region"]
    sources: list[tuple[str, Callable[[], str | None]]] = [("cli_profile", region_of_cli), ("profile", region_of_ini)]
    if not env_flag(DISABLED_VARIABLE):
        sources.append(("metadata", lambda: MetadataClient(endpoint, default_token_mode()).get("region-id").strip()))
    for name, look in sources:
        try:
            found = look()
        except RamRoleError as error:
            passed.append(f"{name}: {error.message}")
            continue
        if found and is_region(found):
            return found
        passed.append(f"{name}: does not name a region")
    raise ProviderUnavailable("No region is configured; set ALIBABA_CLOUD_REGION_ID. Tried:\n  " + "\n  ".join(passed))
