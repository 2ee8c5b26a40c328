"""What a client of the local service gets, and what it does not."""

from __future__ import annotations

import asyncio
import http.client
import json
import signal
import socket
import sys
import threading
import time
from types import ModuleType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import requests

from ramrole_creds import CredentialsUriProvider, EcsRamRoleProvider, StaticProvider
from ramrole_creds.errors import ConfigurationError
from tests.eventually import eventually

pytest.importorskip("uvicorn", reason="the extra serve")
pytest.importorskip("httptools", reason="the extra serve")

from ramrole_creds.local_service import ClientRules, LocalService, ServiceLimits, parse_rule

if TYPE_CHECKING:
    from ramrole_creds.testing import FakeCloud

TTL = "X-aliyun-ecs-metadata-token-ttl-seconds"
TOKEN = "X-aliyun-ecs-metadata-token"
ROLES = "/latest/meta-data/ram/security-credentials/"


def ask(service: LocalService, method: str = "GET", path: str | None = None, **headers: str) -> requests.Response:
    """One request without any of the environment's settings."""
    url = service.uri if path is None else service.url + path
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, url, headers=named, timeout=10, allow_redirects=False)


def token_of(service: LocalService, ttl: str = "60") -> str:
    answer = ask(service, "PUT", "/latest/api/token", **{TTL: ttl})
    assert answer.status_code == 200
    return answer.text


def test_the_uri_gives_the_document_that_the_sdks_read(service: LocalService) -> None:
    answer = ask(service)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in answer.headers
    document = answer.json()
    assert document["Code"] == "Success"
    assert set(document) == {
        "AccessKeyId",
        "AccessKeySecret",
        "SecurityToken",
        "Expiration",
        "LastUpdated",
        "Code",
    }
    time.strptime(document["Expiration"], "%Y-%m-%dT%H:%M:%SZ")


def test_our_own_provider_reads_it(service: LocalService, ramrole_provider: EcsRamRoleProvider) -> None:
    with CredentialsUriProvider(service.uri) as provider:
        got = provider.get_credentials()
    held = ramrole_provider.get_credentials()
    assert (got.access_key_id, got.security_token) == (held.access_key_id, held.security_token)


def test_all_clients_share_one_fetch(service: LocalService, ramrole_cloud: FakeCloud) -> None:
    for _ in range(20):
        assert ask(service).status_code == 200
    ramrole_cloud.requests.assert_called_once("credentials")


def test_without_the_secret_path_there_is_nothing(service: LocalService) -> None:
    for path in ("/", "/credentials", service.uri.rpartition("/")[2][:-1], "/%2e%2e/"):
        assert ask(service, path=f"/{path.lstrip('/')}").status_code == 404


def test_two_services_have_different_secret_paths(ramrole_provider: EcsRamRoleProvider) -> None:
    paths = {urlsplit(LocalService(ramrole_provider).uri).path for _ in range(10)}
    assert len(paths) == 10
    assert all(len(path) >= 32 for path in paths)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[::2]:80"], ids=range(4))
def test_another_name_in_host_is_refused(service: LocalService, host: str) -> None:
    assert ask(service, Host=host).status_code == 403


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "LOCALHOST:1", "[::1]:80"], ids=range(4))
def test_names_of_loopback_in_host_are_accepted_with_and_without_a_port(service: LocalService, host: str) -> None:
    assert ask(service, Host=host).status_code == 200


@pytest.mark.parametrize("header", ["Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest"])
def test_a_page_in_a_browser_is_refused(service: LocalService, header: str) -> None:
    assert ask(service, **{header: "http://127.0.0.1"}).status_code == 403


def test_the_fetch_of_nodejs_is_no_browser(service: LocalService) -> None:
    """It sends one of a browser's headers, and none of the others."""
    sent = {"Accept-Language": "*", "Sec-Fetch-Mode": "cors", "User-Agent": "node"}
    assert ask(service, **sent).status_code == 200
    assert ask(service, **sent, **{"Sec-Fetch-Site": "cross-site"}).status_code == 403


@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS", "HEAD", "TRACE", "PATCH"])
def test_methods_other_than_get_and_put_are_refused(service: LocalService, method: str) -> None:
    assert ask(service, method).status_code == 405


def test_the_uri_takes_get_only(service: LocalService) -> None:
    assert ask(service, "PUT").status_code == 405


def test_the_metadata_protocol_gives_the_role_to_our_own_client(service: LocalService) -> None:
    with EcsRamRoleProvider(endpoint=service.url, token_mode="require") as provider:
        credentials = provider.get_credentials()
    assert credentials.identity == "web"


