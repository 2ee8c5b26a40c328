"""Where STS is: argument, then variables, then the region's own endpoint, then the central one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ramrole_creds.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

ENDPOINT_VARIABLE = "ALIBABA_CLOUD_STS_ENDPOINT"
REGION_VARIABLE = "ALIBABA_CLOUD_STS_REGION"
VPC_VARIABLE = "ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED"
CENTRAL_HOST = "sts.aliyuncs.com"

# Regions in which STS has no host of its own: the official SDK of STS (alibabacloud_sts20150401 1.2.0) sends their
# calls to the central one. Finance and government clouds, retired regions and the vendor's own test regions.
REGIONS_WITHOUT_ENDPOINT = frozenset(
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

_REGION = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")


def find_sts_url(endpoint: str | None, *, region: str | None, vpc: bool | None, environ: Mapping[str, str]) -> str:
    """Base URL of STS.

    Args:
        endpoint: host or base URL; plain http is kept for loopback and made https for everything else.
        region: region id.
        vpc: True for the region's endpoint inside a VPC; without a region there is none.
        environ: the environment.

    Raises:
        ConfigurationError: endpoint or region make no sense.
    """
    for given, source in ((endpoint, "endpoint"), (environ.get(ENDPOINT_VARIABLE), ENDPOINT_VARIABLE)):
        if given:
            return base_url(given, source)
    region = region or environ.get(REGION_VARIABLE) or None
    if region is None:
        return f"https://{CENTRAL_HOST}"
    if _REGION.fullmatch(region) is None:
        raise ConfigurationError('The STS region must be a region id, such as "cn-hangzhou"; what was given is none.')
    if region in REGIONS_WITHOUT_ENDPOINT:
        return f"https://{CENTRAL_HOST}"
    if vpc is None:
        vpc = environ.get(VPC_VARIABLE, "").strip().lower() == "true"
    return f"https://{'sts-vpc' if vpc else 'sts'}.{region}.aliyuncs.com"


def base_url(endpoint: str, source: str) -> str:
    """`https://host[:port]` of a host or URL; http where that is loopback and asked for.

    Raises:
        ConfigurationError: it is no host and no URL of one.
    """
    from urllib.parse import urlsplit

    text = endpoint.strip()
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        sane = parts.port is None or parts.port > 0
    except ValueError:
        parts, sane = None, False
    if (
        parts is None
        or not sane
        or parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.username is not None
        or parts.path not in ("", "/")
        or parts.query
        or parts.fragment
        or not text.isprintable()
        or " " in text
    ):
        raise ConfigurationError(
            f"{source} must be a host, such as {CENTRAL_HOST}, or https://HOST, without user, path or query; what it "
            "holds is neither."
        )
    scheme = "http" if parts.scheme == "http" and is_loopback(parts.hostname) else "https"
    return f"{scheme}://{parts.netloc}"


def is_loopback(host: str) -> bool:
    """True for `localhost` and loopback addresses; names below it may be asked of any name server."""
    name = host.lower().rstrip(".")
    if name == "localhost":
        return True
    import ipaddress

    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False
