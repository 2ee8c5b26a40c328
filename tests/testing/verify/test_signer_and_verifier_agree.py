"""Two implementations of each scheme that share nothing: what the signer signs, the verifier accepts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramrole_creds import signing
from ramrole_creds.credentials import Credentials
from ramrole_creds.testing import verify
from ramrole_creds.testing.account.credential_store import Identity, IssuedCredentials
from ramrole_creds.testing.server.messages import WireRequest
from ramrole_creds.testing.verify import VERIFIERS

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_767_225_600.0
OSS_HOST = "my-bucket.oss-cn-hangzhou.aliyuncs.com"
S3_HOST = "my-bucket.s3.oss-cn-hangzhou.aliyuncs.com"
LOCAL = "127.0.0.1:8080"
ACCESS_POINT = "ap-01-1234567890123456.oss-cn-hangzhou-internal.oss-accesspoint.aliyuncs.com"
PRIVATE_LINK = "ep-abc123.oss.cn-hangzhou.privatelink.aliyuncs.com"


class At:
    """A clock that stands still."""

    def time(self) -> float:
        return NOW

    def monotonic(self) -> float:
        return 0.0


SCHEMES: dict[str, tuple[signing.Scheme, verify.Verifier, str, str]] = {
    "acs3": (signing.ACS3(), VERIFIERS["acs3"], "ecs.cn-hangzhou.aliyuncs.com", ""),
    "acs3-sm3": (signing.ACS3(algorithm="ACS3-HMAC-SM3"), VERIFIERS["acs3"], "ecs.cn-hangzhou.aliyuncs.com", ""),
    "rpc": (signing.RPC(), VERIFIERS["rpc"], "ecs.cn-hangzhou.aliyuncs.com", "/"),
    "roa": (signing.ROA(), VERIFIERS["roa"], "cs.cn-hangzhou.aliyuncs.com", ""),
    "oss v1": (signing.OSSV1(), VERIFIERS["oss_v1"], OSS_HOST, ""),
    "oss v2": (signing.OSSV2(), VERIFIERS["oss_v2"], OSS_HOST, ""),
    "oss v4": (signing.OSSV4("cn-hangzhou"), VERIFIERS["oss_v4"], OSS_HOST, ""),
    "oss v1 by path": (signing.OSSV1(), VERIFIERS["oss_v1"], LOCAL, "/my-bucket/"),
    "oss v4 by path": (signing.OSSV4("cn-hangzhou", "my-bucket"), VERIFIERS["oss_v4"], LOCAL, "/my-bucket/"),
    "sls v1": (signing.SLSV1(), VERIFIERS["sls_v1"], "proj.cn-hangzhou.log.aliyuncs.com", ""),
    "sls v4": (signing.SLSV4("cn-hangzhou"), VERIFIERS["sls_v4"], "proj.cn-hangzhou.log.aliyuncs.com", ""),
    "ots v2": (signing.OTSV2("inst"), VERIFIERS["ots"], "inst.cn-hangzhou.ots.aliyuncs.com", "/GetRow"),
    "ots v4": (
        signing.OTSV4("inst", "cn-hangzhou"),
        VERIFIERS["ots"],
        "inst.cn-hangzhou.ots.aliyuncs.com",
        "/GetRow",
    ),
    "mns": (signing.MNS(), VERIFIERS["mns"], "1.mns.cn-hangzhou.aliyuncs.com", ""),
    "mns v4": (signing.MNSV4("cn-hangzhou"), VERIFIERS["mns_v4"], "1.mns.cn-hangzhou.aliyuncs.com", ""),
    "odps v2": (
        signing.ODPSV2("http://odps.aliyun.com/api"),
        VERIFIERS["odps"],
        "odps.aliyun.com",
        "/api/projects/",
    ),
    "odps v4": (
        signing.ODPSV4("http://odps.aliyun.com/api", "cn-hangzhou"),
        VERIFIERS["odps"],
        "odps.aliyun.com",
        "/api/projects/",
    ),
    "fc": (signing.FCV2(), VERIFIERS["fc"], "1.cn-hangzhou.fc.aliyuncs.com", "/2016-08-15/services/"),
    "fc trigger": (signing.FCV2(), VERIFIERS["fc"], "1.cn-hangzhou.fc.aliyuncs.com", "/2016-08-15/proxy/s/f/"),
    "fc v3 trigger": (signing.FCV3Trigger(), VERIFIERS["fc_trigger"], "f-x.cn-hangzhou.fcapp.run", ""),
    "s3": (signing.SigV4("cn-hangzhou"), VERIFIERS["s3_v4"], S3_HOST, ""),
    "s3 by path": (signing.SigV4("us-east-1"), VERIFIERS["s3_v4"], LOCAL, "/my-bucket/"),
    "s3 v1": (signing.S3V1(), VERIFIERS["s3_hmacv1"], S3_HOST, ""),
    "s3 v1 by path": (signing.S3V1(), VERIFIERS["s3_hmacv1"], LOCAL, "/my-bucket"),
    "oss v1 by access point": (signing.OSSV1(), VERIFIERS["oss_v1"], ACCESS_POINT, ""),
    "oss v4 by access point": (signing.OSSV4("cn-hangzhou"), VERIFIERS["oss_v4"], ACCESS_POINT, ""),
    "oss v4 by PrivateLink": (
        signing.OSSV4("cn-hangzhou", "my-bucket"),
        VERIFIERS["oss_v4"],
        PRIVATE_LINK,
        "/my-bucket/",
    ),
}
PRESIGNED: dict[str, tuple[signing.Scheme, verify.Verifier, str]] = {
    "oss v1": (signing.OSSV1(), VERIFIERS["oss_v1_url"], OSS_HOST),
    "oss v2": (signing.OSSV2(), VERIFIERS["oss_v2_url"], OSS_HOST),
    "oss v4": (signing.OSSV4("cn-hangzhou"), VERIFIERS["oss_v4_url"], OSS_HOST),
    "s3": (signing.SigV4("cn-hangzhou"), VERIFIERS["s3_v4_url"], S3_HOST),
    "s3 v1": (signing.S3V1(), VERIFIERS["s3_hmacv1_url"], S3_HOST),
}

# Everything that can be sent, and some of it more often: what canonical forms are known to disagree on.
text = st.text(max_size=12)
awkward = st.one_of(text, st.sampled_from(["a b", "a+b", "~*'()!", "%2F", "a=b&c", "é", "😀", "", "//", "..", "a,b;c"]))
names = st.one_of(
    text.filter(bool),
    st.sampled_from(
        ["acl", "uploads", "uploadId", "response-content-type", "x-oss-process", "prefix", "A", "a-", "a."]
    ),
)
pairs = st.lists(st.tuples(names, awkward), max_size=5)
ascii_values = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)
headers = st.dictionaries(
    st.sampled_from(
        [
            "x-oss-meta-a",
            "X-Oss-Meta-B",
            "x-acs-extra",
            "x-log-extra",
            "x-log-meta-a",
            "x-mns-extra",
            "x-odps-extra",
            "x-fc-extra",
            "x-ots-traceid",
            "x-amz-meta-a",
            "Content-Type",
            "X-Unsigned",
        ]
    ),
    ascii_values,
    max_size=4,
)
keys = st.sampled_from(
    [
        ("LTAI5tFAKE", "secret", None),
        ("STS.NTFAKE", "other-secret", "CAIS+with/all=chars=="),
    ]
)


def issued(key: tuple[str, str, str | None]) -> IssuedCredentials:
    return IssuedCredentials(*key, issued_at=NOW, expires_at=None, identity=Identity("arn"))


class Book(dict[str, IssuedCredentials]):
    """The one key of an example."""

    def lookup(self, access_key_id: str) -> IssuedCredentials | None:
        return self.get(access_key_id)


def as_sent(request: signing.Request) -> WireRequest:
    """The request as the server reads it off the wire."""
    target = request.path + (f"?{request.query}" if request.query else "")
    sent = {name.lower(): (name, value.encode().decode("latin-1")) for name, value in request.headers}
    sent.setdefault("host", ("Host", request.host))
    body = request.body or b""
    assert isinstance(body, bytes)
    return WireRequest(request.method, target, tuple(sent.values()), body, NOW)


def encoded_path(prefix: str, segments: list[str], encode: Callable[[str], str]) -> str:
    path = "/".join(encode(segment) for segment in segments)
    return prefix + path if prefix else "/" + path


def quote(value: str) -> str:
    return "".join(
        c if c.isascii() and (c.isalnum() or c in "-._~") else "".join(f"%{b:02X}" for b in c.encode()) for c in value
    )


@pytest.mark.parametrize("scheme", SCHEMES)
@settings(max_examples=75, deadline=None)
@given(
    key=keys,
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE"]),
    segments=st.lists(awkward, max_size=3),
    params=pairs,
    given_headers=headers,
    body=st.binary(max_size=30),
)
def test_what_the_signer_signs_the_verifier_accepts(
    scheme: str,
    key: tuple[str, str, str | None],
    method: str,
    segments: list[str],
    params: list[tuple[str, str]],
    given_headers: dict[str, str],
    body: bytes,
) -> None:
    """Any path, any parameters in any order and number, any headers, any body."""
    made, verifier, host, prefix = SCHEMES[scheme]
    path = prefix if prefix in ("/", "/GetRow") else encoded_path(prefix, segments, quote)
    if scheme.startswith("ots"):
        method = "POST"
    if scheme in ("acs3", "acs3-sm3", "rpc"):
        params = list({name: (name, value) for name, value in params}.values())  # a name can stand there once only
    request = signing.Request(method, f"http://{host}{path}", given_headers, params, body or None)
    signer = signing.Signer(Credentials(*key), made, clock=At())
    verdict = verifier(as_sent(signer.sign(request)), Book({key[0]: issued(key)}), NOW, verify.NonceMemory())
    assert isinstance(verdict, verify.Accepted), verdict


@pytest.mark.parametrize("scheme", PRESIGNED)
@settings(max_examples=75, deadline=None)
@given(key=keys, segments=st.lists(awkward, min_size=1, max_size=3), params=pairs, life=st.integers(1, 604_800))
def test_what_the_signer_presigns_the_verifier_accepts(
    scheme: str, key: tuple[str, str, str | None], segments: list[str], params: list[tuple[str, str]], life: int
) -> None:
    """Until the very last second, and not after it."""
    made, verifier, host = PRESIGNED[scheme]
    request = signing.Request("GET", f"http://{host}{encoded_path('', segments, quote)}", (), params)
    presigned = signing.Signer(Credentials(*key), made, clock=At()).presign(request, life)
    sent = as_sent(signing.Request("GET", presigned.url, presigned.headers))
    book = Book({key[0]: issued(key)})
    assert isinstance(verifier(sent, book, NOW + life, verify.NonceMemory()), verify.Accepted)
    late = verifier(sent, book, NOW + life + 1, verify.NonceMemory())
    assert isinstance(late, verify.Rejected)
    assert late.message == "Request has expired."


@pytest.mark.parametrize("scheme", ["oss v1", "oss v2", "oss v4", "s3", "s3 v1"])
def test_a_plus_in_the_path_of_an_object_is_accepted(scheme: str) -> None:
    """The service reads `+` as a blank, so the signer sends `%2B`."""
    made, verifier, host, _ = SCHEMES[scheme]
    signed = signing.Signer(Credentials("LTAI5tFAKE", "secret"), made, clock=At()).sign(
        signing.Request("PUT", f"http://{host}/a+b/c%20d")
    )
    assert signed.path == "/a%2Bb/c%20d"
    book = Book({"LTAI5tFAKE": issued(("LTAI5tFAKE", "secret", None))})
    assert isinstance(verifier(as_sent(signed), book, NOW, verify.NonceMemory()), verify.Accepted)


def test_a_client_that_sends_blanks_as_plus_is_accepted() -> None:
    """The Ruby SDK does, and signs the blank."""
    signed = signing.Signer(Credentials("LTAI5tFAKE", "secret"), signing.OSSV1(), clock=At()).sign(
        signing.Request("GET", f"http://{OSS_HOST}/a%20b")
    )
    book = Book({"LTAI5tFAKE": issued(("LTAI5tFAKE", "secret", None))})
    sent = as_sent(signed.with_path("/a+b"))
    assert isinstance(VERIFIERS["oss_v1"](sent, book, NOW, verify.NonceMemory()), verify.Accepted)


@pytest.mark.parametrize("body", [b"Name=form&Other=1", b"", None], ids=["form", "empty", "none"])
def test_an_rpc_form_is_accepted_with_a_name_in_query_and_form(body: bytes | None) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    request = signing.Request("POST", "http://ecs.aliyuncs.com/?Action=A&Version=V&Name=query", form, body=body)
    key = ("STS.NTFAKE", "other-secret", "CAIS+with/all=chars==")
    signed = signing.Signer(Credentials(*key), signing.RPC(), clock=At()).sign(request)
    verdict = VERIFIERS["rpc"](as_sent(signed), Book({key[0]: issued(key)}), NOW, verify.NonceMemory())
    assert isinstance(verdict, verify.Accepted), verdict
