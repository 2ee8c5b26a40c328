"""How much is tried: `pytest tests/fuzz` takes seconds, `tox run -e fuzz` takes many examples."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "fuzz",
    max_examples=int(os.environ.get("RAMROLE_CREDS_FUZZ_EXAMPLES", "10000")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
