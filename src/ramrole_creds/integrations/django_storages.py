"""Rotating credentials for django-storages, which reads and writes the S3-compatible endpoint of OSS.

    STORAGES = {"default": {
        "BACKEND": "ramrole_creds.integrations.django_storages.RamRoleStorage",
        "OPTIONS": {"provider": "ecs-ram-role://web", "bucket_name": "bucket", "endpoint_url": endpoint, …},
    }}

The settings name the provider by its URL and hold no key. Each request is signed with the current credentials. A URL
that the storage signs ends with the token that signed it, whatever `querystring_expire` says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ramrole_creds.errors import ConfigurationError
from ramrole_creds.integrations._sdk import SdkObject, as_provider, load_sdk, require_attribute
from ramrole_creds.integrations.botocore import botocore_session

load_sdk("storages", "django-storages")

from storages.backends.s3 import S3Storage  # noqa: E402  # a missing SDK gets a better error above

if TYPE_CHECKING:
    from ramrole_creds.integrations._sdk import SdkBase
    from ramrole_creds.provider import CredentialProvider

__all__ = ["RamRoleStorage"]

TESTED_VERSION = "1.14.6"
DEFAULT_PROVIDER = "default://"
KEY_SETTINGS = ("access_key", "secret_key", "security_token", "session_profile")

require_attribute(S3Storage, "_create_session", "django-storages", TESTED_VERSION)

if TYPE_CHECKING:
    _S3Storage = SdkBase
else:
    _S3Storage = S3Storage


class RamRoleStorage(_S3Storage):
    """S3Storage of django-storages with a provider.

    Args:
        provider: a provider, or the URL of one; by default the default chain.
        settings: the other settings of S3Storage, without keys.

    Raises:
        ConfigurationError: both keys and a provider were given.
    """

    def __init__(self, provider: CredentialProvider | str = DEFAULT_PROVIDER, **settings: SdkObject) -> None:
        given = [name for name in KEY_SETTINGS if settings.get(name)]
        if given:
            raise ConfigurationError(
                f"Both a provider and {', '.join(given)} were given. Remove the keys: the provider supplies them."
            )
        self._provider = as_provider(provider)
        super().__init__(**settings)

    def __getstate__(self) -> dict[str, SdkObject]:
        state: dict[str, SdkObject] = super().__getstate__()  # type: ignore[misc]  # django-storages has it
        state["transfer_config"] = _TransferSettings(state["transfer_config"])
        return state

    def __setstate__(self, state: dict[str, SdkObject]) -> None:
        super().__setstate__({**state, "transfer_config": state["transfer_config"].make()})  # type: ignore[misc]  # as above

    def _create_session(self) -> SdkObject:
        return load_sdk("boto3", "django-storages").Session(botocore_session=botocore_session(self._provider))


class _TransferSettings:
    """What was set on a TransferConfig of boto3. What was not set is a marker there, which no pickle carries."""

    def __init__(self, config: SdkObject) -> None:
        self._kind = type(config)
        unset = vars(self._kind())
        self._changed = {name: value for name, value in vars(config).items() if value is not unset.get(name)}

    def make(self) -> SdkObject:
        """The TransferConfig."""
        config = self._kind()
        for name, value in self._changed.items():
            setattr(config, name, value)
        return config
