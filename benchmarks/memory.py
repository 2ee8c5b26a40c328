"""What providers cost in memory and threads: one, and a thousand, each with fresh credentials; beside the peers.

    python benchmarks/memory.py [--json]

Each library is measured in an interpreter of its own, after a first provider, so that what is imported lazily does not
count: the growth of the resident memory and of the number of threads. Linux only.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

MANY = 1000
PEERS = ("Ours", "Official", "Botocore", "GoogleAuth", "AzureIdentity")
PROGRAM = """
import gc, json, sys
sys.path.insert(0, sys.argv[1])
import peers
def used():
    gc.collect()
    fields = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return int(fields["VmRSS"].split()[0]), int(fields["Threads"])
kind, count = getattr(peers, sys.argv[2]), int(sys.argv[3])
bare = used()
def made():
    peer = kind()
    peer.put("fresh")
    return peer
first = made()
one = used()
rest = [made() for _ in range(count)]
many = used()
print(json.dumps([kind.name, one[1] - bare[1], (many[0] - one[0]) / count, many[1] - bare[1]]))
sys.stdout.flush()
__import__("os")._exit(0)
"""


def measure() -> dict[str, dict[str, float]]:
    """By library: threads of one provider, KiB of each further one, and threads of a thousand."""
    found = {}
    for peer in PEERS:
        command = [sys.executable, "-c", PROGRAM, str(Path(__file__).parent), peer, str(MANY)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"{peer} is left out: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
            continue
        name, threads_of_one, kib, threads_of_many = json.loads(done.stdout.splitlines()[-1])
        found[name] = {"threads of one": threads_of_one, "KiB each": kib, "threads of many": threads_of_many}
    return found


def main() -> int:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure()
    if options.json:
        print(json.dumps(found))
        return 0
    print(f"{'':42}{'KiB each':>10}{'threads of 1':>14}{f'threads of {MANY:,}':>18}")
    for name, row in found.items():
        print(f"{name:42}{row['KiB each']:10.1f}{row['threads of one']:14.0f}{row['threads of many']:18.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
