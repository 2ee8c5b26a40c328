"""Official clients of Node.js, unmodified: allowed, refused by policy, and never refused for their signature."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds.clock import SYSTEM_CLOCK
from ramrole_creds.testing.account.ram_policy import allow

if TYPE_CHECKING:
    from ramrole_creds.clock import Clock
    from ramrole_creds.testing import FakeCloud, IssuedCredentials

NODE = Path(__file__).parent / "node"


@pytest.fixture
def clock() -> Clock:
    """The machine's time, by which these clients sign."""
    return SYSTEM_CLOCK


def run(package: str, script: str, key: IssuedCredentials, **given: object) -> Any:
    """What a script prints; its secrets travel in an argument, as they are those of a fake cloud."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    if not (NODE / "node_modules" / package).is_dir():
        pytest.skip(f"{package} is not installed: npm install --prefix tests/testing/node")
    credentials = {"id": key.access_key_id, "secret": key.access_key_secret, "token": key.security_token}
    command = [node, str(NODE / script), json.dumps({**credentials, **given})]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("v4", [False, True], ids=["V1", "V4"])
def test_ali_oss_does_all_it_can(cloud: FakeCloud, web: IssuedCredentials, v4: bool) -> None:
    done = run(
        "ali-oss", "oss.js", web, scenario="everything", endpoint=cloud.url.replace("127.0.0.1", "localhost"), v4=v4
    )
    assert done == {
        "got": "hello",
        "tags": {"team": "dev"},
        "listed": ["a b/杭+州.txt", "copy of it.txt"],
        "multipart": 200,
        "link": "log",
        "acl": "private",
        "deleted": 3,
        "url": "hello",
        "processed": 501,
    }
    assert not [one for one in cloud.requests if one.status == 403]


def test_ali_oss_is_refused_and_allowed_by_the_policy_of_the_moment(cloud: FakeCloud, web: IssuedCredentials) -> None:
    cloud.set_policies("web", [allow("oss:PutObject", resource="acs:oss:*:*:data/logs/*")])
    given = {"scenario": "refusable", "endpoint": cloud.url, "v4": True}
    denied = "403 AccessDenied"
    assert run("ali-oss", "oss.js", web, **given) == {"get": denied, "put": "ok", "list": denied}
    cloud.set_policies("web", [cloud.least_privilege("web", resources="prefix")])
    assert run("ali-oss", "oss.js", web, **given) == {"get": "404 NoSuchKey", "put": "ok", "list": "ok"}


@pytest.mark.parametrize("client", ["RPC", "ROA", "pop-core"])
def test_openapi_clients_are_refused_and_allowed(cloud: FakeCloud, web: IssuedCredentials, client: str) -> None:
    package = "@alicloud/pop-core" if client == "pop-core" else "@alicloud/openapi-client"
    given = {"client": client, "endpoint": f"{cloud.host}:{cloud.port}", "version": "2014-05-26"}
    given |= {"action": "StopInstance"}
    parameters = {"InstanceId": "i-1", "RegionId": "cn-hangzhou"}
    answered = run(package, "openapi.js", web, parameters=parameters, **given)
    assert answered["Action"] == "StopInstance"
    cloud.set_policies("web", [allow("ecs:*", resource="acs:ecs:*:*:instance/i-2")])
    refused = run(package, "openapi.js", web, parameters=parameters, **given)
    assert refused["code"] == "Forbidden.RAM"
    assert refused["detail"]["AuthAction"] == "ecs:StopInstance"
    other = run(package, "openapi.js", web, parameters={**parameters, "InstanceId": "i-2"}, **given)
    assert other["Action"] == "StopInstance"


@pytest.mark.parametrize("client", ["RPC", "pop-core"])
def test_sts_says_who_an_openapi_client_is(cloud: FakeCloud, web: IssuedCredentials, client: str) -> None:
    package = "@alicloud/pop-core" if client == "pop-core" else "@alicloud/openapi-client"
    given = {"client": client, "endpoint": f"{cloud.host}:{cloud.port}", "version": "2015-04-01", "parameters": {}}
    answered = run(package, "openapi.js", web, action="GetCallerIdentity", **given)
    assert answered["Arn"] == web.principal
