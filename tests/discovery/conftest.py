"""The fixtures of the providers: a fake cloud, an empty home, profile files."""

from __future__ import annotations

from tests.providers.conftest import cloud, files, home, keys

__all__ = ["cloud", "files", "home", "keys"]
