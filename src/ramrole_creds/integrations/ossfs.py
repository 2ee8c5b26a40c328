"""Rotating credentials for `oss://` in fsspec, and so in pandas, dask, pyarrow and others.

    register()
    pandas.read_csv("oss://bucket/key.csv", storage_options={"endpoint": endpoint, "provider": provider})

ossfs itself takes keys as strings, which are frozen, stand in its `storage_options` and travel in its pickles. Here a
provider stands in their place: an object, or its URL where only strings can be given.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ramrole_creds.errors import ConfigurationError
from ramrole_creds.integrations._sdk import as_provider, load_sdk, require_attribute

load_sdk("ossfs", "ossfs")

import ossfs  # noqa: E402
from oss2 import ProviderAuth, ProviderAuthV4  # noqa: E402

if TYPE_CHECKING:
    from ramrole_creds.provider import CredentialProvider

__all__ = ["AioOSSFileSystem", "OSSFileSystem", "register"]

TESTED_VERSION = "2025.5.0"
KEY_OPTIONS = ("key", "secret", "token")
_REGION_IN_ENDPOINT = re.compile(r"(?:^|[/.])oss-([a-z]{2}-[a-z0-9-]+?)(?:-internal)?\.aliyuncs\.com")


require_attribute(ossfs, "AioOSSFileSystem", "ossfs", TESTED_VERSION)  # older ones have none


def register(protocol: str = "oss", *, asynchronous: bool = False) -> None:
    """Have fsspec use these file systems for `protocol://`, in place of ossfs's own.

    Args:
        protocol: the protocol.
        asynchronous: take the file system on aiohttp.
    """
    import fsspec

    fsspec.register_implementation(protocol, AioOSSFileSystem if asynchronous else OSSFileSystem, clobber=True)


class OSSFileSystem(ossfs.OSSFileSystem):  # type: ignore[misc]  # without types
    """ossfs with a provider; each request is signed with the credentials of its moment.

    Args:
        endpoint: OSS endpoint.
        provider: a provider, or the URL of one.
        region: region for signature V4; taken from the endpoint where that names it, else requests are signed with V1.
        options: what else ossfs takes.

    Raises:
        ConfigurationError: keys beside the provider.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        provider: CredentialProvider | str | None = None,
        region: str | None = None,
        **options: Any,  # noqa: ANN401  # ossfs's own
    ) -> None:
        super().__init__(endpoint=endpoint, **options)
        _use(self, provider, region, options)


class AioOSSFileSystem(ossfs.AioOSSFileSystem):  # type: ignore[misc]  # without types
    """The same for ossfs's file system on aiohttp."""

    def __init__(
        self,
        endpoint: str | None = None,
        provider: CredentialProvider | str | None = None,
        region: str | None = None,
        **options: Any,  # noqa: ANN401  # ossfs's own
    ) -> None:
        super().__init__(endpoint=endpoint, **options)
        _use(self, provider, region, options)


class _RegionalAuth(ProviderAuthV4):  # type: ignore[misc]  # without types
    """Signature V4 for a file system, which makes its buckets without a region."""

    def __init__(self, provider: CredentialProvider, region: str) -> None:
        super().__init__(provider)
        self._region = region

    def _sign_request(self, req: Any, bucket_name: str, key: str) -> None:  # noqa: ANN401  # the SDK's
        self._complete(req)
        super()._sign_request(req, bucket_name, key)

    def _sign_url(self, req: Any, bucket_name: str, key: str, *more: Any) -> Any:  # noqa: ANN401  # the SDK's
        self._complete(req)
        return super()._sign_url(req, bucket_name, key, *more)

    def _complete(self, req: Any) -> None:  # noqa: ANN401  # the SDK's
        # Requests of aiooss2 do not have the three attributes at all.
        req.region = getattr(req, "region", None) or self._region
        req.product = getattr(req, "product", None) or "oss"
        req.cloudbox_id = getattr(req, "cloudbox_id", None)


def _use(
    filesystem: Any,  # noqa: ANN401  # one of the two
    provider: CredentialProvider | str | None,
    region: str | None,
    options: dict[str, Any],
) -> None:
    if provider is None:
        return
    given = [name for name in KEY_OPTIONS if options.get(name)]
    if given:
        raise ConfigurationError(
            f"provider and {', '.join(given)} were given: leave the keys out, they would not count."
        )
    provider = as_provider(provider)
    require_attribute(filesystem, "_auth", "ossfs", TESTED_VERSION)
    region = region or region_of(filesystem._endpoint)  # noqa: SLF001  # it has no other name
    auth = ProviderAuth(provider) if region is None else _RegionalAuth(provider, region)
    filesystem._auth = auth  # noqa: SLF001  # there is no other way in


def region_of(endpoint: str | None) -> str | None:
    """The region that an OSS endpoint names, None where it names none."""
    found = _REGION_IN_ENDPOINT.search(endpoint or "")
    return found.group(1) if found else None
