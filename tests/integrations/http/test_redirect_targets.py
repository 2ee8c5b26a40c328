"""However a redirect's target is written, a token arrives only where the call was signed for."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ramrole_creds import Credentials, Signer, signing
from ramrole_creds.testing.network import connect_rule
from tests.integrations.http.conftest import CLIENTS
from tests.integrations.http.test_foreign_transports import AiohttpTransport, Urllib3Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Self

TOKEN = "CAISfake-token-of-the-redirect-tests"
GOOD, EVIL = "good.invalid", "evil.invalid"


class Recorder:
    """A server that redirects /start to wherever it is set to, and records what arrives at either loopback address."""

    def __init__(self) -> None:
        self.location = b""
        self.arrived: list[tuple[str, str, bytes]] = []
        self._listeners = [Listener(self, "127.0.0.1", 0)]
        self.port = int(self._listeners[0].server_address[1])
        with contextlib.suppress(OSError):  # a machine without IPv6
            self._listeners.append(ListenerOnIPv6(self, "::1", self.port))

    def __enter__(self) -> Self:
        for listener in self._listeners:
            threading.Thread(target=listener.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for listener in self._listeners:
            listener.shutdown()
            listener.server_close()


class Listener(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, recorder: Recorder, host: str, port: int) -> None:
        super().__init__((host, port), Handler)
        self.recorder = recorder


class ListenerOnIPv6(Listener):
    address_family = socket.AF_INET6


class Handler(BaseHTTPRequestHandler):
    server: Listener

    def do_GET(self) -> None:
        names = self.headers.get_all("Host") or [""]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        everything = str(self.headers).encode() + self.path.encode() + body
        self.server.recorder.arrived.append((self.path, ", ".join(names), everything))
        if self.path.startswith("/start"):
            answer = b"HTTP/1.0 307 Temporary Redirect\r\nLocation: " + self.server.recorder.location + b"\r\n"
        else:
            answer = b"HTTP/1.0 403 Forbidden\r\n"
        self.wfile.write(answer + b"Content-Length: 0\r\n\r\n")

    do_POST = do_GET  # noqa: N815  # the name that http.server looks up

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Recorder, Recorder]]:
    with Recorder() as good, Recorder() as evil:
        yield good, evil


@pytest.fixture
def every_host_is_loopback(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever name or address a client reads from a URL, nothing leaves this machine."""
    real = socket.getaddrinfo

    def resolve(_: Any, port: Any, family: int = 0, *more: Any, **options: Any) -> Any:
        del family
        options.pop("flags", None)
        return real("127.0.0.1", port, socket.AF_INET, *more[:2], **options)  # without AI_NUMERICHOST

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with connect_rule(on_loopback):  # asyncio's clients connect to an address without a lookup
        yield


def on_loopback(address: Any) -> Any:
    """The loopback address of the same family and port."""
    if isinstance(address, tuple):
        return ("127.0.0.1", address[1]) if len(address) == 2 else ("::1", address[1], 0, 0)
    return address


def with_httpx_over_urllib3(signer: Signer, method: str, url: str, body: Any = None, headers: Any = None) -> None:
    import httpx

    from ramrole_creds.integrations.httpx import HttpxAuth

    with httpx.Client(transport=Urllib3Transport(), follow_redirects=True) as client:
        client.request(method, url, content=body, headers=headers, auth=HttpxAuth(signer))


def with_httpx_over_aiohttp(signer: Signer, method: str, url: str, body: Any = None, headers: Any = None) -> None:
    import asyncio

    import httpx

    from ramrole_creds.integrations.httpx import HttpxAuth

    async def send() -> None:
        async with httpx.AsyncClient(transport=AiohttpTransport(), follow_redirects=True) as client:
            await client.request(method, url, content=body, headers=headers, auth=HttpxAuth(signer))

    asyncio.run(send())


SENDERS: dict[str, Callable[..., object]] = {
    **CLIENTS,
    "httpx-urllib3": with_httpx_over_urllib3,
    "httpx-aiohttp": with_httpx_over_aiohttp,
}

# Each is a table to read: one line per kind of spelling.
HOSTS = """
{host} {HOST} {host}. {host}.. {wide} {host}%00 {host}%2e {host}。 {host}­ xn--{host} a.{host} {host}a
[::1] [::ffff:127.0.0.1] [::1%25lo] [fe80::1%25{host}] [{host}] 127.0.0.1 127.1 2130706433 0x7f.1 localhost {host}:80
[0:0:0:0:0:0:0:1] [::ffff:7f00:1] [::127.0.0.1] [::1%lo] 0177.0.0.1 017700000001 127.0.0.1.
{host}{dot} {host}｡ {host};{host}
""".split()  # noqa: SIM905  # as said
USERINFO = """
user@ user:word@ {good}@ {good}:80@ {good}%40 {good}\\@ {good}\\\\@ {good}/@ {good}#@ {good}?@ \\@ @ {good}{at}
{good}%5c@ {good}{slash}@ {good};@ {good},@
""".split()  # noqa: SIM905  # as said
BEGINNINGS = """
http:// HTTP:// https:// // \\\\ /\\ \\/ /// http:/ http: http:/// http:\\\\ ftp:// / ? # ./ ../ http://{slash}{slash}
""".split()  # noqa: SIM905  # as said
PORTS = """
: :{good_port} :{evil_port} :0{evil_port} :80 :443 :+{evil_port} :{evil_port}@ :99999 :{one}
""".split()  # noqa: SIM905  # as said
PATHS = """
/ /new \\new /\\new ?x=1 #f /a@b /new?x=http://{good} \\@{evil}:{evil_port}/ @{evil}:{evil_port}/ /杭
""".split()  # noqa: SIM905  # as said


