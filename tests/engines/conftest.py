"""Engines that run tasks in other processes: one fake cloud in real time, with credentials that live a few seconds.

Each engine is tested in an environment of its own (`tox run -e engine-celery`, for instance) and is left out elsewhere.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from ramrole_creds.clock import SYSTEM_CLOCK
from ramrole_creds.testing import FakeCloud
from ramrole_creds.testing.masking import leaked_marker

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

ENGINES = ("airflow", "celery", "pyspark", "ray")
LIFE_SECONDS = 6.0
# ENGINE_TESTS, where it is set, names the engine that must be there: a missing one fails instead of going unseen.
REQUIRED = os.environ.get("ENGINE_TESTS", "").split()
collect_ignore = [f"test_{name}.py" for name in ENGINES if name not in REQUIRED and find_spec(name) is None]


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    """A cloud whose credentials rotate every few seconds."""
    with FakeCloud(clock=SYSTEM_CLOCK, credential_lifetime=LIFE_SECONDS) as cloud:
        yield cloud


def assert_no_secret_below(folders: Iterable[Path]) -> None:
    """No file below these folders holds a secret or a token of the fake cloud; at least one file was read."""
    read = 0
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                read += 1
                leak = leaked_marker(path.read_bytes().decode("latin-1"))
                assert leak is None, f"{path}: {leak}"
    assert read
