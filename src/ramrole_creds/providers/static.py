"""Credentials that the program passes in."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NoReturn

from ramrole_creds.credentials import Credentials
from ramrole_creds.errors import cannot_be_pickled
from ramrole_creds.provider import CredentialProvider

if TYPE_CHECKING:
    from datetime import datetime

    from typing_extensions import Unpack

    from ramrole_creds.provider import FetchContext, ProviderOptions


class StaticProvider(CredentialProvider):
    """Serves the credentials that it is given.

    For tests, for keys that are kept elsewhere, and as the source of an assumed role. It cannot be pickled, since its
    configuration is the secret.

    Args:
        access_key_id: the AccessKey ID.
        access_key_secret: the secret.
        security_token: the STS token of temporary credentials.
        expiration: aware datetime; None means never, or unknown for temporary credentials.
        options: `policy`, `clock` and `on_event`, as for every provider.

    Raises:
        ConfigurationError: a value is not valid; see `Credentials`.
    """

    name: ClassVar[str] = "static_ak"

    def __init__(
        self,
        access_key_id: str,
        access_key_secret: str,
        security_token: str | None = None,
        expiration: datetime | None = None,
        **options: Unpack[ProviderOptions],
    ) -> None:
        super().__init__(**options)
        name = "static_sts" if security_token else "static_ak"
        self._credentials = Credentials(access_key_id, access_key_secret, security_token, expiration, name)

    def fetch(self, context: FetchContext) -> Credentials:
        """The credentials that were given."""
        return self._credentials

    def get_provider_name(self) -> str:
        """`static_sts` with a security token, else `static_ak`."""
        return self._credentials.provider_name

    def explain(self) -> str:
        """What a fetch would do."""
        return "would use the keys given to it"

    def __reduce__(self) -> NoReturn:
        raise cannot_be_pickled(
            "A StaticProvider cannot be pickled: the pickle would carry its secret to other processes and files. "
            "Pickle a provider that fetches where it is used, such as default_provider() or EcsRamRoleProvider()."
        )

    def __dask_tokenize__(self) -> NoReturn:
        self.__reduce__()