def test_the_metadata_protocol_demands_a_token(service: LocalService) -> None:
    assert ask(service, path=ROLES).status_code == 403
    assert ask(service, path=ROLES, **{TOKEN: "x" * 72}).status_code == 401
    assert ask(service, path=ROLES, **{TOKEN: "é".encode().decode("latin-1")}).status_code == 401
    token = token_of(service)
    assert ask(service, path=ROLES, **{TOKEN: token}).text == "web"
    assert ask(service, path=f"{ROLES}web", **{TOKEN: token}).json()["Code"] == "Success"
    assert ask(service, path=f"{ROLES}other", **{TOKEN: token}).status_code == 404
    flipped = token[:-1] + ("A" if token[-1] != "A" else "B")
    assert ask(service, path=ROLES, **{TOKEN: flipped}).status_code == 401


def test_a_token_is_for_its_service_and_its_time() -> None:
    from ramrole_creds.local_service._tokens import SessionTokens

    now = [100.0]
    tokens, others = SessionTokens(lambda: now[0]), SessionTokens(lambda: now[0])
    token = tokens.issue(60)
    assert tokens.is_valid(token)
    assert not others.is_valid(token)
    now[0] = 160.0
    assert not tokens.is_valid(token)


@pytest.mark.parametrize("ttl", ["", "0", "21601", "-1", "1.5", "\uff19"])
def test_a_life_that_no_token_has_is_refused(service: LocalService, ttl: str) -> None:
    sent = ttl.encode().decode("latin-1")
    assert ask(service, "PUT", "/latest/api/token", **{TTL: sent}).status_code == 400


def test_a_token_is_not_issued_through_a_proxy(service: LocalService) -> None:
    assert ask(service, "PUT", "/latest/api/token", **{TTL: "60", "X-Forwarded-For": "10.0.0.1"}).status_code == 403


def test_nothing_else_of_the_instance_is_passed_on(service: LocalService) -> None:
    token = token_of(service)
    for path in ("/latest/meta-data/region-id", "/latest/user-data", "/latest/meta-data/", "/latest/dynamic/"):
        assert ask(service, path=path, **{TOKEN: token}).status_code == 404


def test_items_that_are_allowed_are_passed_on(ramrole_provider: EcsRamRoleProvider, ramrole_cloud: FakeCloud) -> None:
    with LocalService(ramrole_provider, metadata=True, items=["region-id", "no-such"]) as service:
        token = token_of(service)
        region = ask(service, path="/latest/meta-data/region-id", **{TOKEN: token})
        assert region.text == ramrole_cloud.items["region-id"]
        assert ask(service, path="/latest/meta-data/no-such", **{TOKEN: token}).status_code == 404
        assert ask(service, path="/latest/meta-data/instance-id", **{TOKEN: token}).status_code == 404


@pytest.mark.parametrize(
    "item", ["a b", "", "/latest/user-data", "zöne", "a\n", "region-id?x", "a%20b", 5, None], ids=repr
)
def test_what_is_not_the_name_of_an_item_is_refused_at_once(ramrole_provider: EcsRamRoleProvider, item: object) -> None:
    with pytest.raises(ConfigurationError, match="is not the name of a metadata item") as refused:
        LocalService(ramrole_provider, metadata=True, items=["region-id", item])  # type: ignore[list-item]  # on purpose
    assert refused.value.message.startswith(f"items: {item!r} is not")


def test_the_metadata_protocol_is_off_unless_it_is_asked_for(ramrole_provider: EcsRamRoleProvider) -> None:
    with LocalService(ramrole_provider) as service:
        assert ask(service, "PUT", "/latest/api/token", **{TTL: "60"}).status_code == 404
    with pytest.raises(ConfigurationError, match="metadata=True"):
        LocalService(ramrole_provider, items=["region-id"])


def test_a_long_term_key_is_not_handed_out() -> None:
    with LocalService(StaticProvider("LTAI5tKey", "hidden-secret")) as service:
        answer = ask(service)
    assert answer.status_code == 503
    assert "long-term key" in answer.json()["Message"]
    assert "hidden-secret" not in answer.text


def test_a_token_of_unknown_life_is_given_fifteen_minutes() -> None:
    with LocalService(StaticProvider("STS.NTKey", "secret", "token")) as service:
        document = ask(service).json()
    assert document["SecurityToken"] == "token"
    assert document["Expiration"] > document["LastUpdated"]


