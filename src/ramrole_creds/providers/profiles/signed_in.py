"""The CLI's sign-ins: the session and the tokens that it keeps in a profile."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Final

from ramrole_creds.credentials import Credentials
from ramrole_creds.errors import ConfigurationError, ProfileError
from ramrole_creds.provider import CredentialProvider
from ramrole_creds.providers.profiles.cli_config import find_profile, load_config, update_profile
from ramrole_creds.providers.profiles.files import ProfilePath
from ramrole_creds.providers.sign_in.oauth import OAuthProvider, OAuthTokens

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ramrole_creds.provider import FetchContext
    from ramrole_creds.providers.profiles.cli_config import CliProfile
    from ramrole_creds.providers.sign_in.cloud_sso import CloudSsoProvider

# The CLI keeps the last session in the profile. A session that ends sooner than this is not used.
MIN_KEPT_SESSION_SECONDS: Final = 900.0


class SignedInProvider(CredentialProvider):
    """Uses the session that the CLI left in the profile while it is valid; else exchanges the sign-in.

    Args:
        provider: exchanges the sign-in.
        profile: the profile with the session.
    """

    default_policy = OAuthProvider.default_policy

    def __init__(self, provider: CloudSsoProvider | OAuthProvider, profile: CliProfile) -> None:
        super().__init__()
        self._provider = provider
        self._profile = profile

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
        profile = self._profile
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

    Args:
        profile: the profile as it was when the provider was made.
    """

    def __init__(self, profile: CliProfile) -> None:
        self._path = profile.path
        self._name = profile.name

    def load(self) -> OAuthTokens:
        """The tokens in the file now.

        Raises:
            ProfileError: the file cannot be used, or no longer has the profile.
        """
        profile = find_profile(load_config(ProfilePath(self._path)), self._path, self._name)
        if profile is None:
            raise ProfileError(f"{self._path} no longer has a profile {self._name!r}.", unrecoverable=True)
        return _tokens_of(profile)

    def update(self, change: Callable[[OAuthTokens], OAuthTokens | None], time_limit: float) -> OAuthTokens:
        """Replace the tokens, under a lock file beside the profile's file; see `TokenStore`.

        Raises:
            FetchError: the lock was not free in time, or the file cannot be written.
        """

        def fields(profile: CliProfile) -> Mapping[str, object]:
            tokens = change(_tokens_of(profile))
            if tokens is None:
                return {}
            return {
                "oauth_access_token": tokens.access_token,
                "oauth_refresh_token": tokens.refresh_token or "",
                "oauth_access_token_expire": int(tokens.access_token_expire or 0),
            }

        return _tokens_of(update_profile(self._path, self._name, fields, time_limit=time_limit))


def _tokens_of(profile: CliProfile) -> OAuthTokens:
    return OAuthTokens(
        profile.text("oauth_access_token"),
        profile.text("oauth_refresh_token") or None,
        profile.seconds("oauth_access_token_expire"),
    )
