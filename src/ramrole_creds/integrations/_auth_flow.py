"""What the helpers for HTTP clients decide, without any I/O of their own.

A *signed exchange* is one request of a caller over all its attempts. The rules are the same for every client:

- it is signed for the origin that the caller named, and for no other: a redirect within it is signed again, one that
  leaves it is handed to the caller unfollowed, so that neither token nor signature reaches another host;
- an answer that says that the token has expired leads to one refresh and one more attempt;
- an answer that complains about the time teaches the signer the server's clock, and leads to one more attempt;
- neither happens where the body cannot be sent a second time.
"""

from __future__ import annotations

import base64
import enum
import logging
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from ramrole_creds.credentials import same_keys
from ramrole_creds.errors import ConfigurationError, RamRoleError, SigningError
from ramrole_creds.integrations import _error_codes as refusals
from ramrole_creds.signing import Request, Signer
from ramrole_creds.signing.mismatch import explain_mismatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ramrole_creds.credentials import Credentials

logger = logging.getLogger(__name__)

ERROR_STATUSES = frozenset((400, 401, 403, 404, 408))
"""Statuses whose body is worth reading."""
REDIRECT_STATUSES = frozenset((301, 302, 303, 307, 308))
MAX_ERROR_BYTES = 65536


class NextStep(enum.Enum):
    """What to do with an answer."""

    RETURN = "return"
    """Give it to the caller."""
    SIGN_AGAIN = "sign again"
    """Sign once more, by the server's clock now, and send again."""
    REFRESH = "refresh"
    """Have the credentials replaced, sign with the new ones and send again."""


class SigningAuth:
    """The part of a helper that lives as long as the helper: the signer, and the hosts it may sign for.

    Args:
        signer: what signs.
        hosts: hosts that may be signed for; where None, whichever the caller names. A leading dot takes in all
            subdomains (".aliyuncs.com"); a port counts where it is not the scheme's own ("127.0.0.1:8080").
    """

    def __init__(self, signer: Signer, hosts: Iterable[str] | None = None) -> None:
        if not isinstance(signer, Signer):
            raise ConfigurationError(
                f"What signs is a Signer, not {type(signer).__name__}: give Signer(provider, signing.ACS3()), or one "
                "with another scheme."
            )
        self.signer = signer
        if isinstance(hosts, str):
            hosts = (hosts,)
        self._hosts = None if hosts is None else tuple(host.lower() for host in hosts)
        self._irreplaceable: Credentials | None = None

    def begin(self, url: str) -> AuthFlow:
        """An exchange with the origin of `url`.

        Raises:
            SigningError: `hosts` does not hold its host.
        """
        origin = origin_of(url)
        if self._hosts is not None and not any(_is_within(origin[1], host) for host in self._hosts):
            raise SigningError(
                f"The request goes to {origin[1]}, which is none of the hosts to sign for ({', '.join(self._hosts)}): "
                "add it to hosts= if it may have your credentials' token."
            )
        return AuthFlow(self, origin)

    def refresh(self, rejected: Credentials) -> Credentials | None:
        """Other credentials than the rejected ones, or None where there are none; blocks, and never raises ours."""
        if self._irreplaceable == rejected:
            return None
        provider = self.signer.provider
        refresh = getattr(provider, "refresh", None)
        try:
            fresh: Credentials = provider.get_credentials() if refresh is None else refresh(rejected=rejected)
        except RamRoleError as error:
            logger.warning("The service refused the security token, and the provider has no other: %s", error)
            return None
        if same_keys(fresh, rejected):
            # Remembered, so that a key refused for another reason costs one fetch and not one a request.
            self._irreplaceable = rejected
            return None
        self._irreplaceable = None
        return fresh


