"""What the fixtures of the pytest plugin cost a test, as pytest runs it: set-up, call and tear-down together.

Tests without a fixture, with `ramrole_cloud`, and with `ramrole_provider` and one `get_credentials()` run in turn in
one process; the difference of the medians is the cost. With `--against` the same runs with the sources of another
checkout follow in turn, so that the machine's moods meet both alike.

    python benchmarks/fixtures.py [--tests 200] [--rounds 3] [--against OTHER_CHECKOUT/src] [--json]

Ends with status 1 when `ramrole_cloud` costs more than 2 ms, or `ramrole_provider` with one fetch more than 8 ms.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

MAX_MILLISECONDS = {"ramrole_cloud": 2.0, "ramrole_provider": 8.0}
TESTS = """
import pytest

each = pytest.mark.parametrize("number", range({tests}))


@each
def test_nothing(number): pass


@each
def test_ramrole_cloud(ramrole_cloud, number): pass


@each
def test_ramrole_provider(ramrole_provider, number):
    assert ramrole_provider.get_credentials()
"""
CONFTEST = """
import json, time
from pathlib import Path
import pytest

seconds = {}


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.callspec.params["number"])  # the three kinds in turn


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    begun = time.perf_counter()
    yield
    seconds.setdefault(item.originalname, []).append(time.perf_counter() - begun)


def pytest_sessionfinish():
    Path("seconds.json").write_text(json.dumps(seconds))
"""


def main() -> int:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tests", type=int, default=200, help="of each kind")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--against", type=Path, help="the sources of another checkout, to compare with")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    sources = {"here": Path(__file__).parents[1] / "src"}
    if given.against is not None:
        sources["there"] = given.against
    found: dict[str, list[dict[str, float]]] = {name: [] for name in sources}
    for _ in range(given.rounds):
        for name, source in sources.items():
            found[name].append(costs(source, given.tests))
    best = {
        name: {kind: round(min(one[kind] for one in rounds), 2) for kind in MAX_MILLISECONDS}
        for name, rounds in found.items()
    }
    if given.json:
        print(json.dumps(best))
    else:
        for name, figures in best.items():
            print(f"{name:6}", ", ".join(f"{kind} {cost:.2f} ms a test" for kind, cost in figures.items()))
    return int(any(best["here"][kind] > limit for kind, limit in MAX_MILLISECONDS.items()))


def costs(source: Path, tests: int) -> dict[str, float]:
    """Milliseconds that each fixture adds to a test, with the plugin of these sources."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "test_costs.py").write_text(TESTS.format(tests=tests), encoding="utf-8")
        (Path(folder) / "conftest.py").write_text(CONFTEST, encoding="utf-8")
        environment = {**os.environ, "PYTHONPATH": str(source.absolute()), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "ramrole_creds.testing.pytest_plugin"]
        subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True)
        seconds = json.loads((Path(folder) / "seconds.json").read_text(encoding="utf-8"))
    medians = {name.removeprefix("test_"): 1000 * statistics.median(values) for name, values in seconds.items()}
    return {kind: medians[kind] - medians["nothing"] for kind in MAX_MILLISECONDS}


if __name__ == "__main__":
    sys.exit(main())
