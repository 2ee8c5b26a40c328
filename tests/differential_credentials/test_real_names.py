"""Profiles that go to STS or to a sign-in service, in both libraries, against TLS under the services' real names."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

for needed in ("alibabacloud_credentials", "cryptography"):
    if importlib.util.find_spec(needed) is None:
        pytest.skip(f"{needed} is not installed", allow_module_level=True)

from tests.differential_credentials.real_names import (  # noqa: E402 - after they are known to be installed
    HOSTS,
    METADATA_HOST,
    PROFILES,
    RSA_KEY_PAIR,
)

pytestmark = pytest.mark.xdist_group("real-names")  # one process asks for all

ROOT = Path(__file__).parents[2]
SET_UP = 'mount --bind "$1" /etc/hosts && ip link set lo up && ip address add "$2/32" dev lo && shift 2 && exec "$@"'


def in_namespaces(hosts: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAMROLE_CREDS_")}
    return subprocess.run(
        ["unshare", "-n", "-m", "sh", "-c", SET_UP, "sh", str(hosts), METADATA_HOST, *command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
        env=environment,
    )


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if not all(map(shutil.which, ("unshare", "ip", "mount"))):
        pytest.skip("unshare, ip and mount are needed for namespaces")
    folder = tmp_path_factory.mktemp("real-names")
    hosts = folder / "hosts"
    hosts.write_text("".join(f"127.0.0.1 {name}\n" for name in ("localhost", *HOSTS)))
    if in_namespaces(hosts, "true").returncode != 0:
        pytest.skip("no network and mount namespaces may be made here (it takes root)")
    module = "tests.differential_credentials.real_names"
    done = in_namespaces(hosts, sys.executable, "-m", module, str(folder))
    assert done.returncode == 0, done.stderr[-3000:]
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("case", PROFILES)
def test_a_profile_gives_the_same_and_asks_the_same_under_the_real_names(report: dict[str, Any], case: str) -> None:
    ours, theirs = report[case]["ours"], report[case]["theirs"]
    assert all(theirs["triple"][:2])
    assert ours == theirs


def test_sts_is_asked_the_same_for_a_key_pair_but_only_ours_is_signed_with_it(report: dict[str, Any]) -> None:
    # The official library signs with HMAC-SHA1, keyed with the text of the private key, which STS refuses: what can
    # be compared is everything but the signature.
    ours, theirs = report[RSA_KEY_PAIR]["ours"], report[RSA_KEY_PAIR]["theirs"]
    assert ours["asked"] == theirs["asked"]
    assert ours["name"] == theirs["name"]
    assert theirs["triple"] is None
    assert ours["triple"][0].startswith("TMPSK.")
