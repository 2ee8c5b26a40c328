"""One request on one connection with a deadline. Imported with the first request, since requests loads slowly.

It uses the adapter of the requests library, not its session: a session reads the whole body of a redirect that it does
not follow, keeps cookies between attempts, and adds the content of netrc.
"""

from __future__ import annotations

import io
import logging
import math
import os
import sys
import threading
import time
from functools import partialmethod
from http.client import HTTPException, HTTPResponse
from typing import TYPE_CHECKING, Any, cast

import requests
import requests.adapters
import urllib3
from requests import exceptions as failures
from urllib3 import exceptions as wire_failures
from urllib3.connection import HTTPConnection

from ramrole_creds._http.addresses import LookupTimeout, connect
from ramrole_creds._http.errors import (
    HttpError,
    ReadTimeout,
)
from ramrole_creds._http.failures import (
    AnswerTooLong,
    CaBundleMissing,
    SocksUnsupported,
    TruncatedBody,
    UndecodableBody,
    failure_of,
)
from ramrole_creds._http.urls import DEFAULT_PORTS, InvalidUrlError, parse_proxy

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from urllib3.connectionpool import HTTPConnectionPool

CHUNK_BYTES = 16384
MAX_HEAD_BYTES = 65536
MAX_BYTES = 1310720


class _QueryFilter(logging.Filter):
    """Removes the query from what urllib3 logs of our requests: that of a credentials URI may be secret."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep every record."""
        if getattr(_here, "exchanging", False) and isinstance(record.args, tuple):
            record.args = tuple(part.partition("?")[0] if isinstance(part, str) else part for part in record.args)
        return True


_here = threading.local()
"""Says whether this thread makes a request of this library: the log of other users of urllib3 is not changed."""
logging.getLogger("urllib3.connectionpool").addFilter(_QueryFilter())


