"""Each fault looks on the wire as its name says, where, when and as often as the script says."""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds.testing import FakeCloud, VirtualClock

if TYPE_CHECKING:
    from pathlib import Path

    from tests.testing.conftest import Ask

ROLES = "/latest/meta-data/ram/security-credentials/"
DOCUMENT = ROLES + "web"
SCRIPT = [
    {"where": "role", "what": "status", "status": 503, "times": 1},
    {"where": "credentials", "what": 404, "between": [60, 120]},
]


@pytest.mark.parametrize(
    ("what", "options", "error"),
    [
        ("reset", {}, ConnectionResetError),
        ("outage", {}, ConnectionResetError),
        ("close", {}, http.client.RemoteDisconnected),
        ("garbage", {}, http.client.BadStatusLine),
        ("truncate", {}, http.client.IncompleteRead),
        ("reset", {"after": 200}, (ConnectionResetError, http.client.IncompleteRead)),
    ],
)
def test_broken_answers(ask: Ask, cloud: FakeCloud, what: str, options: dict[str, Any], error: type[Exception]) -> None:
    cloud.faults.add("credentials", what, times=1, **options)
    with pytest.raises(error):
        ask(DOCUMENT)
    assert ask(DOCUMENT).status == 200


def test_a_status_with_everything(ask: Ask, cloud: FakeCloud) -> None:
    cloud.faults.add("role", 429, times=1, retry_after=7, body="slow down", reason="Too Many", headers={"X-A": "b"})
    answer = ask(ROLES)
    assert (answer.status, answer.reason, answer.text) == (429, "Too Many", "slow down")
    assert (answer.headers["Retry-After"], answer.headers["X-A"]) == ("7", "b")


def test_a_429_without_retry_after(ask: Ask, cloud: FakeCloud) -> None:
    cloud.faults.add("role", 429)
    assert "Retry-After" not in ask(ROLES).headers


def test_a_redirect(ask: Ask, cloud: FakeCloud) -> None:
    cloud.faults.add("*", "redirect", status=307, location="http://elsewhere.invalid/")
    answer = ask(ROLES)
    assert (answer.status, answer.headers["Location"]) == (307, "http://elsewhere.invalid/")


def test_a_captive_portal(ask: Ask, cloud: FakeCloud) -> None:
    cloud.faults.add("token", "garbage-body")
    answer = ask("/latest/api/token", "PUT")
    assert answer.status == 200
    assert answer.body.startswith(b"<html>")


@pytest.mark.parametrize("options", [{}, {"length": False}])
def test_an_oversize_body(ask: Ask, cloud: FakeCloud, options: dict[str, Any]) -> None:
    cloud.faults.add("role", "oversize", bytes=200_000, **options)
    assert len(ask(ROLES).body) == 200_000


def test_a_flood_of_informational_answers_ends_in_the_real_one(ask: Ask, cloud: FakeCloud) -> None:
    cloud.faults.add("role", "informational", count=50)
    assert ask(ROLES).text == "web"


@pytest.mark.parametrize("part", ["body", "head"])
def test_a_drip_is_slow_and_complete(ask: Ask, cloud: FakeCloud, part: str) -> None:
    cloud.faults.add("role", "drip", interval=0.002, part=part)
    began = time.monotonic()
    assert ask(ROLES).text == "web"
    assert time.monotonic() - began >= 0.006


def test_latency_is_real_time(ask: Ask, cloud: FakeCloud) -> None:
    cloud.faults.add("metadata", "latency", seconds=0.05, jitter=0.01)
    began = time.monotonic()
    ask(ROLES)
    assert time.monotonic() - began >= 0.05


def test_dates_and_ages(ask: Ask, cloud: FakeCloud) -> None:
    cloud.faults.add("role", "date", times=1, seconds=-3600)
    assert ask(ROLES).headers["Date"] == "Fri, 15 Jan 2027 07:00:00 GMT"
    cloud.faults.add("role", "date", times=1, value="yesterday")
    assert ask(ROLES).headers["Date"] == "yesterday"
    cloud.faults.add("role", "no-date", times=1)
    assert "Date" not in ask(ROLES).headers
    cloud.faults.add("role", "age", times=1, seconds=120)
    assert ask(ROLES).headers["Age"] == "120"
    cloud.faults.add("role", "header", times=1, name="X-Cache", value="HIT")
    assert ask(ROLES).headers["X-Cache"] == "HIT"


