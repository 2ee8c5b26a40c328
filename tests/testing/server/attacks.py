"""What a stranger may send to a server, as functions of its port. None of them waits for an answer."""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOST = "127.0.0.1"
LINE = b"POST /x HTTP/1.1\r\nHost: localhost\r\n"
MANY = 300


@contextlib.contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection((HOST, port), timeout=10) as sock:
        yield sock


def send(port: int, *parts: bytes, patience: float = 0.2) -> bytes:
    """What comes back until the server closes, or says nothing for `patience` seconds."""
    received = b""
    with connected(port) as sock, contextlib.suppress(OSError):
        for part in parts:
            sock.sendall(part)
        sock.settimeout(patience)
        while chunk := sock.recv(65536):
            received += chunk
    return received


def lengths(port: int) -> None:
    for value in [b"9" * 5000, b"-1", b"+1", b"0x10", b"1e3", b"\xb2", b" ", b"1 1", b"1,1", b"18446744073709551616"]:
        send(port, LINE + b"Content-Length: " + value + b"\r\n\r\nx")
    send(port, LINE + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx")
    send(port, LINE + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")


def chunks(port: int) -> None:
    begin = LINE + b"Transfer-Encoding: chunked\r\n\r\n"
    for rest in [
        b"g\r\n",
        b"-1\r\n",
        b"f" * 5000 + b"\r\n",
        b"\r\n",
        b"1\r\nxyz\r\n",
        b"1;" + b"e" * 300_000,
        b"\xff\r\n",
    ]:
        send(port, begin + rest)
    send(port, begin + b"1\r\na\r\n" * 20_000 + b"0\r\n\r\n")
    send(port, begin + b"0\r\n" + b"X: y\r\n" * 60_000)


def heads(port: int) -> None:
    send(port, LINE + b"A: b\r\n" * 60_000 + b"\r\n")
    send(port, LINE + b"A: " + b"b" * 400_000 + b"\r\n\r\n")
    send(port, b"GET /" + b"a" * 400_000)
    send(port, b"\r\n" * 200_000 + b"GET / HTTP/1.1\r\n\r\n")
    for head in [
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\n: x\r\n\r\n",
        b"G\x00T / HTTP/1.1\r\n\r\n",
    ]:
        send(port, head)


def bytes_of_nobody(port: int) -> None:
    send(port, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)))
    send(port, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    send(port, b"GET /\xff\xfe?\xed\xa0\x80=%ff%ed%a0%80 HTTP/1.1\r\nHost: localhost\r\nX: \xff\xfe\r\n\r\n")
    send(port, b"GET http://other/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
    send(port, LINE + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")


def pipelining(port: int) -> None:
    send(port, b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3000)


def slow_heads(port: int) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(MANY):
            with contextlib.suppress(OSError):
                stack.enter_context(connected(port)).sendall(b"GET / HT")


def resets(port: int) -> None:
    for _ in range(MANY):
        with connected(port) as sock, contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.sendall(LINE + b"Content-Length: 100\r\n\r\nx")


def uploads(port: int) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(12):
            sock = stack.enter_context(connected(port))
            with contextlib.suppress(OSError):
                sock.sendall(LINE + b"Content-Length: 52428800\r\n\r\n" + bytes(1 << 20))


def answers_that_nobody_reads(port: int) -> None:
    with connected(port) as sock, contextlib.suppress(OSError):
        sock.settimeout(0.2)
        sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20_000)


ATTACKS: dict[str, Callable[[int], None]] = {
    one.__name__.replace("_", "-"): one
    for one in (
        lengths, chunks, heads, bytes_of_nobody, pipelining, slow_heads, resets, uploads, answers_that_nobody_reads,
    )
}  # fmt: skip
