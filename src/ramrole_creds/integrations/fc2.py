"""Rotating credentials for aliyun-fc2, the SDK of Function Compute 2.0.

    client = Client(provider, endpoint="https://<account>.cn-hangzhou.fc.aliyuncs.com")
    client.list_services()

Function Compute 3.0 needs no helper: create its client with `Config(credential=provider)`.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from ramrole_creds.integrations._sdk import SdkObject, as_provider, load_sdk, require_attribute

load_sdk("fc2", "fc2")

import fc2  # noqa: E402  # a missing SDK gets a better error above
from fc2.auth import Auth  # noqa: E402  # as above

if TYPE_CHECKING:
    from ramrole_creds.integrations._sdk import SdkBase
    from ramrole_creds.provider import CredentialProvider

__all__ = ["Client"]

TESTED_VERSION = "2.5.2"


if TYPE_CHECKING:
    _Client = SdkBase
else:
    _Client = fc2.Client


class Client(_Client):
    """`fc2.Client` with a provider.

    Args:
        provider: a provider, or the URL of one.
        options: the other arguments of `fc2.Client`: `endpoint`, `Timeout`.

    Raises:
        ConfigurationError: this version of the SDK is not supported.
    """

    def __init__(self, provider: CredentialProvider | str, **options: SdkObject) -> None:
        super().__init__(accessKeyID="-", accessKeySecret="-", **options)  # never used
        require_attribute(fc2.Client, "_build_common_headers", "aliyun-fc2", TESTED_VERSION)
        self.provider: CredentialProvider = as_provider(provider)

    def _build_common_headers(self, *args: SdkObject, **kwargs: SdkObject) -> SdkObject:
        # The SDK reads `self.auth` twice. On a copy, both reads return the same snapshot.
        snapshot = self.provider.get_credentials()
        frozen = copy.copy(self)
        frozen.auth = Auth(snapshot.access_key_id, snapshot.access_key_secret, snapshot.security_token or "")  # type: ignore[attr-defined]  # of the SDK
        return super(Client, frozen)._build_common_headers(*args, **kwargs)  # type: ignore[misc]  # of the SDK
