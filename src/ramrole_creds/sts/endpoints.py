"""The address of STS: argument, then variables, then the endpoint of the region, then the central one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ramrole_creds._checks import checked_flag
from ramrole_creds._http.urls import InvalidUrlError, parse_base_url
from ramrole_creds._regions import region_id
from ramrole_creds.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

ENDPOINT_VARIABLE = "ALIBABA_CLOUD_STS_ENDPOINT"
REGION_VARIABLE = "ALIBABA_CLOUD_STS_REGION"
VPC_VARIABLE = "ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED"
CENTRAL_HOST = "sts.aliyuncs.com"

# Regions without an STS host: the official SDK of STS (alibabacloud_sts20150401 1.2.0) sends their calls to the central
# one. Finance and government clouds, retired regions and the vendor's test regions.
REGIONS_WITHOUT_ENDPOINT: frozenset[str] = frozenset(
    {
        "ap-northeast-2-pop",
        "ap-south-1",
        "ap-southeast-2",
        "cn-beijing-finance-pop",
        "cn-beijing-gov-1",
        "cn-beijing-nu16-b01",
        "cn-edge-1",
        "cn-fujian",
        "cn-haidian-cm12-c01",
        "cn-hangzhou-bj-b01",
        "cn-hangzhou-internal-prod-1",
        "cn-hangzhou-internal-test-1",
        "cn-hangzhou-internal-test-2",
        "cn-hangzhou-internal-test-3",
        "cn-hangzhou-test-306",
        "cn-hongkong-finance-pop",
        "cn-huhehaote-nebula-1",
        "cn-shanghai-et15-b01",
        "cn-shanghai-et2-b01",
        "cn-shanghai-inner",
        "cn-shanghai-internal-test-1",
        "cn-shenzhen-inner",
        "cn-shenzhen-st4-d01",
        "cn-shenzhen-su18-b01",
        "cn-wuhan",
        "cn-yushanfang",
        "cn-zhangbei",
        "cn-zhangbei-na61-b01",
        "cn-zhangjiakou-na62-a01",
        "cn-zhengzhou-nebula-1",
        "eu-west-1-oxs",
        "rus-west-1-pop",
    }
)


def find_sts_url(endpoint: str | None, *, region: str | None, vpc: bool | None, environ: Mapping[str, str]) -> str:
    """Base URL of STS.

    Args:
        endpoint: host or base URL. Plain http is kept for loopback only, and becomes https otherwise.
        region: region ID.
        vpc: True for the region's endpoint inside a VPC. Without a region there is none.
        environ: the environment.

    Raises:
        ConfigurationError: the endpoint, the region or `vpc` is not valid.
    """
    if vpc is not None:
        checked_flag("vpc", vpc)
    for given, source in ((endpoint, "endpoint"), (environ.get(ENDPOINT_VARIABLE), ENDPOINT_VARIABLE)):
        if given:
            return base_url(given, source)
    source = "region" if region else REGION_VARIABLE
    region = region or environ.get(REGION_VARIABLE) or None
    if region is None:
        return f"https://{CENTRAL_HOST}"
    region = region_id(region, source)
    if region in REGIONS_WITHOUT_ENDPOINT:
        return f"https://{CENTRAL_HOST}"
    if vpc is None:
        vpc = environ.get(VPC_VARIABLE, "").strip().lower() == "true"
    return f"https://{'sts-vpc' if vpc else 'sts'}.{region}.aliyuncs.com"


def base_url(endpoint: str, source: str) -> str:
    """`https://host[:port]` of a host or URL; http only for loopback, if the URL says so.

    Args:
        endpoint: host, or URL without user, path and query.
        source: the argument or variable that it comes from, for the error.

    Raises:
        ConfigurationError: it is something else.
    """
    text = str(endpoint).strip()
    try:
        url = parse_base_url(text if "://" in text else f"https://{text}")
    except InvalidUrlError as error:
        raise ConfigurationError(
            f"{source} must be a host, such as {CENTRAL_HOST}, or https://HOST, without user, path or query; {error}."
        ) from None
    scheme = "http" if url.scheme == "http" and url.is_loopback else "https"
    return f"{scheme}://{url.authority}"
