"""The examples of docs/caching.md, run as they stand there."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

MANUAL = (Path(__file__).parents[2] / "docs" / "caching.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", MANUAL, flags=re.MULTILINE | re.DOTALL)


class Meter:
    """As much of OpenTelemetry's as the example uses."""

    def __init__(self) -> None:
        self.counted: list[dict[str, str]] = []
        self.callbacks: list[Any] = []

    def create_counter(self, name: str) -> Meter:
        return self

    def add(self, amount: int, attributes: dict[str, str]) -> None:
        self.counted.append(attributes)

    def create_observable_gauge(self, name: str, callbacks: list[Any]) -> None:
        self.callbacks = callbacks


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch) -> Meter:
    meter = Meter()
    telemetry, metrics = ModuleType("opentelemetry"), ModuleType("opentelemetry.metrics")
    metrics.__dict__.update(get_meter=lambda _: meter, Observation=lambda value, attributes: (value, attributes))
    telemetry.__dict__["metrics"] = metrics
    monkeypatch.setitem(sys.modules, "opentelemetry", telemetry)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI5tmanual000000001")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "secret")
    return meter


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_every_example_runs(number: int, meter: Meter) -> None:
    namespace: dict[str, Any] = {"__name__": "manual"}
    exec(compile(EXAMPLES[number], "docs/caching.md", "exec", dont_inherit=True), namespace)
    if "meter" in namespace:
        namespace["provider"].get_credentials()
        assert meter.counted == [{"provider": "default", "outcome": "Fetched"}]
        assert meter.callbacks[0](None) == []
        namespace["ends"]["default"] = 0.0
        assert meter.callbacks[0](None)[0][0] < 0


def test_the_policy_table_lists_the_defaults() -> None:
    from dataclasses import fields

    from ramrole_creds import RefreshPolicy

    received = dict(re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", MANUAL, flags=re.MULTILINE))
    assert {name: float(value) for name, value in received.items()} == {
        field.name: field.default for field in fields(RefreshPolicy)
    }
