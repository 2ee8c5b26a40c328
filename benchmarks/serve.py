"""Load on the local service: requests per second and latency, measured by wrk on the other core.

    python benchmarks/serve.py [--seconds 5] [--connections 32]

Needs the extra `serve` and wrk (Debian: apt-get install wrk). The service runs in its own process over a fake cloud,
pinned to one core; wrk is pinned to another. The last lines say how long both waited for their core and how much the
host of a virtual machine took: where these are not near 0, the tail of the latency is the machine's, not the service's.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from contextlib import suppress

from ramrole_creds.testing import FakeCloud
from ramrole_creds.testing.clocks import TickingClock

TARGET_REQUESTS_PER_SECOND = 3000
TARGET_P99_MILLISECONDS = 10.0
UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


def main() -> int:
    """Measure once; status 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=16)
    options = parser.parse_args()
    wrk = shutil.which("wrk")
    if wrk is None:
        print("wrk is not installed.")
        return 2
    with FakeCloud(clock=TickingClock()) as cloud:
        environment = {**os.environ, **cloud.environment()}
        command = [sys.executable, "-m", "ramrole_creds.cli", "serve", "--rate", "0", "--only", "ecs_ram_role"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as service:
            uri = service.stdout.readline().strip() if service.stdout else ""
            load = [wrk, "-t1", f"-c{options.connections}", f"-d{options.seconds}s", "--latency", uri]
            pin(service.pid, 0)
            before, stolen_before = waited_seconds(service.pid), stolen_seconds()
            with subprocess.Popen(load, stdout=subprocess.PIPE, text=True) as client:
                pin(client.pid, 1)
                text = client.stdout.read() if client.stdout else ""
            waited, stolen = waited_seconds(service.pid) - before, stolen_seconds() - stolen_before
            memory, used = resident_kib(service.pid), cpu_seconds(service.pid)
            service.terminate()
        fetches = len(cloud.requests.to("credentials"))
    rate = float(found(r"Requests/sec:\s+([\d.]+)", text))
    requests = int(found(r"(\d+) requests in", text))
    p50, p99 = (milliseconds(found(rf"\n\s+{name}%\s+(\S+)", text)) for name in (50, 99))
    errors = re.findall(r"(Non-2xx.*|Socket errors.*)", text)
    print(f"{rate:.0f} requests/s, p50 {p50:.2f} ms, p99 {p99:.2f} ms; {1e6 * used / requests:.0f} us of CPU a request")
    print(f"{options.connections} connections, {options.seconds} s, {fetches} fetches upstream, {memory} KiB resident")
    print(f"the service waited {waited:.2f} s for its core; the host took {stolen:.2f} s of all cores")
    print(*errors or ["no errors"], sep="\n")
    return 0 if rate >= TARGET_REQUESTS_PER_SECOND and p99 < TARGET_P99_MILLISECONDS and not errors else 1


def found(pattern: str, text: str) -> str:
    """The first match, which wrk always prints."""
    return str(re.findall(pattern, text)[0])


def cpu_seconds(pid: int) -> float:
    """CPU time of a process, its start included; 0 where the system has no /proc."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:  # noqa: PTH123  # a script
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pin(pid: int, number: int) -> None:
    """Bind a process with all its threads to one of the cores that this process may use, where there are two."""
    if not hasattr(os, "sched_setaffinity"):
        return
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208  # a script
            os.sched_setaffinity(int(thread), {cores[number]})


def waited_seconds(pid: int) -> float:
    """How long the threads of a process were ready to run and did not; 0 where the system does not say."""
    waited = 0.0
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208  # a script
            with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as file:  # noqa: PTH123  # a script
                waited += int(file.read().split()[1]) / 1e9
    return waited


def stolen_seconds() -> float:
    """How long the host of a virtual machine ran something else instead; 0 where the system does not say."""
    with suppress(OSError, IndexError), open("/proc/stat", encoding="ascii") as file:  # noqa: PTH123  # a script
        return int(file.readline().split()[8]) / os.sysconf("SC_CLK_TCK")
    return 0.0


def milliseconds(text: str) -> float:
    """A time as wrk prints it."""
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]  # as wrk prints it
    return float(number) * UNITS[unit]


def resident_kib(pid: int) -> int:
    """Resident memory of a process; 0 where the system has no /proc."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:  # noqa: PTH123  # a script
            return int(re.findall(r"VmRSS:\s+(\d+)", file.read())[0])
    except OSError:
        return 0


if __name__ == "__main__":
    sys.exit(main())
