"""The user's own configuration set aside, so that a demonstration finds the fake cloud and nothing else."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SET_ASIDE_PREFIXES = ("ALIBABA_CLOUD_", "ALICLOUD_", "ALIBABACLOUD_", "RAMROLE_CREDS_")
HOME_VARIABLES = ("HOME", "USERPROFILE")


@contextmanager
def empty_surroundings(**variables: str) -> Iterator[None]:
    """Run the block with an empty home directory, none of this cloud's variables and no proxy.

    Args:
        **variables: set on top.
    """
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="ramrole-creds-") as home:
        for name in before:
            if name.startswith(SET_ASIDE_PREFIXES) or name.lower().endswith("_proxy"):
                del os.environ[name]
        os.environ.update(dict.fromkeys(HOME_VARIABLES, home), **variables)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)
