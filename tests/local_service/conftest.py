"""A service on loopback over a provider of the fake cloud; without the extra `serve` these tests are skipped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("uvicorn", reason="the extra serve")
pytest.importorskip("starlette", reason="the extra serve")
pytest.importorskip("httptools", reason="the extra serve")

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ramrole_creds import EcsRamRoleProvider
    from ramrole_creds.local_service import LocalService


@pytest.fixture
def service(ramrole_provider: EcsRamRoleProvider) -> Iterator[LocalService]:
    """A running service on TCP with both protocols."""
    from ramrole_creds.local_service import LocalService

    with LocalService(ramrole_provider, metadata=True) as running:
        yield running
