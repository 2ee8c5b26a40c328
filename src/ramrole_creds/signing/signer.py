"""The signer: a provider of credentials together with a scheme."""

from __future__ import annotations

import logging
import math
import os
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, NoReturn, Protocol

from ramrole_creds._checks import kind_of, official_object_hint
from ramrole_creds._pickling import PickledWithSlots
from ramrole_creds._tracebacks import hide_frames
from ramrole_creds.clock import DEFAULT_CLOCK
from ramrole_creds.credentials import Credentials
from ramrole_creds.errors import ConfigurationError, LifetimeTooShort, SigningError
from ramrole_creds.signing._skew import ClockSkew

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.clock import Clock
    from ramrole_creds.signing.request import Headers, Request
    from ramrole_creds.signing.scheme import Scheme, Signable

_log = logging.getLogger(__name__)

MAX_PRESIGN_SECONDS = 100 * 365 * 86400
"""For schemes without a maximum; a date further away may not exist in a datetime."""


class CredentialSource(Protocol):
    """Anything that returns credentials: every provider of this library, and most others."""

    def get_credentials(self, valid_for: float = 0.0) -> Credentials:
        """Credentials that are valid for at least `valid_for` seconds."""


@dataclass(frozen=True, slots=True, repr=False)
class PresignedUrl:
    """A URL that contains its own signature.

    Args:
        url: the URL; everyone who has it can do what it says until it expires.
        expires_at: when it expires, in UTC.
        headers: headers that are signed with it and must be sent with it, unchanged.
        clamped: True if the URL expires sooner than requested, because the security token does.
    """

    url: str
    expires_at: datetime
    headers: Headers = ()
    clamped: bool = False

    def __str__(self) -> str:
        return self.url

    def __repr__(self) -> str:
        note = ", clamped to the life of the security token" if self.clamped else ""
        return f"PresignedUrl('{self.url.partition('?')[0]}?…', expires_at={self.expires_at.isoformat()}{note})"


