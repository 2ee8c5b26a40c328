"""A bearer token, for services that accept one instead of signed requests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar, Final, NoReturn

from ramrole_creds._tracebacks import describe_exception, hide_frames
from ramrole_creds.credentials import hidden_property, sealed
from ramrole_creds.errors import ConfigurationError, FetchError, ProviderUnavailable, RamRoleError, cannot_be_pickled

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN_VARIABLE: Final = "ALIBABA_CLOUD_BEARER_TOKEN"  # noqa: S105  # the name of a variable


class BearerCredential:
    """A token in the form that OpenAPI clients read: by attributes, with the type "bearer" and without keys.

    No serializer finds the token: it is not a field, only its property and its getter return it.

    Args:
        bearer_token: the token.
    """

    __slots__ = ("_token",)

    access_key_id: ClassVar[None] = None
    access_key_secret: ClassVar[None] = None
    security_token: ClassVar[None] = None
    provider_name: ClassVar[str] = "bearer"
    type: ClassVar[str] = "bearer"

    @hide_frames
    def __init__(self, bearer_token: str) -> None:
        self._token = sealed(bearer_token)

    @hidden_property
    def bearer_token(self) -> str:
        """The token."""
        return self._token()

    def get_bearer_token(self) -> str:
        """The token."""
        return self._token()

    def get_provider_name(self) -> str:
        """Always "bearer"."""
        return self.provider_name

    def __repr__(self) -> str:
        return "<BearerCredential>"

    def __dir__(self) -> list[str]:
        """All names but those that return the token, since some tools print every attribute that `dir` lists."""
        return [name for name in super().__dir__() if "token" not in name]

    def __reduce__(self) -> NoReturn:
        raise cannot_be_pickled(
            "A bearer token cannot be pickled: the pickle would carry it to other processes and files."
        )


class BearerTokenProvider:
    """Passes a bearer token to OpenAPI clients: `Config(credential=BearerTokenProvider(...))`.

    It is not a `CredentialProvider`, since it has no keys to sign with.

    Args:
        token: the token, or a callable that returns it, called each time; else ALIBABA_CLOUD_BEARER_TOKEN, read each
            time.

    Raises:
        ConfigurationError: `token` is neither a text nor a callable.
    """

    name: ClassVar[str] = "bearer"
    """The name of this kind of provider."""

    @hide_frames
    def __init__(self, token: str | Callable[[], str] | None = None) -> None:
        if token is not None and not isinstance(token, str) and not callable(token):
            raise ConfigurationError("token must be a text, or a callable that returns one.")
        self._token: Callable[[], str | None]
        if not token:
            self._token = _from_environment
        else:
            self._token = sealed(token) if isinstance(token, str) else _without_repr(token)

    @hide_frames
    def get_bearer_token(self) -> str:
        """The current token.

        Raises:
            ProviderUnavailable: no token is configured. That is certain: only settings are read.
            FetchError: the value is not a token, or the callable raised an error that is not of this library.
        """
        token: object = self._call()
        if not token:
            raise ProviderUnavailable(
                f"There is no bearer token: {TOKEN_VARIABLE} is not set, and no token was given. Set it or pass token=."
            )
        if not isinstance(token, str):
            raise FetchError(f"The callable returned {type(token).__name__}. It must return the bearer token as a str.")
        token = token.strip()
        if not token.isascii() or not token.isprintable() or " " in token:
            raise FetchError(
                "The bearer token contains whitespace, a control character or a non-ASCII character. Check where it "
                "was copied from."
            )
        return token

    def _call(self) -> object:
        try:
            return self._token()
        except RamRoleError:
            raise
        except Exception as error:  # noqa: BLE001  # the callable may raise anything
            raise FetchError(
                f"The callable of the bearer token raised {describe_exception(error)}. The text of the error is not "
                "shown, since it may contain a secret."
            ) from None

    def get_credential(self) -> BearerCredential:
        """The token in the form that OpenAPI clients read."""
        return BearerCredential(self.get_bearer_token())

    async def get_credential_async(self) -> BearerCredential:
        """The same for coroutines; a callable must not block."""
        return self.get_credential()

    def get_type(self) -> str:
        """Always "bearer"."""
        return "bearer"

    def get_provider_name(self) -> str:
        """Always "bearer"."""
        return self.name

    def __repr__(self) -> str:
        return "<BearerTokenProvider>"

    def __reduce__(self) -> NoReturn:
        raise cannot_be_pickled(
            "A BearerTokenProvider cannot be pickled: the pickle would carry its token to other processes and files."
        )


def _without_repr(function: Callable[[], str]) -> Callable[[], str]:
    """The same function; what it is bound to may be a secret, and `repr` shows it."""
    return lambda: function()  # noqa: PLW0108  # the lambda hides the function


def _from_environment() -> str | None:
    return os.environ.get(TOKEN_VARIABLE)
