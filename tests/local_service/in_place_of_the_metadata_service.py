"""Run in a network namespace: `serve` stands at 100.100.100.200, before a fake metadata service.

Runs the command that it is given and prints what came of it, as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request

from ramrole_creds.testing import FakeCloud
from ramrole_creds.testing.clocks import TickingClock

ADDRESS = "100.100.100.200"


def status_of(path: str, token: str) -> int:
    """The status with which the service answers a path."""
    request = urllib.request.Request(f"http://{ADDRESS}{path}", headers={"X-aliyun-ecs-metadata-token": token})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def session_token() -> str:
    """A session token of the service."""
    headers = {"X-aliyun-ecs-metadata-token-ttl-seconds": "60"}
    request = urllib.request.Request(f"http://{ADDRESS}/latest/api/token", headers=headers, method="PUT")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(answer.read().decode())


with FakeCloud(clock=TickingClock(), mode="hardened") as cloud:
    cloud.set_user_data("something that a program in the pod must not read")
    options = ["--host", ADDRESS, "--port", "80", "--metadata", "--allow-item", "region-id"]
    serve = [sys.executable, "-m", "ramrole_creds.cli", "serve", *options]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, env={**os.environ, **cloud.environment()}) as service:
        assert service.stdout is not None
        service.stdout.readline()
        client = subprocess.run(sys.argv[1:], capture_output=True, text=True, check=False, timeout=60)
        token = session_token()
        paths = ["/latest/user-data", "/latest/meta-data/instance-id", "/latest/meta-data/region-id"]
        report = {
            "printed": client.stdout,
            "error": client.stderr,
            "issued": [one.access_key_id for one in cloud.credential_store.issued()],
            "statuses": {path: status_of(path, token) for path in paths},
        }
        service.terminate()
sys.stdout.write(json.dumps(report) + "\n")