class Exchange:
    """One request and its answer on a separate connection.

    On a shared connection, a second request could get a wrong answer: a leftover of the first one, or one that a
    program in between sent ahead.

    Args:
        deadline: end of the whole exchange on `time.monotonic`.
        use_environment: use the proxies and CA bundles that the environment names.
        verify: as requests takes it.
    """

    def __init__(self, *, deadline: float, use_environment: bool, verify: bool | str) -> None:
        self._deadline = deadline
        self._use_environment = use_environment
        self._verify = verify
        self._wire = _Wire(deadline)
        self._has_proxy = False
        self._handled = sys.exc_info()[1]  # what the caller is handling is the context of every error, not its cause

    def run(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        timeouts: tuple[float, float],
        max_body: int,
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers by lower-case name, and decoded body. Errors are raised as they come; see `explain`."""
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
            proxies, verify = self._environment_settings(url)
            proxy = requests.utils.select_proxy(url, proxies)
            self._has_proxy = proxy is not None
            if proxy is not None:
                proxies = dict.fromkeys(DEFAULT_PORTS, _checked_proxy(proxy))
            if isinstance(verify, str) and not os.path.exists(verify):  # noqa: PTH110  # loading pathlib costs time
                raise CaBundleMissing
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
        """The failure as an error of this library. Its text contains nothing of what was sent or read."""
        if self._has_proxy and isinstance(error, failures.InvalidURL):
            error = failures.InvalidProxyURL()  # the URL itself is valid, since it was sent to the proxy
        failure = failure_of(error, self._handled, where, late=time.monotonic() >= self._deadline)
        failure.answered = self._wire.answered
        if failure.answered and isinstance(failure, ReadTimeout):
            failure.args = (f"{where}: the answer began, but the rest of it did not come in time.",)
        return failure

    def _environment_settings(self, url: str) -> tuple[dict[str, str], bool | str]:
        if not self._use_environment:
            return {}, self._verify
        with requests.Session() as session:
            settings = session.merge_environment_settings(url, {}, stream=True, verify=self._verify, cert=None)
        return dict(settings["proxies"]), cast("bool | str", settings["verify"])


def _checked_proxy(proxy: str) -> str:
    """The URL of a proxy. urllib3 would take the host of `localhost:3128` for a scheme."""
    try:
        parse_proxy(proxy)
    except InvalidUrlError:
        raise failures.InvalidProxyURL from None
    return proxy if "://" in proxy else f"http://{proxy}"


class _Wire:
    """The limits of one connection, and what has come over it."""

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
        try:
            manager = cast("urllib3.PoolManager", super().proxy_manager_for(proxy, **kwargs))
        except failures.InvalidSchema:
            raise SocksUnsupported from None
        self._keep_deadline(manager)
        return manager

    def _keep_deadline(self, manager: urllib3.PoolManager) -> None:
        manager.pool_classes_by_scheme = {
            scheme: self._with_deadline(pool) for scheme, pool in manager.pool_classes_by_scheme.items()
        }

    def _with_deadline(self, pool: type[HTTPConnectionPool]) -> type[HTTPConnectionPool]:
        """The pool with connections that keep the deadline. A SOCKS proxy's connections go on connecting their way."""
        connection = pool.ConnectionCls
        response = type("DeadlineResponse", (_DeadlineResponse,), {"wire": self._wire})
        members: dict[str, object] = {"response_class": response}
        if getattr(connection, "_new_conn", None) is HTTPConnection._new_conn:  # noqa: SLF001  # no other way in urllib3
            members["_new_conn"] = partialmethod(_connect, self._wire)
        kept = type(f"Deadline{connection.__name__}", (connection,), members)
        return type(f"Deadline{pool.__name__}", (pool,), {"ConnectionCls": kept})


def _connect(connection: HTTPConnection, wire: _Wire) -> socket.socket:
    """Connect as urllib3 does, with one time limit over name resolution and all addresses together."""
    sys.audit("http.client.connect", connection, connection.host, connection.port)
    patience = connection.timeout if isinstance(connection.timeout, (int, float)) else math.inf
    deadline = min(wire.deadline, time.monotonic() + patience)
    try:
        return connect(
            connection._dns_host,  # noqa: SLF001  # the host without a trailing dot is for TLS
            connection.port,
            deadline,
            connection.socket_options,
        )
    except LookupTimeout:
        raise
    except TimeoutError as error:
        raise wire_failures.ConnectTimeoutError(connection, "timed out") from error
    except OSError as error:
        raise wire_failures.NewConnectionError(connection, "cannot connect") from error


class _DeadlineResponse(HTTPResponse):
    """The response of http.client, read before the deadline."""

    wire: _Wire

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # as http.client calls it
        super().__init__(sock, *args, **kwargs)
        self.wire.bytes_left = MAX_HEAD_BYTES
        self.fp = io.BufferedReader(_DeadlineReader(self.fp.detach(), sock, self.wire))

    def begin(self) -> None:
        """Read the head. Skips 1xx answers, as http.client itself skips 100."""
        super().begin()
        while 101 < self.status < 200:
            self.headers = self.msg = None  # type: ignore[assignment]  # as it was before anything was read
            super().begin()
        # urllib3 would continue and log the unreadable part, which might be a credential document.
        if not self.headers.is_multipart() and self.headers.get_payload():
            raise HTTPException
        self.headers.defects.clear()
        self.wire.bytes_left = MAX_BYTES


class _DeadlineReader(io.RawIOBase):
    """Reads from a socket, neither beyond the deadline nor more bytes than allowed."""

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
                raise AnswerTooLong
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


def _read(response: requests.Response, max_body: int) -> bytes:
    """The body as sent. A truncated one is an error, even if the part that came looks complete."""
    content = bytearray()
    for chunk in response.raw.stream(CHUNK_BYTES, decode_content=False):
        content += chunk
        if len(content) > max_body:
            raise AnswerTooLong
    announced = response.headers.get("Content-Length", "")
    chunked = "chunked" in response.headers.get("Transfer-Encoding", "").lower()
    if announced.isascii() and announced.isdigit() and not chunked and len(content) < int(announced):
        raise TruncatedBody
    return bytes(content)


def _decoded(content: bytes, encoding: str, max_body: int) -> bytes:
    """The body without its content encoding, which was not requested; never longer than `max_body`."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity") or not content:
        return content
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise UndecodableBody
    import zlib

    unpacker = zlib.decompressobj(wbits=47)  # gzip or zlib, whichever it is
    try:
        plain = unpacker.decompress(content, max_body + 1)
    except zlib.error:
        raise UndecodableBody from None
    if len(plain) > max_body:
        raise AnswerTooLong
    if not unpacker.eof:
        raise UndecodableBody
    return plain
