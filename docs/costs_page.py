"""Writes the page "Costs" of what `benchmarks/all.py` measured."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
HEAD = """# Costs

`benchmarks/all.py` writes this page and `costs.json`. Nobody edits it by hand. No other text of the project has a
measured figure. `tox run -e bench` repeats the run on your machine.

{machine}

A ratio is the peer's figure divided by that of ramrole-creds in the same pass: 2 means twice as much. Ratios are
medians, with the lowest and the highest of {passes} passes. Compare ratios rather than times: times
depend on the machine.
"""
GROUPS = {
    "A cached get": "cached get,",
    "A rotation": ("longest call", "fetches by", "threads that a refresh"),
    "A signature": "signature",
    "A signed call": "processor time of a signed call",
    "Start": ("import", "start of a process"),
    "Memory and threads": ("memory of", "threads of 1"),
    "The recorder": ("what a Recorder", "cached get with"),
}
NOTES = {
    "A signed call": """
A client without a signature sends requests that were signed before. The difference is what the helper adds: it takes
the client's request apart, asks the provider, signs, puts the headers on, and looks at the answer;
`benchmarks/calls.py` prints how much of it is the signature. The rest of a call is the work of the client: it builds
and checks the request, takes a connection from its pool and parses the answer. Writing to the socket and reading from
it is the largest part, and an event loop adds its own work to each wait. tea-openapi sends through requests.
acs-client sends through an old copy of requests that it brings along, and encodes the parameters of each call three
times.
""",
}
FLEET = """
## A fleet

Requests a second in virtual time; see [On many machines](many-machines.md). `mean` is taken over the time that the
policy of ramrole-creds spreads the requests over, and `peak` over the busiest ten seconds.

| what happens | service | policy | processes | peak | busiest second | mean | peak to mean |
|---|---|---|---|---|---|---|---|
{rows}

{processes:,} processes make at most {busiest} calls of STS in one second, in all of these cases. The quota is 100.
"""


def page(data: dict[str, Any]) -> str:
    """The text of the page."""
    machine = data["machine"]
    measured = (
        f"Measured on {data['date']} on {machine['cores']} cores of {machine['processor']}, {machine['system']}, "
        f"{machine['python']}. Compared with {', '.join(f'{name} {one}' for name, one in data['versions'].items())}."
    )
    parts = [HEAD.format(machine=wrapped(measured), passes=data["passes"])]
    for title, prefixes in GROUPS.items():
        figures = [each for each in data["figures"] if each["topic"].startswith(prefixes) and belongs(title, each)]
        topics = list(dict.fromkeys(each["topic"] for each in figures))
        figures = [each for topic in topics for each in figures if each["topic"] == topic]
        if figures:
            parts.append(f"\n## {title}\n\n| | | | times ramrole-creds |\n|---|---|---|---|\n")
            parts += [row(each) for each in figures]
            parts.append(NOTES.get(title, ""))
    parts.append(fleet(data["fleet"]))
    return "".join(parts)


def belongs(title: str, figure: dict[str, Any]) -> bool:
    """False for a get that is measured with a recorder, which has its own group."""
    return title != "A cached get" or "Recorder" not in figure["topic"]


def row(figure: dict[str, Any]) -> str:
    """One line of a table."""
    ratio = figure["ratio"]
    shown = "" if ratio is None else f"{number(ratio[0])} ({number(ratio[1])} to {number(ratio[2])})"
    return (
        f"| {figure['topic']} | {figure['subject']} | {number(figure['value'])} {figure['unit']}".rstrip()
        + f" | {shown} |\n"
    )


def number(value: float) -> str:
    """Three digits, and all of a large whole number."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def fleet(found: dict[str, Any]) -> str:
    """The table of the fleet: the largest fleet of each policy."""
    rows = []
    largest = max(each["processes"] for each in found["rows"])
    for each in found["rows"]:
        if each["policy"] == "ramrole-creds" and each["processes"] not in (1000, 100_000, largest):
            continue
        rows.append(
            f"| {each['scenario']} | {each['service']} | {each['policy']} | {each['processes']:,} "
            f"| {number(each['peak'])} | {each['busiest']:,} | {number(each['mean'])} | {each['ratio']:.2f} |"
        )
    return FLEET.format(rows="\n".join(rows), processes=found["sts_processes"], busiest=found["sts_busiest_second"])


def wrapped(text: str) -> str:
    """Lines of at most 120 characters."""
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) + 1 > 120:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)


if __name__ == "__main__":
    text = page(json.loads((DOCS / "costs.json").read_text(encoding="utf-8")))
    (DOCS / "costs.md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)
