"""Whatever arrives, one service at most takes it, and none ever fails."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramrole_creds import signing
from ramrole_creds.errors import SigningError
from ramrole_creds.testing.server.messages import WireRequest, WireResponse
from tests.testing.services.conftest import Endpoints

VECTORS = Path(__file__).parents[2] / "data" / "vectors"
OWNERS = {
    "acs3_hmac_sha256": "openapi",
    "acs3_hmac_sm3": "openapi",
    "fc_v3_acs3": "openapi",
    "rpc_hmac_sha1": "openapi",
    "roa_hmac_sha1": "openapi",
    "oss_v1_header": "oss",
    "oss_v1_url": "oss",
    "oss_v2": "oss",
    "oss_v4_header": "oss",
    "oss_v4_url": "oss",
    "sls_v1": "sls",
    "sls_v4": "sls",
    "ots_v2": "ots",
    "ots_v4": "ots",
    "mns": "mns",
    "odps_v2": "odps",
    "odps_v4": "odps",
    "fc_v2": "fc",
    "s3_sigv4": "s3",
    "s3_sigv4_url": "s3",
    "s3_hmacv1": "s3",
}


@pytest.mark.parametrize("scheme", OWNERS)
def test_a_signed_request_is_taken_by_its_own_service_alone(scheme: str) -> None:
    endpoints = Endpoints()
    for vector in json.loads((VECTORS / f"{scheme}.json").read_text())["vectors"]:
        output, asked = vector["output"], vector["input"]
        url = urlsplit(output.get("url") or asked["url"])
        headers = dict(map(tuple, [*(asked.get("headers") or ()), *(output.get("headers") or ())]))
        if "authorization" in output and scheme not in ("ots_v2", "ots_v4"):
            headers.setdefault("Authorization", output["authorization"])
        headers.setdefault("Host", url.netloc)
        target = url.path + (f"?{url.query}" if url.query else "")
        sent = tuple((name, value.encode().decode("latin-1")) for name, value in headers.items())
        body = base64.b64decode(asked.get("body_base64") or "")
        wire = WireRequest(asked["method"], target, sent, body, asked["timestamp"])
        owner = "fc" if "http-trigger" in vector["name"] else OWNERS[scheme]
        assert endpoints.who(wire) == [owner], vector["name"]
        # The key is not one of this cloud's.
        assert 400 <= endpoints.answer(wire).status < 500


def test_a_request_without_any_mark_belongs_to_no_service() -> None:
    endpoints = Endpoints()
    for path in ("/", "/index.html", "/health", "/bkt/key?list-type=2"):
        assert endpoints.who(endpoints.sent(signing.Request("GET", f"http://127.0.0.1:8080{path}"))) == []
    basic = {"Authorization": "Basic dXNlcjpwYXNz"}
    assert endpoints.who(endpoints.sent(signing.Request("GET", "http://127.0.0.1:8080/api/x", basic))) == []


SCHEMES: list[tuple[signing.Scheme, str]] = [
    (signing.ACS3(), "openapi"),
    (signing.RPC(), "openapi"),
    (signing.ROA(), "openapi"),
    (signing.OSSV1(), "oss"),
    (signing.OSSV4("cn-hangzhou"), "oss"),
    (signing.SLSV1(), "sls"),
    (signing.SLSV4("cn-hangzhou"), "sls"),
    (signing.OTSV2("inst"), "ots"),
    (signing.MNS(), "mns"),
    (signing.ODPSV2("http://127.0.0.1:8080/api"), "odps"),
    (signing.FCV2(), "fc"),
    (signing.SigV4("cn-hangzhou"), "s3"),
]
latin = st.text(st.characters(max_codepoint=255), max_size=30)
methods = st.sampled_from(["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"])
paths = st.one_of(
    st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#"), max_size=30).map("/".__add__),
    st.sampled_from(
        [
            "/bkt/key?uploadId=1&partNumber=x",
            "/bkt?delete",
            "/bkt?list-type=2&continuation-token=!",
            "/bkt/key?append&position=-1",
            "/queues/q/messages?numOfMessages=99",
            "/logstores/ls/shards/0?type=cursor",
            "/CreateTable",
            "/api/projects/p/tables",
            "/2016-08-15/proxy/s/f/?a&b=1",
            "/?Action=X&Signature=1&AccessKeyId=2",
        ]
    ),
)
marks = st.sampled_from(
    [
        ("Authorization", "OSS "),
        ("Authorization", "OSS4-HMAC-SHA256 Credential="),
        ("Authorization", "OSS2 AccessKeyId:"),
        ("Authorization", "AWS4-HMAC-SHA256 Credential="),
        ("Authorization", "AWS "),
        ("Authorization", "ACS3-HMAC-SHA256 "),
        ("Authorization", "acs "),
        ("Authorization", "LOG "),
        ("Authorization", "SLS4-HMAC-SHA256 "),
        ("Authorization", "MNS "),
        ("Authorization", "ODPS "),
        ("Authorization", "FC "),
        ("Authorization", "DATAHUB "),
        ("x-ots-date", ""),
        ("x-oss-date", ""),
        ("x-amz-date", ""),
        ("x-acs-date", ""),
        ("x-log-apiversion", ""),
        ("Content-Type", "multipart/form-data; boundary="),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Host", "bkt.oss-cn-hangzhou.aliyuncs.com"),
    ]
)


def assert_sound(response: WireResponse) -> None:
    assert 200 <= response.status < 500 or response.status == 501
    for name, value in response.headers:
        assert not set("\r\n") & set(name + value), "a header that would split the answer"


@settings(max_examples=150, deadline=None)
@given(
    method=methods,
    target=paths,
    junk=latin,
    given_marks=st.lists(st.tuples(marks, latin), max_size=4),
    body=st.binary(max_size=60),
)
def test_no_request_makes_a_service_fail(
    method: str, target: str, junk: str, given_marks: list[tuple[tuple[str, str], str]], body: bytes
) -> None:
    endpoints = Endpoints()
    headers = [(name, value + rest) for (name, value), rest in given_marks]
    wire = WireRequest(method, target + junk, tuple(headers), body, endpoints.clock.time())
    for service in endpoints.services:
        if service.recognizes(wire):
            assert_sound(service.handle(wire))


@settings(max_examples=150, deadline=None)
@given(
    signed=st.sampled_from(SCHEMES),
    method=methods,
    path=paths,
    params=st.lists(
        st.tuples(st.sampled_from(["uploadId", "marker", "position", "max-keys", "x"]), st.text(max_size=9)), max_size=2
    ),
    header=st.sampled_from(["Range", "x-oss-copy-source", "If-Match", "x-oss-meta-a", "Content-Type", "x-amz-acl"]),
    value=st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=20),
    body=st.binary(max_size=60),
)
def test_no_signed_request_makes_a_service_fail(
    signed: tuple[signing.Scheme, str],
    method: str,
    path: str,
    params: list[tuple[str, str]],
    header: str,
    value: str,
    body: bytes,
) -> None:
    endpoints = Endpoints()
    scheme, owner = signed
    try:
        request = signing.Request(method, f"http://127.0.0.1:8080{path}", {header: value}, params, body)
        wire = endpoints.sent(endpoints.signer(scheme).sign(request))
    except SigningError:
        return
    if isinstance(scheme, signing.RPC) and wire.path != "/":
        return  # where no RPC is served
    assert endpoints.service(wire).name == owner
    assert_sound(endpoints.answer(wire))
