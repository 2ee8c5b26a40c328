"""osstorchconnector, which is written in C++, asks an object for credentials: a provider as it is.

It addresses a bucket by its host only, and resolves names by itself. So it runs where a file of hosts names the bucket.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ramrole_creds.clock import SYSTEM_CLOCK
from ramrole_creds.testing import FakeCloud
from ramrole_creds.testing.masking import leaked_marker

SCRIPT = Path(__file__).with_name("torch_checkpoints.py")
APART = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"']
ROTATIONS = 2
PATIENCE_SECONDS = 100
"""The connector asks every thirty seconds of real time."""


def test_checkpoints_are_written_and_read_over_rotations(tmp_path: Path) -> None:
    if shutil.which("unshare") is None or os.geteuid() != 0:
        pytest.skip("only root may give a process a file of hosts and userfaultfd, which the connector's reader needs")
    hosts, config = (tmp_path / name for name in ("hosts", "config.json"))
    hosts.write_text("127.0.0.1 localhost bkt.localhost\n", encoding="utf-8")
    paths = {"logPath": str(tmp_path / "connector.log"), "auditPath": str(tmp_path / "audit.log")}
    config.write_text(json.dumps(paths), encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}

    with FakeCloud(clock=SYSTEM_CLOCK) as cloud, (tmp_path / "output.log").open("wb") as output:
        command = [*APART, str(hosts), sys.executable, str(SCRIPT), cloud.url, f"http://localhost:{cloud.port}"]
        with subprocess.Popen(
            [*command, str(config)], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output,
            text=True,
        ) as child:  # fmt: skip
            assert child.stdin is not None
            assert child.stdout is not None
            ends = time.monotonic() + PATIENCE_SECONDS
            keys: list[str] = []
            used: list[str] = []
            while len(set(used)) <= ROTATIONS:
                assert time.monotonic() < ends, "the connector did not ask again"
                child.stdin.write("\n")
                child.stdin.flush()
                lines = iter(child.stdout.readline, "")
                keys.append(next(line.split()[1] for line in lines if line.startswith("current ")))
                used = [str(one.access_key_id) for one in cloud.requests.to("oss")]
                if used[-1] == keys[-1]:
                    cloud.rotate()
                time.sleep(1)
            child.stdin.close()
        statuses = {one.status for one in cloud.requests.to("oss")}

    assert child.returncode == 0, (tmp_path / "output.log").read_text(encoding="utf-8")[-3000:]
    assert used == sorted(used, key=keys.index)
    assert statuses <= {200, 204, 206}
    for written in tmp_path.iterdir():
        assert leaked_marker(written.read_bytes().decode("latin-1")) is None, written
