"""The CLI's sign-ins: the session and the tokens that it keeps in a profile."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, ClassVar, Final

from ramrole_creds.credentials import Credentials, sealed
from ramrole_creds.errors import ConfigurationError, FetchError, ProfileError
from ramrole_creds.provider import CredentialProvider
from ramrole_creds.providers.profiles.cli_config import find_profile, load_config, update_profile
from ramrole_creds.providers.profiles.files import ProfilePath
from ramrole_creds.providers.sign_in.oauth import OAuthProvider, OAuthTokens

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ramrole_creds._cache.policy import RefreshPolicy
    from ramrole_creds.provider import FetchContext
    from ramrole_creds.providers.profiles.cli_config import CliProfile
    from ramrole_creds.providers.sign_in.cloud_sso import CloudSsoProvider

_log = logging.getLogger(__name__)

# How long another process may delay that unsaved tokens are saved.
SAVE_SECONDS: Final = 1.0
# The CLI keeps the last session in the profile. A session that ends sooner than this is not used.
MIN_KEPT_SESSION_SECONDS: Final = 900.0


class SignedInProvider(CredentialProvider):
    """Uses the session that the CLI left in the profile while it is valid; else exchanges the sign-in.

    Args:
        provider: exchanges the sign-in.
        profile: the profile with the session.
    """

    default_policy: ClassVar[RefreshPolicy] = OAuthProvider.default_policy

    def __init__(self, provider: CloudSsoProvider | OAuthProvider, profile: CliProfile) -> None:
        super().__init__()
        self._provider = provider
        self._profile = sealed(profile)

    def get_provider_name(self) -> str:
        """The name of the sign-in."""
        return self._provider.name

    def fetch(self, context: FetchContext) -> Credentials:
        """The kept session, else a new one.

        Raises:
            FetchError: see `OAuthProvider.fetch` and `CloudSsoProvider.fetch`.
        """
        kept = self._kept_session(context)
        return self._provider.fetch(context) if kept is None else kept

    def explain(self) -> str:
        """What a fetch would do."""
        return self._provider.explain()

    def _kept_session(self, context: FetchContext) -> Credentials | None:
        profile = self._profile()
        expire = profile.seconds("sts_expiration")
        key_id, secret, token = (profile.text(name) for name in ("access_key_id", "access_key_secret", "sts_token"))
        if expire is None or not (key_id and secret and token):
            return None
        if expire - context.clock.time() < MIN_KEPT_SESSION_SECONDS:
            return None
        try:
            expiration = datetime.fromtimestamp(expire, timezone.utc)
            session = Credentials(key_id, secret, token, expiration, provider_name=self._provider.name)
        except (ConfigurationError, ValueError, OverflowError, OSError):
            return None
        rejected = context.rejected
        if rejected is not None and rejected.access_key_id == session.access_key_id:
            return None
        return session


class ProfileTokens:
    """The tokens of an OAuth sign-in, kept where the CLI keeps them: in the profile.

    If renewed tokens cannot be saved, they stay in memory and are saved as soon as that is possible: the tokens in
    the file are used up then.

    Args:
        profile: the profile as it was when the provider was made.
    """

    def __init__(self, profile: CliProfile) -> None:
        self._path = profile.path
        self._name = profile.name
        self._key = (os.path.realpath(profile.path), profile.name)

    def load(self) -> OAuthTokens:
        """The current tokens.

        Raises:
            ProfileError: the file cannot be used, or no longer has the profile.
        """
        if self._key in _unsaved:
            with suppress(FetchError):
                return self.update(lambda _: None, SAVE_SECONDS)
        profile = find_profile(load_config(ProfilePath(self._path)), self._path, self._name)
        if profile is None:
            raise ProfileError(f"{self._path} no longer has a profile {self._name!r}.", unrecoverable=True)
        stored = _tokens_of(profile)
        return self._pending(stored) or stored

    def update(self, change: Callable[[OAuthTokens], OAuthTokens | None], time_limit: float) -> OAuthTokens:
        """Replace the tokens, under a lock file beside the profile's file; see `TokenStore`.

        Raises:
            FetchError: the lock was not free in time, or no file can be created to save the tokens in.
        """
        renewed: list[_Renewal] = []

        def fields(profile: CliProfile) -> Mapping[str, object]:
            stored = _tokens_of(profile)
            pending = self._pending(stored)
            tokens = change(pending or stored) or pending
            if tokens is None:
                return {}
            renewed.append(_Renewal(stored, tokens))
            return {
                "oauth_access_token": tokens.access_token,
                "oauth_refresh_token": tokens.refresh_token or "",
                "oauth_access_token_expire": int(tokens.access_token_expire or 0),
            }

        try:
            profile = update_profile(self._path, self._name, fields, time_limit=time_limit)
        except ProfileError as error:
            if not renewed:
                error.args = (f"The sign-in is not renewed: {error}",)
                raise
            self._keep(renewed[-1], str(error))
            return renewed[-1].tokens
        _unsaved.pop(self._key, None)
        return _tokens_of(profile)

    def _pending(self, stored: OAuthTokens) -> OAuthTokens | None:
        """The tokens that could not be saved yet; None after somebody else has changed those in the file."""
        renewal = _unsaved.get(self._key)
        return renewal.tokens if renewal is not None and renewal.stored == stored else None

    def _keep(self, renewal: _Renewal, problem: str) -> None:
        known = _unsaved.get(self._key)
        _unsaved[self._key] = renewal
        if known != renewal:
            _log.warning(
                "The renewed sign-in of profile %r is not saved: %s It stays in memory, and is saved as soon as that "
                "is possible. Free some disk space: if this process ends before, sign in again with the aliyun CLI",
                *(self._name, problem),
            )


@dataclass(frozen=True, slots=True, repr=False)
class _Renewal:
    """Renewed tokens, and those in the file that they replace."""

    stored: OAuthTokens
    tokens: OAuthTokens


_unsaved: dict[tuple[str, str], _Renewal] = {}
"""By file and profile, for all providers of this process; changed under the lock of the file."""


def _tokens_of(profile: CliProfile) -> OAuthTokens:
    return OAuthTokens(
        profile.text("oauth_access_token"),
        profile.text("oauth_refresh_token") or None,
        profile.seconds("oauth_access_token_expire"),
    )
