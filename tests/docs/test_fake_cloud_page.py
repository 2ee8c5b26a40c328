"""The page of what the fake cloud plays says what it plays."""

from __future__ import annotations

import http.client
import re
from pathlib import Path

from ramrole_creds import EcsRamRoleProvider, Signer, signing
from ramrole_creds.testing import FakeCloud
from ramrole_creds.testing.request_log import MAX_LOG_BYTES
from ramrole_creds.testing.server.http_parser import MAX_BODY_BYTES, MAX_HEAD_BYTES
from ramrole_creds.testing.server.http_server import MAX_CONNECTIONS, MAX_IDLE_SECONDS

PAGE = (Path(__file__).parents[2] / "docs" / "fake-cloud.md").read_text(encoding="utf-8")


def test_every_service_has_its_row() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert sorted(rows) == sorted(["metadata", *(service.name for service in FakeCloud().services)])


def test_what_it_says_to_refuse_with_501_is_refused_so() -> None:
    (listed,) = re.findall(r"\*\*501 `NotImplemented`\*\*.*?play: (.*?)\. Buckets", PAGE, re.DOTALL)
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
    limits = [MAX_BODY_BYTES >> 20, MAX_HEAD_BYTES >> 10, MAX_LOG_BYTES >> 20, int(MAX_IDLE_SECONDS), MAX_CONNECTIONS]
    stated = re.findall(r"(\d[\d,]*) (?:MiB|KiB|seconds|connections)", PAGE.partition("## Limits")[2])
    assert [int(number.replace(",", "")) for number in stated] == limits
