"""The page of what the fake cloud plays says what it plays."""

from __future__ import annotations

import http.client
import re
from pathlib import Path

import pytest

from ramrole_creds import EcsRamRoleProvider, Signer, signing
from ramrole_creds.testing import FakeCloud
from ramrole_creds.testing.request_log import MAX_LOG_BYTES
from ramrole_creds.testing.server.http_parser import MAX_BODY_BYTES, MAX_HEAD_BYTES
from ramrole_creds.testing.server.http_server import MAX_CONNECTIONS, MAX_IDLE_SECONDS
from ramrole_creds.testing.services.bucket_store import MAX_STORED_BYTES
from ramrole_creds.testing.services.openapi import OpenApi
from ramrole_creds.testing.services.ram import MAX_ROLES
from ramrole_creds.testing.services.ram_policies import MAX_CUSTOM_POLICIES
from ramrole_creds.testing.services.room import MAX_KEPT_BYTES
from tests.testing.services.conftest import Endpoints

PAGE = (Path(__file__).parents[2] / "docs" / "fake-cloud.md").read_text(encoding="utf-8")


def test_every_service_has_its_row() -> None:
    played, _, refused = PAGE.partition("## What it refuses")
    names = ["metadata", *(service.name for service in FakeCloud().services)]
    assert sorted(re.findall(r"^\| `(\w+)` \|", played, re.MULTILINE)) == sorted(names)
    cells = " ".join(re.findall(r"^\| (`\w+`(?:, `\w+`)?) \|", refused, re.MULTILINE))
    assert sorted([*re.findall(r"`(\w+)`", cells), "oss", "s3"]) == sorted(names)


def test_what_it_says_to_refuse_with_501_is_refused_so() -> None:
    (listed,) = re.findall(r"\*\*501 `NotImplemented`\*\*.*?support: (.*?)\. Buckets", PAGE, re.DOTALL)
    names = re.findall(r"`([\w-]+)`", listed)
    assert len(names) > 20
    with FakeCloud() as cloud, EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock) as provider:
        signer = Signer(provider, signing.OSSV4("cn-hangzhou", bucket="bucket"), clock=cloud.clock)
        connection = http.client.HTTPConnection(cloud.host, cloud.port, timeout=10)
        for name in names:
            request = signer.sign(signing.Request("GET", f"{cloud.url}/bucket/?{name}"))
            connection.request("GET", request.url.partition(str(cloud.port))[2], headers=dict(request.headers))
            answer = connection.getresponse()
            assert (answer.status, b"NotImplemented" in answer.read()) == (501, True), name
        connection.close()


def test_its_limits_are_those_of_the_server() -> None:
    limits = [
        *(MAX_BODY_BYTES >> 20, MAX_HEAD_BYTES >> 10, MAX_LOG_BYTES >> 20, int(MAX_IDLE_SECONDS), MAX_CONNECTIONS),
        *(MAX_STORED_BYTES >> 30, MAX_KEPT_BYTES >> 20, MAX_ROLES, MAX_CUSTOM_POLICIES),
    ]
    units = "GiB|MiB|KiB|seconds|connections|roles|policies"
    stated = re.findall(rf"(\d[\d,]*) (?:{units})", PAGE.partition("## Limits")[2])
    assert [int(number.replace(",", "")) for number in stated] == limits


def test_the_actions_of_sts_and_ecs_are_all_there() -> None:
    with FakeCloud() as cloud:
        actions = {one.name: one.actions for one in cloud.services if isinstance(one, OpenApi)}
    for name in ("sts", "ecs"):
        (row,) = re.findall(rf"^\| `{name}` \|([^|]*)\|", PAGE, re.MULTILINE)
        assert set(re.findall(r"`(\w+)`", row)) == set(actions[name])


# A call that the service does not play: scheme, method, path, host.
NOT_PLAYED = {
    "ecs": (signing.ACS3(), "POST", "/", "127.0.0.1:8080"),
    "sls": (signing.SLSV4("cn-hangzhou"), "GET", "/alerts", "p.localhost:8080"),
    "ots": (signing.OTSV2("inst"), "POST", "/GetRow", "127.0.0.1:8080"),
    "mns": (signing.MNS(), "GET", "/commonbuffets", "127.0.0.1:8080"),
    "odps": (signing.ODPSV2("http://127.0.0.1:8080/api"), "GET", "/api/projects/p/roles", "127.0.0.1:8080"),
    "fc": (signing.FCV2(), "PUT", "/2016-08-15/services/s/functions/f/concurrency", "127.0.0.1:8080"),
}


@pytest.mark.parametrize("name", NOT_PLAYED)
def test_what_it_says_of_calls_that_are_not_played_is_answered(name: str) -> None:
    (row,) = re.findall(rf"^\| [^|]*`{name}`[^|]* \| (\d+)(?: `(\w+)`)?[^|]*\|$", PAGE, re.MULTILINE)
    scheme, method, path, host = NOT_PLAYED[name]
    headers = {"x-acs-action": "NoSuchAction", "x-acs-version": "2014-05-26"} if name == "ecs" else {}
    answer = Endpoints().ask(scheme, method, path, headers, body=b"{}" if method != "GET" else None, host=host)
    assert answer.status == int(row[0])
    assert row[1].encode() in answer.body


@pytest.mark.parametrize(("name", "version"), [("sts", "2015-04-01"), ("ram", "2015-05-01")])
def test_an_action_that_sts_and_ram_do_not_have_is_not_found(name: str, version: str) -> None:
    assert re.search(rf"^\| [^|]*`{name}`[^|]* \| 404 `InvalidAction.NotFound` \|$", PAGE, re.MULTILINE)
    with FakeCloud() as cloud:
        connection = http.client.HTTPConnection(cloud.host, cloud.port, timeout=10)
        connection.request("GET", f"/?Action=NoSuchAction&Version={version}&Format=JSON")
        answer = connection.getresponse()
        assert (answer.status, b"InvalidAction.NotFound" in answer.read()) == (404, True)
        connection.close()
