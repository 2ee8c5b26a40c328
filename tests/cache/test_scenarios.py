"""Every case under tests/scenarios, played by the real cache."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cachesim.scenario import Player

CASES = [
    case
    for path in sorted((Path(__file__).parents[1] / "scenarios").glob("*.json"))
    for case in json.loads(path.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_scenario(case: dict[str, Any]) -> None:
    Player(case).play()


def test_there_are_at_least_sixty_and_their_names_are_unique() -> None:
    names = [case["name"] for case in CASES]
    assert len(set(names)) == len(names) >= 60
