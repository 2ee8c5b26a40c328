"""A service on loopback over a provider of the fake cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

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
