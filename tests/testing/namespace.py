"""Runs inside a network namespace of its own: the fake cloud at 100.100.100.200:80, and a client that knows no other.

    python namespace.py MODE COMMAND…

prints one line of JSON: what the command printed, and what the fake was asked.
"""

from __future__ import annotations

import json
import subprocess
import sys

from ramrole_creds.testing import FakeCloud


def main() -> None:
    mode, *command = sys.argv[1:]
    with FakeCloud("web", mode=mode, host="100.100.100.200", port=80) as cloud:  # type: ignore[arg-type]  # from outside
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        issued = [one.access_key_id for one in cloud.credential_store.issued("web")]
    report = {
        "printed": done.stdout,
        "errors": done.stderr[-2000:],
        "requests": [[one.step, one.status] for one in cloud.requests],
        "hosts": sorted({one.header("Host") or "" for one in cloud.requests}),
        "issued": issued,
    }
    print(json.dumps(report))  # noqa: T201 - what the test reads


if __name__ == "__main__":
    main()
