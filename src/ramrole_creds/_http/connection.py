"""One request on one connection that keeps a deadline; imported with the first request, for requests is slow to load.

The requests library's adapter is used, not its session: a session reads the whole body of a redirect that it was told
not to follow, keeps cookies between tries, and adds what it finds in netrc.
"""

from __future__ import annotations

import io
import logging
import os
import ssl
import threading
import time
from http.client import HTTPException, HTTPResponse, IncompleteRead, RemoteDisconnected
from typing import TYPE_CHECKING, Any, cast

import requests
import requests.adapters
import urllib3
from requests import exceptions as failures
from urllib3 import exceptions as wire_failures
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from ramrole_creds._http.errors import (
    BadResponse,
    BodyTooLarge,
    ConnectFailed,
    ConnectionBroken,
    ConnectTimeout,
    HttpError,
    ReadTimeout,
    TimeLimitExceeded,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

CHUNK_BYTES = 16384
MAX_HEAD_BYTES = 65536
MAX_BYTES = 1310720
RESOURCE_ERRNOS = frozenset({12, 23, 24, 105})  # ENOMEM, ENFILE, EMFILE, ENOBUFS


class _TooMuch(Exception):
    """More came than any answer may have."""


class _NotDecodable(Exception):
    """The body is not in the encoding that its header names."""


class _CaBundleMissing(Exception):
    """The file of certificates that is to be trusted is not there."""


class _CutShort(Exception):
    """The connection ended before the announced length was there."""


class _QueryFilter(logging.Filter):
    """Takes queries out of what urllib3 logs of our requests: one may hold a secret of a credentials URI."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass."""
        if getattr(_here, "exchanging", False) and isinstance(record.args, tuple):
            record.args = tuple(part.partition("?")[0] if isinstance(part, str) else part for part in record.args)
        return True


_here = threading.local()
"""Whether this thread makes a request of ours: other users of urllib3 keep their log as it is."""
logging.getLogger("urllib3.connectionpool").addFilter(_QueryFilter())


class Exchange:
    """One request and its answer, on a connection of its own.

    A second request on the same connection could be given an answer that was not meant for it, left over from the
    first or sent ahead by whoever sits in between.

    Args:
        deadline: end of the whole exchange on `time.monotonic`.
        use_environment: honour the proxies and CA bundles that the environment names.
        verify: as requests takes it.
    """

    def __init__(self, *, deadline: float, use_environment: bool, verify: bool | str) -> None:
        self._deadline = deadline
        self._use_environment = use_environment
        self._verify = verify
        self._wire = _Wire(deadline)

    def run(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        timeouts: tuple[float, float],
        max_body: int,
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers by lower-case name, and decoded body; whatever goes wrong is raised as it comes."""
        own = {
            "User-Agent": "ramrole-creds",
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "Connection": "close",
        }
        request = requests.Request(method, url, headers={**own, **headers}, data=body).prepare()
        adapter = _DeadlineAdapter(self._wire)
        _here.exchanging = True
        try:
            proxies, verify = self._surroundings(url)
            if isinstance(verify, str) and not os.path.exists(verify):  # noqa: PTH110  # pathlib is loaded for nobody else
                raise _CaBundleMissing
            remaining = max(0.001, self._deadline - time.monotonic())
            connect, read = (min(timeout, remaining) for timeout in timeouts)
            response = adapter.send(request, stream=True, timeout=(connect, read), verify=verify, proxies=proxies)
            try:
                content = _read(response, max_body)
            finally:
                response.close()
        finally:
            _here.exchanging = False
            adapter.close()
        answered = {name.lower(): value for name, value in response.headers.items()}
        return response.status_code, answered, _decoded(content, answered.get("content-encoding", ""), max_body)

    def explain(self, error: Exception, where: str) -> HttpError:
        """The failure as one of ours, in words that hold nothing of what was sent or read."""
        failure = _explain(error, where, late=time.monotonic() >= self._deadline)
        failure.answered = self._wire.answered
        if failure.answered and isinstance(failure, ReadTimeout):
            failure.args = (f"{where}: the answer began, and the rest of it did not come in time.",)
        return failure

    def _surroundings(self, url: str) -> tuple[dict[str, str], bool | str]:
        if not self._use_environment:
            return {}, self._verify
        with requests.Session() as session:
            settings = session.merge_environment_settings(url, {}, stream=True, verify=self._verify, cert=None)
        return dict(settings["proxies"]), cast("bool | str", settings["verify"])


def _explain(error: Exception, where: str, *, late: bool) -> HttpError:  # noqa: PLR0911  # one for each kind
    if _caused_by(error, _TooMuch):
        return BodyTooLarge(f"{where}: the answer is longer than an answer of this service can be.", connected=True)
    not_connected = _explain_connecting(error, where)
    if not_connected is not None:
        return not_connected
    if _caused_by(error, TimeoutError, wire_failures.ReadTimeoutError) or isinstance(error, failures.Timeout):
        if late:
            return TimeLimitExceeded(f"{where}: no whole answer within the time limit.", connected=True)
        return ReadTimeout(f"{where}: connected, but no answer came in time.", connected=True, retriable=True)
    if _caused_by(error, _NotDecodable):
        return BadResponse(f"{where}: the answer's content encoding is broken.", connected=True, retriable=True)
    if _is_bad_http(error):
        return BadResponse(f"{where}: what came back is not HTTP.", connected=True)
    reason = _os_reason(error) or "the connection ended before the answer did"
    return ConnectionBroken(f"{where}: {reason}.", connected=True, retriable=True)


def _explain_connecting(error: Exception, where: str) -> HttpError | None:  # noqa: PLR0911  # as above
    """What kept the request from being sent; None where something else went wrong."""
    if isinstance(error, (failures.InvalidURL, failures.MissingSchema, failures.InvalidSchema, UnicodeError)):
        return ConnectFailed(f"{where}: this is no URL that can be asked.")
    if isinstance(error, _CaBundleMissing):
        return ConnectFailed(
            f"{where}: the CA bundle is not there. Correct `verify`, REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE."
        )
    if isinstance(error, failures.ConnectTimeout):
        return ConnectTimeout(f"{where}: no answer to the attempt to connect.")
    if isinstance(error, failures.SSLError) or _caused_by(error, ssl.SSLError):
        return ConnectFailed(f"{where}: TLS failed ({_tls_reason(error)}).", connected=True)
    if isinstance(error, failures.ProxyError):
        return ConnectFailed(f"{where}: the proxy of the environment could not be used.", retriable=True)
    if _local_trouble(error):
        return ConnectFailed(f"{where}: {_os_reason(error)}.", local=True)
    if _caused_by(error, wire_failures.NewConnectionError, wire_failures.NameResolutionError):
        return ConnectFailed(f"{where}: {_os_reason(error) or 'cannot connect'}.", retriable=True)
    return None


class _Wire:
    """What one exchange's connection may do, and what has come over it."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.answered = False
        self.bytes_left = 0


class _DeadlineAdapter(requests.adapters.HTTPAdapter):
    def __init__(self, wire: _Wire) -> None:
        self._wire = wire
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **kwargs: Any) -> None:  # noqa: ANN401, FBT001, FBT002
        super().init_poolmanager(connections, maxsize, block, **kwargs)
        self._keep_deadline(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> urllib3.PoolManager:  # noqa: ANN401
        manager = cast("urllib3.PoolManager", super().proxy_manager_for(proxy, **kwargs))
        self._keep_deadline(manager)
        return manager

    def _keep_deadline(self, manager: urllib3.PoolManager) -> None:
        response = type("DeadlineResponse", (_DeadlineResponse,), {"wire": self._wire})
        plain = type("Plain", (HTTPConnection,), {"response_class": response})
        secure = type("Secure", (HTTPSConnection,), {"response_class": response})
        manager.pool_classes_by_scheme = {
            "http": type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
        }


class _DeadlineResponse(HTTPResponse):
    """http.client's answer, read against the deadline."""

    wire: _Wire

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # as http.client calls it
        super().__init__(sock, *args, **kwargs)
        self.wire.bytes_left = MAX_HEAD_BYTES
        self.fp = io.BufferedReader(_DeadlineReader(self.fp.detach(), sock, self.wire))

    def begin(self) -> None:
        """Read the head. 1xx answers that announce another one are passed over, as 100 is by http.client itself."""
        super().begin()
        while 101 < self.status < 200:
            self.headers = self.msg = None  # type: ignore[assignment]  # as it was before anything was read
            super().begin()
        # urllib3 would go on, and log what it could not read; that might be a credential document.
        if not self.headers.is_multipart() and self.headers.get_payload():
            raise HTTPException
        self.headers.defects.clear()
        self.wire.bytes_left = MAX_BYTES


class _DeadlineReader(io.RawIOBase):
    """Reads from a socket, never beyond the deadline nor more than the wire may carry."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, wire: _Wire) -> None:
        self._raw = raw
        self._socket = sock
        self._wire = wire
        self._patience = sock.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401  # any writable buffer
        remaining = self._wire.deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        self._socket.settimeout(remaining if self._patience is None else min(self._patience, remaining))
        count = cast("int | None", self._raw.readinto(buffer))
        if count:
            self._wire.answered = True
            self._wire.bytes_left -= count
            if self._wire.bytes_left < 0:
                raise _TooMuch
        return count

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


def _read(response: requests.Response, max_body: int) -> bytes:
    """The body as it is on the wire. One cut short is no answer, though what there is of it may look whole."""
    content = bytearray()
    for chunk in response.raw.stream(CHUNK_BYTES, decode_content=False):
        content += chunk
        if len(content) > max_body:
            raise _TooMuch
    announced = response.headers.get("Content-Length", "")
    chunked = "chunked" in response.headers.get("Transfer-Encoding", "").lower()
    if announced.isascii() and announced.isdigit() and not chunked and len(content) < int(announced):
        raise _CutShort
    return bytes(content)


def _decoded(content: bytes, encoding: str, max_body: int) -> bytes:
    """The body without its content encoding, which nobody asked for; never longer than the cap."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity") or not content:
        return content
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise _NotDecodable
    import zlib

    unpacker = zlib.decompressobj(wbits=47)  # gzip or zlib, whichever it is
    try:
        plain = unpacker.decompress(content, max_body + 1)
    except zlib.error:
        raise _NotDecodable from None
    if len(plain) > max_body:
        raise _TooMuch
    if not unpacker.eof:
        raise _NotDecodable
    return plain


def _caused_by(error: BaseException, *kinds: type[BaseException]) -> bool:
    return any(isinstance(cause, kinds) for cause in _causes(error))


def _causes(error: BaseException) -> list[BaseException]:
    """The error and everything that led to it, however requests and urllib3 wrapped it."""
    found: list[BaseException] = []
    queue: list[object] = [error]
    while queue:
        cause = queue.pop()
        if isinstance(cause, BaseException) and cause not in found:
            found.append(cause)
            queue += [cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args]
    return found


def _local_trouble(error: BaseException) -> bool:
    """True where this process or machine has run out of something."""
    return any(isinstance(cause, OSError) and cause.errno in RESOURCE_ERRNOS for cause in _causes(error))


def _os_reason(error: BaseException) -> str:
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.strerror and not isinstance(cause, requests.RequestException):
            return cause.strerror.lower()
    return ""


def _tls_reason(error: BaseException) -> str:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message
        if isinstance(cause, ssl.SSLError) and cause.reason:
            return cause.reason
    return "handshake"


def _is_bad_http(error: BaseException) -> bool:
    for cause in _causes(error):
        if isinstance(cause, (RemoteDisconnected, IncompleteRead)):
            return False
        if isinstance(cause, (HTTPException, wire_failures.HeaderParsingError, wire_failures.InvalidHeader)):
            return True
    return False