class Signer(PickledWithSlots):
    """Signs requests with the current credentials of a provider.

    It reads the credentials once for each signature, so ID, secret and token are always of one fetch. Threads can share
    it: it keeps immutable parts, a small cache of derived keys, and the clock offsets of servers that refused a
    request's time. The latter two are replaced as a whole and need no lock.

    Args:
        provider: anything with `get_credentials(valid_for=0.0)`. For one `Credentials` object that never changes use
            `Signer.fixed`; temporary ones are accepted here with a warning in the log, since they are not refreshed.
        scheme: one of `ramrole_creds.signing`, for instance `signing.ACS3()`.
        clock: source of the time; the system's by default.
        nonce: called without arguments for each signature of a scheme that has a nonce; returns a new str each time.

    Raises:
        ConfigurationError: the provider or the scheme has the wrong type.
    """

    __slots__ = ("_clock", "_get_credentials", "_keys", "_nonce", "_now", "_scheme", "_skew", "provider", "scheme")

    @hide_frames
    def __init__(
        self,
        provider: CredentialSource | Credentials,
        scheme: Scheme,
        clock: Clock | None = None,
        nonce: Callable[[], str] | None = None,
    ) -> None:
        # Not at module level: importing hashlib takes a tenth of the time of importing this library.
        from ramrole_creds.signing._signing_keys import SigningKeys

        if isinstance(provider, Credentials):
            if provider.expiration is not None or provider.security_token:
                _log.warning(
                    "A Signer was given temporary credentials (%s) and does not refresh them. Pass the provider "
                    "itself; use Signer.fixed(credentials, scheme) if they are meant to be fixed.",
                    provider,
                )
            provider = _FixedSource(provider)
        _require_provider(provider, scheme)
        if isinstance(scheme, type) or not hasattr(scheme, "sign"):
            raise ConfigurationError(f"A Signer needs a scheme such as signing.ACS3(), not {kind_of(scheme)}.")
        if nonce is not None and not callable(nonce):
            raise ConfigurationError(
                f"nonce must be a function that returns a new text each time, not {kind_of(nonce)}."
            )
        self.provider: CredentialSource = provider
        self.scheme: Scheme = scheme
        self._get_credentials = provider.get_credentials
        self._scheme = scheme
        self._clock: Clock = clock or DEFAULT_CLOCK
        self._now = self._clock.time
        self._nonce = nonce or _random_nonce
        self._keys = SigningKeys()
        self._skew = ClockSkew(self._clock)

    @classmethod
    @hide_frames
    def fixed(
        cls,
        credentials: Credentials,
        scheme: Scheme,
        clock: Clock | None = None,
        nonce: Callable[[], str] | None = None,
    ) -> Signer:
        """A signer that always signs with these credentials and never refreshes them.

        Args:
            credentials: one snapshot; signatures with it are refused after it expires.
            scheme: as for `Signer`.
            clock: as for `Signer`.
            nonce: as for `Signer`.

        Raises:
            ConfigurationError: an argument has the wrong type.
        """
        if not isinstance(credentials, Credentials):
            raise ConfigurationError(
                f"credentials must be a Credentials object, not {type(credentials).__name__}. Pass what "
                "provider.get_credentials() returned, or give the provider to Signer() itself."
            )
        return cls(_FixedSource(credentials), scheme, clock, nonce)

    @property
    def clock(self) -> Clock:
        """Where the time of signatures comes from."""
        return self._clock

    def sign(self, request: Request, *, credentials: Signable | None = None) -> Request:
        """The signed request, exactly as it must be sent.

        Args:
            request: what to send; an older signature on it is replaced.
            credentials: one snapshot to sign with, for callers that get it themselves, for instance asynchronously.

        Raises:
            SigningError: the scheme cannot sign such a request.
            RamRoleError: the provider has no credentials.
        """
        try:
            now = self._now()
            if self._skew.offsets:
                now += self._skew.offset(request.host)
            return self._scheme.sign(request, credentials or self._get_credentials(), now, self._nonce, self._keys)
        except AttributeError:
            complaint = _complaint_about(request, credentials)
            request, credentials = None, None  # type: ignore[assignment]  # the traceback shows this frame
            if not complaint:
                raise
        raise ConfigurationError(complaint)

    @hide_frames
    def presign(self, request: Request, expires_in: float) -> PresignedUrl:
        """A URL that does what the request says, for everyone who has it, until it expires.

        The provider is asked for credentials that are valid as long as the URL. A URL signed with a security token
        expires with the token at the latest: if no credentials are valid long enough, the URL and `expires_at` name
        that moment, and `clamped` is True. An unknown expiration clamps nothing.

        Args:
            request: method, URL and the headers that will be sent with it.
            expires_in: seconds, rounded down to whole ones.

        Raises:
            SigningError: the scheme has no presigned URLs, or not for that long; nothing was signed.
            RamRoleError: the provider has no credentials.
        """
        life = self._presign_life(expires_in)
        try:
            credentials = self._get_credentials(valid_for=life)
        except LifetimeTooShort:
            credentials = self._get_credentials()
        # By the server's clock if it is known to differ: the token expires by that clock too.
        now = self._now() + (self._skew.offset(request.host) if self._skew.offsets else 0.0)
        clamped = False
        if credentials.security_token and credentials.expiration is not None:
            left = math.floor(credentials.expiration.timestamp() - math.floor(now))
            if left < 1:
                raise SigningError(
                    "The credentials expire within this second: no service would accept a URL signed with them. Try "
                    "again when the provider has new ones."
                )
            if left < life:
                _log.warning(
                    "A presigned URL was requested for %d s and expires after %d s, together with the security token.",
                    life,
                    left,
                )
                life, clamped = left, True
        signed, headers = self._scheme.presign(request, credentials, now, life, self._keys)
        expires_at = datetime.fromtimestamp(math.floor(now) + life, timezone.utc)
        return PresignedUrl(signed.url, expires_at, headers, clamped)

    @hide_frames
    def post_form(self, policy: str | dict[str, object]) -> dict[str, str]:
        """The fields of a browser's upload form (OSS PostObject).

        Args:
            policy: the policy document. Text is signed as it is; a mapping gets the conditions that the scheme
                requires, and expires no later than the security token.

        Raises:
            SigningError: the scheme has no upload forms, or the policy is not valid.
            RamRoleError: the provider has no credentials.
        """
        return self._scheme.post_form(policy, self._get_credentials(), self._now(), self._keys)

    def learn_server_time(self, host: str, server_time: float, *, credentials: Signable | None = None) -> bool:
        """Sign for `host` by the server's clock from now on, after it refused a request because of its time.

        The offset is dropped when the local clock is set. For a long-term key it can be up to 36 hours; for temporary
        credentials, which expire soon, it can be any.

        Args:
            host: `Request.host` of the refused request.
            server_time: the time of the refusal by the server's clock, as Unix seconds; see `signing.read_server_time`.
            credentials: those that signed the rejected request; treated as a long-term key if None.

        Returns:
            True if signing again gives another time, so that a retry makes sense.
        """
        temporary = credentials is not None and bool(credentials.security_token)
        return self._skew.learn(host, server_time, temporary=temporary)

    def observe_server_time(self, host: str, server_time: float) -> None:
        """Compare the time of an accepted request's answer; an offset that is no longer right is dropped.

        Args:
            host: `Request.host` of the request.
            server_time: the time of the answer by the server's clock, as Unix seconds.
        """
        self._skew.observe(host, server_time)

    def knows_skew(self) -> bool:
        """True if the clock of any server is known to differ."""
        return bool(self._skew.offsets)

    def _presign_life(self, expires_in: object) -> int:
        longest = self._scheme.max_presign_seconds
        if not isinstance(expires_in, (int, float)) or isinstance(expires_in, bool):
            raise SigningError(f"expires_in must be a number of seconds, not {type(expires_in).__name__}.")
        if math.isnan(expires_in):
            raise SigningError("expires_in must be a number of seconds, not NaN.")
        if not longest:
            raise SigningError(
                f"{self._scheme.name} has no presigned URLs; OSSV1, OSSV4, SigV4, S3V1 and FCV2 (HTTP triggers) have. "
                "With this scheme sign the request itself: sign()."
            )
        if expires_in < 1 or expires_in > longest:
            limits = f"from 1 to {longest:.0f}" if longest < math.inf else "of at least 1"
            raise SigningError(
                f"{self._scheme.name} presigns for a number of seconds {limits}, not {expires_in!r}. Nothing was "
                "signed; change expires_in=, the time for which the URL is valid."
            )
        if longest == math.inf and expires_in > MAX_PRESIGN_SECONDS:
            raise SigningError(f"expires_in={expires_in!r} seconds is more than 100 years. Nothing was signed.")
        return int(expires_in)

    if not TYPE_CHECKING:  # a type checker must go on to refuse the call

        def __call__(self, *args: object, **kwargs: object) -> NoReturn:
            """Say what to write where a client calls its `auth=` or its middleware."""
            del args, kwargs
            raise ConfigurationError(
                "A Signer is not a function. Write signer.sign(request), or auth=RequestsAuth(signer) with requests, "
                "auth=HttpxAuth(signer) with httpx, middlewares=(AiohttpAuth(signer),) with aiohttp."
            )

    def __repr__(self) -> str:
        return f"Signer({type(self.provider).__name__}, {self._scheme!r})"


