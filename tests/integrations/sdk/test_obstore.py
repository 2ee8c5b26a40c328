"""obstore asks a function for credentials five minutes before they expire."""

from __future__ import annotations

import asyncio
import pickle
import time
from typing import TYPE_CHECKING, Any

import obstore
import pytest
from obstore.store import S3Store

from ramrole_creds import EcsRamRoleProvider
from ramrole_creds.integrations.obstore import ObstoreCredentials
from ramrole_creds.integrations.retry import is_rejection

if TYPE_CHECKING:
    from tests.integrations.sdk.conftest import Stage


def store_of(stage: Stage) -> Any:
    return S3Store(
        "bkt",
        endpoint=stage.url,
        region="cn-hangzhou",
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
        credential_provider=ObstoreCredentials(stage.provider),
    )


BACKOFF_SECONDS = 0.15
"""obstore asks for credentials at most every 100 ms of real time."""


def test_objects_are_written_and_read_over_rotations(stage: Stage) -> None:
    store = store_of(stage)

    def call() -> None:
        time.sleep(BACKOFF_SECONDS)
        obstore.put(store, "key", b"body")
        assert bytes(obstore.get(store, "key").bytes()) == b"body"

    stage.assert_rotates("s3", call)


async def test_coroutines_are_signed_over_rotations(stage: Stage) -> None:
    store = store_of(stage)
    for _ in range(2):
        await obstore.put_async(store, "key", b"body")
        assert bytes(await (await obstore.get_async(store, "key")).bytes_async()) == b"body"
        stage.rotate()
        await asyncio.sleep(BACKOFF_SECONDS)
    await obstore.put_async(store, "key", b"body")
    assert not stage.refused("s3")
    assert len(set(stage.accepted("s3"))) == 3


def test_a_call_after_the_refresh_of_a_refused_token_is_accepted(stage: Stage) -> None:
    """A second attempt at once would use the old token again, because obstore asks every 100 ms only."""
    store = store_of(stage)
    used = stage.provider.get_credentials()
    stage.expire()
    with pytest.raises(obstore.exceptions.PermissionDeniedError) as refusal:
        obstore.put(store, "key", b"body")
    assert is_rejection(refusal.value)

    stage.provider.refresh(rejected=used)
    time.sleep(BACKOFF_SECONDS)
    obstore.put(store, "key", b"body")

    assert stage.accepted("s3") == [stage.provider.get_credentials().access_key_id]


def test_a_pickled_provider_has_no_secret(stage: Stage) -> None:
    provider = EcsRamRoleProvider(endpoint=stage.url)
    secret = provider.get_credentials().access_key_secret

    pickled = pickle.dumps(ObstoreCredentials(provider))

    assert secret.encode() not in pickled
    assert pickle.loads(pickled)()["secret_access_key"] == secret
