"""What the doctor found: one check per line, and a verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Mark = Literal["ok", "warning", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Args:
        name: short and stable, for scripts.
        mark: "ok", "warning", "failed" or "skipped".
        text: one line, without secrets.
        details: more lines, shown with `-v` and in JSON.
    """

    name: str
    mark: Mark
    text: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What it all means.

    Args:
        usable: True where a program gets credentials that are accepted.
        text: the sentence where it is usable.
        cause: why it is not usable.
        fix: what to do.
    """

    usable: bool
    text: str = ""
    cause: str = ""
    fix: str = ""

    def __str__(self) -> str:
        return self.text if self.usable else f"Cause: {self.cause} Fix: {self.fix}"


@dataclass(slots=True)
class Report:
    """The checks in the order in which they are shown.

    Args:
        checks: filled one by one.
        verdict: set at the end.
    """

    checks: list[Check] = field(default_factory=list)
    verdict: Verdict = field(default_factory=lambda: Verdict(usable=False))

    def as_dict(self) -> dict[str, object]:
        """Names and texts, for JSON."""
        verdict = self.verdict
        return {
            "usable": verdict.usable,
            "verdict": str(verdict),
            "cause": verdict.cause or None,
            "fix": verdict.fix or None,
            "checks": [
                {"name": one.name, "mark": one.mark, "text": one.text, "details": list(one.details)}
                for one in self.checks
            ],
        }