def test_a_skewed_server_dates_and_issues_by_its_own_clock(ask: Ask, cloud: FakeCloud) -> None:
    cloud.faults.add("credentials", "skew", seconds=3600)
    answer = ask(DOCUMENT)
    assert answer.headers["Date"] == "Fri, 15 Jan 2027 09:00:00 GMT"
    assert answer.json["Expiration"] == "2027-01-15T15:00:00Z"


def test_keys_of_the_credential_document_can_be_changed_and_dropped(ask: Ask, cloud: FakeCloud) -> None:
    cloud.faults.add("credentials", "document", set={"Code": "Failed"}, drop=["SecurityToken"])
    document = ask(DOCUMENT).json
    assert document["Code"] == "Failed"
    assert "SecurityToken" not in document


@pytest.mark.parametrize(("where", "path"), [("role", ROLES), ("credentials", ROLES + "nobody")], ids=["text", "404"])
def test_an_answer_without_a_credential_document_is_not_changed(
    ask: Ask, cloud: FakeCloud, where: str, path: str
) -> None:
    cloud.replace_role("123")  # its listing is JSON, but no object
    cloud.clock.advance(minutes=5)
    assert ask(ROLES).text == "123"
    before = ask(path)
    cloud.faults.add(where, "document", set={"Code": "Failed"})
    after = ask(path)
    assert (after.status, after.text) == (before.status, before.text)


def test_a_fault_that_was_removed_already_is_removed_without_effect(ask: Ask, cloud: FakeCloud) -> None:
    first, second = (cloud.faults.add("role", status) for status in (500, 503))
    for _ in range(2):
        cloud.faults.remove(first)
    assert ask(ROLES).status == 503
    assert list(cloud.faults) == [second]


def test_modifiers_combine_and_of_the_others_the_first_is_played(ask: Ask, cloud: FakeCloud) -> None:
    cloud.faults.add("role", "latency", seconds=0.01)
    first = cloud.faults.add("role", 500, times=1)
    second = cloud.faults.add("role", 503, times=1)
    assert [ask(ROLES).status for _ in range(3)] == [500, 503, 200]
    assert (first.played, second.played) == (1, 1)


def test_refused_connections_for_the_first_seconds(ask: Ask, cloud: FakeCloud) -> None:
    cloud.faults.add("*", "refuse", between=(0, 3))
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            ask("/")
    cloud.clock.advance(3)
    assert ask("/").status == 200


def test_a_cloud_may_begin_with_nothing_listening() -> None:
    cloud = FakeCloud(clock=VirtualClock(0))
    cloud.faults.add("*", "refuse", between=(0, 3))
    with cloud:
        connection = http.client.HTTPConnection(cloud.host, cloud.port, timeout=5)
        with pytest.raises(ConnectionRefusedError):
            connection.connect()
        cloud.clock.advance(3)
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"2016-01-01\nlatest"
        connection.close()


def test_a_blackhole_answers_no_connection(cloud: FakeCloud, ask: Ask) -> None:
    fault = cloud.faults.add("*", "blackhole")
    connection = http.client.HTTPConnection(cloud.host, cloud.port, timeout=0.2)
    with pytest.raises(TimeoutError):
        connection.request("GET", "/")
    connection.close()
    cloud.faults.remove(fault)
    assert ask("/").status == 200


def test_between_counts_virtual_seconds(ask: Ask, cloud: FakeCloud) -> None:
    cloud.faults.add("role", 503, between=(10, 20))
    seen = []
    for _ in range(4):
        seen.append(ask(ROLES).status)
        cloud.clock.advance(8)
    assert seen == [200, 200, 503, 200]


