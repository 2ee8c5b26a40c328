"""The bucket that OSS signs is found in every way of addressing, or missed before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest

from ramrole_creds import signing
from ramrole_creds.credentials import Credentials
from ramrole_creds.errors import SigningError
from ramrole_creds.signing import Request, Signer

KEYS = Credentials("id", "key")
PRIVATE_LINK = "ep-bp1a.oss.cn-hangzhou.privatelink.aliyuncs.com"


def resource(host: str, path: str, bucket: str | None = None, addressing: Any = None) -> str:
    scheme = signing.OSSV1(bucket, addressing=addressing)
    signed = Signer(KEYS, scheme).sign(Request("GET", f"http://{host}{path}"))
    return scheme.string_to_sign(signed).split("\n")[-1]


@pytest.mark.parametrize(
    "endpoint",
    [
        "oss-cn-hangzhou",
        "oss-cn-hangzhou-internal",
        "oss-accelerate",
        "oss-accelerate-overseas",
        "oss-cn-hzfinance",
        "oss-cn-shanghai-finance-1-pub-internal",
        "oss-cn-north-2-gov-1-internal",
        "vpc100-oss-cn-hangzhou",
        "oss",
        "oss-internal",
        "cn-hangzhou.oss",
        "cn-hangzhou-internal.oss",
        "s3.oss-cn-hangzhou",
        "s3.oss-cn-hangzhou-internal",
        "cb-x1y2.cn-hangzhou.oss-cloudbox",
        "cn-hangzhou-j-internal.oss-data-acc",
        "oss-cache-cn-beijing-h",
        "s3.oss-accelerate",
        "oss-cn-hangzhou.oss-accesspoint",
        "oss-cn-hangzhou-internal.oss-accesspoint",
        "oss-cn-hangzhou-internal.oss-object-process",
    ],
)
def test_every_host_of_the_service_is_known(endpoint: str) -> None:
    host = f"{endpoint}.aliyuncs.com"
    assert resource(host, "/") == "/"
    assert resource(f"my-bucket.{host}", "/k") == "/my-bucket/k"
    assert resource(f"my-bucket.{host}:80", "/", "my-bucket") == "/my-bucket/"
    assert resource(f"oss-like.{host}", "/k") == "/oss-like/k"


@pytest.mark.parametrize(
    "host", [PRIVATE_LINK, "127.0.0.1:8080", "[::1]:8080", "localhost", "oss.test", "minio.internal"]
)
@pytest.mark.parametrize("bucket", [None, "bkt"])
def test_private_link_and_local_hosts_have_the_bucket_in_the_path(host: str, bucket: str | None) -> None:
    assert resource(host, "/bkt/k", bucket) == "/bkt/k"
    assert resource(host, "/bkt/bkt/k", bucket) == "/bkt/bkt/k"
    assert resource(host, "/bkt", bucket) == "/bkt/"


@pytest.mark.parametrize(
    ("path", "signed"), [("/k", "/bkt/k"), ("/bkt/k", "/bkt/bkt/k"), ("/", "/bkt/")], ids=["key", "same name", "root"]
)
def test_a_custom_domain_needs_the_name_of_its_bucket(path: str, signed: str) -> None:
    assert resource("img.example.com", path, "bkt") == signed
    assert resource("img.example.com", path, "bkt", "cname") == signed


@pytest.mark.parametrize("host", ["bkt.cn-hangzhou.oss-dls", "bkt-1.cn-hangzhou.oss-vectors", "cn-hangzhou.oss-dls"])
def test_a_host_of_another_protocol_of_oss_is_not_read_as_a_bucket(host: str) -> None:
    with pytest.raises(SigningError, match="does not name a bucket"):
        resource(f"{host}.aliyuncs.com", "/k")


def test_a_dot_at_the_end_of_a_host_changes_nothing() -> None:
    assert resource("bkt.oss-cn-hangzhou.aliyuncs.com.", "/k") == "/bkt/k"


SCHEMES: list[signing.Scheme] = [signing.OSSV1(), signing.OSSV2(), signing.OSSV4("cn-hangzhou"), signing.S3V1()]


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
def test_a_custom_domain_without_a_bucket_is_refused_before_it_is_sent(scheme: signing.Scheme) -> None:
    signer = Signer(KEYS, scheme)
    with pytest.raises(SigningError, match="bucket="):
        signer.sign(Request("GET", "https://img.example.com/k"))
    with pytest.raises(SigningError, match="bucket="):
        signer.presign(Request("GET", "https://img.example.com/k"), 60)


def test_the_way_of_addressing_can_be_given() -> None:
    assert resource("store.example.com", "/bkt/k", None, "path") == "/bkt/k"
    assert resource("bkt.store.example.com", "/k", None, "virtual") == "/bkt/k"
    assert resource("bkt.store.example.com", "/k", "bkt", "virtual") == "/bkt/k"
    assert resource("bkt.store.example.com", "/k", "bkt") == "/bkt/k"
    assert resource("my-bucket.oss-cn-hangzhou.aliyuncs.com", "/k", "other", "cname") == "/other/k"


def test_a_host_that_names_another_bucket_is_refused() -> None:
    with pytest.raises(SigningError, match=r"names the bucket 'one', and bucket= names 'two'"):
        resource("one.oss-cn-hangzhou.aliyuncs.com", "/k", "two")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"bucket": "Not A Bucket"}, "not a valid name of a bucket"),
        ({"addressing": "host"}, "must be one of 'path', 'virtual', 'cname'"),
        ({"addressing": "cname"}, "needs bucket="),
    ],
    ids=["name", "word", "cname"],
)
def test_impossible_arguments_are_refused_when_the_scheme_is_made(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(SigningError, match=said):
        signing.OSSV1(**arguments)
    with pytest.raises(SigningError, match=said):
        signing.OSSV4("cn-hangzhou", **arguments)


def test_version_4_signs_the_same_resource() -> None:
    scheme = signing.OSSV4("cn-hangzhou", "bkt")
    signed = Signer(KEYS, scheme).sign(Request("GET", f"http://{PRIVATE_LINK}/bkt/a b"))
    assert scheme.canonical_request(signed).split("\n")[1] == "/bkt/a%20b"


@pytest.mark.parametrize(
    ("url", "signed"),
    [
        ("http://127.0.0.1/bkt?acl", "/bkt?acl"),
        ("http://127.0.0.1/bkt/?acl=", "/bkt/?acl="),
        ("http://127.0.0.1/bkt/a%20b", "/bkt/a%20b"),
        ("http://bkt.s3.oss-cn-hangzhou.aliyuncs.com/?object-lock", "/bkt/?object-lock"),
    ],
)
def test_the_older_s3_signature_signs_the_path_as_it_is_sent(url: str, signed: str) -> None:
    scheme = signing.S3V1()
    request = Signer(KEYS, scheme).sign(Request("GET", url))
    assert request.url == url
    assert scheme.string_to_sign(request).split("\n")[-1] == signed


def test_headers_that_a_proxy_changes_are_not_signed_for_s3() -> None:
    changed = ["Connection", "Keep-Alive", "Proxy-Authorization", "Proxy-Authenticate", "TE", "Trailer", "Upgrade"]
    changed += ["Transfer-Encoding", "User-Agent", "Expect", "X-Amzn-Trace-Id"]
    headers = {**dict.fromkeys(changed, "x"), "X-Kept": "1"}
    signed = Signer(KEYS, signing.SigV4("r")).sign(Request("GET", "http://127.0.0.1/", headers))
    listed = str(signed.header("authorization")).partition("SignedHeaders=")[2].partition(",")[0].split(";")
    assert listed == ["host", "x-amz-content-sha256", "x-amz-date", "x-kept"]
