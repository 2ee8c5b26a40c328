"""Rotating credentials for pyiceberg, which reads and writes the S3-compatible endpoint of OSS.

    load_catalog("catalog", **{
        "py-io-impl": "ramrole_creds.integrations.iceberg.RamRoleFileIO",
        "ramrole.provider": "ecs-ram-role://web",
        "s3.endpoint": endpoint,
        "s3.region": region,
    })

The properties of a catalog are strings. They name the provider by its URL, so no key is in them, in a table or in a
pickle. Each request is signed with the current credentials. So a table may be used for longer than a token lives.
"""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING

from ramrole_creds.errors import ConfigurationError
from ramrole_creds.integrations._sdk import SdkObject, as_provider, load_sdk
from ramrole_creds.integrations.botocore import aiobotocore_session

load_sdk("pyiceberg", "iceberg")

from pyiceberg.io.fsspec import FsspecFileIO  # noqa: E402  # a missing SDK gets a better error above

if TYPE_CHECKING:
    from ramrole_creds.integrations._sdk import SdkBase
    from ramrole_creds.provider import CredentialProvider

__all__ = ["RamRoleFileIO"]

PROVIDER_PROPERTY = "ramrole.provider"
DEFAULT_PROVIDER = "default://"
SCHEMES = ("s3", "s3a", "s3n", "oss")
KEY_PROPERTIES = (
    "s3.access-key-id", "s3.secret-access-key", "s3.session-token",
    "client.access-key-id", "client.secret-access-key", "client.session-token",
)  # fmt: skip

if TYPE_CHECKING:
    _FsspecFileIO = SdkBase
else:
    _FsspecFileIO = FsspecFileIO


class RamRoleFileIO(_FsspecFileIO):
    """A `py-io-impl` of pyiceberg.

    It reads the properties `ramrole.provider` (the URL of a provider; by default the default chain), `s3.endpoint`,
    `s3.region` and `s3.force-virtual-addressing`. Addresses begin with `s3://`, `s3a://`, `s3n://` or `oss://`.

    Args:
        properties: the properties of the catalog and of the table.

    Raises:
        ConfigurationError: the properties hold a key, or the URL is not valid.
    """

    def __init__(self, properties: dict[str, str]) -> None:
        super().__init__(properties=properties)
        given = [name for name in KEY_PROPERTIES if properties.get(name)]
        if given:
            raise ConfigurationError(
                f"The properties hold {', '.join(given)}, but {type(self).__name__} gets credentials from a provider. "
                f"Remove them, and name the provider in the property {PROVIDER_PROPERTY!r}."
            )
        self.provider: CredentialProvider = as_provider(properties.get(PROVIDER_PROPERTY) or DEFAULT_PROVIDER)
        self._of_thread = threading.local()

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.properties,)

    def get_fs(self, scheme: str, hostname: str | None = None) -> SdkObject:
        """The file system for a scheme; one for each thread.

        Args:
            scheme: the scheme of an address.
            hostname: its host, which only other schemes need.
        """
        if scheme not in SCHEMES:
            return super().get_fs(scheme, hostname)  # type: ignore[misc]  # pyiceberg has it
        found = getattr(self._of_thread, "filesystem", None)
        if found is None:
            found = self._of_thread.filesystem = self._make_filesystem()
        return found

    def _make_filesystem(self) -> SdkObject:
        virtual = str(self.properties.get("s3.force-virtual-addressing", "true")).lower() == "true"
        return _filesystem_class()(
            session=aiobotocore_session(self.provider),
            endpoint_url=self.properties.get("s3.endpoint"),
            client_kwargs={"region_name": self.properties.get("s3.region")},
            config_kwargs={
                "signature_version": "s3v4",
                "s3": {"addressing_style": "virtual" if virtual else "path"},
                "request_checksum_calculation": "when_required",
                "response_checksum_validation": "when_required",
            },
            skip_instance_cache=True,
        )


@functools.cache
def _filesystem_class() -> SdkObject:
    base: SdkObject = load_sdk("s3fs", "iceberg").S3FileSystem

    class Filesystem(base):
        """s3fs, which takes addresses of OSS too."""

        protocol = SCHEMES

    return Filesystem