def test_a_role_that_is_gone_is_an_error_with_its_reason(service: LocalService, ramrole_cloud: FakeCloud) -> None:
    ramrole_cloud.detach_role()
    ramrole_cloud.clock.advance(hours=7)
    answer = ask(service)
    assert answer.status_code == 503
    assert answer.json()["Code"] == "ServiceUnavailable"
    assert answer.headers["Retry-After"]


def test_an_outage_upstream_is_survived(service: LocalService, ramrole_cloud: FakeCloud) -> None:
    first = ask(service).json()
    ramrole_cloud.faults.add("metadata", 503)
    ramrole_cloud.clock.advance(hours=5, minutes=50)
    assert ask(service).json()["AccessKeyId"] == first["AccessKeyId"]
    ramrole_cloud.clock.advance(minutes=11)
    assert ask(service).status_code == 503  # expired credentials are not handed out


def test_a_client_beyond_its_rate_is_answered_429(ramrole_provider: EcsRamRoleProvider) -> None:
    with LocalService(ramrole_provider, limits=ServiceLimits(requests_per_second=0.001, burst=3)) as service:
        answers = [ask(service) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert answers[-1].headers["Retry-After"] == "1"


def test_a_client_that_guesses_uses_up_nothing_of_those_who_know_the_path(ramrole_provider: EcsRamRoleProvider) -> None:
    with LocalService(ramrole_provider, limits=ServiceLimits(requests_per_second=0.001, burst=3)) as service:
        guesses = [ask(service, path=f"/{number}").status_code for number in range(5)]
        assert guesses == [404, 404, 404, 429, 429]
        assert ask(service).status_code == 200


def test_the_rate_is_counted_for_each_client_and_recovers() -> None:
    from ramrole_creds.local_service._rate import MAX_CLIENTS, RateLimiter

    now = [0.0]
    rate = RateLimiter(2.0, 2.0, lambda: now[0])
    assert [rate.allows("a") for _ in range(3)] == [True, True, False]
    assert rate.allows("b")
    now[0] = 0.5
    assert [rate.allows("a") for _ in range(2)] == [True, False]
    for number in range(2 * MAX_CLIENTS):
        rate.allows(str(number))
    assert len(rate._buckets) <= MAX_CLIENTS  # noqa: SLF001  # the bound is what is tested


def raw(service: LocalService, content: bytes, *, wait: float = 10.0) -> bytes:
    """What the service sends for some bytes, until it closes the connection."""
    parts = urlsplit(service.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=wait) as connection:
        connection.sendall(content)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received


def test_a_head_that_is_too_large_is_refused(service: LocalService) -> None:
    content = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 20000
    assert raw(service, content).startswith(b"HTTP/1.1 431 ")


def test_a_body_that_is_too_large_ends_the_connection(service: LocalService) -> None:
    content = b"PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000
    assert b" 200 " not in raw(service, content)


def test_what_is_not_http_is_refused(service: LocalService) -> None:
    assert raw(service, b"\x16\x03\x01 hello\r\n\r\n").startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "begin",
    [b"", b"GET / HTTP/1.1\r\nHost: lo", b"PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nx"],
    ids=["silent", "half a head", "half a body"],
)
def test_a_slow_client_is_cut_off(ramrole_provider: EcsRamRoleProvider, begin: bytes) -> None:
    with LocalService(ramrole_provider, limits=ServiceLimits(request_seconds=0.2)) as service:
        before = time.monotonic()
        raw(service, begin)
        assert time.monotonic() - before < 5


def test_a_connection_serves_several_requests_one_after_the_other(service: LocalService) -> None:
    parts = urlsplit(service.uri)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    for _ in range(3):
        connection.request("GET", parts.path)
        answer = connection.getresponse()
        assert answer.status == 200
        assert json.loads(answer.read())["Code"] == "Success"
    connection.close()


def test_closing_gives_the_port_back(ramrole_provider: EcsRamRoleProvider) -> None:
    with LocalService(ramrole_provider) as service:
        port = urlsplit(service.url).port
    with LocalService(ramrole_provider, port=port or 0) as again:
        assert ask(again).status_code == 200


def test_a_port_that_is_taken_is_an_error_of_the_start(service: LocalService) -> None:
    second = LocalService(StaticProvider("STS.a", "b", "c"), port=urlsplit(service.url).port or 0)
    with pytest.raises(OSError, match="in use"):
        second.start()


def test_an_admin_port_that_is_taken_gives_the_other_port_back(service: LocalService) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    taken = urlsplit(service.url).port
    provider = StaticProvider("STS.a", "b", "c")
    with pytest.raises(OSError, match="in use"):
        LocalService(provider, port=port, admin_port=taken).start()
    with LocalService(provider, port=port) as again:
        assert ask(again).status_code == 200


