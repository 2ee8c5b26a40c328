"""alibabacloud_tea_openapi, on which every generated client stands, takes the provider as it is.

Those of the products are in `test_product_clients.py`; that of STS stands for them here.
"""

from __future__ import annotations

import asyncio
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds.integrations.retry import retry_on_rejected

with warnings.catch_warnings():  # what its dependencies say while they are loaded
    warnings.simplefilter("ignore")
    from alibabacloud_sts20150401.client import Client as StsClient
    from alibabacloud_tea_openapi import models
    from alibabacloud_tea_openapi.client import Client
    from alibabacloud_tea_openapi.exceptions import ClientException
    from darabonba.policy.retry import RetryOptions
    from darabonba.runtime import RuntimeOptions

if TYPE_CHECKING:
    from tests.integrations.sdk.conftest import Stage

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utc:DeprecationWarning")

STYLES = {
    "rpc": {"pathname": "/", "style": "RPC", "req_body_type": "formData", "version": "2014-08-15"},
    "roa": {"pathname": "/2023-03-30/a%20b", "style": "ROA", "req_body_type": "json", "version": "2023-03-30"},
}


def config(stage: Stage, **options: Any) -> models.Config:
    options = {"credential": stage.provider, "endpoint": stage.address, "protocol": "http"} | options
    return models.Config(region_id="cn-hangzhou", **options)


def params(style: str = "rpc") -> models.Params:
    return models.Params(
        action="Describe", protocol="HTTP", method="POST", auth_type="AK", body_type="json", **STYLES[style]
    )


def request() -> models.OpenApiRequest:
    return models.OpenApiRequest(query={"Name": "a b*~名"}, body={"k": "v"})


@pytest.mark.parametrize("style", STYLES)
def test_calls_are_signed_over_rotations(stage: Stage, style: str) -> None:
    client = Client(config(stage))

    stage.assert_rotates("openapi", lambda: client.call_api(params(style), request(), RuntimeOptions()))


@pytest.mark.parametrize("style", STYLES)
async def test_coroutines_are_signed_over_rotations(stage: Stage, style: str) -> None:
    client = Client(config(stage))
    used = []

    for _ in range(3):
        answer = await client.call_api_async(params(style), request(), RuntimeOptions())
        used.append(answer["body"]["AccessKeyId"])
        await asyncio.to_thread(stage.rotate)

    assert len(set(used)) == 3
    assert not stage.refused("openapi")


def test_a_generated_client_takes_the_provider_too(stage: Stage) -> None:
    client = StsClient(config(stage))

    stage.assert_rotates("sts", client.get_caller_identity)
    assert client.get_caller_identity().body.arn.endswith(":assumed-role/web/vm-ram-i-bp1fake0000000000001")


def test_the_signed_provider_name_is_that_of_the_official_client(stage: Stage) -> None:
    Client(config(stage)).call_api(params(), request(), RuntimeOptions())

    assert stage.cloud.requests.to("openapi")[0].header("x-acs-credentials-provider") == "ecs_ram_role"


def test_a_refused_token_is_replaced_and_the_call_repeated_once(stage: Stage) -> None:
    client = Client(config(stage))
    call = retry_on_rejected(stage.provider)(client.call_api)
    stage.expire()

    with pytest.raises(ClientException) as refusal:
        client.call_api(params(), request(), RuntimeOptions())
    assert refusal.value.code == "InvalidSecurityToken.Expired"

    call(params(), request(), RuntimeOptions())
    assert len(stage.refused("openapi")) == 2
    assert len(stage.accepted("openapi")) == 1


async def test_a_refused_coroutine_is_repeated_once(stage: Stage) -> None:
    client = Client(config(stage))
    await asyncio.to_thread(stage.revoke)

    await retry_on_rejected(stage.provider)(client.call_api_async)(params(), request(), RuntimeOptions())

    assert len(stage.refused("openapi")) == 1
    assert len(stage.accepted("openapi")) == 1


def test_a_retry_of_the_client_itself_asks_the_provider_again(stage: Stage) -> None:
    options = RetryOptions({
        "retryable": True,
        "retryCondition": [{"maxAttempts": 3, "exception": [], "errorCode": ["InvalidSecurityToken.Expired"]}],
    })  # fmt: skip
    old = stage.provider.get_credentials()
    stage.expire()
    generations = iter([lambda: old, lambda: stage.provider.refresh(rejected=old)])

    class Learning:
        def get_credential(self) -> object:
            return next(generations)()

    client = Client(config(stage, credential=Learning(), retry_options=options))
    client.call_api(params(), request(), RuntimeOptions())

    assert len(stage.refused("openapi")) == 1
    assert len(stage.accepted("openapi")) == 1