@st.composite
def locations(draw: st.DrawFn) -> str:
    """A Location, as a template over the two hosts and their ports."""
    host = draw(st.sampled_from(["good", "evil"]))
    named = draw(st.sampled_from([*HOSTS, ""]))
    for shape in ("", "_upper", "_wide"):
        named = named.replace({"": "{host}", "_upper": "{HOST}", "_wide": "{wide}"}[shape], f"{{{host}{shape}}}")
    beginning = draw(st.sampled_from([*BEGINNINGS, "", " http://", "\thttp://", "ht\ttp://"]))
    userinfo = draw(st.sampled_from([*USERINFO, "", "", ""]))
    return beginning + userinfo + named + draw(st.sampled_from([*PORTS, ""])) + draw(st.sampled_from([*PATHS, ""]))


def fill(template: str, good: Recorder, evil: Recorder) -> bytes:
    values = {
        "good": GOOD, "evil": EVIL, "good_upper": GOOD.upper(), "evil_upper": EVIL.upper(), "good_wide": _wide(GOOD),
        "evil_wide": _wide(EVIL), "at": "\uff20", "slash": "\uff0f", "one": "\u0661", "dot": "\uff0e",
        "good_port": str(good.port), "evil_port": str(evil.port),
    }  # fmt: skip
    text = re.sub(r"\{(\w+)\}", lambda match: values[match.group(1)], template)
    return text.replace("\r", "").encode()


def _wide(text: str) -> str:
    return "".join(chr(ord(each) + 0xFEE0) if each != "." else each for each in text)


KNOWN = [
    "http://{good}:{good_port}\\@{evil}:{evil_port}/",
    "//{good}:{good_port}\\@{evil}:{evil_port}/",
    "http://{good}:{good_port}@{evil}:{evil_port}/",
    "http://{evil}:{evil_port}/",
    "//{evil}:{evil_port}/",
    "\\\\{evil}:{evil_port}/",
    "/\\{evil}:{evil_port}/",
    "http:{evil}:{evil_port}/",
    "http:///{evil}:{evil_port}/",
    "http://{good}:{evil_port}/",
    "http://{good}.:{good_port}/",
    "http://{good_wide}:{evil_port}/",
    "http://{evil_wide}:{good_port}/",
    "http://[::1]:{good_port}/",
    "http://[::1]:{evil_port}/",
    "http://[fe80::1]:{evil_port}/",
    "http://[2001:db8::1]:{evil_port}/",
    "http://[fe80::1%25lo]:{evil_port}/",
    "http://192.0.2.1:{evil_port}/",
    "http://127.0.0.1:{good_port}/",
    "https://{good}:{good_port}/",
]
SPELLINGS = [
    "http://%65vil.invalid:{evil_port}/",
    "http://{good}%2f@{evil}:{evil_port}/",
    "http://{good}\u3002:{evil_port}/",
    "http://evil\uff0einvalid:{evil_port}/",
    "http://evil\uff61invalid:{evil_port}/",
    "http://{good};@{evil}:{evil_port}/",
    "http://[::ffff:127.0.0.1]:{evil_port}/",
    "http://[::1%25lo]:{evil_port}/",
    "http://0x7f000001:{evil_port}/",
    "http://0177.0.0.1:{evil_port}/",
    "http://127.1:{evil_port}/",
    "\thttp://{evil}:{evil_port}/",
    "ht\ttp://{evil}:{evil_port}/",
    "//{evil}:{evil_port}",
]


@pytest.mark.usefixtures("every_host_is_loopback")
@pytest.mark.may_leak  # clients write URLs and headers into their own logs
@pytest.mark.parametrize("client", SENDERS)
class TestNoTokenLeavesTheHost:
    @pytest.mark.parametrize("scheme", ["ACS3", "RPC", "RPC form"])
    @pytest.mark.parametrize("template", KNOWN, ids=range(len(KNOWN)))
    def test_by_a_known_way(
        self, client: str, scheme: str, template: str, servers: tuple[Recorder, Recorder]
    ) -> None:  # fmt: skip
        check(client, template, servers, scheme)

    @pytest.mark.parametrize("template", SPELLINGS, ids=range(len(SPELLINGS)))
    def test_by_a_spelling_of_an_address(self, client: str, template: str, servers: tuple[Recorder, Recorder]) -> None:
        check(client, template, servers, "ACS3")

    @settings(
        max_examples=int(os.environ.get("FUZZ_EXAMPLES", "40")),
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    @given(template=locations())
    def test_by_any_spelling(self, client: str, template: str, servers: tuple[Recorder, Recorder]) -> None:
        check(client, template, servers, "ACS3")


def check(client: str, template: str, servers: tuple[Recorder, Recorder], scheme: str) -> None:
    good, evil = servers
    good.location = fill(template, good, evil)
    good.arrived, evil.arrived = [], []
    signer = Signer(Credentials("LTAI5tFake", "secret", TOKEN), getattr(signing, scheme.removesuffix(" form"))())
    call: dict[str, Any] = {}
    if scheme.endswith("form"):
        call = {"body": b"Name=value", "headers": {"Content-Type": "application/x-www-form-urlencoded"}}
    with contextlib.suppress(Exception):  # a client may refuse the target; what counts is what arrived
        method = "POST" if call else "GET"
        SENDERS[client](signer, method, f"http://{GOOD}:{good.port}/start?Action=A&Version=V", **call)

    assert TOKEN.encode() in good.arrived[0][2], "the first request is signed"
    assert not [path for path, _, everything in evil.arrived if TOKEN.encode() in everything]
    for _, host, everything in good.arrived:
        assert host == f"{GOOD}:{good.port}" or TOKEN.encode() not in everything