def test_skip_and_probability(ask: Ask, cloud: FakeCloud) -> None:
    cloud.faults.add("role", 503, times=1, skip=1)
    assert [ask(ROLES).status for _ in range(3)] == [200, 503, 200]
    cloud.faults.add("role", 500, probability=0.5)
    statuses = {ask(ROLES).status for _ in range(40)}
    assert statuses == {200, 500}


@pytest.mark.parametrize(
    ("where", "hit"),
    [
        ("role", ROLES),
        ("credentials", DOCUMENT),
        ("metadata", "/latest/meta-data/mac"),
        ("item", "/latest/meta-data/mac"),
        ("/latest/meta-data/*", "/latest/meta-data/mac"),
        ("GET /latest/meta-data/*", "/latest/meta-data/mac"),
        ("GetCallerIdentity", "/?Action=GetCallerIdentity&Version=2015-04-01"),
        ("sts", "/?Action=GetCallerIdentity&Version=2015-04-01"),
    ],
)
def test_where_a_fault_strikes(ask: Ask, cloud: FakeCloud, where: str, hit: str) -> None:
    cloud.faults.add(where, 418)
    assert ask(hit).status == 418
    assert ask("/latest/api/token", "PUT", {"X-aliyun-ecs-metadata-token-ttl-seconds": "9"}).status in {200, 418}
    assert ask("/latest/api/nothing", "POST").status != 418 or where in {"metadata", "item"}


def test_a_hang_ends_when_the_client_gives_up_or_the_cloud_stops() -> None:
    cloud = FakeCloud(clock=VirtualClock(0)).start()
    cloud.faults.add("*", "hang")
    failed: list[Exception] = []

    def client() -> None:
        connection = http.client.HTTPConnection(cloud.host, cloud.port, timeout=30)
        try:
            connection.request("GET", "/")
            connection.getresponse()
        except OSError as error:
            failed.append(error)
        finally:
            connection.close()

    waiting = threading.Thread(target=client)
    waiting.start()
    while not len(cloud.requests):
        time.sleep(0.005)
    began = time.monotonic()
    cloud.stop()
    waiting.join(5)
    assert not waiting.is_alive()
    assert time.monotonic() - began < 2
    assert len(failed) == 1


@pytest.mark.parametrize("content", [SCRIPT, {"faults": SCRIPT}])
@pytest.mark.parametrize("kind", ["json", "yaml"])
def test_a_script_is_read_from_a_file(cloud: FakeCloud, ask: Ask, tmp_path: Path, kind: str, content: object) -> None:
    path = tmp_path / f"script.{kind}"
    path.write_text(json.dumps(content) if kind == "json" else _yaml(content), encoding="utf-8")
    assert len(cloud.faults.load(path)) == 2
    assert [ask(ROLES).status for _ in range(2)] == [503, 200]
    cloud.clock.advance(60)
    assert ask(DOCUMENT).status == 404


