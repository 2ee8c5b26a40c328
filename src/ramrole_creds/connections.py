"""A requests session whose sockets keep a deadline; imported with the first request, for requests is slow to load."""

from __future__ import annotations

import io
import ssl
import time
from typing import TYPE_CHECKING, Any, cast

import requests
import requests.adapters
import urllib3
from requests import exceptions as failures
from urllib3 import exceptions as wire_failures
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from ramrole_creds import http

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

CHUNK_BYTES = 16384
MOST_BYTES_BESIDE_BODY = 262144


class _TooMuch(Exception):
    """More came than any answer may have."""


class DeadlineSession(requests.Session):
    """Follows no redirect, keeps no cookie, and ends every read at its deadline."""

    def __init__(self, *, deadline: float, use_environment: bool, verify: bool | str) -> None:
        super().__init__()
        self.trust_env = use_environment
        self.verify = verify
        self._deadline = deadline
        self.headers.clear()
        for prefix in ("http://", "https://"):
            self.mount(prefix, _DeadlineAdapter(deadline))

    def exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        timeouts: tuple[float, float],
        max_body: int,
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers by lower-case name, and body of one answer; whatever goes wrong is raised as it comes."""
        remaining = max(0.001, self._deadline - time.monotonic())
        connect, read = (min(timeout, remaining) for timeout in timeouts)
        with self.request(
            method,
            url,
            headers={"User-Agent": "ramrole-creds", "Accept-Encoding": "identity", "Accept": "*/*", **headers},
            data=body,
            timeout=(connect, read),
            allow_redirects=False,
            stream=True,
        ) as response:
            content = bytearray()
            for chunk in response.iter_content(CHUNK_BYTES):
                content += chunk
                if len(content) > max_body:
                    raise _TooMuch
            _require_whole(response)
            self.cookies.clear()
            answered = {name.lower(): value for name, value in response.headers.items()}
            return response.status_code, answered, bytes(content)


def explain(error: Exception, where: str) -> http.HttpError:  # noqa: PLR0911  # one line for each kind of failure
    """The failure as one of ours, in words that hold nothing of what was sent or read."""
    if _caused_by(error, _TooMuch):
        return http.BodyTooLarge(
            f"{where}: the answer is longer than an answer of this service can be.", connected=True
        )
    if isinstance(error, (failures.InvalidURL, failures.MissingSchema, failures.InvalidSchema, UnicodeError)):
        return http.ConnectFailed(f"{where}: this is no URL that can be asked.")
    if isinstance(error, failures.ConnectTimeout):
        return http.ConnectTimeout(f"{where}: no answer to the attempt to connect.")
    if isinstance(error, failures.SSLError) or _caused_by(error, ssl.SSLError):
        return http.ConnectFailed(f"{where}: TLS failed ({_tls_reason(error)}).", connected=True)
    if isinstance(error, failures.ProxyError):
        return http.ConnectFailed(f"{where}: the proxy of the environment could not be used.", retriable=True)
    if _caused_by(error, TimeoutError, wire_failures.ReadTimeoutError) or isinstance(error, failures.Timeout):
        return http.ReadTimeout(
            f"{where}: connected, but no whole answer came in time.", connected=True, retriable=True
        )
    if _caused_by(error, wire_failures.NewConnectionError, wire_failures.NameResolutionError):
        return http.ConnectFailed(f"{where}: {_os_reason(error) or 'cannot connect'}.", retriable=True)
    if _caused_by(error, failures.ContentDecodingError, wire_failures.DecodeError):
        return http.BadResponse(f"{where}: the answer's content encoding is broken.", connected=True)
    if _is_bad_http(error):
        return http.BadResponse(f"{where}: what came back is not HTTP.", connected=True)
    reason = _os_reason(error) or "the connection ended before the answer did"
    return http.ConnectionBroken(f"{where}: {reason}.", connected=True, retriable=True)


class _DeadlineAdapter(requests.adapters.HTTPAdapter):
    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        super().__init__(pool_connections=2, pool_maxsize=2, max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **kwargs: Any) -> None:  # noqa: ANN401, FBT001, FBT002
        super().init_poolmanager(connections, maxsize, block, **kwargs)
        self._keep_deadline(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> urllib3.PoolManager:  # noqa: ANN401
        manager = cast("urllib3.PoolManager", super().proxy_manager_for(proxy, **kwargs))
        self._keep_deadline(manager)
        return manager

    def _keep_deadline(self, manager: urllib3.PoolManager) -> None:
        deadline = self._deadline

        class Plain(HTTPConnection):
            def connect(self) -> None:
                super().connect()
                self.sock = cast("socket.socket", _DeadlineSocket(self.sock, deadline))

        class Secure(HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                self.sock = cast("ssl.SSLSocket", _DeadlineSocket(self.sock, deadline))

        plain = type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": Plain})
        secure = type("SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": Secure})
        manager.pool_classes_by_scheme = {"http": plain, "https": secure}


class _DeadlineSocket:
    """A connected socket whose reads all end at one deadline."""

    def __init__(self, wrapped: socket.socket, deadline: float) -> None:
        self._wrapped = wrapped
        self._deadline = deadline

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever http.client and urllib3 ask of a socket
        return getattr(self._wrapped, name)

    def makefile(self, mode: str, *_args: object, **_kwargs: object) -> io.BufferedIOBase:
        """What http.client reads the answer from."""
        if "w" in mode:
            return cast("io.BufferedIOBase", self._wrapped.makefile("wb"))
        return io.BufferedReader(_DeadlineReader(self._wrapped, self._deadline))


class _DeadlineReader(io.RawIOBase):
    def __init__(self, wrapped: socket.socket, deadline: float) -> None:
        self._socket = wrapped
        self._raw = wrapped.makefile("rb", buffering=0)  # keeps the socket open for as long as it is read
        self._deadline = deadline
        self._patience = wrapped.gettimeout()
        self._bytes_left = http.HttpTransport().max_body * 16 + MOST_BYTES_BESIDE_BODY

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401  # any writable buffer
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        self._socket.settimeout(remaining if self._patience is None else min(self._patience, remaining))
        count = self._raw.readinto(buffer)
        self._bytes_left -= count or 0
        if self._bytes_left < 0:
            raise _TooMuch
        return count

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


def _require_whole(response: requests.Response) -> None:
    """An answer cut short is no answer, though what there is of it may look whole."""
    announced = response.headers.get("Content-Length", "")
    encoded = response.headers.get("Content-Encoding", "identity").lower() != "identity"
    if announced.isascii() and announced.isdigit() and not encoded and response.raw.tell() < int(announced):
        raise failures.ChunkedEncodingError


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
    from http.client import BadStatusLine, HTTPException, IncompleteRead, RemoteDisconnected

    for cause in _causes(error):
        if isinstance(cause, (RemoteDisconnected, IncompleteRead)):
            return False
        if isinstance(cause, (BadStatusLine, HTTPException, wire_failures.HeaderParsingError)):
            return True
    return False
