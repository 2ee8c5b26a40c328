"""A handle on a client that knows static keys only: it makes a new one whenever the credentials are new.

    bucket = opendal_operator(provider, bucket="bucket", endpoint=endpoint)
    bucket().read("key")

Ask the handle each time: an object that you keep goes on with the keys it was made with, until those end.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ramrole_creds.integrations._sdk import load_sdk

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.provider import CredentialProvider

__all__ = ["RefreshingClient", "opendal_operator", "pyarrow_filesystem"]

_T = TypeVar("_T")


class RefreshingClient(Generic[_T]):
    """Makes an object of each new set of credentials; thread-safe, and pickles without secrets.

    Args:
        provider: where credentials come from.
        make: makes the object of a snapshot.
        valid_for: seconds for which an object that is handed out must still work.
    """

    def __init__(
        self, provider: CredentialProvider, make: Callable[[Credentials], _T], *, valid_for: float = 0.0
    ) -> None:
        self._provider = provider
        self._make = make
        self._valid_for = valid_for
        self._made: tuple[Credentials, _T] | None = None

    def __call__(self) -> _T:
        """The object for the credentials of this moment."""
        snapshot = self._provider.get_credentials(valid_for=self._valid_for)
        made = self._made
        if made is None or made[0] is not snapshot:
            # Two threads may each make one; either is right, and the pair is replaced in one step.
            made = self._made = snapshot, self._make(snapshot)
        return made[1]

    def __reduce__(self) -> tuple[Any, ...]:
        return _renewing, (self._provider, self._make, self._valid_for)


def opendal_operator(provider: CredentialProvider, *, valid_for: float = 0.0, **options: str) -> RefreshingClient[Any]:
    """A handle on an OpenDAL operator for OSS.

    Args:
        provider: where credentials come from.
        valid_for: as `RefreshingClient` has it.
        options: `bucket`, `endpoint`, `root` and what else OpenDAL's "oss" takes.

    Raises:
        ConfigurationError: OpenDAL is not installed.
    """
    load_sdk("opendal", "opendal")
    return RefreshingClient(provider, functools.partial(_make_operator, options), valid_for=valid_for)


def pyarrow_filesystem(
    provider: CredentialProvider,
    *,
    valid_for: float = 0.0,
    **options: Any,  # noqa: ANN401  # pyarrow's own options
) -> RefreshingClient[Any]:
    """A handle on pyarrow's S3 file system against OSS's S3-compatible endpoint.

    Args:
        provider: where credentials come from.
        valid_for: as `RefreshingClient` has it.
        options: `endpoint_override`, `region` and what else `pyarrow.fs.S3FileSystem` takes.

    Raises:
        ConfigurationError: pyarrow is not installed.
    """
    load_sdk("pyarrow.fs", "pyarrow")
    return RefreshingClient(provider, functools.partial(_make_filesystem, options), valid_for=valid_for)


def _renewing(
    provider: CredentialProvider, make: Callable[[Credentials], _T], valid_for: float
) -> RefreshingClient[_T]:
    return RefreshingClient(provider, make, valid_for=valid_for)


def _make_operator(options: dict[str, str], snapshot: Credentials) -> Any:  # noqa: ANN401  # OpenDAL's
    import opendal

    token = {} if snapshot.security_token is None else {"security_token": snapshot.security_token}
    keys = {"access_key_id": snapshot.access_key_id, "access_key_secret": snapshot.access_key_secret}
    return opendal.Operator("oss", **options, **keys, **token)


def _make_filesystem(options: dict[str, Any], snapshot: Credentials) -> Any:  # noqa: ANN401  # pyarrow's
    from pyarrow import fs

    return fs.S3FileSystem(
        access_key=snapshot.access_key_id,
        secret_key=snapshot.access_key_secret,
        session_token=snapshot.security_token,
        **{"force_virtual_addressing": True, **options},  # OSS takes no other, but a loopback endpoint does
    )
