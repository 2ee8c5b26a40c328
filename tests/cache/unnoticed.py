"""Compares the mutants that no test noticed with those that are explained; run by `tox run -e mutants`.

`mutmut` changes one thing at a time in the cache and runs the tests. What survives is either a gap in the tests or a
change that nobody could see; for the latter `unnoticed_mutants.json` says why. Mutants are identified by what they
change and not by their number, which moves with every edit.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

NOTICED = {1, 3, 36, 37, -24, -9, 24, 152, 255}
"""mutmut's exit codes for what failed a test, hung, or was ended."""
EXPLANATIONS = Path(__file__).with_name("unnoticed_mutants.json")


def main() -> int:
    """0 where every survivor is explained."""
    explained = read_explanations()
    needed: set[tuple[str, str]] = set()
    unexplained = []
    total = 0
    for path in sorted(Path("mutants/src").rglob("*.meta")):
        for name, code in json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"].items():
            total += 1
            if code in NOTICED:
                continue
            change = change_of(name)
            if change in explained:
                needed.add(change)
            else:
                unexplained.append((name, code, change))
    for name, code, (was, became) in unexplained:
        print(f"{name} (exit code {code})\n  - {was}\n  + {became}")  # noqa: T201
    for was, became in sorted(explained - needed):
        print(f"explained and not among the survivors:\n  - {was}\n  + {became}")  # noqa: T201
    print(f"{total} mutants, {len(needed)} explained changes survive, {len(unexplained)} unexplained")  # noqa: T201
    return 1 if unexplained or not total else 0


def read_explanations() -> set[tuple[str, str]]:
    """What was, and what became of it, of every mutant that is explained."""
    changes = set()
    for entry in json.loads(EXPLANATIONS.read_text(encoding="utf-8")):
        assert entry["why"], entry
        changes |= {(squeeze(was), squeeze(became)) for was, became in entry["changes"]}
    return changes


def change_of(name: str) -> tuple[str, str]:
    """The lines that a mutant takes away, and those that it puts there."""
    shown = subprocess.run(["mutmut", "show", name], capture_output=True, text=True, check=True).stdout
    lines = [line for line in shown.splitlines() if line[:1] in "+-" and not line.startswith(("---", "+++"))]
    was, became = ("\n".join(line[1:] for line in lines if line[0] == sign) for sign in "-+")
    return squeeze(was), squeeze(became)


def squeeze(text: str) -> str:
    """The same with single spaces, so that indenting does not matter."""
    return " ".join(text.split())


if __name__ == "__main__":
    sys.exit(main())
