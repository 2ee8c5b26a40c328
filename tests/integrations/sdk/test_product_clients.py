"""The generated clients of each product, in person: each takes the provider as it is and asks it for every request."""

from __future__ import annotations

import asyncio
import importlib
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from ramrole_creds.integrations.retry import is_rejection, retry_on_rejected

if TYPE_CHECKING:
    from tests.integrations.sdk.conftest import Stage

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utc:DeprecationWarning")


class Product(NamedTuple):
    """A client and one of its calls, by which the call's answer is known too."""

    module: str
    operation: str
    request: str
    options: dict[str, Any]
    service: str = "openapi"

    def client(self, stage: Stage) -> Any:
        """The client, with the provider for its credential."""
        models = _load("alibabacloud_tea_openapi.models")
        config = models.Config(
            credential=stage.provider, endpoint=stage.address, protocol="http", region_id="cn-hangzhou"
        )
        return _load(f"{self.module}.client").Client(config)

    def message(self) -> list[Any]:
        """The arguments of the call: its request, where it has one."""
        return [getattr(_load(f"{self.module}.models"), self.request)(**self.options)] if self.request else []


PRODUCTS = {
    "ecs": Product(
        "alibabacloud_ecs20140526",
        "describe_instances",
        "DescribeInstancesRequest",
        {"region_id": "cn-hangzhou"},
        "ecs",
    ),
    "rds": Product(
        "alibabacloud_rds20140815", "describe_dbinstances", "DescribeDBInstancesRequest", {"region_id": "cn-hangzhou"}
    ),
    "slb": Product(
        "alibabacloud_slb20140515",
        "describe_load_balancers",
        "DescribeLoadBalancersRequest",
        {"region_id": "cn-hangzhou"},
    ),
    "alb": Product(
        "alibabacloud_alb20200616",
        "list_load_balancers",
        "ListLoadBalancersRequest",
        {"load_balancer_names": ["a b*~名"]},
    ),
    "sts": Product("alibabacloud_sts20150401", "get_caller_identity", "", {}, "sts"),
    "kms": Product("alibabacloud_kms20160120", "list_keys", "ListKeysRequest", {"page_number": 1}),
    "fc": Product("alibabacloud_fc20230330", "list_functions", "ListFunctionsRequest", {"prefix": "a b*~名"}),
    "sls": Product("alibabacloud_sls20201230", "list_project", "ListProjectRequest", {"project_name": "a*~名"}, "sls"),
}


@pytest.fixture(params=PRODUCTS)
def product(request: pytest.FixtureRequest) -> Product:
    return PRODUCTS[request.param]


def test_calls_are_signed_over_rotations(stage: Stage, product: Product) -> None:
    call = getattr(product.client(stage), product.operation)

    stage.assert_rotates(product.service, lambda: call(*product.message()))


async def test_coroutines_are_signed_over_rotations(stage: Stage, product: Product) -> None:
    call = getattr(product.client(stage), f"{product.operation}_async")

    for _ in range(3):
        assert (await call(*product.message())).status_code == 200
        await asyncio.to_thread(stage.rotate)

    assert len(set(stage.accepted(product.service))) == 3
    assert not stage.refused(product.service)


@pytest.mark.parametrize("end", ["expire", "revoke"])
def test_a_refused_token_is_replaced_and_the_call_repeated_once(stage: Stage, product: Product, end: str) -> None:
    call = getattr(product.client(stage), product.operation)
    assert call(*product.message()).status_code == 200
    getattr(stage, end)()

    with pytest.raises(Exception) as refusal:  # noqa: PT011  # each product's client has a class of its own
        call(*product.message())
    assert is_rejection(refusal.value)

    assert retry_on_rejected(stage.provider)(call)(*product.message()).status_code == 200
    assert len(stage.refused(product.service)) == 2
    assert len(stage.accepted(product.service)) == 2


async def test_a_refused_coroutine_is_repeated_once(stage: Stage, product: Product) -> None:
    call = getattr(product.client(stage), f"{product.operation}_async")
    await asyncio.to_thread(stage.expire)

    assert (await retry_on_rejected(stage.provider)(call)(*product.message())).status_code == 200

    assert len(stage.refused(product.service)) == 1
    assert len(stage.accepted(product.service)) == 1


def _load(module: str) -> Any:
    """A module of an SDK; what its dependencies say while they are loaded is not for us."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(module)
