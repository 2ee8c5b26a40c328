"""Everything that the manual's page "Costs" is made of, in one run of less than ten minutes.

    tox run -e bench                  # in an environment with the peers
    python benchmarks/all.py          # in an environment that has them

Writes `docs/costs.json`, `docs/costs.md`, the figures in `docs/why.md` and the pictures of the fleet. Each benchmark
runs several times; the peers run in turns with ours. A ratio is taken within each pass: the page shows the median, the
lowest and the highest. The machine should do nothing else meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from contextlib import suppress
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"
PASSES = 3
OURS = "ramrole-creds"
PACKAGES = (
    "alibabacloud-credentials",
    "alibabacloud-tea-openapi",
    "azure-identity",
    "botocore",
    "google-auth",
    "oss2",
)
BASELINES = {"processor time of a signed call": f"requests, signed by {OURS}"}
Figure = tuple[str, str, str, float]
"""Topic, unit, subject, value."""


def cached_gets(found: Any) -> Iterator[Figure]:
    """`cache.py`."""
    for threads, row in found.items():
        for subject, seconds in row.items():
            name = OURS if subject == "ramrole-creds provider" else subject
            yield f"cached get, {threads} thread{'s' * (threads != '1')}", "µs", name, seconds * 1e6


def rotations(found: Any) -> Iterator[Figure]:
    """`rotation.py`."""
    for subject, states in found.items():
        name = OURS if subject == "ramrole-creds provider" else subject
        yield "longest call while 64 threads ask and a fetch of 1 s runs", "s", name, states["early"][0]
        yield "fetches by 64 threads that find expired credentials", "", name, states["expired"][2]
        yield "threads that a refresh starts under 64 callers", "", name, states["early"][3]


def signatures(found: Any) -> Iterator[Figure]:
    """`signing.py`."""
    for row in found["rows"]:
        topic = f"signature {row['scheme']}"
        yield topic, "µs", OURS, row["ours"]
        yield topic, "µs", row["signer"], row["official"]
        yield topic, "µs", "the bare hash calls", row["bare_hash"]


def calls(found: Any) -> Iterator[Figure]:
    """`calls.py`."""
    for row in found["rows"]:
        ours = row["bare"] is not None
        name = f"{row['client']}, signed by {OURS}" if ours else f"{row['client']}, the official client"
        yield "processor time of a signed call", "µs", name, row["signed"]
        if ours:
            yield "processor time of a signed call", "µs", f"{row['client']} without a signature", row["bare"]


def starts(found: Any) -> Iterator[Figure]:
    """`startup.py`."""
    topics = {
        "import": "import",
        "first credentials": "start of a process to its first credentials",
        "first signed call": "start of a process to its first signed call",
    }
    for name, row in found.items():
        for subject, seconds in row.items():
            yield topics[name], "ms", subject, seconds * 1000


def memories(found: Any) -> Iterator[Figure]:
    """`memory.py`."""
    topics = {
        "KiB each": ("memory of each of 1,000 providers", "KiB"),
        "threads of one": ("threads of 1 provider", ""),
        "threads of many": ("threads of 1,001 providers", ""),
    }
    for subject, row in found.items():
        for name, value in row.items():
            yield *topics[name], OURS if subject == "ramrole-creds provider" else subject, value


def recorders(found: Any) -> Iterator[Figure]:
    """`recorder.py`."""
    yield "what a Recorder adds to a fetch", "µs", OURS, found["fetch"]
    yield "cached get with a Recorder", "µs", OURS, found["get with a recorder"]


BENCHMARKS: dict[str, tuple[list[str], int, Callable[[Any], Iterator[Figure]]]] = {
    "startup.py": (["--rounds", "4"], PASSES, starts),
    "cache.py": (["--rounds", "15"], PASSES, cached_gets),
    "rotation.py": (["--seconds", "1.5"], 2, rotations),
    "signing.py": (["--rounds", "15"], PASSES, signatures),
    "calls.py": (["--rounds", "60"], PASSES, calls),
    "memory.py": ([], PASSES, memories),
    "recorder.py": ([], PASSES, recorders),
}


def run(script: str, arguments: list[str]) -> Any:
    """What a benchmark prints as JSON; a missed bar is no error here."""
    command = [sys.executable, str(HERE / script), "--json", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    if not lines:
        raise SystemExit(f"{script} printed nothing; exit status {done.returncode}.")
    return json.loads(lines[-1])


def combined(passes: list[list[Figure]]) -> list[dict[str, Any]]:
    """The median of each figure, and of its ratio to ours within a pass, with the lowest and the highest."""
    tables = [{(topic, subject): value for topic, _, subject, value in one} for one in passes]
    found = []
    for topic, unit, subject, _ in passes[0]:
        values = [table[topic, subject] for table in tables if (topic, subject) in table]
        ratio = ratio_to_ours(tables, topic, subject) if unit else None
        found.append(
            {
                "topic": topic,
                "unit": unit,
                "subject": subject,
                "value": round(statistics.median(values), 4),
                "ratio": None if ratio is None else [round(each, 3) for each in ratio],
            }
        )
    return found


def ratio_to_ours(tables: list[dict[tuple[str, str], float]], topic: str, subject: str) -> list[float] | None:
    """Median, lowest and highest of the passes; None for our own figure and where we have none."""
    ours = BASELINES.get(topic, OURS)
    pairs = [(table.get((topic, subject)), table.get((topic, ours))) for table in tables]
    ratios = [value / base for value, base in pairs if value is not None and base]
    if subject == ours or not ratios:
        return None
    return [statistics.median(ratios), min(ratios), max(ratios)]


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    processor = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        models = [
            line.partition(":")[2].strip() for line in information.read_text().splitlines() if "model name" in line
        ]
        processor = models[0] if models else processor
    return {
        "processor": processor,
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def versions() -> dict[str, str]:
    """The releases that were compared."""
    found = {}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def main() -> int:
    """Measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=DOCS, help="the folder of the manual")
    options = parser.parse_args()
    began = time.perf_counter()
    figures = []
    for script, (arguments, passes, figures_of) in BENCHMARKS.items():
        print(f"{script}, {passes} times", file=sys.stderr, flush=True)
        figures += combined([list(figures_of(run(script, arguments))) for _ in range(passes)])
    print("fleet.py, once", file=sys.stderr, flush=True)
    fleet = run("fleet.py", ["--plot", str(options.output / "pictures")])
    data = {
        "machine": machine(),
        "versions": versions(),
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "passes": PASSES,
        "seconds": round(time.perf_counter() - began),
        "figures": figures,
        "fleet": fleet,
    }
    sys.path.insert(0, str(DOCS))
    from costs_page import page, write

    (options.output / "costs.json").write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    write(data, options.output)
    print(page(data))
    print("\n".join(["missed:", *fleet["missed"]]) if fleet["missed"] else f"done in {data['seconds']} s")
    return 1 if fleet["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
