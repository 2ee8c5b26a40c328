"""The official OSS library for Go, unmodified, as Debian has it: its signatures are accepted, and policies decide."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds.clock import SYSTEM_CLOCK
from ramrole_creds.testing.account.ram_policy import allow
from tests.testing.go_program import go_program

if TYPE_CHECKING:
    from ramrole_creds.clock import Clock
    from ramrole_creds.testing import FakeCloud, IssuedCredentials

pytestmark = pytest.mark.xdist_group("go")  # compiled once


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The program, compiled."""
    return go_program("oss_everything.go", tmp_path_factory.mktemp("go"))


@pytest.fixture
def clock() -> Clock:
    """The machine's time, by which Go signs."""
    return SYSTEM_CLOCK


def run(program: str, cloud: FakeCloud, key: IssuedCredentials, scenario: str) -> Any:
    """What the program prints; its secrets travel in an argument, as they are those of a fake cloud."""
    given = {"Id": key.access_key_id, "Secret": key.access_key_secret, "Token": key.security_token}
    argument = json.dumps({**given, "Endpoint": cloud.url, "Scenario": scenario})
    done = subprocess.run([program, argument], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_the_go_library_does_all_it_can(cloud: FakeCloud, web: IssuedCredentials, program: str) -> None:
    name = "a b/杭+州*~'().txt"
    assert run(program, cloud, web, "everything") == {
        "got": "hello",
        "meta": "1",
        "parts": 250 * 1024,
        "link": "log",
        "acl": "private",
        "listed": [name, "big", "copy+of it.txt", "link", "log"],
        "copied": 250 * 1024,
        "deleted": 4,
    }
    assert not [one for one in cloud.requests if (one.status or 500) >= 400]


def test_the_go_library_is_refused_and_allowed_by_the_policy_of_the_moment(
    cloud: FakeCloud, web: IssuedCredentials, program: str
) -> None:
    cloud.set_policies("web", [allow("oss:PutObject", resource="acs:oss:*:*:data/logs/*")])
    denied = "403 AccessDenied"
    assert run(program, cloud, web, "refusable") == {"get": denied, "put": "ok", "list": denied}
    cloud.set_policies("web", [cloud.least_privilege("web", resources="prefix")])
    assert run(program, cloud, web, "refusable") == {"get": "404 NoSuchKey", "put": "ok", "list": "ok"}
