"""AcsClient of aliyun-python-sdk-core knows static credentials only; `acs_client` gives it rotating ones."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import ConfigurationError, Credentials, StaticProvider
from ramrole_creds.integrations.acs_client import acs_client, use_provider
from ramrole_creds.integrations.retry import retry_on_rejected

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from aliyunsdkcore.acs_exception.exceptions import ServerException
    from aliyunsdkcore.client import AcsClient
    from aliyunsdkcore.request import CommonRequest, RoaRequest, RpcRequest
    from aliyunsdkecs.request.v20140526.DescribeInstanceRamRoleRequest import DescribeInstanceRamRoleRequest
    from aliyunsdkkms.request.v20160120.ListKeysRequest import ListKeysRequest

if TYPE_CHECKING:
    from tests.integrations.sdk.conftest import Stage

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:aliyunsdkcore")


def client_of(stage: Stage) -> Any:
    return acs_client(stage.provider)


def at(stage: Stage, request: Any) -> Any:
    request.set_endpoint(stage.address)
    request.set_protocol_type("http")
    return request


def instances() -> DescribeInstanceRamRoleRequest:
    request = DescribeInstanceRamRoleRequest()
    request.set_InstanceIds(json.dumps(["i-bp1fake0000000000001"]))
    return request


def common() -> CommonRequest:
    request = CommonRequest(version="2014-08-15", action_name="DescribeDBInstances")
    request.set_method("POST")
    request.add_body_params("Name", "a b*~")
    return request


REQUESTS = {
    "ecs": instances,
    "kms": ListKeysRequest,
    "common": common,
    "rpc": lambda: RpcRequest("Rds", "2014-08-15", "DescribeDBInstances"),
    "roa": lambda: RoaRequest("CS", "2015-12-15", "DescribeClusters", uri_pattern="/clusters", method="GET"),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_requests_are_signed_over_rotations(stage: Stage, name: str) -> None:
    client = client_of(stage)
    service = "ecs" if name == "ecs" else "openapi"

    stage.assert_rotates(service, lambda: client.do_action_with_exception(at(stage, REQUESTS[name]())))


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_that_is_sent_again_is_signed_with_the_credentials_of_its_moment(stage: Stage, name: str) -> None:
    client = client_of(stage)
    request = at(stage, REQUESTS[name]())
    service = "ecs" if name == "ecs" else "openapi"

    stage.assert_rotates(service, lambda: client.do_action_with_exception(request))


@pytest.mark.parametrize("name", REQUESTS)
def test_no_token_is_left_over_when_long_term_keys_follow(stage: Stage, name: str) -> None:
    request = at(stage, REQUESTS[name]())
    client_of(stage).do_action_with_exception(request)
    key = stage.cloud.access_key()
    client = use_provider(AcsClient("ak", "secret"), StaticProvider(key.access_key_id, key.access_key_secret))

    client.do_action_with_exception(request)

    assert not stage.refused("*")


def test_a_refused_token_is_replaced_and_the_call_repeated_once(stage: Stage) -> None:
    client = client_of(stage)
    stage.expire()

    with pytest.raises(ServerException) as refusal:
        client.do_action_with_exception(at(stage, ListKeysRequest()))
    assert refusal.value.get_error_code() == "InvalidSecurityToken.Expired"
    retry_on_rejected(stage.provider)(client.do_action_with_exception)(at(stage, ListKeysRequest()))

    assert len(stage.refused("openapi")) == 2


def test_an_attempt_of_the_client_itself_asks_again(stage: Stage) -> None:
    stage.cloud.faults.add("ecs", 503, times=1)

    client_of(stage).do_action_with_exception(at(stage, instances()))

    assert len(stage.accepted("ecs")) == 1


def test_keys_in_the_environment_do_not_win_over_the_provider(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIYUN_ACCESS_KEY_ID", "LTAI5tFAKEofTheEnvironme")
    monkeypatch.setenv("ALIYUN_ACCESS_KEY_SECRET", "secret")

    client_of(stage).do_action_with_exception(at(stage, ListKeysRequest()))

    assert stage.accepted("openapi") == [stage.provider.get_credentials().access_key_id]


def test_no_request_of_many_threads_is_torn_by_a_rotation(stage: Stage) -> None:
    client = client_of(stage)

    stage.assert_untorn("openapi", lambda: client.do_action_with_exception(at(stage, ListKeysRequest())))


def test_a_client_that_has_changed_inside_is_refused() -> None:
    class Changed:
        do_action_with_exception = None

    with pytest.raises(ConfigurationError, match=r"Changed has no attribute _signer"):
        use_provider(Changed(), StaticProvider("id", "secret"))


def test_credentials_in_place_of_a_provider_are_refused() -> None:
    credentials: Any = Credentials("LTAI5tFake", "secret")
    with pytest.raises(ConfigurationError, match="not Credentials, which cannot be refreshed"):
        acs_client(credentials)


@pytest.mark.parametrize("client", [None, "cn-hangzhou", AcsClient], ids=["none", "text", "class"])
def test_what_is_not_a_client_is_refused(client: Any) -> None:
    with pytest.raises(
        ConfigurationError, match=r"client must be an AcsClient, not (NoneType|str|the class AcsClient)"
    ):
        use_provider(client, StaticProvider("id", "secret"))


def test_a_region_is_that_of_an_endpoint_or_refused(stage: Stage) -> None:
    assert acs_client(stage.provider, "oss-cn-hongkong").get_region_id() == "cn-hongkong"
    with pytest.raises(ConfigurationError, match=r'region_id must be a region id.*Write "cn-hangzhou"'):
        acs_client(stage.provider, "cn-hangzhou-h")


def test_swapped_arguments_are_reported() -> None:
    with pytest.raises(ConfigurationError, match=r"swapped: write use_provider\(client, provider\)"):
        use_provider(StaticProvider("id", "secret"), AcsClient("ak", "secret"))
    swapped: Any = StaticProvider("id", "secret")
    with pytest.raises(ConfigurationError, match=r"swapped: write acs_client\(provider, region_id\)"):
        acs_client("cn-hangzhou", swapped)
