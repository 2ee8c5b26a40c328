"""What the helpers for HTTP clients decide, without any I/O.

The rules are the same for every client:

- A call is signed for the origin that the caller named, and for no other. A redirect within the origin is signed again.
  A redirect that leaves it is never signed: neither token nor signature reaches another host.
- An answer that says that the token has expired leads to one refresh and one more attempt.
- An answer that complains about the time teaches the signer the server's clock, and leads to one more attempt.
- An answer that complains about a used nonce leads to one more attempt.
- A request whose body cannot be sent a second time is not sent again.
"""

from __future__ import annotations

import base64
import enum
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import urljoin

from ramrole_creds._checks import kind_of
from ramrole_creds._formats.error_codes import MAX_TEXT_LENGTH, ErrorKind, kind_of_answer
from ramrole_creds._http.urls import InvalidUrlError, authority_of, parse_authority, parse_url, resolve_redirect
from ramrole_creds.errors import ConfigurationError, SigningError
from ramrole_creds.integrations._refresh_pause import pause_of
from ramrole_creds.signing import Request, Signer
from ramrole_creds.signing.mismatch import explain_mismatch
from ramrole_creds.signing.server_time import read_server_time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ramrole_creds.credentials import Credentials

    Origin: TypeAlias = tuple[str, str]
    """Scheme and host, in lower case; with the port where it is not the scheme's own."""

logger = logging.getLogger(__name__)

ERROR_STATUSES: Final = frozenset((400, 401, 403, 404, 408))
"""Statuses with which services reject a signature; only their bodies are read."""
REDIRECT_STATUSES: Final = frozenset((301, 302, 303, 307, 308))


class NextStep(enum.Enum):
    """What to do with an answer."""

    RETURN = "return"
    """Return it to the caller."""
    SIGN_AGAIN = "sign again"
    """Sign once more, with the server's time and a new nonce, and send again."""
    REFRESH = "refresh"
    """Refresh the credentials, sign with the new ones and send again."""


class SigningAuth:
    """What a helper keeps for its whole life: the signer, and the hosts that it may sign for.

    Args:
        signer: the signer.
        hosts: hosts that may be signed for; None allows every host that the caller names. A leading dot includes all
            subdomains (".aliyuncs.com"). Add the port where it is not the scheme's own ("127.0.0.1:8080").
    """

    def __init__(self, signer: Signer, hosts: Iterable[str] | None = None) -> None:
        given: object = signer
        if not isinstance(given, Signer):
            raise ConfigurationError(
                f"signer must be a Signer, not {kind_of(given)}: write Signer(provider, signing.ACS3()), or "
                "another scheme of ramrole_creds.signing."
            )
        self.signer = signer
        self.hosts: tuple[str, ...] | None = None if hosts is None else _checked_hosts(hosts)

    def begin(self, request: Request) -> AuthFlow:
        """The flow of a new call, for the origin of its first request.

        Raises:
            SigningError: the host is not among `hosts`.
        """
        origin = origin_of(request)
        if self.hosts is not None and not any(_is_within(origin[1], host) for host in self.hosts):
            raise SigningError(
                f"The request goes to {origin[1]}, which is not one of the hosts to sign for "
                f"({', '.join(self.hosts)}). Add it to hosts= if it may receive the security token."
            )
        return AuthFlow(self, origin)

    def refresh(self, rejected: Credentials) -> Credentials | None:
        """Credentials other than the rejected ones, or None. Blocks; logs an error of the provider and returns None."""
        pause = pause_of(self.signer.provider, self.signer.clock)
        if not pause.allows(rejected):
            return None
        return pause.refresh(self.signer.provider, rejected, logger)


