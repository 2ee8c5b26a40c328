"""The table of `docs/conformance.md`: what held for each client whose adapter is here.

    python docs/conformance_scores.py

runs every case against every client that is installed, and writes the table with their versions and the date of each
run. A client that is not installed, or not named, keeps its row and its date. The adapter for Node.js needs
`NODE_PATH`, or `npm install --prefix tests/testing/node`.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import re
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ramrole_creds.testing.conformance.runner import Result, run_cases

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "conformance.md"
CLIENTS = ROOT / "tests" / "testing" / "conformance" / "clients"
NODE_MODULES = ROOT / "tests" / "testing" / "node" / "node_modules"
BEGIN, END = "<!-- scores: begin (python docs/conformance_scores.py) -->", "<!-- scores: end -->"
GROUPS = {"protocol": "protocol", "downgrade": "downgrade", "life": "life", "clock": "clock", "answer": "odd answers"}

# The client as the table names it: its distribution, and its adapter.
ADAPTERS = {
    "ramrole-creds": ("ramrole-creds", "ours.py"),
    "`@alicloud/credentials` (Node.js)": ("@alicloud/credentials", "official.js"),
    "`alibabacloud-credentials` (Python)": ("alibabacloud-credentials", "official.py"),
    "`opendal` (Rust, from Python)": ("opendal", "opendal_client.py"),
}


def installed(distribution: str) -> str | None:
    """The version of a client; None where it is not installed."""
    if distribution.startswith("@"):
        modules = Path(os.environ.get("NODE_PATH") or NODE_MODULES)
        package = modules / distribution / "package.json"
        if shutil.which("node") is None or not package.is_file():
            return None
        os.environ["NODE_PATH"] = str(modules)
        return str(json.loads(package.read_text("utf-8"))["version"])
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def command(adapter: str) -> list[str]:
    """The command that runs an adapter."""
    path = str(CLIENTS / adapter)
    return ["node", path] if adapter.endswith(".js") else [sys.executable, "-W", "ignore", path]


def row(client: str, release: str, results: list[Result], day: dt.date) -> str:
    """The client's row of the table."""
    cells = [client, release, f"{day.day} {day:%B %Y}"]
    for group in GROUPS:
        held = [one.held is True for one in results if one.id.partition("/")[0] == group]
        cells.append(f"{sum(held)} of {len(held)}")
    return f"| {' | '.join([*cells, str(sum(one.held is True for one in results))])} |"


def rows(page: str) -> dict[str, str]:
    """The rows of the page's table by client."""
    table = page.partition(BEGIN)[2].partition(END)[0]
    return {line.split(" | ")[0].removeprefix("| "): line for line in table.splitlines() if line.startswith("| ")}


def main() -> None:
    """Run the clients, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=4, help="how many cases run at the same time (default: 4)")
    parser.add_argument("clients", nargs="*", help="their distributions; all where none is named")
    given = parser.parse_args()
    page = PAGE.read_text("utf-8")
    kept, total, lines = rows(page), 0, []
    today = dt.datetime.now(dt.timezone.utc).date()
    for client, (distribution, adapter) in ADAPTERS.items():
        release = installed(distribution)
        if release is None or (given.clients and distribution not in given.clients):
            print(f"{client}: not run, its row is kept")  # noqa: T201  # a script
            lines.append(kept.get(client, f"| {client} | not run |" + " |" * (len(GROUPS) + 2)))
            continue
        results = list(run_cases(command(adapter), jobs=given.jobs))
        total = len(results)
        lines.append(row(client, release, results, today))
        print(lines[-1], *(f"  {one.id}: {one.detail}" for one in results if not one.held), sep="\n")  # noqa: T201  # as above
    head = ["client", "version", "run on", *GROUPS.values(), f"all {total}"]
    table = "\n".join([f"| {' | '.join(head)} |", "|" + "---|" * len(head), *lines])
    written = re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", f"{BEGIN}\n{table}\n{END}", page, flags=re.DOTALL)
    PAGE.write_text(written, "utf-8")


if __name__ == "__main__":
    main()
