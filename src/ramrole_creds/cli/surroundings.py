"""The user's own configuration set aside, so that a demonstration finds the fake cloud and nothing else."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ramrole_creds.testing.isolation import isolated_environment

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def empty_surroundings(endpoint: str) -> Iterator[None]:
    """Run the block with an empty home directory, none of this cloud's variables and no proxy.

    Args:
        endpoint: base URL of the metadata service that is found instead.
    """
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="ramrole-creds-") as home:
        for name, value in isolated_environment(Path(home), endpoint).items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)
