"""A handle on a client that accepts static keys only: it creates a new client whenever the credentials change.

    bucket = opendal_operator(provider, bucket="bucket", endpoint=endpoint)
    bucket().read("key")

Call the handle each time. An object that you keep uses the keys it was created with until they expire.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Generic, TypeVar

from ramrole_creds._tracebacks import hide_frames
from ramrole_creds.errors import ConfigurationError
from ramrole_creds.integrations._sdk import SdkObject, as_provider, load_sdk

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.provider import CredentialProvider

__all__ = ["RefreshingClient", "opendal_operator", "pyarrow_filesystem"]

_T = TypeVar("_T")


class RefreshingClient(Generic[_T]):
    """Creates one object for each new set of credentials. Thread-safe; its pickle holds no secret.

    Args:
        provider: a provider, or the URL of one.
        make: creates the object from one snapshot of credentials.
        valid_for: how many seconds a returned object must still work.
    """

    def __init__(
        self, provider: CredentialProvider | str, make: Callable[[Credentials], _T], *, valid_for: float = 0.0
    ) -> None:
        self._provider = as_provider(provider)
        if not callable(make):
            raise ConfigurationError(f"make must be a function that takes Credentials, not {type(make).__name__}.")
        self._make = make
        self._valid_for = valid_for
        self._made: tuple[Credentials, _T] | None = None

    def __call__(self) -> _T:
        """The object for the current credentials."""
        snapshot = self._provider.get_credentials(valid_for=self._valid_for)
        made = self._made
        if made is None or made[0] is not snapshot:
            # Two threads may each create one. Both are correct, and one assignment replaces the pair.
            made = self._made = snapshot, self._make(snapshot)
        return made[1]

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (self._provider, self._make, self._valid_for)


def opendal_operator(
    provider: CredentialProvider | str, *, valid_for: float = 0.0, **options: str
) -> RefreshingClient[SdkObject]:
    """A handle on an OpenDAL operator for OSS.

    Args:
        provider: a provider, or the URL of one.
        valid_for: how many seconds a returned operator must still work.
        options: `bucket`, `endpoint`, `root` and the other options of OpenDAL's "oss" service.

    Raises:
        ConfigurationError: OpenDAL is not installed.
    """
    load_sdk("opendal", "opendal")
    return RefreshingClient(provider, functools.partial(_make_operator, options), valid_for=valid_for)


def pyarrow_filesystem(
    provider: CredentialProvider | str, *, valid_for: float = 0.0, **options: SdkObject
) -> RefreshingClient[SdkObject]:
    """A handle on pyarrow's S3 file system, for the S3-compatible endpoint of OSS.

    Args:
        provider: a provider, or the URL of one.
        valid_for: how many seconds a returned file system must still work.
        options: `endpoint_override`, `region` and the other options of `pyarrow.fs.S3FileSystem`.

    Raises:
        ConfigurationError: pyarrow is not installed.
    """
    load_sdk("pyarrow.fs", "pyarrow")
    return RefreshingClient(provider, functools.partial(_make_filesystem, options), valid_for=valid_for)


def _rebuild(provider: CredentialProvider, make: Callable[[Credentials], _T], valid_for: float) -> RefreshingClient[_T]:
    return RefreshingClient(provider, make, valid_for=valid_for)


@hide_frames
def _make_operator(options: dict[str, str], snapshot: Credentials) -> SdkObject:
    import opendal

    token = {} if snapshot.security_token is None else {"security_token": snapshot.security_token}
    keys = {"access_key_id": snapshot.access_key_id, "access_key_secret": snapshot.access_key_secret}
    return opendal.Operator("oss", **options, **keys, **token)


@hide_frames
def _make_filesystem(options: dict[str, SdkObject], snapshot: Credentials) -> SdkObject:
    from pyarrow import fs

    return fs.S3FileSystem(
        access_key=snapshot.access_key_id,
        secret_key=snapshot.access_key_secret,
        session_token=snapshot.security_token,
        **{"force_virtual_addressing": True, **options},  # OSS requires it; an option overrides it for loopback
    )
