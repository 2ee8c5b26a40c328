"""An environment for tests, without the credentials, profiles and proxies of the developer."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ENDPOINT_VARIABLE = "RAMROLE_CREDS_METADATA_ENDPOINT"
STS_ENDPOINT_VARIABLE = "ALIBABA_CLOUD_STS_ENDPOINT"
# Where clients of other packages look for the metadata service: OpenDAL and other programs on reqsign, for instance.
OTHER_ENDPOINT_VARIABLE = "ALIBABA_CLOUD_ECS_METADATA_SERVICE_ENDPOINT"

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


@contextmanager
def isolated_environment(endpoint: str | None, home: Path | None = None) -> Iterator[None]:
    """Run the block without the developer's credentials, profiles and proxies; then restore the environment.

    Args:
        endpoint: the base URL of the metadata service for this library, None for the real one.
        home: an empty directory to use as the home directory; None creates a temporary one.
    """
    with ExitStack() as stack:
        if home is None:
            home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ramrole-creds-")))
        stack.enter_context(changed_environment(isolated_variables(endpoint, home)))
        yield


@contextmanager
def changed_environment(changes: Mapping[str, str | None]) -> Iterator[None]:
    """Set variables (None removes one) while the context lasts, then restore them."""
    before = {name: os.environ.get(name) for name in changes}
    _apply(changes)
    try:
        yield
    finally:
        _apply(before)


def isolated_variables(endpoint: str | None, home: Path) -> Mapping[str, str | None]:
    """The changes that `isolated_environment` makes; None removes a variable."""
    changes: dict[str, str | None] = {
        name: None for name in os.environ if name.upper().startswith(_PREFIXES) or name.upper() in _PROXIES
    }
    changes |= {"HOME": str(home), "USERPROFILE": str(home), "NETRC": None}
    changes[ENDPOINT_VARIABLE] = endpoint
    return changes


def _apply(changes: Mapping[str, str | None]) -> None:
    for name, value in changes.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
