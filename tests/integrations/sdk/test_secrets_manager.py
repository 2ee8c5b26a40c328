"""The Secrets Manager client (v2) takes the provider as it is: `builder.with_credentials_provider(provider)`."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds.integrations.retry import retry_on_rejected

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from alibabacloud_kms20160120.models import GetSecretValueRequest
    from alibabacloud_secretsmanager_client_v2 import utils
    from alibabacloud_secretsmanager_client_v2.model.region_info import RegionInfo
    from alibabacloud_secretsmanager_client_v2.service.default_secret_manager_client_builder import (
        DefaultSecretManagerClientBuilder,
    )

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integrations.sdk.conftest import Stage

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def client(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(utils.const, "DEFAULT_PROTOCOL", "http")
    builder = DefaultSecretManagerClientBuilder().with_credentials_provider(stage.provider)
    client = builder.add_region_info(RegionInfo(region_id="cn-hangzhou", endpoint=stage.address)).build()
    client.init()
    yield client
    client.close()


def test_secrets_are_asked_for_over_rotations(stage: Stage, client: Any) -> None:
    stage.assert_rotates("openapi", lambda: client.get_secret_value(GetSecretValueRequest(secret_name="name")))


def test_a_refused_token_is_replaced_and_the_call_repeated_once(stage: Stage, client: Any) -> None:
    stage.expire()

    retry_on_rejected(stage.provider)(client.get_secret_value)(GetSecretValueRequest(secret_name="name"))

    assert len(stage.refused("openapi")) == 1
