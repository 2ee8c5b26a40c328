"""The names by which existing SDKs ask for credentials, in one place.

The official SDKs use different names: `get_credential()` (tea-openapi, DataHub), `get_credentials()` and three
getters (oss2, log, tablestore, MNS, the credentials Client), attributes (tea-openapi, OSS v2), `has_keys()` (OSS v2).
These mixins answer all of them, so that one provider goes unchanged into every client. All answers of a snapshot are
of one fetch: an SDK that reads attribute by attribute never mixes two generations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Generic, NoReturn, TypeVar

from ramrole_creds.errors import ConfigurationError

CredentialsT = TypeVar("CredentialsT")
_PARTS = frozenset(("access_key_id", "access_key_secret", "security_token"))


class SdkCredentialsMixin:
    """What SDKs read from one set of credentials."""

    __slots__ = ()

    if TYPE_CHECKING:

        @property
        def access_key_id(self) -> str:
            """The AccessKey ID."""

        @property
        def access_key_secret(self) -> str:
            """The secret that signs."""

        @property
        def security_token(self) -> str | None:
            """The security token, or None."""

        @property
        def provider_name(self) -> str:
            """The source."""

    @property
    def type(self) -> str:
        """The kind of credentials: `sts` with a security token, else `access_key`."""
        return "sts" if self.security_token else "access_key"

    def get_access_key_id(self) -> str:
        """The AccessKey ID."""
        return self.access_key_id

    def get_access_key_secret(self) -> str:
        """The AccessKey secret."""
        return self.access_key_secret

    def get_security_token(self) -> str | None:
        """The security token, or None for a long-term key."""
        return self.security_token

    def get_provider_name(self) -> str:
        """The source's name, as the official SDKs spell it."""
        return self.provider_name

    def has_keys(self) -> bool:
        """Always True: there are no credentials without keys."""
        return True


class SdkProviderMixin(Generic[CredentialsT]):
    """What SDKs call on a provider. A type variable stands for `Credentials`, which imports this module."""

    if TYPE_CHECKING:
        name: ClassVar[str]

        def get_credentials(self, valid_for: float = 0.0, timeout: float | None = None) -> CredentialsT:
            """Credentials that are valid now."""

        async def get_credentials_async(self, valid_for: float = 0.0, timeout: float | None = None) -> CredentialsT:
            """The same for coroutines."""

    def get_credential(self) -> CredentialsT:
        """The same snapshot as `get_credentials()`, under the name that tea-openapi and DataHub use."""
        return self.get_credentials()

    async def get_credential_async(self) -> CredentialsT:
        """The same snapshot as `get_credentials_async()`."""
        return await self.get_credentials_async()

    def get_provider_name(self) -> str:
        """The provider's name, as the official SDKs spell it."""
        return self.name

    if not TYPE_CHECKING:  # for a type checker every attribute would exist

        def __getattr__(self, name: str) -> NoReturn:
            """Say what to call instead of the getters of other libraries' providers."""
            problem = f"{type(self).__name__!r} object has no attribute {name!r}"
            if name.removeprefix("get_") in _PARTS:
                problem += (
                    ". Three calls could return parts of three generations of credentials. Call get_credentials() "
                    "once, and read id, secret and token from what it returns."
                )
            raise AttributeError(problem, name=name, obj=self)

    def __call__(self, *args: object, **kwargs: object) -> NoReturn:
        """Say what to write where a client calls its `auth=` or its middleware."""
        del args, kwargs
        raise ConfigurationError(
            f"{type(self).__name__} is not a function and does not sign requests itself. For credentials call "
            "get_credentials(). To sign, write auth=RequestsAuth(Signer(provider, signing.ACS3())) with requests, "
            "auth=HttpxAuth(…) with httpx, middlewares=(AiohttpAuth(…),) with aiohttp."
        )