def test_a_client_without_a_rule_finds_no_role(ramrole_provider: EcsRamRoleProvider) -> None:
    rules = ClientRules([(parse_rule("addr:10.0.0.0/8"), ramrole_provider)])
    with LocalService(rules, metadata=True) as service:
        assert ask(service, path=ROLES, **{TOKEN: token_of(service)}).status_code == 404


@pytest.mark.parametrize("values", [{"burst": -1}, {"request_seconds": 0}, {"max_connections": True}], ids=str)
def test_a_limit_that_makes_no_sense_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(values))):
        ServiceLimits(**values)  # type: ignore[arg-type]  # on purpose


def test_each_path_takes_its_own_method(service: LocalService) -> None:
    assert ask(service, "PUT", ROLES).status_code == 405
    assert ask(service, "GET", "/latest/api/token").status_code == 405


def test_without_a_role_the_listing_is_not_found(
    ramrole_provider: EcsRamRoleProvider, ramrole_cloud: FakeCloud
) -> None:
    ramrole_cloud.detach_role()
    with LocalService(ramrole_provider, metadata=True) as service:
        assert ask(service, path=ROLES, **{TOKEN: token_of(service)}).status_code == 404


def test_in_an_outage_the_listing_is_unavailable(
    ramrole_provider: EcsRamRoleProvider, ramrole_cloud: FakeCloud
) -> None:
    ramrole_cloud.faults.add("*", 503)
    with LocalService(ramrole_provider, metadata=True) as service:
        assert ask(service, path=ROLES, **{TOKEN: token_of(service)}).status_code == 503


def test_any_name_is_accepted_in_host_where_that_is_asked_for(ramrole_provider: EcsRamRoleProvider) -> None:
    with LocalService(ramrole_provider, hosts=["*"]) as service:
        assert ask(service, Host="any.name.example").status_code == 200


def test_starting_twice_starts_one_service(service: LocalService) -> None:
    url = service.url
    assert service.start() is service
    assert service.url == url


def test_a_name_that_the_package_does_not_have_is_an_attribute_error() -> None:
    import ramrole_creds.local_service as package

    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        package.nothing  # noqa: B018  # the access is the test


def test_without_uvloop_and_signal_masks_as_on_windows_the_service_answers_too(
    ramrole_provider: EcsRamRoleProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    monkeypatch.delattr(signal, "pthread_sigmask", raising=False)
    with LocalService(ramrole_provider) as service:
        assert ask(service).status_code == 200


def test_a_service_that_does_not_start_in_time_is_ended(
    ramrole_provider: EcsRamRoleProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    slow = ModuleType("uvloop")

    def new_event_loop() -> asyncio.AbstractEventLoop:
        assert go_on.wait(20)
        return asyncio.new_event_loop()

    slow.new_event_loop = new_event_loop  # type: ignore[attr-defined]  # as the module has it
    monkeypatch.setitem(sys.modules, "uvloop", slow)
    monkeypatch.setattr("ramrole_creds.local_service._service.START_SECONDS", 0.05)
    service = LocalService(ramrole_provider, limits=ServiceLimits(drain_seconds=0.05))
    with pytest.raises(RuntimeError, match="did not start in time"):
        service.start()
    go_on.set()
    assert eventually(lambda: not any(one.name == "ramrole-creds-service" for one in threading.enumerate()))
    with pytest.raises(requests.ConnectionError):
        requests.get(service.url, timeout=5)


@pytest.mark.parametrize("status", [404, 503], ids=["missing", "failing"])
def test_an_item_that_the_instance_does_not_give_is_not_given(
    ramrole_provider: EcsRamRoleProvider, ramrole_cloud: FakeCloud, status: int
) -> None:
    with LocalService(ramrole_provider, metadata=True, items=["region-id"]) as service:
        token = token_of(service)
        ramrole_cloud.faults.add("item", status)
        assert ask(service, path="/latest/meta-data/region-id", **{TOKEN: token}).status_code == status


def test_an_item_is_not_available_where_no_metadata_service_is(
    ramrole_provider: EcsRamRoleProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAMROLE_CREDS_METADATA_ENDPOINT", "http://127.0.0.1:9")
    with LocalService(ramrole_provider, metadata=True, items=["region-id"]) as service:
        answer = ask(service, path="/latest/meta-data/region-id", **{TOKEN: token_of(service)})
    assert answer.status_code == 503
