"""Rotating credentials for `oss://` in fsspec, and therefore in pandas, dask, pyarrow and others.

    register()
    pandas.read_csv("oss://bucket/key.csv", storage_options={"endpoint": endpoint, "provider": provider})

ossfs itself takes keys as strings. They do not change, they are visible in `storage_options`, and pickles hold them.
Here you pass a provider instead: an object, or its URL where only strings are possible.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ramrole_creds._regions import scope_region
from ramrole_creds.errors import ConfigurationError
from ramrole_creds.integrations._sdk import SdkObject, as_provider, load_sdk, refuse_provider, require_attribute

load_sdk("ossfs", "ossfs")

import ossfs  # noqa: E402  # a missing SDK gets a better error above
from oss2 import ProviderAuth, ProviderAuthV4  # noqa: E402  # as above

if TYPE_CHECKING:
    from ramrole_creds.integrations._sdk import SdkBase
    from ramrole_creds.provider import CredentialProvider

__all__ = ["AioOSSFileSystem", "OSSFileSystem", "register"]

TESTED_VERSION = "2025.5.0"
KEY_OPTIONS = ("key", "secret", "token")
_REGION_IN_ENDPOINT = re.compile(r"(?:^|[/.])oss-([a-z]{2}-[a-z0-9-]+?)(?:-internal)?\.aliyuncs\.com")


require_attribute(ossfs, "AioOSSFileSystem", "ossfs", TESTED_VERSION)  # older versions lack it


def register(protocol: str = "oss", *, asynchronous: bool = False) -> None:
    """Make fsspec use these file systems for `protocol://`, instead of ossfs's own.

    Args:
        protocol: the protocol.
        asynchronous: use the file system on aiohttp.
    """
    import fsspec

    fsspec.register_implementation(protocol, AioOSSFileSystem if asynchronous else OSSFileSystem, clobber=True)


if TYPE_CHECKING:
    _OSSFileSystem = SdkBase
    _AioOSSFileSystem = SdkBase
else:
    _OSSFileSystem = ossfs.OSSFileSystem
    _AioOSSFileSystem = ossfs.AioOSSFileSystem


class OSSFileSystem(_OSSFileSystem):
    """ossfs with a provider. Each request is signed with the current credentials.

    Args:
        endpoint: OSS endpoint.
        provider: a provider, or the URL of one.
        region: region for signature V4. The default is the region in the endpoint's name; without one, requests are
            signed with V1.
        options: the other options of ossfs.

    Raises:
        ConfigurationError: both keys and a provider were given, or `region` is not a region.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        provider: CredentialProvider | str | None = None,
        region: str | None = None,
        **options: SdkObject,
    ) -> None:
        refuse_provider(endpoint, "OSSFileSystem(endpoint, provider)")
        super().__init__(endpoint=endpoint, **options)
        _use(self, provider, region, options)


class AioOSSFileSystem(_AioOSSFileSystem):
    """The same for ossfs's file system on aiohttp."""

    def __init__(
        self,
        endpoint: str | None = None,
        provider: CredentialProvider | str | None = None,
        region: str | None = None,
        **options: SdkObject,
    ) -> None:
        refuse_provider(endpoint, "AioOSSFileSystem(endpoint, provider)")
        super().__init__(endpoint=endpoint, **options)
        _use(self, provider, region, options)


class _RegionalAuth(ProviderAuthV4):  # type: ignore[misc]  # the SDK has no types
    """Signature V4 for a file system, which creates its buckets without a region."""

    def __init__(self, provider: CredentialProvider, region: str) -> None:
        super().__init__(provider)
        self._region = region

    def _sign_request(self, req: SdkObject, bucket_name: str, key: str) -> None:
        self._complete(req)
        super()._sign_request(req, bucket_name, key)

    def _complete(self, req: SdkObject) -> None:
        # Requests of aiooss2 lack the three attributes.
        req.region = getattr(req, "region", None) or self._region
        req.product = getattr(req, "product", None) or "oss"
        req.cloudbox_id = getattr(req, "cloudbox_id", None)


def _use(
    filesystem: SdkObject,
    provider: CredentialProvider | str | None,
    region: str | None,
    options: dict[str, SdkObject],
) -> None:
    if provider is None:
        return
    given = [name for name in KEY_OPTIONS if options.get(name)]
    if given:
        raise ConfigurationError(
            f"Both a provider and {', '.join(given)} were given. Remove the keys: the provider supplies them."
        )
    provider = as_provider(provider)
    require_attribute(filesystem, "_auth", "ossfs", TESTED_VERSION)
    region = scope_region(region) if region else region_of(filesystem._endpoint)  # noqa: SLF001  # ossfs offers no public name
    auth = ProviderAuth(provider) if region is None else _RegionalAuth(provider, region)
    filesystem._auth = auth  # noqa: SLF001  # ossfs offers no public name


def region_of(endpoint: str | None) -> str | None:
    """The region in the name of an OSS endpoint, or None."""
    found = _REGION_IN_ENDPOINT.search(endpoint or "")
    return found.group(1) if found else None
