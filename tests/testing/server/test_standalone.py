"""The fake cloud in a process of its own, steered over its control API."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from ramrole_creds.testing import Access, FakeCloud, TickingClock, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Control = "Callable[..., tuple[int, Any]]"
ROLES = "/latest/meta-data/ram/security-credentials/"


def ask(url: str, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        text = response.read().decode()
    finally:
        connection.close()
    try:
        return response.status, json.loads(text)
    except ValueError:
        return response.status, text


@pytest.fixture
def steered() -> Iterator[FakeCloud]:
    with FakeCloud(clock=TickingClock(1_800_000_000), control_key="secret-of-the-test") as cloud:
        yield cloud


@pytest.fixture
def control(steered: FakeCloud) -> Callable[..., tuple[int, Any]]:
    def controlled(method: str, path: str, body: object = None) -> tuple[int, Any]:
        return ask(steered.url, method, f"/_fake/{path}", body, **{"X-Fake-Key": "secret-of-the-test"})

    return controlled


def test_a_process_prints_its_url_when_it_is_ready_and_ends_at_sigterm(tmp_path: Path) -> None:
    script = tmp_path / "faults.json"
    script.write_text('[{"where": "role", "what": 503, "times": 1}]', encoding="utf-8")
    code = (
        "from ramrole_creds.testing import serve\n"
        f"serve(role='db', mode='normal', script={str(script)!r}, control_key='k', credential_lifetime=2)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert url.startswith("http://127.0.0.1:")
            assert [ask(url, "GET", ROLES)[0] for _ in range(2)] == [503, 200]
            assert ask(url, "GET", "/_fake/state", **{"X-Fake-Key": "k"})[1]["roles"] == ["db"]
            assert ask(url, "GET", "/_fake/health") == (200, {"ok": True})
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_serving_in_a_thread_ends_with_its_event() -> None:
    ready, stop = threading.Event(), threading.Event()
    clouds: list[FakeCloud] = []

    def announce(cloud: FakeCloud) -> None:
        clouds.append(cloud)
        ready.set()

    thread = threading.Thread(target=serve, kwargs={"announce": announce, "stop": stop, "control_key": "k"})
    thread.start()
    assert ready.wait(10)
    assert ask(clouds[0].url, "GET", ROLES) == (200, "web")
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


def test_without_its_key_the_control_api_does_nothing(steered: FakeCloud) -> None:
    assert ask(steered.url, "POST", "/_fake/mode", {"mode": "hardened"})[0] == 401
    assert ask(steered.url, "POST", "/_fake/mode", {"mode": "hardened"}, **{"X-Fake-Key": "guess"})[0] == 401
    assert steered.mode == "normal"


def test_a_cloud_without_a_key_has_no_control_api() -> None:
    with FakeCloud() as cloud:
        assert ask(cloud.url, "GET", "/_fake/state", **{"X-Fake-Key": ""})[0] == 404


def test_another_host_cannot_steer_it(steered: FakeCloud) -> None:
    headers = {"X-Fake-Key": "secret-of-the-test", "Host": "rebound.example.com"}
    assert ask(steered.url, "GET", "/_fake/state", **headers)[0] == 403


def test_everything_can_be_steered(steered: FakeCloud, control: Callable[..., tuple[int, Any]]) -> None:
    assert control("POST", "role/detach")[1]["roles"] == []
    assert control("POST", "role/attach", {"name": "api", "policies": ["ReadOnlyAccess"]})[1]["roles"] == ["api"]
    assert control("POST", "role/replace", {"name": "db"})[1]["roles"] == ["db"]
    assert control("POST", "role/policies", {"name": "db", "policies": []})[0] == 200
    first = ask(steered.url, "GET", ROLES + "db")[1]["AccessKeyId"]
    assert control("POST", "role/rotate")[0] == 200
    assert ask(steered.url, "GET", ROLES + "db")[1]["AccessKeyId"] != first
    assert control("POST", "mode", {"mode": "hardened"})[1]["mode"] == "hardened"
    assert control("POST", "endpoint", {"endpoint": "disabled"})[1]["endpoint"] == "disabled"
    assert control("POST", "endpoint", {"endpoint": "enabled"})[1]["endpoint"] == "enabled"
    assert control("POST", "items", {"zone-id": "cn-hangzhou-x"})[1]["zone-id"] == "cn-hangzhou-x"
    assert control("POST", "quirks", {"token_ttl_echo": True})[1]["token_ttl_echo"] is True
    assert control("POST", "clock/advance", {"hours": 6})[1]["time"] >= "2027-01-15T14:00:00Z"
    assert control("POST", "faults", {"where": "role", "what": 503, "times": 2})[1][0]["what"] == "status"
    assert control("POST", "faults", {"faults": [{"where": "*", "what": "latency", "seconds": 0}]})[0] == 200
    assert len(control("GET", "faults")[1]) == 2
    assert control("DELETE", "faults")[1] == []
    log = control("GET", "requests")[1]
    assert {"step", "status", "headers"} <= set(log[0])
    assert control("DELETE", "requests")[1] == []
    assert control("POST", "reset")[1]["requests"] == {}
    assert control("POST", "role/delete", {"name": "db"})[1]["roles"] == []


def test_policies_and_conditions_can_be_steered(steered: FakeCloud, control: Callable[..., tuple[int, Any]]) -> None:
    steered.add_role("job")
    assert control("POST", "role/least-privilege", {"name": "job"}) == (200, {"Version": "1", "Statement": []})
    steered.account.authorizer.judge(
        steered.credential_store.issue(steered.role("job").session("s"), now=0, lifetime=60),
        Access("oss:GetObject", "acs:oss:oss-cn-hangzhou:1:data/logs/1"),
        0,
    )
    [statement] = control("POST", "role/least-privilege", {"name": "job", "resources": "prefix"})[1]["Statement"]
    assert statement["Resource"] == ["acs:oss:*:*:data/logs/*"]
    set_ = control("POST", "conditions", {"acs:SourceIp": "203.0.113.7", "acs:SourceVpc": ["a", "b"]})[1]
    assert (set_["acs:SourceIp"], set_["acs:SourceVpc"]) == ("203.0.113.7", ["a", "b"])
    assert "acs:SourceVpc" not in control("POST", "conditions", {"acs:SourceVpc": None})[1]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("role/least-privilege", {"name": "misspelt"}),
        ("role/least-privilege", {"name": "web", "resources": "wide"}),
        ("role/policies", {"name": "web", "policies": [{"Version": "1", "Statement": [{}]}]}),
        ("mode", {"mode": "soft"}),
        ("mode", {}),
        ("mode", [1]),
        ("faults", {"where": "role", "what": "explode"}),
        ("quirks", {"nothing": 1}),
        ("role/attach", {"name": "second"}),
        ("role/attach", {"nonsense": 1}),
        ("clock/advance", {"hours": -1}),
        ("clock/advance", {"fortnights": 1}),
    ],
)
def test_bad_input_is_answered_with_what_is_wrong(
    control: Callable[..., tuple[int, Any]], path: str, body: object
) -> None:
    status, answer = control("POST", path, body)
    assert status == 400
    assert answer["error"]


def test_an_unknown_route_lists_the_known_ones(control: Callable[..., tuple[int, Any]]) -> None:
    status, answer = control("GET", "nothing")
    assert status == 404
    assert "POST /_fake/mode" in answer["routes"]


def test_refused_connections_end_in_real_time_too() -> None:
    with FakeCloud(clock=TickingClock()) as cloud:
        cloud.faults.add("*", "refuse", between=(0, 0.15))
        with pytest.raises(ConnectionRefusedError):
            ask(cloud.url, "GET", "/")
        for _ in range(100):
            try:
                assert ask(cloud.url, "GET", "/")[0] == 200
                break
            except ConnectionRefusedError:
                threading.Event().wait(0.02)
        else:
            pytest.fail("the port did not open again")
