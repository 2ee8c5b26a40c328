"""Writes the page "Costs" of what `benchmarks/all.py` measured."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
HEAD = """# Costs

`benchmarks/all.py` writes this page, `costs.json` and the table of figures on [Why this library](why.md). Nobody edits
them by hand. No other text of the project has a measured figure. `tox run -e bench` repeats the run on your machine.

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
BEGIN, END = "<!-- figures: begin (python docs/costs_page.py) -->", "<!-- figures: end -->"
PEERS = ("ramrole-creds", "alibabacloud-credentials", "botocore", "google-auth", "azure-identity")
# What the page "Why this library" compares; of a peer that was measured in two ways, the better figure.
COMPARED = {
    "import": "the import",
    "cached get, 1 thread": "reading cached credentials",
    "longest call while 64 threads ask and a fetch of 1 s runs": "the longest of 64 calls while a refresh takes 1 s",
    "fetches by 64 threads that find expired credentials": "fetches by 64 threads that find expired credentials",
    "memory of each of 1,000 providers": "memory of a provider",
}
FLEET = """
## A fleet

Requests a second in virtual time; see [On many machines](many-machines.md). `mean` is taken over the time that the
policy of ramrole-creds spreads the requests over, and `peak` over the busiest ten seconds. The last column compares the
peak with the mean over a whole life, one request of each process. It is far above 1 after a common start: the metadata
service issues the next credentials half an hour before the old ones end, so no client can spread these requests over a
life.

| what happens | service | policy | processes | peak | busiest second | mean | peak to mean | to the mean of a life |
|---|---|---|---|---|---|---|---|---|
{rows}

No process makes more than {closest} request in any ten seconds after the end of an outage.
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
            parts.append(f"\n## {title}\n\n{table(figures)}")
            parts.append(NOTES.get(title, ""))
    parts.append(fleet(data["fleet"]))
    return "".join(parts)


def belongs(title: str, figure: dict[str, Any]) -> bool:
    """False for a get that is measured with a recorder, which has its own group."""
    return title != "A cached get" or "Recorder" not in figure["topic"]


def table(figures: list[dict[str, Any]]) -> str:
    """The figures of a group; the column of ratios is left out where nothing was compared."""
    rows = [
        ["what", "who", "figure"],
        ["---"] * 3,
        *([each["topic"], each["subject"], amount(each)] for each in figures),
    ]
    if any(each["ratio"] for each in figures):
        for cells, shown in zip(rows, ["times ramrole-creds", "---", *map(ratio, figures)], strict=True):
            cells.append(shown)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def amount(figure: dict[str, Any]) -> str:
    """A figure with its unit."""
    return f"{number(figure['value'])} {figure['unit']}".rstrip()


def ratio(figure: dict[str, Any]) -> str:
    """The median, the lowest and the highest ratio; "-" for a figure that nothing is compared with."""
    found = figure["ratio"]
    return "-" if found is None else f"{number(found[0])} ({number(found[1])} to {number(found[2])})"


def with_figures(text: str, data: dict[str, Any]) -> str:
    """The page "Why this library" with its table of figures as they are now."""
    lines = [f"| | {' | '.join(PEERS)} |", f"|---|{'---|' * len(PEERS)}"]
    for topic, said in COMPARED.items():
        cells = []
        for peer in PEERS:
            found = [one for one in data["figures"] if one["topic"] == topic and one["subject"].startswith(peer)]
            cells.append(amount(min(found, key=lambda one: one["value"])) if found else "-")
        lines.append(f"| {said} | {' | '.join(cells)} |")
    block = "\n".join([BEGIN, *lines, END])
    return re.sub(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: block, text, flags=re.DOTALL)


def write(data: dict[str, Any], folder: Path = DOCS) -> None:
    """Write both pages into a folder."""
    why = (DOCS / "why.md").read_text(encoding="utf-8")
    (folder / "costs.md").write_text(page(data), encoding="utf-8")
    (folder / "why.md").write_text(with_figures(why, data), encoding="utf-8")


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
            f"| {number(each['peak'])} | {each['busiest']:,} | {number(each['mean'])} | {each['ratio']:.2f} "
            f"| {number(each['life_ratio'])} |"
        )
    closest = max(each["closest"] for each in found["rows"] if is_ours_after_outage(each))
    busiest = found["sts_busiest_second"]
    return FLEET.format(rows="\n".join(rows), closest=closest, processes=found["sts_processes"], busiest=busiest)


def is_ours_after_outage(row: dict[str, Any]) -> bool:
    """True for a row that counts what ramrole-creds does after an outage."""
    return (row["policy"], row["scenario"]) == ("ramrole-creds", "outage")


def wrapped(text: str) -> str:
    """Lines of at most 120 characters."""
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) + 1 > 120:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)


if __name__ == "__main__":
    write(json.loads((DOCS / "costs.json").read_text(encoding="utf-8")))