def _yaml(content: object) -> str:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed; scripts are JSON then")
    return str(yaml.safe_dump(content))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        pytest.param(arguments, error, message, id=name)
        for name, arguments, error, message in [
            ("kind", {"what": "explode"}, ValueError, "There is no fault 'explode'. Use an HTTP status"),
            ("kind-type", {"what": None}, ValueError, "There is no fault None"),
            ("option", {"what": "reset", "seconds": 1}, TypeError, "has no option 'seconds'. It takes after"),
            ("no-options", {"what": "close", "after": 1}, TypeError, "has no option 'after'. Every fault takes where"),
            ("needs", {"what": "status"}, TypeError, "needs the option status"),
            ("status-range", {"what": 99}, ValueError, "status .* must be a whole number from 100 to 999"),
            (
                "number",
                {"what": "latency", "seconds": "soon"},
                ValueError,
                "seconds .* must be a number .*, not 'soon'",
            ),
            ("nan", {"what": "latency", "seconds": float("nan")}, ValueError, "not nan"),
            ("negative", {"what": "latency", "seconds": -1}, ValueError, "not -1"),
            ("boolean", {"what": "oversize", "length": 1}, ValueError, "length .* must be true or false"),
            ("body", {"what": 503, "body": object()}, ValueError, "JSON can encode"),
            ("surrogate", {"what": 503, "body": "\ud800"}, ValueError, "body .* must be bytes, a text"),
            ("name", {"what": "header", "name": "\ud800"}, ValueError, "name .* must be"),
            ("headers", {"what": 503, "headers": {"X": 1}}, ValueError, "name and value pairs"),
            ("part", {"what": "drip", "part": "tail"}, ValueError, '"body" or "head"'),
            ("port-where", {"what": "refuse"}, ValueError, "the port itself"),
            ("port-times", {"where": "*", "what": "refuse", "times": 3}, ValueError, "cannot be counted"),
            ("times", {"what": 503, "times": 0}, ValueError, "times must be a whole number from 1"),
            ("skip", {"what": 503, "skip": "2"}, ValueError, "skip must be"),
            ("probability", {"what": 503, "probability": 2}, ValueError, "probability must be"),
            ("where", {"where": "", "what": 503}, ValueError, "where must be"),
            ("between", {"what": 503, "between": (1,)}, ValueError, "between must be two moments"),
            ("between-order", {"what": 503, "between": (2, 1)}, ValueError, "must end after it begins"),
            ("between-type", {"what": 503, "between": ("now", "later")}, ValueError, "seconds from now"),
        ]
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_when_it_is_added(
    cloud: FakeCloud, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    entry = {"where": "role", **arguments}
    with pytest.raises(error, match=message):
        cloud.faults.add(**entry)
    with pytest.raises(ValueError, match=f"Fault 2 of the script: .*({message})"):
        cloud.faults.load([{"where": "role", "what": 503}, entry])
    assert len(cloud.faults) == 0


@pytest.mark.parametrize(
    ("script", "message"),
    [
        pytest.param(
            [{"where": "role"}], 'Fault 1 of the script must be a mapping with "where" and "what"', id="no-what"
        ),
        pytest.param(["role"], "Fault 1 of the script must be a mapping", id="text"),
        pytest.param({"fault": []}, 'under the key "faults"', id="misspelt"),
        pytest.param({"faults": {"where": "role"}}, "must be a list of faults, not dict", id="one"),
    ],
)
def test_a_malformed_script_is_refused(cloud: FakeCloud, script: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cloud.faults.load(script)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param("a.json", b"{", "is not valid JSON", id="json"),
        pytest.param("a.json", b"[" * 100_000, "is not valid JSON", id="deep"),
        pytest.param("a.json", b"\xff\xfe", "utf-8", id="bytes"),
        pytest.param("a.yaml", b"a: [", "is not valid YAML|PyYAML", id="yaml"),
    ],
)
def test_an_unreadable_script_file_is_a_value_error(
    cloud: FakeCloud, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        cloud.faults.load(tmp_path / name)
    with pytest.raises(OSError, match="absent"):
        cloud.faults.load(tmp_path / "absent.json")


def test_a_kind_is_a_dataclass_whose_fields_are_its_options(cloud: FakeCloud, ask: Ask) -> None:
    from ramrole_creds.testing.faults.kinds import Status

    fault = cloud.faults.add("role", Status(status=503, reason="Busy"), times=1)
    assert (fault.what, fault.options) == ("status", {"status": 503, "reason": "Busy"})
    assert (ask(ROLES).reason, ask(ROLES).status) == ("Busy", 200)
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        Status(status=503, colour="red")  # type: ignore[call-arg]  # that is the test


def test_the_log_shows_which_fault_struck_a_request(ask: Ask, cloud: FakeCloud) -> None:
    cloud.faults.add("role", 503, label="boot storm")
    ask(ROLES)
    assert "→ 503 [boot storm]" in str(cloud.requests)


def test_a_yaml_file_without_pyyaml_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    (tmp_path / "faults.yaml").write_text("- {where: role, what: 503}")
    with FakeCloud() as cloud, pytest.raises(ValueError, match=r"PyYAML is not installed.*\[yaml\].* Or write JSON\."):
        cloud.faults.load(tmp_path / "faults.yaml")
