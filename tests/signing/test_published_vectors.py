"""Signatures that the tests of official SDKs in other languages publish."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timezone
from email.utils import formatdate

import pytest

from ramrole_creds import signing
from ramrole_creds.signing import Request


def derived(secret: str, *scope: str) -> bytes:
    key = f"aliyun_v4{secret}".encode()
    for part in scope:
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def http_date(basic: str) -> str:
    moment = datetime.strptime(basic, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
    return formatdate(moment.timestamp(), usegmt=True)


PARAMETERS = {"param1": "abc", "PARAM2": "d  ef", "PARAM3": "[def]#bbb", "PARAM4": "中文参数"}


@pytest.mark.parametrize(
    ("region", "secret", "date", "method", "path", "params", "headers", "signature"),
    [
        (
            "region1", "sk1", "20250603T105235Z", "POST", "/queues/TestQueue/", PARAMETERS, {},
            "1fc6013f158d4c3aba09570895a2a93c8445c2c5213d82a1463baf602cf0d945",
        ),
        (
            "region2", "skkkkkkk1111111111", "20251203T112348Z", "PUT", "/queues/TestQueue123456", {},
            {"x-mns-abc": "kkk", "X-MNS-Sss": "2015-06-06xFFF", "x-kkk-def": "jjj"},
            "04f1e5f929b5aaac3af6a54970f591581ecd2aade2562f926c5f2ec5d5c8cfad",
        ),
        (
            "eu-west-1", "skkkkkk2222222222", "20251204T063235Z", "GET", "/queues", {},
            {
                "x-mns-version": "2015-06-30", "x-mns-ttt": "1", "X-MNS-UUUuu": "FALse", "bb-MNS-UUUuu": "abcdddDDD",
                "content-type": "application/json", "content-md5": "0d9d2ce750000593eb34f00",
            },
            "294f776a2d5726df679b54b081ab8126a199a2545c8c8a7a875adff0b386e458",
        ),
        (
            "testRegion", "testSk", "20250603T105235Z", "GET", "/", {}, {},
            "63f78964dcd1132bab91b9c38ceebdfb59509149b34874c5b2c9dfc2b12e7291",
        ),
        (
            "testRegion", "testSk", "20250603T105235Z", "POST", "/queues/Test Queue@123", {}, {},
            "87de7499365a31e767cdc0c726a893c72c860e415876f7f92914197ac3795833",
        ),
        (
            "region1", "sk1", "20250603T105235Z", "POST", "/queues/TestQueue?num=10&paramx=100", PARAMETERS, {},
            "8d555514e749185d3e6d68df416692e6cc960ba85a089c9d69a2f4d7bb607560",
        ),
    ],
    ids=["parameters", "headers", "content headers", "root", "blank in path", "query in path"],
)  # fmt: skip
def test_message_service_version_4(
    region: str,
    secret: str,
    date: str,
    method: str,
    path: str,
    params: dict[str, str],
    headers: dict[str, str],
    signature: str,
) -> None:
    """As MNSV4SignerTest of aliyun-mns-java-sdk has them."""
    request = Request(
        method, f"https://1.mns.cn-hangzhou.aliyuncs.com{path}", {**headers, "Date": http_date(date)}, params
    )
    string = signing.MNSV4(region).string_to_sign(request)
    key = derived(secret, date[:8], region, "mns", "aliyun_v4_request")
    assert hmac.new(key, string.encode(), "sha256").hexdigest() == signature


@pytest.mark.parametrize(
    ("region", "method", "params", "headers", "body", "signature"),
    [
        (
            "cn-hangzhou", "POST", {" abc": "efg", " agc ": "", "": "efg", "A-bc": "eFg"},
            {"hello": "world", "hello-Text": "a12X- ", "x-log-test": "het123", "x-acs-ppp": "dds"}, b"adasd= -asd zcas",
            "a98f5632e93836e63839cd836a54055f480020a9364ca944e2d34f2eb9bf1bed",
        ),
        (
            "cn-shanghai", "POST", {}, {}, b"adasd= -asd zcas",
            "8a10a5e723cb2e75964816de660b2c16a58af8bc0261f7f0722d832468c76ce8",
        ),
        (
            "cn-hangzhou", "POST", {" abc": "efg", " agc ": "", "": "efg", "A-bc": "eFg"},
            {"hello": "world", "hello-Text": "a12X- ", "x-log-test": "het123", "x-acs-ppp": "dds"}, b"",
            "5a66d8f8051983e0e9d08e0f960ef9252ef971eead5bb5c7acec8617a2eb2701",
        ),
    ],
    ids=["names with blanks", "nothing", "no body"],
)  # fmt: skip
def test_log_service_version_4(
    region: str, method: str, params: dict[str, str], headers: dict[str, str], body: bytes, signature: str
) -> None:
    """As the tests of the SDKs for Python and Java have them: names of parameters enter as text."""
    date = "20220808T032330Z"
    sent = {**headers, "x-log-date": date, "x-log-content-sha256": hashlib.sha256(body).hexdigest()}
    request = Request(method, "https://p.cn-hangzhou.log.aliyuncs.com/logstores", sent, params, body)
    string = signing.SLSV4(region).string_to_sign(request)
    key = derived("zxasdasdasw2", date[:8], region, "sls", "aliyun_v4_request")
    assert hmac.new(key, string.encode(), "sha256").hexdigest() == signature