class AuthFlow:
    """One request over its attempts; made by `SigningAuth.begin`."""

    def __init__(self, agent: SigningAuth, origin: tuple[str, str]) -> None:
        self._agent = agent
        self._origin = origin
        self._signed: Request | None = None
        self._credentials: Credentials | None = None
        self._refreshed = False
        self._told_the_time = False

    error_statuses = ERROR_STATUSES

    @property
    def origin(self) -> tuple[str, str]:
        """Scheme and host that are signed for."""
        return self._origin

    @property
    def host(self) -> str:
        """The host that is signed for, with its port where it is not the scheme's own."""
        return self._origin[1]

    def covers(self, url: str) -> bool:
        """True where `url` is of the origin that is signed for; https in place of http counts as the same."""
        return is_same_or_safer(self._origin, origin_of(url))

    def redirect_target(self, url: str, location: str | None) -> str | None:
        """The URL that an answer from `url` redirects to, if it may be followed; else None."""
        if not location:
            return None
        target = urljoin(url, location)
        if target.lower().startswith(("http://", "https://")) and self.covers(target):
            return target
        logger.warning(
            "%s redirects to another host (%s): not followed, because signature and token are for %s only.",
            self.host, urlsplit(target).hostname, self.host,
        )  # fmt: skip
        return None

    def sign(self, request: Request, credentials: Credentials) -> Request:
        """The request, signed with one snapshot.

        Raises:
            SigningError: the request goes elsewhere than the exchange, or the scheme cannot sign it.
        """
        if not self.covers(request.url):
            raise SigningError(f"The request goes to {request.host}, but it is signed for {self.host} only.")
        self._signed = self._agent.signer.sign(request, credentials=credentials)
        self._credentials = credentials
        return self._signed

    def next_step(
        self, status: int, header: Callable[[str], str | None], read: Callable[[], bytes], *, replayable: bool
    ) -> NextStep:
        """What is to be done with an answer.

        Args:
            status: its status.
            header: looks up one of its headers.
            read: reads its body; called only for the few statuses that services refuse signatures with.
            replayable: whether the request can be sent once more.
        """
        signer = self._agent.signer
        if status not in ERROR_STATUSES:
            if signer.knows_skew() and (now := server_time(header)) is not None:
                signer.observe_server_time(self.host, now)
            return NextStep.RETURN
        body = read()[:MAX_ERROR_BYTES] or _error_in_header(header)
        if refusals.is_time_refused(body):
            now = server_time(header)
            if now is None or self._told_the_time or not signer.learn_server_time(self.host, now):
                return NextStep.RETURN
            self._told_the_time = True
            logger.info("%s refused the request's time: signing by its clock from now on.", self.host)
            return NextStep.SIGN_AGAIN if replayable else NextStep.RETURN
        if self._credentials is not None and not self._refreshed and replayable:
            ended = refusals.is_token_ended(body)
            if ended or (self._credentials.security_token and refusals.is_key_refused(body)):
                self._refreshed = True
                return NextStep.REFRESH
        if self._signed is not None and refusals.is_signature_refused(body):
            reason = explain_mismatch(signer.scheme, self._signed, body)
            logger.warning("%s refused the signature. %s", self.host, reason)
        return NextStep.RETURN

    def refresh(self) -> Credentials | None:
        """Credentials in place of those that were refused, None where there are none; blocks."""
        return None if self._credentials is None else self._agent.refresh(self._credentials)


def origin_of(url: str) -> tuple[str, str]:
    """Scheme and host of a URL, the port where it is not the scheme's own."""
    request = Request("GET", url)
    return request.scheme, request.host


def is_same_or_safer(origin: tuple[str, str], target: tuple[str, str]) -> bool:
    """True for the same origin, and for https in place of http on the same host and the usual ports."""
    return origin == target or (origin[0] == "http" and target == ("https", origin[1]) and ":" not in target[1])


def server_time(header: Callable[[str], str | None]) -> float | None:
    """The moment at which an answer was made, by the server's clock: its Date, plus the Age that a cache adds."""
    date = header("Date")
    if not date:
        return None
    try:
        made = parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    age = header("Age") or ""
    return made + (int(age) if age.isascii() and age.isdigit() and len(age) < 7 else 0)


def _error_in_header(header: Callable[[str], str | None]) -> bytes:
    """The error document that OSS sends in a header when the answer, to HEAD, can have no body."""
    try:
        return base64.b64decode(header("x-oss-err") or "")
    except ValueError:
        return b""


def wire_headers(signed: Request) -> dict[str, str | bytes]:
    """Headers for a client that encodes text as Latin-1: what is not ASCII is given as the bytes that were signed."""
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


def _is_within(host: str, allowed: str) -> bool:
    return host.endswith(allowed) if allowed.startswith(".") else host == allowed
