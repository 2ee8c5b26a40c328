"""What starting costs: importing, and from process start to the first credentials, beside the official client.

Both clients find their default chain's metadata link against the same fake metadata service on loopback, in
interpreters of their own that are started in turn, so that the machine's moods meet both alike. With `--json`
the first signed call is measured too, also that of botocore, google-auth and azure-identity: each finds a metadata
service of its own cloud on loopback, and makes a call that is signed, or has a token in the case of the last two.

    python benchmarks/startup.py [--rounds 21] [--json]

Ends with status 1 when importing costs more than 40 ms over a bare interpreter, or the first credentials take more
than 0.7 times what the official client takes. Needs `alibabacloud-credentials`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version

from peer_metadata import FIRST_CALLS, PeerMetadata

from ramrole_creds.testing import FakeCloud

MAX_IMPORT_SECONDS = 0.040
MAX_OF_OFFICIAL = 0.7

BARE = "pass"
OURS_IMPORT = "from ramrole_creds import default_provider, Signer"
OFFICIAL_IMPORT = "from alibabacloud_credentials.client import Client"
REQUESTS_IMPORT = "import requests"
OURS_FIRST = "from ramrole_creds import default_provider; assert default_provider().get_credentials().security_token"
# The official client has the metadata service's address built in: its connections are sent to loopback instead.
OFFICIAL_FIRST = """
import os, socket
def connect(sock, address, connect=socket.socket.connect):
    assert address[0] == "100.100.100.200", address
    connect(sock, ("127.0.0.1", int(os.environ["FAKE_PORT"])))
socket.socket.connect = connect
from alibabacloud_credentials.client import Client
assert Client().get_credential().security_token
os._exit(0)  # its scheduler's threads would delay the exit, which is not what is measured
"""
OURS_SIGNED = """
import os, requests
from ramrole_creds import Signer, default_provider, signing
from ramrole_creds.integrations.requests import RequestsAuth
headers = {"x-acs-action": "GetCallerIdentity", "x-acs-version": "2015-04-01"}
auth = RequestsAuth(Signer(default_provider(), signing.ACS3()))
requests.post(f"http://127.0.0.1:{os.environ['FAKE_PORT']}/", headers=headers, auth=auth).raise_for_status()
"""
OFFICIAL_SIGNED = OFFICIAL_FIRST.replace(
    "assert Client().get_credential().security_token",
    """
from alibabacloud_sts20150401.client import Client as Sts
from alibabacloud_tea_openapi.models import Config
address = f"127.0.0.1:{os.environ['FAKE_PORT']}"
socket.socket.connect = lambda sock, to: connect(sock, ("100.100.100.200", 80))
assert Sts(Config(credential=Client(), endpoint=address, protocol="http")).get_caller_identity().body.arn
""",
)
PEER_IMPORTS = {
    "google-auth": "import google.auth, google.auth.transport.requests",
    "azure-identity": "from azure.identity import DefaultAzureCredential",
    "botocore": "import botocore.session, botocore.credentials",
}


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=21, help="starts per figure")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rounds = options.rounds
    if options.json:
        print(json.dumps(as_json(rounds)))
        return 0
    with FakeCloud() as cloud, tempfile.TemporaryDirectory() as home:
        environment = surroundings(home, cloud.url)
        figures = measure(
            [BARE, REQUESTS_IMPORT, OURS_IMPORT, OFFICIAL_IMPORT, OURS_FIRST, OFFICIAL_FIRST], environment, rounds
        )
    bare = figures[BARE]
    import_cost = figures[OURS_IMPORT] - bare
    ratio = figures[OURS_FIRST] / figures[OFFICIAL_FIRST]
    official = version("alibabacloud-credentials")
    print(f"Python {sys.version.split()[0]}, official client {official}, median of {rounds} starts")
    lines = [
        ("bare interpreter", bare, ""),
        ("over it: import requests", figures[REQUESTS_IMPORT] - bare, ""),
        ("over it: import of ramrole_creds", import_cost, f"at most {MAX_IMPORT_SECONDS * 1000:.0f}"),
        ("over it: import of the official client", figures[OFFICIAL_IMPORT] - bare, ""),
        ("start to first credentials, ours", figures[OURS_FIRST], ""),
        ("start to first credentials, official", figures[OFFICIAL_FIRST], ""),
    ]
    for what, seconds, limit in lines:
        print(f"{what:40}{seconds * 1000:7.1f} ms   {limit}".rstrip())
    print(f"{'ours / official':40}{ratio:7.2f}      at most {MAX_OF_OFFICIAL}")
    return 0 if import_cost <= MAX_IMPORT_SECONDS and ratio <= MAX_OF_OFFICIAL else 1


def as_json(rounds: int) -> dict[str, dict[str, float]]:
    """Seconds over a bare interpreter for imports, from the start of the process for the rest; peers too."""
    imports = {"ramrole-creds": OURS_IMPORT, "alibabacloud-credentials": OFFICIAL_IMPORT, **PEER_IMPORTS}
    first = {"ramrole-creds": OURS_FIRST, "alibabacloud-credentials": OFFICIAL_FIRST}
    signed = {"ramrole-creds": OURS_SIGNED, "alibabacloud-credentials": OFFICIAL_SIGNED, **FIRST_CALLS}
    with FakeCloud() as cloud, PeerMetadata() as peers, tempfile.TemporaryDirectory() as home:
        programs = [BARE, *imports.values(), *first.values(), *signed.values()]
        figures = measure(programs, surroundings(home, cloud.url) | peers.environment, rounds)
    return {
        "import": {name: figures[program] - figures[BARE] for name, program in imports.items()},
        "first credentials": {name: figures[program] for name, program in first.items()},
        "first signed call": {name: figures[program] for name, program in signed.items()},
    }


def surroundings(home: str, url: str) -> dict[str, str]:
    """An environment in which both clients find the metadata service only."""
    clouds = ("ALIBABA_CLOUD_", "AWS_", "AZURE_", "GCE_", "GOOGLE_", "PYTHON")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(clouds)}
    kept = {name: value for name, value in kept.items() if not name.lower().endswith("_proxy")}
    port = url.rpartition(":")[2].rstrip("/")
    return {**kept, "HOME": home, "RAMROLE_CREDS_METADATA_ENDPOINT": url, "FAKE_PORT": port}


def measure(programs: list[str], environment: dict[str, str], rounds: int) -> dict[str, float]:
    """Median seconds from start to end of an interpreter that runs each program."""
    seconds: dict[str, list[float]] = {program: [] for program in programs}
    for number in range(rounds + 1):
        for program in programs:
            begun = time.perf_counter()
            subprocess.run([sys.executable, "-c", program], env=environment, check=True, stderr=subprocess.PIPE)
            if number:  # the first round warms the caches of files
                seconds[program].append(time.perf_counter() - begun)
    return {program: statistics.median(values) for program, values in seconds.items()}


if __name__ == "__main__":
    sys.exit(main())
