"""Region ids: what is accepted, and in which form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ramrole_creds import ConfigurationError, default_region, signing
from ramrole_creds._regions import region_id
from ramrole_creds.sts import StsClient

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMES: list[Callable[..., object]] = [
    signing.OSSV4,
    signing.SLSV4,
    signing.MNSV4,
    signing.SigV4,
    lambda region: signing.OTSV4("i", region),
    lambda region: signing.ODPSV4("http://odps.aliyun.com/api", region),
]


@pytest.mark.parametrize(
    "region",
    [
        "cn-hongkong",
        "oss-cn-hongkong",
        "oss-cn-hongkong-internal",
        "cn-hongkong-internal",
        "cn-hongkong-intranet",
        "vpc100-oss-cn-hongkong",
    ],
)
def test_the_region_of_an_oss_endpoint_is_a_region_everywhere(region: str) -> None:
    assert region_id(region) == "cn-hongkong"
    assert default_region(region) == "cn-hongkong"
    assert StsClient(region=region).url == "https://sts.cn-hongkong.aliyuncs.com"


@pytest.mark.parametrize(
    "region",
    [
        "hongkong",
        "CN-hongkong",
        "cn_hongkong",
        "cn-hongkong/",
        "cn-hongkong.evil",
        " cn-hongkong",
        "oss-",
        "oss-accelerate",
        "oss-accelerate-overseas",
        "a-" * 40 + "a",
        5,
    ],
    ids=range(11),
)
def test_anything_else_is_refused_and_named(region: object) -> None:
    with pytest.raises(ConfigurationError, match=r'^where must be a region id, such as "cn-hangzhou", not '):
        region_id(region, "where")


@pytest.mark.parametrize(
    ("given", "region"),
    [
        ("https://oss-cn-hongkong.aliyuncs.com", "cn-hongkong"),
        ("bucket.oss-cn-hangzhou-internal.aliyuncs.com", "cn-hangzhou"),
        ("https://cn-hangzhou-intranet.log.aliyuncs.com/", "cn-hangzhou"),
        ("123.mns.cn-hangzhou-internal.aliyuncs.com", "cn-hangzhou"),
        ("instance.cn-beijing.ots.aliyuncs.com:443", "cn-beijing"),
        ("service.cn-shanghai.maxcompute.aliyun.com/api", "cn-shanghai"),
        ("sts-vpc.ap-southeast-1.aliyuncs.com", "ap-southeast-1"),
        ("cn-hangzhou-h", "cn-hangzhou"),
        ("us-west-1a", "us-west-1"),
        ("oss-cn-hangzhou-h", "cn-hangzhou"),
        ("CN-Hangzhou", "cn-hangzhou"),
        ("OSS-CN-HANGZHOU", "cn-hangzhou"),
        (" cn-hangzhou ", "cn-hangzhou"),
        ("cn-hangzhou\n", "cn-hangzhou"),
    ],
)
def test_an_endpoint_a_zone_or_capitals_are_refused_with_the_region_that_they_contain(given: str, region: str) -> None:
    for make in (default_region, *SCHEMES, lambda region: StsClient(region=region)):
        with pytest.raises(ConfigurationError, match=rf'region must be a region id.*Write "{region}"\.'):
            make(given)


@pytest.mark.parametrize("region", ["cn-shanghai-finance-1", "cn-north-2-gov-1", "cn-beijing-nu16-b01", "us-east-1"])
def test_regions_that_resemble_zones_are_regions(region: str) -> None:
    assert region_id(region) == signing.OSSV4(region).region == region


def test_a_private_cloud_may_name_its_region_with_any_word() -> None:
    assert signing.SLSV4("Campus1").region == "Campus1"


@pytest.mark.parametrize("region", ["", "cn hangzhou", "oss-accelerate", "oss-cn-hangzhou.aliyuncs.com", None, 5])
def test_no_scheme_signs_for_what_is_not_a_region(region: object) -> None:
    for make in SCHEMES:
        with pytest.raises(ConfigurationError, match='region must be a region id, such as "cn-hangzhou", not '):
            make(region)


def test_the_s3_form_keeps_the_region_as_it_is_written() -> None:
    assert signing.SigV4("oss-cn-hangzhou").region == "oss-cn-hangzhou"
    assert signing.SigV4("us-east-1").region == "us-east-1"
