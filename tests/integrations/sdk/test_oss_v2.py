"""alibabacloud-oss-v2 takes the provider as it is; its async client takes it prefetched."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import alibabacloud_oss_v2 as oss
import pytest
import requests
from alibabacloud_oss_v2 import aio

from ramrole_creds import Credentials, FetchError, FunctionProvider, WaitTimeout
from ramrole_creds.integrations.oss_v2 import clean_signer, prefetched
from ramrole_creds.integrations.retry import retry_on_rejected
from ramrole_creds.testing import TickingClock
from tests.integrations.sdk.conftest import used_elsewhere

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integrations.sdk.conftest import Stage

PUT = oss.PutObjectRequest(bucket="bkt", key="a b/é", body=b"body")
GET = oss.GetObjectRequest(bucket="bkt", key="a b/é")


def config(stage: Stage, provider: object = None, version: str = "v4") -> oss.Config:
    return oss.Config(
        region="cn-hangzhou", endpoint=stage.url, credentials_provider=provider or stage.provider,
        signature_version=version, disable_upload_crc64_check=True, disable_download_crc64_check=True,
    )  # fmt: skip


@pytest.mark.parametrize("version", ["v4", "v1"])
def test_objects_are_written_and_read_over_rotations(stage: Stage, version: str) -> None:
    client = oss.Client(config(stage, version=version))

    def call() -> None:
        client.put_object(PUT)
        assert client.get_object(GET).body.content == b"body"

    stage.assert_rotates("oss", call)


def test_a_presigned_url_can_be_used_by_anybody(stage: Stage) -> None:
    client = oss.Client(config(stage))
    client.put_object(PUT)

    url = client.presign(GET).url
    stage.rotate()

    assert requests.get(url, timeout=5).content == b"body"


def test_the_uploader_goes_on_over_rotations(stage: Stage, tmp_path: Path) -> None:
    client = oss.Client(config(stage))
    source = tmp_path / "source"
    source.write_bytes(bytes(range(256)) * 2000)
    rotations: list[int] = []

    def on_progress(_: int, written: int, __: int) -> None:
        if len(rotations) < 3:
            rotations.append(written)
            stage.rotate()

    request = oss.PutObjectRequest(bucket="bkt", key="big", progress_fn=on_progress)
    client.uploader(part_size=128 * 1024, parallel_num=1).upload_file(request, str(source))

    assert client.get_object(oss.GetObjectRequest(bucket="bkt", key="big")).body.content == source.read_bytes()
    assert len(set(stage.accepted("oss"))) >= 3
    assert not stage.refused("oss")


def test_an_expired_token_is_replaced_and_the_call_repeated_once(stage: Stage) -> None:
    client = oss.Client(config(stage))
    client.put_object(PUT)
    stage.expire()

    with pytest.raises(oss.exceptions.OperationError, match="SecurityTokenExpired"):
        client.get_object(GET)
    assert retry_on_rejected(stage.provider)(client.get_object)(GET).body.content == b"body"
    assert len(stage.refused("oss")) == 2


async def test_coroutines_are_signed_over_rotations(stage: Stage) -> None:
    async with aio.AsyncClient(config(stage, await prefetched(stage.provider))) as client:
        for _ in range(3):
            await client.put_object(PUT)
            assert await (await client.get_object(GET)).body.read() == b"body"
            await asyncio.to_thread(stage.rotate)

    assert len(set(stage.accepted("oss"))) == 3
    assert not stage.refused("oss")


async def test_a_refused_coroutine_is_repeated_once(stage: Stage) -> None:
    async with aio.AsyncClient(config(stage, await prefetched(stage.provider))) as client:
        await client.put_object(PUT)
        await asyncio.to_thread(stage.expire)

        result = await retry_on_rejected(stage.provider)(client.get_object)(GET)

    assert await result.body.read() == b"body"
    assert len(stage.refused("oss")) == 1


async def test_a_hanging_fetch_never_stalls_the_loop(stage: Stage) -> None:
    """Its async client calls the provider's synchronous method on the loop; nothing in there may wait."""
    answered = threading.Event()
    answers = iter([lambda: True, answered.wait])
    clock = TickingClock(stage.cloud.clock.time())

    def fetch() -> Credentials:
        next(answers)()
        return stage.provider.refresh().replace(expiration=datetime.fromtimestamp(clock.time() + 100, timezone.utc))

    slow = FunctionProvider(fetch, clock=clock)
    held = await prefetched(slow)
    first = held.get_credentials()
    clock.advance(seconds=97)
    with no_wait():
        assert held.get_credentials() is first
    clock.advance(seconds=10)
    with no_wait(), pytest.raises(WaitTimeout):
        held.get_credentials()

    async with aio.AsyncClient(config(stage, held)) as client:
        call = asyncio.ensure_future(retry_on_rejected(slow)(client.put_object)(PUT))
        await asyncio.sleep(0)
        assert not call.done()
        answered.set()
        await call


@contextmanager
def no_wait() -> Iterator[None]:
    started = time.perf_counter()
    yield
    assert time.perf_counter() - started < 0.2


class FirstTemporaryThenLongTerm:
    """A provider that changes from temporary to long-term credentials between two attempts."""

    def __init__(self, stage: Stage) -> None:
        key = stage.cloud.access_key()
        self._kinds = [Credentials(key.access_key_id, key.access_key_secret), stage.provider.get_credentials()]

    def get_credentials(self) -> Credentials:
        return self._kinds.pop()


def test_no_token_is_left_over_from_the_attempt_before(stage: Stage) -> None:
    stage.cloud.faults.add("oss", 500, times=1)

    oss.Client(config(stage, FirstTemporaryThenLongTerm(stage)), signer=clean_signer()).put_object(PUT)

    first, second = stage.cloud.requests.to("oss")
    assert first.header("x-oss-security-token")
    assert not second.header("x-oss-security-token")


def test_the_clean_signer_is_still_needed(stage: Stage) -> None:
    stage.cloud.faults.add("oss", 500, times=1)

    with pytest.raises(oss.exceptions.OperationError, match="InvalidSecurityToken"):
        oss.Client(config(stage, FirstTemporaryThenLongTerm(stage))).put_object(PUT)


def test_a_failing_provider_is_reported_as_such(stage: Stage) -> None:
    def fail() -> Any:
        raise FetchError("metadata down")

    client = oss.Client(config(stage, FunctionProvider(fail)))

    with pytest.raises(oss.exceptions.OperationError, match="metadata down"):
        client.put_object(PUT)


@pytest.mark.parametrize("version", ["v1", "v4"])
def test_a_clean_signer_is_used_in_another_process(version: str) -> None:
    name = f"SignerV{version[1]}"
    assert used_elsewhere(clean_signer(version), "print(type(value).__mro__[1].__name__)") == name
