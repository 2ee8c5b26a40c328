"""Credentials that the program is given from time to time: by a function runtime with each request, for instance."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NoReturn

from ramrole_creds.credentials import Credentials
from ramrole_creds.errors import ConfigurationError, FetchError, ProviderUnavailable, RamRoleError
from ramrole_creds.provider import CredentialProvider

if TYPE_CHECKING:
    from datetime import datetime

    from typing_extensions import Unpack

    from ramrole_creds.provider import FetchContext, ProviderOptions


# Two threads that push at the same time may each find the other's fetch in flight.
MAX_HAND_OVERS = 4


class PushProvider(CredentialProvider):
    """Serves the credentials that it was given last; nothing is fetched.

    Everybody who holds the provider has the new ones at once. An expired set that nobody replaced is an error, as is
    one that a service refused. It refuses to be pickled: what it was given is all that it is, and that is secret.

    Args:
        options: `policy`, `clock` and `on_event` of every provider.
    """

    name: ClassVar[str] = "push"

    _given: Credentials | None = None

    def __init__(self, **options: Unpack[ProviderOptions]) -> None:
        super().__init__(**options)

    def update(
        self,
        credentials: Credentials | None = None,
        *,
        access_key_id: str | None = None,
        access_key_secret: str | None = None,
        security_token: str | None = None,
        expiration: datetime | None = None,
    ) -> None:
        """Serve these from now on; the same again cost nothing.

        Args:
            credentials: the whole set, or its parts:
            access_key_id: the AccessKey ID.
            access_key_secret: its secret.
            security_token: its token, where it is temporary.
            expiration: aware datetime; None where it is not known.

        Raises:
            ConfigurationError: they are no credentials, or neither or both were given.
        """
        parts = (access_key_id, access_key_secret, security_token, expiration)
        if credentials is None:
            credentials = Credentials(access_key_id or "", access_key_secret or "", security_token, expiration)
        elif any(part is not None for part in parts):
            raise ConfigurationError("update() takes Credentials, or their parts as keywords, not both.")
        if not isinstance(credentials, Credentials):
            raise ConfigurationError(f"update() takes Credentials, or their parts, not {type(credentials).__name__}.")
        if not credentials.provider_name:
            credentials = credentials.replace(provider_name=self.name)
        before, self._given = self._given, credentials
        if before != credentials:
            self._hand_over(before)

    def fetch(self, context: FetchContext) -> Credentials:
        """What was given last.

        Raises:
            ProviderUnavailable: nothing has been given yet.
            FetchError: what was given has expired, or was refused by a service.
        """
        given = self._given
        if given is None:
            raise ProviderUnavailable("No credentials have been given to this PushProvider: call update() first.")
        if given.expiration is not None and given.expiration.timestamp() <= context.clock.time():
            raise FetchError(
                f"The credentials given to this PushProvider ended at {given.expiration:%Y-%m-%dT%H:%M:%SZ}, and "
                "nobody has called update() since."
            )
        if context.rejected is not None and context.rejected == given:
            raise FetchError(
                "A service refused the credentials given to this PushProvider, and nobody has called update() since."
            )
        return given

    def explain(self) -> str:
        """What a fetch would do."""
        return "would serve what it was given" if self._given else "has been given nothing yet"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "A PushProvider cannot be pickled: what it was given would travel to other processes, queues and files, "
            "and without that it is none. Make one where the work is done and call its update() there, or send a "
            "provider that fetches where it arrives, such as default_provider() or EcsRamRoleProvider()."
        )

    def __dask_tokenize__(self) -> NoReturn:
        self.__reduce__()

    def _hand_over(self, before: Credentials | None) -> None:
        """Have the cache take what was given, also where it ends sooner than what it holds: that counts as refused."""
        for _ in range(MAX_HAND_OVERS):
            if before is None and not self.status().failures:
                return  # nobody has asked yet: the first who does fetches it
            try:
                before = self.refresh(rejected=before)
            except RamRoleError:
                return  # what was given has ended already: whoever asks is told
            if before == self._given:
                return
