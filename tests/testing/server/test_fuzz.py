"""Whatever comes in, the fake cloud answers, and never with a 500 of its own."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ramrole_creds.testing import FakeCloud, VirtualClock

if TYPE_CHECKING:
    from collections.abc import Iterator

START = 1_800_000_000.0
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "50"))
ALLOWED = {200, 204, 206, 304, 400, 401, 403, 404, 405, 409, 411, 412, 413, 416, 429, 431, 501}

texts = st.text(st.characters(codec="utf-8"), max_size=30)
header_values = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60)
methods = st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "get", "X"])
paths = st.one_of(
    st.sampled_from(["/", "/latest/api/token", "/latest/meta-data/ram/security-credentials/", "/bucket/key", "//"]),
    st.lists(texts, max_size=5).map(lambda parts: "/" + "/".join(quote(part, safe="") for part in parts)),
    st.lists(texts, max_size=4).map(lambda parts: "/latest/" + "/".join(quote(part) for part in parts)),
)
names = st.sampled_from(
    [
        *["Action", "Version", "Format", "AccessKeyId", "SecurityToken", "Signature", "SignatureMethod"],
        *["SignatureVersion", "SignatureNonce", "Timestamp", "RoleArn", "RoleSessionName", "Policy", "InstanceIds"],
        *["OIDCToken", "OIDCProviderArn", "OSSAccessKeyId", "Expires", "x-oss-signature-version", "x-oss-credential"],
        *[
            "x-oss-date",
            "x-oss-expires",
            "x-oss-signature",
            "X-Amz-Credential",
            "X-Amz-Algorithm",
            "uploads",
            "list-type",
        ],
        *["uploadId", "partNumber", "prefix", "max-keys", "DurationSeconds", "PageSize", "SignatureType"],
        *["uploads", "list-type"],
    ]
)
values = st.one_of(
    texts,
    st.sampled_from(
        [
            *[
                "2015-04-01",
                "2015-05-01",
                "2014-05-26",
                "AssumeRole",
                "AssumeRoleWithOIDC",
                "GetCallerIdentity",
                "JSON",
            ],
            *["AttachInstanceRamRole", "CreateRole", "HMAC-SHA1", "1.0", "2027-01-15T08:00:00Z", "PRIVATEKEY", "LTAIx"],
            *["acs:ram::1234567890123456:role/web", "SHA256withRSA", "OSS4-HMAC-SHA256", "20270115T080000Z", "[]"],
            *["JSON", "XML", "{"],
            *["1800000100", "a.b.c", "1" * 400, "-1", "LTAIx/20270115/cn-hangzhou/oss/aliyun_v4_request"],
        ]
    ),
)
queries = st.lists(st.tuples(names, values), max_size=8).map(
    lambda pairs: "&".join(f"{quote(name)}={quote(value)}" for name, value in pairs)
)
authorizations = st.one_of(
    header_values,
    st.builds(
        "{} {}".format,
        st.sampled_from(
            ["OSS", "acs", "LOG", "MNS", "FC", "ODPS", "AWS", "Basic", "ACS3-HMAC-SHA256", "OSS4-HMAC-SHA256"]
        ),
        header_values,
    ),
    st.builds(
        "{} Credential={}, SignedHeaders={}, Signature={}".format,
        st.sampled_from(["ACS3-HMAC-SHA256", "ACS3-HMAC-SM3", "AWS4-HMAC-SHA256", "SLS4-HMAC-SHA256"]),
        header_values,
        header_values,
        header_values,
    ),
)
headers = st.dictionaries(
    st.sampled_from(
        [
            *["X-aliyun-ecs-metadata-token", "X-aliyun-ecs-metadata-token-ttl-seconds", "X-Forwarded-For", "Date"],
            *["Content-Type", "Content-MD5", "Range", "Expect", "x-acs-version", "x-acs-action", "x-acs-date"],
            *["x-acs-signature-nonce", "x-acs-content-sha256", "x-acs-security-token", "x-oss-date", "x-amz-date"],
            *[
                "x-oss-security-token",
                "x-log-apiversion",
                "x-log-date",
                "x-ots-date",
                "x-ots-accesskeyid",
                "x-mns-version",
            ],
            *["x-ots-signature", "x-ots-signature-v4", "x-fc-date", "Accept", "If-Match"],
            *["x-oss-copy-source", "x-mns-version"],
        ]
    ),
    st.one_of(header_values, st.just("application/x-www-form-urlencoded"), st.just("2015-04-01")),
    max_size=8,
)


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[FakeCloud]:
    with FakeCloud(clock=VirtualClock(START), seed=0, control_key="key") as cloud:
        yield cloud


@settings(max_examples=2 * EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(methods, paths, queries, headers, st.none() | authorizations, st.binary(max_size=200) | queries.map(str.encode))
def test_no_request_is_answered_with_a_500(
    fuzzed: FakeCloud,
    method: str,
    path: str,
    query: str,
    given_headers: dict[str, str],
    authorization: str | None,
    body: bytes,
) -> None:
    lines = [f"{method} {path}{'?' if query else ''}{query} HTTP/1.1", f"Host: 127.0.0.1:{fuzzed.port}"]
    lines += [f"{name}: {value}" for name, value in given_headers.items() if name != "Expect"]
    if authorization is not None:
        lines.append(f"Authorization: {authorization}")
    lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
    answer = exchange(fuzzed, "\r\n".join(lines).encode("latin-1") + body)
    fuzzed.check()
    assert int(answer.split(b" ")[1]) in ALLOWED, answer


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.binary(max_size=300))
def test_bytes_that_are_no_http_end_the_connection(fuzzed: FakeCloud, sent: bytes) -> None:
    answer = exchange(fuzzed, sent + b"\r\n\r\n")
    fuzzed.check()
    assert answer == b"" or int(answer.split(b" ")[1]) in ALLOWED


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.sampled_from(
        [
            *["state", "role/attach", "role/detach", "role/replace", "role/delete", "role/policies", "role/rotate"],
            *["mode", "faults", "items", "quirks", "clock/advance", "endpoint", "reset"],
        ]
    ),
    st.recursive(
        st.none() | st.booleans() | st.integers(0, 5) | texts,
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(st.sampled_from(["name", "where", "what", "mode", "faults", "between", "hours"]), inner)
        ),
        max_leaves=6,
    ),
)
@example("role/attach", {"name": None})
def test_nothing_makes_the_control_api_stumble(path: str, value: object) -> None:
    import json

    from ramrole_creds.testing import WireRequest
    from ramrole_creds.testing.server.control import answer_control

    cloud = FakeCloud(clock=VirtualClock(START), control_key="key")
    method = "GET" if path == "state" else "POST"
    body = json.dumps(value).encode()
    answer = answer_control(cloud, WireRequest(method, f"/_fake/{path}", (("X-Fake-Key", "key"),), body))
    assert answer.status in {200, 400}


def exchange(cloud: FakeCloud, sent: bytes) -> bytes:
    with socket.create_connection((cloud.host, cloud.port), timeout=10) as sock:
        sock.sendall(sent)
        sock.shutdown(socket.SHUT_WR)
        received = b""
        try:
            while data := sock.recv(65536):
                received += data
        except ConnectionResetError:
            pass
        return received
