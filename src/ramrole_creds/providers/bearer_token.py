"""A bearer token, for the services that take one in place of signed requests."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, NoReturn

from ramrole_creds.errors import ConfigurationError, FetchError, ProviderUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN_VARIABLE = "ALIBABA_CLOUD_BEARER_TOKEN"  # noqa: S105  # a variable's name


@dataclass(frozen=True, slots=True)
class BearerCredential:
    """A token as the OpenAPI clients ask for it: by attributes, `type` being "bearer"; it has no keys."""

    bearer_token: str = field(repr=False)
    provider_name: str = "bearer"
    access_key_id: ClassVar[None] = None
    access_key_secret: ClassVar[None] = None
    security_token: ClassVar[None] = None

    @property
    def type(self) -> str:
        """Always "bearer"."""
        return "bearer"

    def get_bearer_token(self) -> str:
        """The token."""
        return self.bearer_token

    def get_provider_name(self) -> str:
        """Always "bearer"."""
        return self.provider_name

    def __reduce__(self) -> NoReturn:
        raise TypeError("A bearer token cannot be pickled: it would travel to other processes, queues and files.")


class BearerTokenProvider:
    """Gives a bearer token to OpenAPI clients: `Config(credential=BearerTokenProvider(...))`.

    It is no `CredentialProvider`, since there are no keys to sign with.

    Args:
        token: the token, or a callable that gives it, asked at each call; else ALIBABA_CLOUD_BEARER_TOKEN, read at
            each call.

    Raises:
        ConfigurationError: `token` is neither.
    """

    name: ClassVar[str] = "bearer"

    def __init__(self, token: str | Callable[[], str] | None = None) -> None:
        if token is not None and not isinstance(token, str) and not callable(token):
            raise ConfigurationError("token must be a text or a callable that gives one.")
        self._token = token

    def get_bearer_token(self) -> str:
        """The token as it is now.

        Raises:
            ProviderUnavailable: there is none.
            FetchError: what there is cannot be a token.
        """
        token = self._token
        given = os.environ.get(TOKEN_VARIABLE) if token is None else token if isinstance(token, str) else token()
        if not given:
            raise ProviderUnavailable(f"No bearer token: {TOKEN_VARIABLE} is not set and none was given.")
        given = given.strip()
        if not given.isascii() or not given.isprintable() or " " in given:
            raise FetchError("The bearer token holds a blank, a control character or a character outside ASCII.")
        return given

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
        raise TypeError("A BearerTokenProvider cannot be pickled: its token would travel to other processes.")
