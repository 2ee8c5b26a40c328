"""The environment that a test about credentials should see: none of the developer's own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ENDPOINT_VARIABLE = "RAMROLE_CREDS_METADATA_ENDPOINT"

_PREFIXES = (
    "ALIBABA_CLOUD_",
    "ALIBABACLOUD_",
    "ALICLOUD_",
    "ALIYUN_",
    "RAMROLE_CREDS_",
    "OSS_ACCESS_KEY",
    "OSS_SESSION",
)
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUEST_METHOD")


def isolated_environment(home: Path, endpoint: str | None) -> Mapping[str, str | None]:
    """Changes to `os.environ` (None deletes) that hide the developer's credentials, profiles and proxies.

    Args:
        home: an empty directory that becomes the home directory.
        endpoint: base URL of the metadata service for this library, None for the real one.
    """
    changes: dict[str, str | None] = {
        name: None for name in os.environ if name.upper().startswith(_PREFIXES) or name.upper() in _PROXIES
    }
    changes |= {"HOME": str(home), "USERPROFILE": str(home), "NETRC": None}
    changes[ENDPOINT_VARIABLE] = endpoint
    return changes
