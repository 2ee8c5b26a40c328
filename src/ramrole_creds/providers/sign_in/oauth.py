"""Credentials of the aliyun CLI's OAuth sign-in."""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING, ClassVar, Final, NoReturn, Protocol
from urllib.parse import urlencode

from ramrole_creds._cache.policy import RefreshPolicy
from ramrole_creds._checks import checked_instant, is_number, kind_of
from ramrole_creds._formats.credential_json import CAMEL_CASE, PASCAL_CASE, read_credentials, text_of
from ramrole_creds.credentials import hidden_property, sealed
from ramrole_creds.errors import ConfigurationError, FetchError, cannot_be_pickled, on_one_line
from ramrole_creds.provider import CredentialProvider
from ramrole_creds.providers.sign_in._client import SignInClient, SignInRefused
from ramrole_creds.sts.endpoints import base_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Unpack

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.provider import FetchContext, ProviderOptions

_log = logging.getLogger(__name__)

SITES: Final = {
    "CN": ("https://oauth.aliyun.com", "4038181954557748008"),
    "INTL": ("https://oauth.alibabacloud.com", "4103531455503354461"),
}
RENEW_BEFORE_SECONDS: Final = 1200.0
MAX_LIFE_SECONDS: Final = 1e9
FORM: Final = "application/x-www-form-urlencoded"


class OAuthTokens:
    """The tokens of a sign-in: immutable, compared by value, and not found by any serializer.

    Args:
        access_token: what is exchanged for credentials.
        refresh_token: what renews it, once: each renewal returns another.
        access_token_expire: Unix seconds when the access token expires; None if that is not known.
    """

    __slots__ = ("_expire", "_tokens")

    _tokens: Callable[[], tuple[str, str | None]]
    _expire: float | None

    def __init__(
        self, access_token: str, refresh_token: str | None = None, access_token_expire: float | None = None
    ) -> None:
        object.__setattr__(self, "_tokens", sealed((access_token, refresh_token)))
        object.__setattr__(self, "_expire", checked_instant("access_token_expire", access_token_expire))

    @hidden_property
    def access_token(self) -> str:
        """What is exchanged for credentials."""
        return self._tokens()[0]

    @hidden_property
    def refresh_token(self) -> str | None:
        """What renews the access token, once."""
        return self._tokens()[1]

    @property
    def access_token_expire(self) -> float | None:
        """Unix seconds when the access token expires; None if that is not known."""
        return self._expire

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, OAuthTokens):
            return NotImplemented
        return (self._tokens(), self._expire) == (other._tokens(), other._expire)

    def __hash__(self) -> int:
        return hash((self._tokens(), self._expire))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        del value  # the traceback shows this frame
        raise AttributeError(f"OAuthTokens are immutable: {name!r} cannot be set. Create new ones.")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"OAuthTokens are immutable: {name!r} cannot be deleted.")

    def __dir__(self) -> list[str]:
        """All names but those that return tokens, since some tools print every attribute that `dir` lists."""
        return [name for name in super().__dir__() if "token" not in name]

    def __copy__(self) -> OAuthTokens:
        return self

    def __deepcopy__(self, memo: object) -> OAuthTokens:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise cannot_be_pickled(
            "OAuthTokens cannot be pickled. Pickle a CliProfileProvider, which reads them from their file."
        )

    def __getstate__(self) -> NoReturn:
        self.__reduce_ex__(2)

    def __repr__(self) -> str:
        return "<OAuthTokens>"


class TokenStore(Protocol):
    """Where the tokens of a sign-in are stored. Renewed tokens must be stored before they are used."""

    def load(self) -> OAuthTokens:
        """The tokens as they are now."""

    def update(self, change: Callable[[OAuthTokens], OAuthTokens | None], time_limit: float) -> OAuthTokens:
        """Replace the tokens by what `change` returns, under a lock; None keeps them.

        Args:
            change: called with the current tokens.
            time_limit: seconds to wait for the lock.
        """


class MemoryTokens:
    """Tokens kept in this process only. The first renewal invalidates the sign-in that the aliyun CLI has stored."""

    def __init__(self, tokens: OAuthTokens) -> None:
        self._tokens = tokens
        # One per process: a forked child never sees the release of a lock that its parent held.
        self._locks: dict[int, threading.Lock] = {}

    def load(self) -> OAuthTokens:
        """The tokens as they are now."""
        return self._tokens

    def update(self, change: Callable[[OAuthTokens], OAuthTokens | None], time_limit: float) -> OAuthTokens:
        """See `TokenStore`."""
        lock = self._locks.setdefault(os.getpid(), threading.Lock())
        if not lock.acquire(timeout=max(0.0, time_limit)):
            raise FetchError("An earlier fetch is still renewing the tokens of the sign-in. Try again later.")
        try:
            self._tokens = change(self._tokens) or self._tokens
            return self._tokens
        finally:
            lock.release()


