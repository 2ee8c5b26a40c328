"""Credentials that the program receives from time to time, for instance from a function runtime with each request."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NoReturn

from ramrole_creds._tracebacks import hide_frames
from ramrole_creds.credentials import Credentials
from ramrole_creds.errors import ConfigurationError, FetchError, ProviderUnavailable, RamRoleError, cannot_be_pickled
from ramrole_creds.provider import CredentialProvider

if TYPE_CHECKING:
    from datetime import datetime

    from typing_extensions import Unpack

    from ramrole_creds.provider import FetchContext, ProviderOptions


# Two threads that push at the same time may each find the fetch of the other in flight.
MAX_PUBLISH_ATTEMPTS = 4


class PushProvider(CredentialProvider):
    """Serves the credentials that it received last; nothing is fetched.

    All users of the provider get new ones at once. Expired credentials that were not replaced are an error, and so are
    those that a service refused. It cannot be pickled, since it contains nothing but secrets.

    Args:
        options: `policy`, `clock` and `on_event`, as for every provider.
    """

    name: ClassVar[str] = "push"

    _given: Credentials | None = None

    def __init__(self, **options: Unpack[ProviderOptions]) -> None:
        super().__init__(**options)

    @hide_frames
    def update(
        self,
        credentials: Credentials | None = None,
        *,
        access_key_id: str | None = None,
        access_key_secret: str | None = None,
        security_token: str | None = None,
        expiration: datetime | None = None,
    ) -> None:
        """Return these credentials from now on. Passing the same ones again has no effect.

        Args:
            credentials: all parts in one object, instead of the other arguments.
            access_key_id: the AccessKey ID.
            access_key_secret: its secret.
            security_token: its token, if it is temporary.
            expiration: aware datetime; None if it is unknown.

        Raises:
            ConfigurationError: the credentials are not valid, or neither or both forms are given.
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
            self._publish(before)

    def fetch(self, context: FetchContext) -> Credentials:
        """The credentials that were given last.

        Raises:
            ProviderUnavailable: `update` has not been called yet; that is certain, since nothing else is asked.
            FetchError: the credentials have expired, or a service rejected them.
        """
        given = self._given
        if given is None:
            raise ProviderUnavailable("This PushProvider has no credentials yet. Call update() first.")
        if given.expiration is not None and given.expiration.timestamp() <= context.clock.time():
            raise FetchError(
                f"The credentials of this PushProvider expired at {given.expiration:%Y-%m-%dT%H:%M:%SZ}, and update() "
                "has not been called since. Call it with new credentials."
            )
        if context.rejected is not None and context.rejected == given:
            raise FetchError(
                "A service rejected the credentials of this PushProvider, and update() has not been called since. Call "
                "it with new credentials."
            )
        return given

    def explain(self) -> str:
        """What a fetch would do."""
        return "would serve the credentials it received" if self._given else "has received no credentials yet"

    def __reduce__(self) -> NoReturn:
        raise cannot_be_pickled(
            "A PushProvider cannot be pickled: its secrets would be copied to other processes, queues and files. Make "
            "one in the receiving process and call its update() there, or send a provider that fetches there, such as "
            "default_provider() or EcsRamRoleProvider()."
        )

    def __dask_tokenize__(self) -> NoReturn:
        self.__reduce__()

    def _publish(self, before: Credentials | None) -> None:
        """Make the cache take the new credentials, even if they expire sooner: the held ones count as refused."""
        for _ in range(MAX_PUBLISH_ATTEMPTS):
            if before is None and not self.status().failures:
                return  # not used yet: the first caller fetches them
            try:
                before = self.refresh(rejected=before)
            except RamRoleError:
                return  # they have expired already: callers get the error
            if before == self._given:
                return
