"""The fake cloud behind TLS; each module has a `cloud` of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ramrole_creds.testing import FakeCloud
    from tests.differential_credentials.tls_front import TlsFront


@pytest.fixture(scope="module")
def front(cloud: FakeCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsFront]:
    from tests.differential_credentials.tls_front import TlsFront

    front = TlsFront(cloud.port, tmp_path_factory.mktemp("tls"))
    yield front
    front.close()