class OAuthProvider(CredentialProvider):
    """Exchanges the access token of an OAuth sign-in for credentials, and renews it before it expires.

    A renewal invalidates the old tokens, so the new ones are stored before they are used, under a lock between
    processes. An OAuthProvider cannot be pickled, since it holds tokens.

    Args:
        tokens: the tokens of the sign-in, or the store that keeps them.
        site: "CN" or "INTL".
        endpoint: base URL of the sign-in service; the site's own if None.
        connect_timeout: time limit for connecting, in seconds.
        read_timeout: time limit for each read, in seconds.
        options: `policy`, `clock` and `on_event`, as for every provider.

    Raises:
        ConfigurationError: an argument is not valid.
    """

    name: ClassVar[str] = "oauth"
    default_policy: ClassVar[RefreshPolicy] = RefreshPolicy(fetch_timeout=20.0)

    def __init__(
        self,
        tokens: OAuthTokens | TokenStore,
        *,
        site: str = "CN",
        endpoint: str | None = None,
        connect_timeout: float = 5.0,
        read_timeout: float = 10.0,
        **options: Unpack[ProviderOptions],
    ) -> None:
        super().__init__(**options)
        if str(site).upper() not in SITES:
            raise ConfigurationError('site must be "CN" or "INTL".')
        base, self._client_id = SITES[site.upper()]
        self._base = base_url(endpoint, "endpoint") if endpoint else base
        self._store = _store_of(tokens)
        self._client = SignInClient(
            "The OAuth sign-in",
            "Sign in again: aliyun configure --mode OAuth.",
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
        )

    def fetch(self, context: FetchContext) -> Credentials:
        """Exchange the access token now; renew it first if that is due.

        Raises:
            FetchError: the sign-in has expired, or the service refused or could not be reached.
        """
        tokens = self._store.load()
        if self._is_due(tokens, context):
            tokens = self._renewed_or_kept(tokens, context)
        try:
            return self._exchange(tokens, context)
        except SignInRefused as error:
            if error.status != 401 or not tokens.refresh_token:
                raise
        return self._exchange(self._renewed(tokens, context), context)

    def explain(self) -> str:
        """What a fetch would do."""
        return f"would exchange the OAuth sign-in at {self._base}"

    def _is_due(self, tokens: OAuthTokens, context: FetchContext) -> bool:
        left = _left(tokens, context)
        if tokens.refresh_token and (not tokens.access_token or left <= RENEW_BEFORE_SECONDS):
            return True
        if not tokens.access_token or left <= 0:
            raise self._client.expired("the sign-in has expired and cannot be renewed")
        return False

    def _renewed_or_kept(self, tokens: OAuthTokens, context: FetchContext) -> OAuthTokens:
        """The renewed tokens; the old ones if the renewal fails and the access token has not expired yet."""
        try:
            return self._renewed(tokens, context)
        except FetchError as error:
            if not tokens.access_token or tokens.access_token_expire is None or _left(tokens, context) <= 0:
                raise
            _log.warning(
                "The OAuth sign-in cannot be renewed, and expires in %.0f s: %s",
                _left(tokens, context),
                on_one_line(error),
            )
        return tokens

    def _renewed(self, seen: OAuthTokens, context: FetchContext) -> OAuthTokens:
        """The tokens after a renewal, by this process or by another one while this one waited for the lock."""

        def renew(tokens: OAuthTokens) -> OAuthTokens | None:
            if tokens.access_token != seen.access_token and _left(tokens, context) > 0:
                return None
            return self._ask_for_new(tokens, context)

        return self._store.update(renew, context.remaining())

    def _ask_for_new(self, tokens: OAuthTokens, context: FetchContext) -> OAuthTokens:
        if not tokens.refresh_token:
            raise self._client.expired("the sign-in has expired and cannot be renewed")
        url = f"{self._base}/v1/token"
        form = {
            "grant_type": "refresh_token",
            "refresh_token": tokens.refresh_token,
            "client_id": self._client_id,
        }
        asked_at = context.clock.time()
        # Sent once: if the answer is lost, the refresh token may have been used up.
        document = self._client.post(url, {"Content-Type": FORM}, urlencode(form).encode(), context, retry=False)
        access_token = text_of(document, "access_token")
        if not access_token:
            raise self._client.error_factory(url)("a document whose access_token is missing or not a text")
        seconds = document.get("expires_in")
        expire = asked_at + seconds if is_number(seconds) and 0 < seconds < MAX_LIFE_SECONDS else None
        return OAuthTokens(
            access_token,
            refresh_token=text_of(document, "refresh_token") or tokens.refresh_token,
            access_token_expire=expire,
        )

    def _exchange(self, tokens: OAuthTokens, context: FetchContext) -> Credentials:
        url = f"{self._base}/v1/exchange"
        headers = {"Authorization": f"Bearer {tokens.access_token}", "Content-Type": "application/json"}
        document = self._client.post(url, headers, b"", context)
        # The CLI and the Java library read camelCase, the Python library PascalCase.
        spelling = PASCAL_CASE if "AccessKeyId" in document else CAMEL_CASE
        return read_credentials(document, spelling, self._client.error_factory(url), provider_name=self.name)

    def __reduce__(self) -> NoReturn:
        raise cannot_be_pickled(
            "An OAuthProvider cannot be pickled: it holds the tokens of the sign-in. Pickle a CliProfileProvider."
        )

    def __dask_tokenize__(self) -> NoReturn:
        self.__reduce__()


def _store_of(tokens: OAuthTokens | TokenStore) -> TokenStore:
    """What keeps the tokens. An error does not show the value, which may be a token.

    Raises:
        ConfigurationError: it is neither tokens nor a store.
    """
    if isinstance(tokens, OAuthTokens):
        return MemoryTokens(tokens)
    if not callable(getattr(tokens, "load", None)) or not callable(getattr(tokens, "update", None)):
        raise ConfigurationError(
            f"tokens must be OAuthTokens, or a store with load() and update(), not {kind_of(tokens)}. Write "
            "OAuthTokens(access_token, refresh_token)."
        )
    return tokens


def _left(tokens: OAuthTokens, context: FetchContext) -> float:
    """Seconds until the access token expires; more than enough if that is not known."""
    if tokens.access_token_expire is None:
        return RENEW_BEFORE_SECONDS + 1
    return tokens.access_token_expire - context.clock.time()
