"""Region ids: what is accepted, and in which form."""

from __future__ import annotations

import pytest

from ramrole_creds import ConfigurationError, default_region
from ramrole_creds._regions import region_id
from ramrole_creds.sts import StsClient


@pytest.mark.parametrize("region", ["cn-hongkong", "oss-cn-hongkong", "oss-cn-hongkong-internal"])
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
        "a-" * 40 + "a",
        5,
    ],
    ids=range(9),
)
def test_anything_else_is_refused_and_named(region: object) -> None:
    with pytest.raises(ConfigurationError, match=r'^where must be a region id, such as "cn-hangzhou", not '):
        region_id(region, "where")
