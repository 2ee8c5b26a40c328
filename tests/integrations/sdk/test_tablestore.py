"""tablestore takes the provider as it is: `OTSClient(…, credentials_provider=provider)`."""

from __future__ import annotations

import asyncio
import logging
import warnings
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import StaticProvider
from ramrole_creds.integrations.retry import retry_on_rejected

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import tablestore as ots

if TYPE_CHECKING:
    from tests.integrations.sdk.conftest import Stage

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


QUIET = {"logger_name": "tablestore", "logger_level": logging.INFO}  # at DEBUG it prints the token


def client_of(stage: Stage, region: str | None = None) -> ots.OTSClient:
    options = {} if region is None else {"region": region}
    return ots.OTSClient(stage.url, instance_name="instance", credentials_provider=stage.provider, **QUIET, **options)


@pytest.mark.parametrize("region", [None, "cn-hangzhou"])
def test_calls_are_signed_over_rotations(stage: Stage, region: str | None) -> None:
    client = client_of(stage, region)

    stage.assert_rotates("ots", lambda: list(client.list_table()))


async def test_coroutines_are_signed_over_rotations(stage: Stage) -> None:
    await stage.provider.get_credentials_async()
    async with ots.AsyncOTSClient(
        stage.url, instance_name="instance", credentials_provider=stage.provider, **QUIET
    ) as client:  # fmt: skip
        for _ in range(2):
            await client.list_table()
            await asyncio.to_thread(stage.rotate)
        await client.list_table()

    assert len(set(stage.accepted("ots"))) == 3
    assert not stage.refused("ots")


def test_a_refused_token_is_replaced_and_the_call_repeated_once(stage: Stage) -> None:
    client = client_of(stage)
    client.list_table()
    stage.expire()

    with pytest.raises(ots.OTSServiceError, match="expired"):
        client.list_table()
    retry_on_rejected(stage.provider)(client.list_table)()


def test_long_term_keys_are_sent_without_an_empty_token_header(stage: Stage) -> None:
    key = stage.cloud.access_key()
    provider = StaticProvider(key.access_key_id, key.access_key_secret)

    ots.OTSClient(stage.url, instance_name="instance", credentials_provider=provider, **QUIET).list_table()

    assert stage.cloud.requests.to("ots")[0].header("x-ots-ststoken") is None
