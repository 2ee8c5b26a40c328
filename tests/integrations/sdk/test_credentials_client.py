"""The official credentials client takes the provider as it is, and hands it on: `Client(provider=provider)`."""

from __future__ import annotations

import asyncio
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds.integrations.retry import retry_on_rejected

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from alibabacloud_credentials.client import Client as CredentialsClient
    from alibabacloud_sts20150401.client import Client as StsClient
    from alibabacloud_tea_openapi import models

if TYPE_CHECKING:
    from tests.integrations.sdk.conftest import Stage

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def client_of(stage: Stage) -> Any:
    credentials = CredentialsClient(provider=stage.provider)
    return StsClient(models.Config(credential=credentials, endpoint=stage.address, protocol="http"))


def test_calls_are_signed_over_rotations(stage: Stage) -> None:
    stage.assert_rotates("sts", client_of(stage).get_caller_identity)


async def test_coroutines_are_signed_over_rotations(stage: Stage) -> None:
    client = client_of(stage)
    for _ in range(3):
        await client.get_caller_identity_async()
        await asyncio.to_thread(stage.rotate)

    assert len(set(stage.accepted("sts"))) == 3
    assert not stage.refused("sts")


def test_what_it_hands_on_is_of_one_fetch(stage: Stage) -> None:
    held = stage.provider.get_credentials()

    model = CredentialsClient(provider=stage.provider).get_credential()

    assert model.access_key_id == held.access_key_id
    assert model.access_key_secret == held.access_key_secret
    assert model.security_token == held.security_token
    assert model.provider_name == "ecs_ram_role"


def test_a_refused_token_is_replaced_and_the_call_repeated_once(stage: Stage) -> None:
    stage.expire()

    retry_on_rejected(stage.provider)(client_of(stage).get_caller_identity)()

    assert len(stage.refused("sts")) == 1