class AuthFlow:
    """One request over its attempts. `SigningAuth.begin` creates it; each hop of a redirect has its own."""

    __slots__ = ("_auth", "_credentials", "_repeated", "_signed", "host", "origin")

    def __init__(self, auth: SigningAuth, origin: Origin) -> None:
        self._auth = auth
        self._signed: Request | None = None
        self._credentials: Credentials | None = None
        self._repeated: tuple[ErrorKind, ...] = ()
        self.origin = origin
        """Scheme and host that this call is signed for."""
        self.host = origin[1]
        """The host, with the port where it is not the scheme's own."""

    def next_hop(self) -> AuthFlow:
        """The flow of the next hop of a redirect: for the same origin; it counts its own attempts."""
        return AuthFlow(self._auth, self.origin)

    def covers(self, request: Request) -> bool:
        """True where a request goes to the origin that is signed for. An upgrade from http to https counts as well."""
        return is_same_or_safer(self.origin, origin_of(request))

    def covers_url(self, url: str) -> bool:
        """The same for a URL. A URL that clients could read differently is not covered."""
        try:
            return parse_url(url).authority == self.host and self.covers(Request("GET", url))
        except (InvalidUrlError, SigningError):
            return False

    def redirect_target(self, url: str, location: str | None) -> str | None:
        """The URL that an answer from `url` redirects to, if it may be followed, else None."""
        if not location:
            return None
        try:
            resolve_redirect(parse_url(url), location)
            target = urljoin(url, location)
        except ValueError:  # InvalidUrlError among them
            target = ""
        if self.covers_url(target):
            return target
        logger.warning(
            "%s redirects to another host. The redirect is not followed, because signature and token are for %s only.",
            self.host, self.host,
        )  # fmt: skip
        return None

    def require_covered(self, request: Request) -> None:
        """Check that a hop stays within the origin.

        Raises:
            SigningError: it leaves the origin.
        """
        if not self.covers(request):
            raise SigningError(
                f"{self.host} redirects to another host or scheme ({request.scheme}://{request.host}). The redirect is "
                f"not followed, because signature and token are for {self.host} only. Turn redirects off to see the "
                "answer."
            )

    def sign(self, request: Request, credentials: Credentials) -> Request:
        """The request, signed with one snapshot.

        Raises:
            SigningError: the request leaves the origin, or the scheme cannot sign it.
        """
        if origin_of(request) != self.origin and not self.covers(request):
            raise SigningError(f"The request goes to {request.host}, but it is signed for {self.host} only.")
        self._signed = self._auth.signer.sign(request, credentials=credentials)
        self._credentials = credentials
        return self._signed

    def next_step(
        self, status: int, header: Callable[[str], str | None], read: Callable[[], bytes], *, replayable: bool
    ) -> NextStep:
        """What to do with an answer.

        Args:
            status: its status.
            header: looks up one of its headers.
            read: reads its body; called only for `ERROR_STATUSES`.
            replayable: whether the request can be sent once more.
        """
        signer = self._auth.signer
        if status not in ERROR_STATUSES:
            if signer.knows_skew() and (now := read_server_time(header)) is not None:
                signer.observe_server_time(self.host, now)
            return NextStep.RETURN
        body = read()[:MAX_TEXT_LENGTH] or _error_in_header(header)
        kind = kind_of_answer(body)
        if kind is ErrorKind.WRONG_SIGNATURE and self._signed is not None:
            reason = explain_mismatch(signer.scheme, self._signed, body)
            logger.warning("%s rejected the signature. %s", self.host, reason)
        if kind is None or kind in self._repeated:
            return NextStep.RETURN
        step = self._step_for(kind, read_server_time(header, body))
        if step is not NextStep.RETURN:
            self._repeated += (kind,)
        return step if replayable else NextStep.RETURN

    def _step_for(self, kind: ErrorKind, now: float | None) -> NextStep:
        credentials = self._credentials
        if kind is ErrorKind.WRONG_CLOCK:
            signer = self._auth.signer
            if now is None or not signer.learn_server_time(self.host, now, credentials=credentials):
                return NextStep.RETURN
            logger.info("%s rejected the time of the request. Requests now use its clock.", self.host)
            return NextStep.SIGN_AGAIN
        if kind is ErrorKind.USED_NONCE:
            logger.info("%s received a request twice. It is signed again with a new nonce.", self.host)
            return NextStep.SIGN_AGAIN
        if credentials is None or not _REFRESHES.isdisjoint(self._repeated):
            return NextStep.RETURN
        if kind is ErrorKind.EXPIRED_TOKEN or (kind is ErrorKind.REJECTED_KEY and credentials.security_token):
            return NextStep.REFRESH
        return NextStep.RETURN

    def end(self) -> None:
        """Let go of what was signed: the answer, which may be kept for long, refers to this flow."""
        self._signed = self._credentials = None

    def refresh(self) -> Credentials | None:
        """Credentials other than the rejected ones, or None. Blocks."""
        return None if self._credentials is None else self._auth.refresh(self._credentials)


_REFRESHES = frozenset((ErrorKind.EXPIRED_TOKEN, ErrorKind.REJECTED_KEY))


def origin_of(request: Request) -> Origin:
    """Scheme and host of a request."""
    return request.scheme, request.host


def is_same_or_safer(origin: Origin, target: Origin) -> bool:
    """True for the same origin, and for https instead of http on the same host and the default ports."""
    return origin == target or (origin[0] == "http" and target == ("https", origin[1]) and ":" not in target[1])


def _error_in_header(header: Callable[[str], str | None]) -> bytes:
    """The error document that OSS sends in a header when the answer can have no body, as for HEAD."""
    try:
        return base64.b64decode(header("x-oss-err") or "")
    except ValueError:
        return b""


def wire_headers(signed: Request) -> dict[str, str | bytes]:
    """Headers for a client that encodes text as Latin-1: a non-ASCII value is passed as the bytes that were signed."""
    return {name: value if value.isascii() else value.encode() for name, value in signed.headers}


def text_headers(headers: Mapping[str, str | bytes]) -> list[tuple[str, str]]:
    """A client's headers as text."""
    return [(_text(name), _text(value)) for name, value in headers.items()]


def _text(value: str | bytes) -> str:
    if isinstance(value, str):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _checked_hosts(hosts: object) -> tuple[str, ...]:
    given = (hosts,) if isinstance(hosts, str) or not isinstance(hosts, Iterable) else tuple(hosts)
    if not all(isinstance(host, str) and host for host in given):
        raise ConfigurationError(
            'hosts must be the names of hosts, such as (".aliyuncs.com",), or None to sign for all that you call.'
        )
    return tuple(_checked_host(str(host)) for host in given)


def _checked_host(host: str) -> str:
    """A host as requests have it, perhaps with a leading dot."""
    dot = "." if host.startswith(".") else ""
    try:
        name, port = parse_authority(host[len(dot) :])
    except InvalidUrlError as error:
        problem = str(error)
    else:
        return dot + authority_of(name, port)
    raise ConfigurationError(f"{host!r} in hosts is not a host: {problem}. Write HOST, HOST:PORT or .DOMAIN.")


def _is_within(host: str, allowed: str) -> bool:
    return host.endswith(allowed) if allowed.startswith(".") else host == allowed
