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
    r"\d[\d.,]*(?:\s|&nbsp;)*(?:µs|us\b|ms\b|milliseconds?|microseconds?|nanoseconds?|ns\b"
    r"|(?:times|x|\u00d7) (?:faster|slower|cheaper|smaller|as (?:fast|slow|much))"
    r"|% (?:faster|slower|cheaper|of the time))"
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


TEXTS = sorted(path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("name", [name for name in TEXTS if name != "docs/costs.md"])
def test_no_other_text_has_a_measured_figure(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    generated = re.compile(r"<!-- figures: begin .*?<!-- figures: end -->", re.DOTALL)
    assert MEASURED.findall(generated.sub("", text)) == []


@pytest.mark.parametrize(
    "text",
    ["12 µs", "3.5 microseconds", "20 times faster", "700 ns", "38 ms", "3x faster", "40 % slower", "2 \u00d7 cheaper"],
)
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


@pytest.mark.parametrize("topic", ["import", "start of a process to its first signed call"])
def test_a_start_is_compared_with_every_peer(topic: str) -> None:
    subjects = {each["subject"].split()[0] for each in DATA["figures"] if each["topic"] == topic}
    assert subjects == {"ramrole-creds", "alibabacloud-credentials", "botocore", "google-auth", "azure-identity"}


@pytest.mark.parametrize("policy", ["ramrole-creds", "alibabacloud-credentials", "botocore"])
@pytest.mark.parametrize("scenario", ["second life", "outage"])
def test_every_policy_of_the_fleet_is_played_in_the_same_run(policy: str, scenario: str) -> None:
    rows = [row for row in DATA["fleet"]["rows"] if (row["policy"], row["scenario"]) == (policy, scenario)]
    assert {row["service"] for row in rows} == {"metadata", "STS"}
    assert max(row["processes"] for row in rows) >= 100_000
    sizes = {row["processes"] for row in rows}
    assert policy != "ramrole-creds" or sizes == {1_000, 10_000, 100_000, 1_000_000}


def test_the_goals_of_the_fleet_are_judged_by_its_figures() -> None:
    """`missed` is empty because they are met, not because nobody looked."""
    ours = [row for row in DATA["fleet"]["rows"] if row["policy"] == "ramrole-creds"]
    judged = [row for row in ours if row["scenario"] in ("second life", "outage") and row["processes"] >= 10_000]
    assert len(judged) == 12
    assert all(row["ratio"] <= 1.5 for row in judged)
    assert all(row["closest"] == 1 for row in ours if row["scenario"] == "outage")
    assert DATA["fleet"]["sts_busiest_second"] <= 100


def test_the_fleet_that_the_manual_allows_at_sts_is_the_one_that_was_measured() -> None:
    page = (ROOT / "docs/many-machines.md").read_text(encoding="utf-8")
    assert f"{DATA['fleet']['sts_processes']:,} processes that start within half a minute stay below it" in page


def test_the_machine_is_named_and_every_goal_of_the_fleet_is_met() -> None:
    assert DATA["machine"]["processor"]
    assert DATA["fleet"]["missed"] == []
