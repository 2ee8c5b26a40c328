"""Real clients, unmodified, take the fake for the real thing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.own_network import no_namespaces

if TYPE_CHECKING:
    from ramrole_creds.testing import FakeCloud

HERE = Path(__file__).parent
NODE = HERE / "node"


def in_namespace(mode: str, *command: str) -> dict[str, Any]:
    """Run a command where 100.100.100.200:80 is a fake cloud and nothing else can be reached."""
    if no_namespaces():
        pytest.skip(no_namespaces())
    setup = 'ip link set lo up && ip address add 100.100.100.200/32 dev lo && exec "$@"'
    inner = ["sh", "-c", setup, "sh", sys.executable, str(HERE / "namespace.py"), mode, *command]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAMROLE_CREDS_")}
    done = subprocess.run(
        ["unshare", "-n", *inner], capture_output=True, text=True, timeout=90, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


class TestOfficialPythonLibrary:
    @pytest.fixture(autouse=True)
    def _installed(self) -> None:
        pytest.importorskip("alibabacloud_credentials", reason="the official library is not installed")

    @pytest.mark.parametrize("mode", ["normal", "hardened"])
    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    def test_in_process_through_the_redirect(self, ramrole_cloud: FakeCloud, mode: Any) -> None:
        from alibabacloud_credentials.client import Client
        from alibabacloud_credentials.models import Config

        ramrole_cloud.mode = mode
        credential = Client(Config(type="ecs_ram_role")).get_credential()
        assert ramrole_cloud.is_valid(credential.access_key_id, credential.security_token)
        assert {one.header("Host") for one in ramrole_cloud.requests} == {"100.100.100.200"}
        ramrole_cloud.assert_called_once("credentials", status=200)

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    async def test_its_asynchronous_calls_too(self, ramrole_cloud: FakeCloud) -> None:
        from alibabacloud_credentials.client import Client
        from alibabacloud_credentials.models import Config

        credential = await Client(Config(type="ecs_ram_role", role_name="web")).get_credential_async()
        assert ramrole_cloud.is_valid(credential.access_key_id, credential.security_token)

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    def test_a_machine_without_metadata_is_one_for_it_too(self, no_metadata: str) -> None:
        from alibabacloud_credentials.client import Client
        from alibabacloud_credentials.models import Config

        assert no_metadata
        with pytest.raises(Exception, match=r"(?i)refused|unable to get credentials|failed"):
            Client(Config(type="ecs_ram_role")).get_credential()

    @pytest.mark.parametrize("mode", ["normal", "hardened"])
    def test_at_the_real_address_of_a_network_namespace(self, mode: str) -> None:
        report = in_namespace(mode, sys.executable, str(HERE / "official_python_client.py"))
        printed = json.loads(report["printed"] or "{}")
        assert printed["accessKeyId"] in report["issued"], report
        assert printed["tokenCharacters"] == 524
        assert ["credentials", 200] in report["requests"]
        assert report["hosts"] == ["100.100.100.200"]


@pytest.mark.parametrize("mode", ["normal", "hardened"])
def test_official_node_client_at_the_real_address(mode: str) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    if not (NODE / "node_modules" / "@alicloud" / "credentials").is_dir():
        pytest.skip("@alicloud/credentials is not installed: npm install --prefix tests/testing/node")
    report = in_namespace(mode, node, str(NODE / "client.js"))
    printed = json.loads(report["printed"] or "{}")
    assert printed.get("accessKeyId") in report["issued"], report
    assert (printed["secretCharacters"], printed["tokenCharacters"], printed["type"]) == (44, 524, "ecs_ram_role")
    assert ["credentials", 200] in report["requests"]


def test_this_library_at_the_real_address() -> None:
    code = (
        "import json; from ramrole_creds import default_provider\n"
        "credentials = default_provider().get_credentials()\n"
        "print(json.dumps({'accessKeyId': credentials.access_key_id, 'by': credentials.provider_name}))"
    )
    report = in_namespace("hardened", sys.executable, "-c", code)
    printed = json.loads(report["printed"] or "{}")
    assert printed.get("accessKeyId") in report["issued"], report
    assert printed["by"] == "default/ecs_ram_role"
