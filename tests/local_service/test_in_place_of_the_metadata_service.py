"""The service at the real metadata address of a namespace: the official clients get the role, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="the extra serve")
pytest.importorskip("httptools", reason="the extra serve")

HERE = Path(__file__).parent
NODE = HERE.parent / "testing" / "node"
PYTHON_CLIENT = """
from alibabacloud_credentials.client import Client
from alibabacloud_credentials.models import Config
import json
print(json.dumps({"accessKeyId": Client(Config(type="ecs_ram_role")).get_credential().access_key_id}))
"""


def in_namespace(*command: str) -> dict[str, Any]:
    """Run a client where the service stands at 100.100.100.200:80 and nothing else can be reached."""
    script = 'ip link set lo up && ip address add 100.100.100.200/32 dev lo && exec "$@"'
    inner = ["sh", "-c", script, "sh", sys.executable, str(HERE / "in_place_of_the_metadata_service.py"), *command]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAMROLE_CREDS_")}
    done = subprocess.run(
        ["unshare", "-n", *inner], capture_output=True, text=True, timeout=90, check=False, env=environment
    )
    if "Operation not permitted" in done.stderr or not shutil.which("ip"):
        pytest.skip("no network namespace can be made here (it takes root and ip)")
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def check(report: dict[str, Any]) -> None:
    assert report["printed"], report["error"]
    assert json.loads(report["printed"].splitlines()[-1])["accessKeyId"] in report["issued"]
    assert report["statuses"] == {
        "/latest/user-data": 404,
        "/latest/meta-data/instance-id": 404,
        "/latest/meta-data/region-id": 200,
    }


@pytest.mark.skipif(not shutil.which("unshare"), reason="network namespaces of Linux")
def test_the_official_python_client_gets_the_role_and_the_rest_stays_hidden() -> None:
    pytest.importorskip("alibabacloud_credentials", reason="alibabacloud-credentials")
    check(in_namespace(sys.executable, "-c", PYTHON_CLIENT))


@pytest.mark.skipif(not shutil.which("unshare"), reason="network namespaces of Linux")
def test_the_official_node_client_gets_the_role() -> None:
    node = shutil.which("node")
    if node is None or not (NODE / "node_modules" / "@alicloud" / "credentials").is_dir():
        pytest.skip("node, or @alicloud/credentials, is not installed: npm install --prefix tests/testing/node")
    check(in_namespace(node, str(NODE / "client.js")))
