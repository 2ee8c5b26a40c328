"""The cache with a mistake in it: its modules once more, under another name and with one passage changed."""

from __future__ import annotations

import itertools
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

MODULES = ("policy", "flight", "admission", "news", "pacing", "desk", "cache")
_numbers = itertools.count()


def mutated_cache(module: str, passage: str, instead: str) -> Any:
    """The class `CredentialCache` of a copy whose `module` has `instead` for `passage`, which must stand there once."""
    name = f"ramrole_creds_mutant_{next(_numbers)}"
    cache: ModuleType | None = None
    for part in MODULES:
        source = _source(part)
        if part == module:
            assert source.count(passage) == 1, f"{passage!r} stands {source.count(passage)} times in {module}.py"
            source = source.replace(passage, instead)
        for other in MODULES:
            source = source.replace(f"from ramrole_creds.{other} import", f"from {name}_{other} import")
        # Nothing of a mutant may stay behind in this process, and a fork handler would.
        source = source.replace('hasattr(os, "register_at_fork")', "False")
        cache = ModuleType(f"{name}_{part}")
        sys.modules[cache.__name__] = cache
        exec(compile(source, f"{part}.py with a mistake", "exec"), cache.__dict__)
    assert cache is not None
    return cache.__dict__["CredentialCache"]


def policy_class(make_cache: Any) -> Any:
    """The `RefreshPolicy` that belongs to a cache, mutated or not."""
    return sys.modules[make_cache.__module__].__dict__["RefreshPolicy"]


def _source(part: str) -> str:
    spec = find_spec(f"ramrole_creds.{part}")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).read_text(encoding="utf-8")
