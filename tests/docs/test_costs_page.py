"""The page "Costs" is made of `costs.json`, and no other text has a measured figure."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DATA: dict[str, Any] = json.loads((ROOT / "docs/costs.json").read_text(encoding="utf-8"))
MEASURED = re.compile(
    r"\d[\d.,]*(?:\s|&nbsp;)*(?:µs|us\b|microseconds?|nanoseconds?|ns\b|times (?:faster|slower|as (?:fast|slow|much)))"
)


def test_the_page_is_what_the_figures_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    page = importlib.import_module("costs_page").page(DATA)
    assert (ROOT / "docs/costs.md").read_text(encoding="utf-8") == page


def test_the_figures_of_the_comparison_are_those_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    costs = importlib.import_module("costs_page")
    why = (ROOT / "docs/why.md").read_text(encoding="utf-8")
    assert costs.with_figures(why, DATA) == why
    block = why.partition(costs.BEGIN)[2].partition(costs.END)[0]
    assert block.count("\n| ") == 1 + len(costs.COMPARED)


TEXTS = sorted(path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize("name", [name for name in TEXTS if name != "docs/costs.md"])
def test_no_other_text_has_a_measured_figure(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    generated = re.compile(r"<!-- figures: begin .*?<!-- figures: end -->", re.DOTALL)
    assert MEASURED.findall(generated.sub("", text)) == []


@pytest.mark.parametrize("text", ["12 µs", "3.5 microseconds", "20 times faster", "700 ns"])
def test_a_measured_figure_is_recognised(text: str) -> None:
    assert MEASURED.search(text)


@pytest.mark.parametrize(
    "topic",
    [
        "cached get",
        "longest call",
        "signature ACS3",
        "processor time of a signed call",
        "import",
        "start of a process to its first signed call",
        "memory of each",
        "threads of 1",
        "what a Recorder adds",
    ],
)
def test_every_cost_is_measured(topic: str) -> None:
    assert [each for each in DATA["figures"] if each["topic"].startswith(topic)]


@pytest.mark.parametrize("peer", ["alibabacloud-credentials", "botocore", "google-auth", "azure-identity"])
def test_every_peer_is_measured_in_the_same_run(peer: str) -> None:
    assert [each for each in DATA["figures"] if each["subject"].startswith(peer) and each["ratio"]]
    assert DATA["versions"][peer]


def test_the_machine_is_named_and_every_goal_of_the_fleet_is_met() -> None:
    assert DATA["machine"]["processor"]
    assert DATA["fleet"]["missed"] == []
