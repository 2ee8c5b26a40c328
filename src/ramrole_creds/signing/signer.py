"""The signer: a provider of credentials and a scheme, put together."""

from __future__ import annotations

import logging
import math
import os
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Protocol

from ramrole_creds.clock import SYSTEM_CLOCK
from ramrole_creds.credentials import Credentials
from ramrole_creds.errors import ConfigurationError, LifetimeTooShort, SigningError
from ramrole_creds.signing._skew import ClockSkew

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.clock import Clock
    from ramrole_creds.signing.request import Headers, Request
    from ramrole_creds.signing.scheme import Scheme, Signable

logger = logging.getLogger(__name__)


class CredentialSource(Protocol):
    """Anything that gives credentials: every provider of this library, and most of others."""

    def get_credentials(self, valid_for: float = 0.0) -> Credentials:
        """Credentials that live at least `valid_for` seconds."""


@dataclass(frozen=True, slots=True, repr=False)
class PresignedUrl:
    """A URL that carries its own signature.

    Args:
        url: what to hand out; whoever has it may do what it says until it ends.
        expires_at: when it ends, in UTC.
        headers: headers that are signed with it and must be sent with it, as they stand.
        clamped: True where the URL ends sooner than asked, because the security token that signs it does.
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


class Signer:
    """Signs requests with the credentials that the provider has at that moment.

    Credentials are read once a signature, so id, secret and token are always of one fetch. Safe to share between
    threads: it keeps immutable parts, a small cache of derived keys, and the clock offsets of servers that complained
    about the time; the latter two are replaced as a whole and need no lock.

    Args:
        provider: anything with `get_credentials(valid_for=0.0)`, or one `Credentials` object.
        scheme: one of `ramrole_creds.signing`, for instance `signing.ACS3()`.
        clock: where the time comes from; the system's by default.
        nonce: called without arguments for each signature of a scheme that has a nonce; gives a new str each time.

    Raises:
        ConfigurationError: it was given no provider or no scheme.
    """

    __slots__ = ("_clock", "_get_credentials", "_keys", "_nonce", "_now", "_scheme", "_skew", "provider", "scheme")

    def __init__(
        self,
        provider: CredentialSource | Credentials,
        scheme: Scheme,
        clock: Clock | None = None,
        nonce: Callable[[], str] | None = None,
    ) -> None:
        # Here and not above: hashlib would be a tenth of what importing this library costs.
        from ramrole_creds.signing._signing_keys import SigningKeys

        if isinstance(provider, Credentials):
            provider = _Fixed(provider)
        if not hasattr(provider, "get_credentials"):
            raise ConfigurationError(f"A Signer needs a provider or Credentials, not {type(provider).__name__}.")
        if isinstance(scheme, type) or not hasattr(scheme, "sign"):
            given = f"the class {scheme.__name__}" if isinstance(scheme, type) else type(scheme).__name__
            raise ConfigurationError(f"A Signer needs a scheme such as signing.ACS3(), not {given}.")
        self.provider: CredentialSource = provider
        self.scheme: Scheme = scheme
        self._get_credentials = provider.get_credentials
        self._scheme = scheme
        self._clock: Clock = clock or SYSTEM_CLOCK
        self._now = self._clock.time
        self._nonce = nonce or _random_nonce
        self._keys = SigningKeys()
        self._skew = ClockSkew(self._clock)

    def sign(self, request: Request, *, credentials: Signable | None = None) -> Request:
        """The request as it is to be sent.

        Args:
            request: what to send; if it was signed before, the old signature is replaced.
            credentials: one snapshot to sign with, for callers that fetch it themselves (asynchronously, say).

        Raises:
            SigningError: the scheme cannot sign such a request.
            RamRoleError: whatever the provider raises.
        """
        now = self._now()
        if self._skew.offsets:
            now += self._skew.offset(request.host)
        return self._scheme.sign(request, credentials or self._get_credentials(), now, self._nonce, self._keys)

    def presign(self, request: Request, expires_in: float) -> PresignedUrl:
        """A URL that does what the request says, for whoever has it, until it ends.

        The provider is asked for credentials that live as long as the URL. A URL signed with a security token ends
        with the token, whatever it says: where no credentials live long enough, `expires_at` and the URL itself name
        the true end, and `clamped` is True. An unknown expiration clamps nothing.

        Args:
            request: method, URL and the headers that will be sent with it.
            expires_in: seconds; whole ones count.

        Raises:
            SigningError: the scheme has no presigned URLs, or none of that life; nothing has been signed then.
        """
        life = self._presign_life(expires_in)
        try:
            credentials = self._get_credentials(valid_for=life)
        except LifetimeTooShort:
            credentials = self._get_credentials()
        # By the server's clock where it is known to differ: the token ends by that one too.
        now = self._now() + (self._skew.offset(request.host) if self._skew.offsets else 0.0)
        clamped = False
        if credentials.security_token and credentials.expiration is not None:
            left = math.floor(credentials.expiration.timestamp() - math.floor(now))
            if left < 1:
                raise SigningError("The credentials end within this second: no URL signed with them would be accepted.")
            if left < life:
                logger.warning(
                    "A presigned URL was asked for %d s and ends after %d s, together with the security token.",
                    life,
                    left,
                )
                life, clamped = left, True
        signed, headers = self._scheme.presign(request, credentials, now, life, self._keys)
        expires_at = datetime.fromtimestamp(math.floor(now) + life, timezone.utc)
        return PresignedUrl(signed.url, expires_at, headers, clamped)

    def post_form(self, policy: str | dict[str, object]) -> dict[str, str]:
        """The fields of a browser's upload form (OSS PostObject).

        Args:
            policy: the policy document. Text is signed as it is; a mapping gets the conditions that the scheme wants
                and ends no later than the security token.

        Raises:
            SigningError: the scheme has no upload forms.
        """
        return self._scheme.post_form(policy, self._get_credentials(), self._now(), self._keys)

    def learn_server_time(self, host: str, server_time: float) -> bool:
        """Sign for `host` by the server's clock from now on, after it refused a request because of its time.

        Forgotten as soon as the local clock is set. At most a day is believed.

        Args:
            host: as `Request.host` has it.
            server_time: the Date of the refusal, as Unix seconds.

        Returns:
            True when signing again would give another time, so that a retry makes sense.
        """
        return self._skew.learn(host, server_time)

    def observe_server_time(self, host: str, server_time: float) -> None:
        """Take note of the Date of an ordinary answer: a learnt offset that is no longer true is forgotten."""
        self._skew.observe(host, server_time)

    def knows_skew(self) -> bool:
        """True when the clock of any server is known to differ."""
        return bool(self._skew.offsets)

    def _presign_life(self, expires_in: object) -> int:
        longest = self._scheme.longest_presign
        if not isinstance(expires_in, (int, float)) or isinstance(expires_in, bool) or math.isnan(expires_in):
            raise SigningError(f"expires_in must be a number of seconds, not {expires_in!r}.")
        if not longest:
            raise SigningError(
                f"{self._scheme.name} has no presigned URLs; OSSV1, OSSV4, SigV4 and FCV2 (HTTP triggers) have. Sign "
                "the request itself with sign()."
            )
        if expires_in < 1 or expires_in > longest:
            limits = f"from 1 to {longest:.0f}" if longest < math.inf else "of at least 1"
            raise SigningError(
                f"{self._scheme.name} presigns for a number of seconds {limits}, not {expires_in!r}: nothing was "
                "signed (expires_in= is the life of the URL)."
            )
        if longest == math.inf and expires_in > _LATEST:
            raise SigningError(f"expires_in is too large to name a moment: {expires_in!r} seconds.")
        return int(expires_in)

    def __repr__(self) -> str:
        return f"Signer({type(self.provider).__name__}, {self._scheme!r})"


_LATEST = 100 * 365 * 86400


class _Fixed:
    """A source that has one set of credentials."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def get_credentials(self, valid_for: float = 0.0) -> Credentials:
        """The credentials, whatever is left of them."""
        del valid_for
        return self._credentials

    def __repr__(self) -> str:
        return repr(self._credentials)


def _random_nonce() -> str:
    return os.urandom(16).hex()
