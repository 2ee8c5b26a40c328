"""Clients that sign are sent to other processes with their provider, or say what to send instead."""

from __future__ import annotations

import copy
import functools
import pickle
from typing import TYPE_CHECKING, Any

import pytest
import requests
import urllib3

from ramrole_creds import EcsRamRoleProvider, Signer, StaticProvider, signing
from ramrole_creds.integrations.aiohttp import AiohttpAuth
from ramrole_creds.integrations.httpx import HttpxAuth
from ramrole_creds.integrations.requests import RequestsAuth
from ramrole_creds.integrations.urllib3 import SigningPool
from ramrole_creds.testing import FakeCloud
from ramrole_creds.testing.masking import leaked_marker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ACTION = {"x-acs-action": "GetCallerIdentity", "x-acs-version": "2015-04-01"}


def sent(value: object, protocol: int) -> object:
    pickled = pickle.dumps(value, protocol)
    assert leaked_marker(pickled.decode("latin-1")) is None
    return pickle.loads(pickled)


TRIPS: dict[str, Callable[[Any], Any]] = {
    **{f"protocol {number}": functools.partial(sent, protocol=number) for number in range(6)},
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


@pytest.fixture(scope="module")
def cloud() -> Iterator[FakeCloud]:
    with FakeCloud() as cloud:
        yield cloud


@pytest.fixture
def signer(cloud: FakeCloud) -> Signer:
    return Signer(EcsRamRoleProvider(endpoint=cloud.url), signing.ACS3())


@pytest.mark.parametrize("trip", TRIPS.values(), ids=TRIPS)
def test_a_session_of_requests_signs_after_each_trip(cloud: FakeCloud, trip: Callable[[Any], Any]) -> None:
    session = requests.Session()
    session.trust_env = False
    session.auth = RequestsAuth(Signer(EcsRamRoleProvider(endpoint=cloud.url), signing.ACS3()))
    assert session.post(cloud.url, headers=ACTION, timeout=10).status_code == 200
    assert trip(session).post(cloud.url, headers=ACTION, timeout=10).status_code == 200


@pytest.mark.parametrize("trip", TRIPS.values(), ids=TRIPS)
def test_a_pool_that_made_its_connections_signs_after_each_trip(cloud: FakeCloud, trip: Callable[[Any], Any]) -> None:
    signer = Signer(EcsRamRoleProvider(endpoint=cloud.url), signing.ACS3())
    pool = SigningPool(signer, hosts=[f"127.0.0.1:{cloud.port}"])
    assert pool.request("POST", cloud.url, headers=ACTION).status == 200
    arrived = trip(pool)
    assert arrived.request("POST", cloud.url, headers=ACTION).status == 200
    with pytest.raises(Exception, match="not one of the hosts"):
        arrived.request("POST", "http://127.0.0.1:9/", headers=ACTION)


def test_a_pool_with_connections_of_the_caller_says_what_to_send_instead(signer: Signer) -> None:
    pool = SigningPool(signer, urllib3.PoolManager())
    with pytest.raises(TypeError, match=r"SigningPool cannot be pickled: .* Send the signer"):
        pickle.dumps(pool)
    assert copy.copy(pool) is pool


@pytest.mark.parametrize("kind", [RequestsAuth, HttpxAuth, AiohttpAuth])
@pytest.mark.parametrize("trip", TRIPS.values(), ids=TRIPS)
def test_every_auth_keeps_its_signer(signer: Signer, kind: Any, trip: Callable[[Any], Any]) -> None:
    assert type(trip(kind(signer))) is kind


@pytest.mark.parametrize("replaced", [False, True], ids=["for good", "once"])
def test_an_auth_whose_credentials_were_rejected_carries_none_of_them(replaced: bool) -> None:
    with FakeCloud() as cloud, requests.Session() as session:
        session.trust_env = False
        provider = EcsRamRoleProvider(endpoint=cloud.url)
        auth = RequestsAuth(Signer(provider, signing.ACS3()))
        cloud.credential_store.revoke(provider.get_credentials().access_key_id)
        if replaced:
            cloud.rotate()
        accepted = session.post(cloud.url, headers=ACTION, auth=auth, timeout=10).status_code == 200
        assert accepted == replaced
        for protocol in range(6):
            sent(auth, protocol)


def test_an_auth_of_a_static_key_says_what_to_send_instead() -> None:
    auth = RequestsAuth(Signer(StaticProvider("LTAIid", "MarkerSecret"), signing.ACS3()))
    with pytest.raises(TypeError, match="Pickle a provider that fetches"):
        pickle.dumps(auth)