def _require_provider(provider: object, scheme: object) -> None:
    if isinstance(provider, type):
        name = provider.__name__
        raise ConfigurationError(f"A Signer needs a provider, not the class {name}: write {name}().")
    if hasattr(provider, "sign") and hasattr(scheme, "get_credentials"):
        raise ConfigurationError("The arguments are swapped: write Signer(provider, scheme).")
    hint = official_object_hint(provider)
    if hint or not hasattr(provider, "get_credentials"):
        raise ConfigurationError(f"A Signer needs a provider or Credentials, not {type(provider).__name__}.{hint}")


def _complaint_about(request: object, credentials: object) -> str:
    """What is wrong with the arguments of `sign`, without a character of them; "" if nothing is."""
    from ramrole_creds.signing.request import Request

    if not isinstance(request, Request):
        return f"sign() needs a signing.Request, not {type(request).__name__}: write Request(method, url)."
    if credentials is not None and not hasattr(credentials, "access_key_secret"):
        return f"credentials must be Credentials of one fetch, not {type(credentials).__name__}."
    return ""


class _FixedSource:
    """A source that always returns the same credentials."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def get_credentials(self, valid_for: float = 0.0) -> Credentials:
        """The credentials, whatever their remaining lifetime."""
        del valid_for
        return self._credentials

    def __repr__(self) -> str:
        return repr(self._credentials)


def _random_nonce() -> str:
    return os.urandom(16).hex()
