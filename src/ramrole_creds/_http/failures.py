"""Which exceptions of requests, urllib3, ssl and http.client are which failure of a request."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from http.client import HTTPException, IncompleteRead, RemoteDisconnected

import requests
from requests import exceptions as failures
from urllib3 import exceptions as wire_failures

from ramrole_creds._http.addresses import RESOURCE_ERRNOS, LookupLimit, LookupTimeout, ThreadLimit
from ramrole_creds._http.errors import (
    BadResponse,
    BodyTooLarge,
    ConnectFailed,
    ConnectionBroken,
    ConnectTimeout,
    HttpError,
    ProxyUnusable,
    ReadTimeout,
    TimeLimitExceeded,
)


class AnswerTooLong(Exception):
    """More bytes came than any answer may have."""


class UndecodableBody(Exception):
    """The body does not have the encoding that its header names."""


class CaBundleMissing(Exception):
    """The file of trusted certificates does not exist."""


class SocksUnsupported(Exception):
    """The proxy speaks SOCKS, and the package for that is missing."""


class TruncatedBody(Exception):
    """The connection ended before the announced length had arrived."""


def failure_of(error: Exception, handled: BaseException | None, where: str, *, late: bool) -> HttpError:
    """The failure by the first rule that matches the error or one of its causes.

    Args:
        error: what the request raised.
        handled: the error that the caller was handling before the request: the context of `error`, not its cause.
        where: the request line, as it may be shown.
        late: True if the time limit of the session has passed.
    """
    causes = _causes_of(error, handled)
    for rule in _RULES:
        if rule.matches(error, causes):
            return rule.failure(where, causes, late=late)
    return _OTHERWISE.failure(where, causes, late=late)


@dataclass(frozen=True, slots=True)
class _Rule:
    """Which exceptions are which failure.

    Args:
        kinds: classes of exceptions.
        failure_class: the class of our error.
        text: the message; `{reason}` is the reason that the operating system or TLS gives.
        default: the reason if neither gives one.
        outermost: compare only the error itself, not its causes.
        errnos: compare the number of an OSError too.
        unless: another class among the causes that excludes the rule.
        connected: see `HttpError`.
        retriable: see `HttpError`.
        local: see `HttpError`.
    """

    kinds: tuple[type[BaseException], ...]
    failure_class: type[HttpError]
    text: str
    default: str = "cannot connect"
    outermost: bool = False
    errnos: frozenset[int] | None = None
    unless: tuple[type[BaseException], ...] = ()
    connected: bool = False
    retriable: bool = False
    local: bool = False

    def matches(self, error: BaseException, causes: list[BaseException]) -> bool:
        if any(isinstance(cause, self.unless) for cause in causes):
            return False
        compared = [error] if self.outermost else causes
        found = [one for one in compared if isinstance(one, self.kinds)]
        return bool(found) and (self.errnos is None or any(getattr(one, "errno", None) in self.errnos for one in found))

    def failure(self, where: str, causes: list[BaseException], *, late: bool) -> HttpError:
        if late and self.failure_class is ReadTimeout:
            return TimeLimitExceeded(f"{where}: no complete answer within the time limit.", connected=True)
        text = self.text.format(reason=_reason(causes) or self.default)
        return self.failure_class(
            f"{where}: {text}.", connected=self.connected, retriable=self.retriable, local=self.local
        )


_RULES = (
    _Rule((AnswerTooLong,), BodyTooLarge, "the answer is longer than any answer of this service", connected=True),
    _Rule(
        (failures.InvalidProxyURL,),
        ProxyUnusable,
        "the address of the proxy is not valid. Correct HTTPS_PROXY, HTTP_PROXY or ALL_PROXY",
    ),
    _Rule(
        (failures.InvalidURL, failures.MissingSchema, failures.InvalidSchema, UnicodeError),
        ConnectFailed,
        "this URL cannot be requested",
        outermost=True,
    ),
    _Rule(
        (CaBundleMissing,),
        ConnectFailed,
        "the CA bundle does not exist. Correct `verify`, REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE",
    ),
    _Rule(
        (SocksUnsupported,),
        ProxyUnusable,
        "the proxy is a SOCKS proxy, which needs the package PySocks. Install it, or correct HTTPS_PROXY or ALL_PROXY",
    ),
    _Rule((LookupTimeout,), ConnectTimeout, "the host name was not resolved in time"),
    _Rule((ThreadLimit,), ConnectFailed, "no thread could be started to resolve the host name", local=True),
    _Rule(
        (LookupLimit,),
        ConnectFailed,
        "the host name was not resolved, because earlier lookups have not ended. Check this machine's name servers",
        local=True,
    ),
    _Rule((failures.ConnectTimeout,), ConnectTimeout, "the attempt to connect was not answered", outermost=True),
    _Rule((failures.SSLError, ssl.SSLError), ConnectFailed, "TLS failed ({reason})", "handshake", connected=True),
    _Rule(
        (failures.ProxyError,),
        ProxyUnusable,
        "the proxy that the environment names could not be used ({reason})",
        "it did not open a tunnel",
        outermost=True,
        retriable=True,
    ),
    _Rule((OSError,), ConnectFailed, "{reason}", errnos=RESOURCE_ERRNOS, local=True),
    _Rule((MemoryError,), ConnectFailed, "no memory is left", local=True),
    _Rule((ImportError,), ConnectFailed, "a module cannot be loaded", local=True),
    _Rule((wire_failures.NewConnectionError, socket.gaierror), ConnectFailed, "{reason}", retriable=True),
    _Rule(
        (TimeoutError, wire_failures.ReadTimeoutError, failures.Timeout),
        ReadTimeout,
        "the connection was made, but no answer came in time",
        connected=True,
        retriable=True,
    ),
    _Rule((UndecodableBody,), BadResponse, "the answer's content encoding is broken", connected=True, retriable=True),
    _Rule(
        (HTTPException, wire_failures.HeaderParsingError, wire_failures.InvalidHeader),
        BadResponse,
        "the answer is not HTTP",
        unless=(RemoteDisconnected, IncompleteRead),
        connected=True,
    ),
)
_OTHERWISE = _Rule(
    (),
    ConnectionBroken,
    "{reason}",
    "the connection ended before the answer was complete",
    connected=True,
    retriable=True,
)


def _causes_of(error: BaseException, handled: BaseException | None) -> list[BaseException]:
    """The error and all its causes, however requests and urllib3 wrapped them."""
    found: list[BaseException] = []
    queue: list[object] = [error]
    while queue:
        cause = queue.pop()
        if isinstance(cause, BaseException) and cause is not handled and cause not in found:
            found.append(cause)
            queue += [cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args]
    return found


def _reason(causes: list[BaseException]) -> str:
    """What TLS or the operating system says."""
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message
        if isinstance(cause, ssl.SSLError):
            return cause.reason or ""
    for cause in causes:
        if isinstance(cause, OSError) and cause.strerror and not isinstance(cause, requests.RequestException):
            return cause.strerror.lower()
    return ""
