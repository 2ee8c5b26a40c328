"""A fake cloud that is bound to every address answers a good request after everything that strangers send to it."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
import requests

from ramrole_creds import Credentials, Signer, signing
from ramrole_creds.integrations.requests import RequestsAuth
from ramrole_creds.testing import FakeCloud, WireRequest, WireResponse
from ramrole_creds.testing.account.credential_store import CredentialStore, Identity
from ramrole_creds.testing.server.http_parser import BadRequest, BodyBudget, RequestReader
from ramrole_creds.testing.server.http_server import HttpServer
from ramrole_creds.testing.services.bucket_store import BucketStore, StoredObject
from ramrole_creds.testing.services.oss import OssService
from ramrole_creds.testing.services.service import ServiceError
from ramrole_creds.testing.verify import NonceMemory
from tests.testing.server.attacks import ATTACKS, LINE, connected, send

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ramrole_creds.testing.server.connection import Connection


@pytest.fixture(scope="module")
def exposed() -> Iterator[FakeCloud]:
    with FakeCloud(role="web", host="0.0.0.0") as cloud:
        yield cloud


def ask(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/latest/meta-data/")
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("attack", ATTACKS)
def test_it_answers_after(attack: str, exposed: FakeCloud) -> None:
    ATTACKS[attack](exposed.port)
    assert ask(exposed.port) == 200
    exposed.check()


@pytest.mark.parametrize("attack", ["slow-heads", "uploads"])
def test_it_answers_during(attack: str, exposed: FakeCloud) -> None:
    attacking = threading.Thread(target=ATTACKS[attack], args=(exposed.port,))
    attacking.start()
    assert ask(exposed.port) == 200
    attacking.join(30)


def test_two_lengths_are_refused_where_they_differ(exposed: FakeCloud) -> None:
    two = LINE + b"Content-Length: %d\r\nContent-Length: 2\r\nConnection: close\r\n\r\nxx"
    assert send(exposed.port, two % 1, patience=20).startswith(b"HTTP/1.1 400 ")
    assert not send(exposed.port, two % 2, patience=20).startswith(b"HTTP/1.1 400 ")


def test_chunks_of_one_byte_are_read_in_linear_time() -> None:
    ours, theirs = socket.socketpair()
    content = LINE + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 200_000 + b"0\r\n\r\n"
    sender = threading.Thread(target=theirs.sendall, args=(content,))
    began = time.process_time()
    with ours, theirs:
        sender.start()
        request = RequestReader(ours).next(lambda: 0.0)
        sender.join()
    assert request is not None
    assert request.body == b"a" * 200_000
    assert time.process_time() - began < 5


class Slow:
    """A connection whose client sends a byte of a request now and then."""

    def __init__(self, *parts: bytes) -> None:
        self._parts = list(parts)

    def gettimeout(self) -> float:
        return 60.0

    def settimeout(self, seconds: float) -> None:
        assert seconds <= 60

    def recv(self, _: int) -> bytes:
        return self._parts.pop(0) if len(self._parts) > 1 else self._parts[0]


@pytest.mark.parametrize(
    "parts",
    [
        (b"GET / HTTP/1.1\r\n", b"A"),
        (LINE + b"Content-Length: 99999999\r\n\r\n", b"x"),
        (LINE + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
    ],
    ids=["head", "body", "chunks"],
)
def test_a_request_that_does_not_end_is_given_up(parts: tuple[bytes, ...]) -> None:
    with pytest.raises(BadRequest, match="too slow"):
        RequestReader(Slow(*parts), max_seconds=0.05).next(lambda: 0.0)  # type: ignore[arg-type]  # a socket's methods


def test_trailers_without_an_end_are_refused() -> None:
    endless = Slow(LINE + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: " + b"y" * 1000 + b"\r\n")
    with pytest.raises(BadRequest, match="Trailers too large"):
        RequestReader(endless).next(lambda: 0.0)  # type: ignore[arg-type]  # as above


def test_bodies_of_all_connections_share_one_budget() -> None:
    budget = BodyBudget(10)
    whole = LINE + b"Content-Length: 8\r\n\r\n" + b"x" * 8
    first = RequestReader(Slow(whole), budget)  # type: ignore[arg-type]  # as above
    assert first.next(lambda: 0.0) is not None
    with pytest.raises(BadRequest, match="Too many large bodies"):
        RequestReader(Slow(whole), budget).next(lambda: 0.0)  # type: ignore[arg-type]  # as above
    first.release()
    assert RequestReader(Slow(whole), budget).next(lambda: 0.0) is not None  # type: ignore[arg-type]  # as above


@pytest.fixture
def small() -> Iterator[HttpServer]:
    """A server with room for four connections."""

    def application(request: WireRequest, connection: Connection) -> bool:
        if request.path == "/hang":
            connection.sleep(30)
        return connection.respond(WireResponse(200), date=None, keep=True)

    server = HttpServer(application, "127.0.0.1", 0, time.time, max_connections=4)
    server.start()
    yield server
    server.stop()


def test_idle_connections_do_not_keep_out_one_that_asks(small: HttpServer) -> None:
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(connected(small.port)).sendall(b"GET / HT")
        assert ask(small.port) == 200


def test_a_connection_that_is_answered_is_not_closed_for_another(small: HttpServer) -> None:
    with ExitStack() as stack:
        kept = stack.enter_context(connected(small.port))
        for _ in range(8):
            for one in (kept, stack.enter_context(connected(small.port)), kept):
                one.sendall(b"GET / HTTP/1.1\r\n\r\n")
                assert one.recv(1000).startswith(b"HTTP/1.1 200 ")


def test_the_connections_leave_the_process_half_of_its_descriptors(exposed: FakeCloud) -> None:
    resource = pytest.importorskip("resource", reason="limits of Unix")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(400, before[0]), before[1]))
    try:
        with ExitStack() as stack:
            for _ in range(150):  # and as many at the other end, in this process
                stack.enter_context(connected(exposed.port))
            assert ask(exposed.port) == 200
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_port_that_no_descriptor_is_left_for_is_opened_as_soon_as_there_is_one(small: HttpServer) -> None:
    resource = pytest.importorskip("resource", reason="limits of Unix")
    small.listening("refuse")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    opening = threading.Thread(target=small.listening, args=("open",))
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        opening.start()
        opening.join(0.2)
        assert opening.is_alive()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    opening.join(10)
    assert ask(small.port) == 200


# --- what is kept ----------------------------------------------------------------------------------------------------


def test_objects_do_not_fill_the_memory() -> None:
    store = BucketStore()
    store.room.max_bytes = 3000
    store.room.take(1700)
    store.room.take(1700)  # what was counted before is not there: it was replaced, or deleted
    store.create("b", 0.0).objects["kept"] = StoredObject.of(bytes(600), {}, 0.0)
    with pytest.raises(ServiceError, match="at most 3000 bytes"):
        store.room.take(1700)


def test_parts_that_copy_one_object_again_and_again_do_not_fill_the_memory(cloud: FakeCloud) -> None:
    oss = next(one for one in cloud.services if isinstance(one, OssService))
    oss.store.room.max_bytes = 8000
    key = cloud.access_key()
    scheme = signing.OSSV4("cn-hangzhou", "data")
    signer = Signer(Credentials(key.access_key_id, key.access_key_secret), scheme, clock=cloud.clock)
    url = f"{cloud.url}/data"
    with requests.Session() as session:
        session.auth = RequestsAuth(signer)
        assert session.put(f"{url}/source", bytes(1000), timeout=10).status_code == 200
        begun = session.post(f"{url}/big?uploads", timeout=10).text
        upload = begun.partition("<UploadId>")[2].partition("<")[0]
        answers = [
            session.put(
                f"{url}/big?partNumber={number}&uploadId={upload}",
                headers={"x-oss-copy-source": "/data/source"},
                timeout=10,
            )
            for number in range(1, 12)
        ]
    assert {one.status_code for one in answers} == {200, 400}
    assert "EntityTooLarge" in answers[-1].text


def test_tokens_nonces_and_credentials_do_not_fill_the_memory(
    exposed: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ramrole_creds.testing.services.metadata_service.MAX_TOKENS", 5)
    monkeypatch.setattr("ramrole_creds.testing.verify.nonces.MAX_NONCES", 5)
    monkeypatch.setattr("ramrole_creds.testing.account.credential_store.MAX_ISSUED", 5)
    tokens = [token(exposed.port) for _ in range(8)]
    assert [status_with(exposed.port, one) for one in tokens] == [401] * 3 + [200] * 5

    nonces = NonceMemory()
    assert all(nonces.admit("LTAI", "n" * 10_000 + str(number), 0.0) for number in range(8))
    assert [nonces.admit("LTAI", "n" * 10_000 + str(number), 0.0) for number in (7, 0)] == [False, True]

    store = CredentialStore(1)
    key = store.issue(Identity("acs:ram::1:user/u"), now=0.0, lifetime=None)
    sessions = [store.issue(Identity("acs:ram::1:role/r"), now=0.0, lifetime=60) for _ in range(8)]
    assert store.lookup(key.access_key_id) is key
    assert [store.lookup(one.access_key_id) is not None for one in sessions] == [False] * 4 + [True] * 4
    keys = [store.issue(Identity("acs:ram::1:user/u"), now=0.0, lifetime=None) for _ in range(8)]
    assert all(store.lookup(one.access_key_id) for one in keys), "keys that never expire are not forgotten"


def token(port: int) -> str:
    return call(port, "PUT", "/latest/api/token", {"X-aliyun-ecs-metadata-token-ttl-seconds": "60"})[1]


def status_with(port: int, given: str) -> int:
    return call(port, "GET", "/latest/meta-data/", {"X-aliyun-ecs-metadata-token": given})[0]


def call(port: int, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


NUMBER = "9" * 5000
CHOSEN = f"<Part><PartNumber>{NUMBER}</PartNumber><ETag>x</ETag></Part>".encode()
COPIED = {"x-oss-copy-source": "/data/k", "x-oss-copy-source-range": "bytes=0-{n}"}
SIGNED_REQUESTS: dict[str, tuple[str, str, dict[str, str], bytes | None]] = {
    "part-number": ("PUT", "/data/k?partNumber={n}&uploadId={u}", {}, b"x"),
    "part-marker": ("GET", "/data/k?part-number-marker={n}&uploadId={u}", {}, None),
    "max-keys": ("GET", "/data/?max-keys={n}", {}, None),
    "range": ("GET", "/data/k", {"Range": "bytes={n}-"}, None),
    "range-of-copy": ("PUT", "/data/k?partNumber=1&uploadId={u}", COPIED, None),
    "position": ("POST", "/data/appended?append&position={n}", {}, b"x"),
    "chosen-parts": ("POST", "/data/k?uploadId={u}", {}, CHOSEN),
}


@pytest.mark.parametrize("name", SIGNED_REQUESTS)
def test_a_number_of_thousands_of_digits_is_refused_and_no_defect(name: str, exposed: FakeCloud) -> None:
    method, path, headers, body = SIGNED_REQUESTS[name]
    key = exposed.access_key()
    signer = Signer(Credentials(key.access_key_id, key.access_key_secret), signing.OSSV4("cn-hangzhou", "data"))
    url = f"http://127.0.0.1:{exposed.port}"
    auth = RequestsAuth(signer)
    requests.put(f"{url}/data/k", b"content", auth=auth, timeout=10)
    begun = requests.post(f"{url}/data/k?uploads", auth=auth, timeout=10).text
    target = path.format(n=NUMBER, u=begun.partition("<UploadId>")[2].partition("<")[0])
    filled = {name: value.format(n=NUMBER) for name, value in headers.items()}
    answer = requests.request(method, url + target, data=body, auth=auth, timeout=10, headers=filled)
    assert answer.status_code < 500, answer.text
    exposed.check()


@pytest.mark.parametrize("nested", ["[" * 100_000, '{"a":' * 100_000], ids=["lists", "objects"])
@pytest.mark.parametrize("scheme", [signing.ACS3, signing.SLSV1, signing.FCV2], ids=["acs3", "sls", "fc"])
def test_a_document_of_any_depth_is_refused_and_no_defect(
    scheme: Callable[[], Any], nested: str, exposed: FakeCloud
) -> None:
    key = exposed.access_key()
    signer = Signer(Credentials(key.access_key_id, key.access_key_secret), scheme())
    headers = {"Content-Type": "application/json", "x-acs-action": "RunInstances", "x-acs-version": "2014-05-26"}
    paths = {"SLSV1": "/logstores", "FCV2": "/2016-08-15/services"}
    url = f"http://127.0.0.1:{exposed.port}{paths.get(scheme().name, '/')}"
    answer = requests.post(url, nested, headers=headers, auth=RequestsAuth(signer), timeout=10)
    assert answer.status_code < 500, answer.text
    exposed.check()


@pytest.mark.parametrize("rest", [b"&a=1" * 750_000, b"%41" * 1_000_000], ids=["parameters", "escapes"])
@pytest.mark.parametrize(("path", "status"), [("/", 413), ("/never-made/k", 404)], ids=["call", "object"])
def test_a_long_form_is_refused_and_not_decoded(path: str, status: int, rest: bytes, exposed: FakeCloud) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    began = time.process_time()
    answer = requests.post(f"http://127.0.0.1:{exposed.port}{path}", b"AccessKeyId=x" + rest, headers=form, timeout=30)
    assert time.process_time() - began < 1
    assert answer.status_code == status
    exposed.check()


def test_a_stranger_without_the_key_steers_nothing(exposed: FakeCloud) -> None:
    for path in ("faults", "state", "requests", "role/attach"):
        status, _ = call(exposed.port, "POST", f"/_fake/{path}", {"X-Fake-Key": ""}, json.dumps({}).encode())
        assert status in {401, 403, 404}
