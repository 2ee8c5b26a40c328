"""A local service that is bound to every address answers a good request after everything that strangers send to it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from ramrole_creds import StaticProvider
from tests.testing.server.attacks import ATTACKS

pytest.importorskip("uvicorn", reason="the extra serve")
pytest.importorskip("httptools", reason="the extra serve")

from ramrole_creds.local_service import LocalService, ServiceLimits

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def exposed() -> Iterator[LocalService]:
    limits = ServiceLimits(requests_per_second=0, max_connections=64)
    with LocalService(StaticProvider("STS.held", "s", "t"), host="0.0.0.0", metadata=True, limits=limits) as service:
        yield service


def ask(service: LocalService, retries: int = 0) -> int:
    parts = urlsplit(service.uri)
    with requests.Session() as session:
        session.trust_env = False
        session.mount("http://", HTTPAdapter(max_retries=Retry(retries, allowed_methods={"GET"})))
        url = f"http://127.0.0.1:{parts.port}{parts.path}"
        return session.get(url, headers={"Host": "localhost"}, timeout=5).status_code


@pytest.mark.parametrize("attack", ATTACKS)
def test_it_answers_after(attack: str, exposed: LocalService) -> None:
    ATTACKS[attack](urlsplit(exposed.url).port or 0)
    assert ask(exposed) == 200


@pytest.mark.parametrize("attack", ["slow-heads", "uploads"])
def test_it_answers_during(attack: str, exposed: LocalService) -> None:
    attacking = threading.Thread(target=ATTACKS[attack], args=(urlsplit(exposed.url).port or 0,))
    attacking.start()
    assert ask(exposed, retries=5) == 200  # a connection without a request may be closed for a newer one
    attacking.join(30)
