"""Object storage: what was put can be got, listed, copied and deleted, through both protocols, by whoever may."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import signing

if TYPE_CHECKING:
    from ramrole_creds.testing.server.messages import WireResponse
    from tests.testing.services.conftest import Endpoints

V1 = signing.OSSV1()
V2 = signing.OSSV2()
V4 = signing.OSSV4("cn-hangzhou", "bkt")
S3 = signing.SigV4("cn-hangzhou")
every_protocol = pytest.mark.parametrize("scheme", [V1, V2, V4, S3], ids=["V1", "V2", "V4", "S3"])


def field(response: WireResponse, name: str) -> str | None:
    found = re.search(f"<{name}>(.*?)</{name}>", response.body.decode(), re.DOTALL)
    return found[1] if found else None


def fields(response: WireResponse, name: str) -> list[str]:
    return re.findall(f"<{name}>(.*?)</{name}>", response.body.decode(), re.DOTALL)


def put(endpoints: Endpoints, key: str, body: bytes = b"x") -> None:
    assert endpoints.ask(V4, "PUT", f"/bkt/{key}", body=body).status == 200


@every_protocol
def test_what_was_put_is_got_with_its_headers(endpoints: Endpoints, scheme: signing.Scheme) -> None:
    prefix = "x-amz-" if scheme is S3 else "x-oss-"
    sent = {"Content-Type": "text/plain", f"{prefix}meta-colour": "blue", "Cache-Control": "no-cache"}
    assert endpoints.ask(scheme, "PUT", "/bkt/a%20b/%E6%9D%AD", sent, body=b"hello").status == 200
    got = endpoints.ask(scheme, "GET", "/bkt/a%20b/%E6%9D%AD")
    assert (got.status, got.body) == (200, b"hello")
    assert got.header("content-type") == "text/plain"
    assert got.header(f"{prefix}meta-colour") == "blue"
    assert got.header("cache-control") == "no-cache"
    assert got.header("etag") == '"5D41402ABC4B2A76B9719D911017C592"'
    head = endpoints.ask(scheme, "HEAD", "/bkt/a%20b/%E6%9D%AD")
    assert len(head.body) == 5, "the server takes the length of the answer to HEAD from its body"


def test_both_protocols_serve_the_same_buckets(endpoints: Endpoints) -> None:
    assert endpoints.ask(S3, "PUT", "/bkt/key", {"x-amz-meta-a": "1"}, body=b"by s3").status == 200
    got = endpoints.ask(V4, "GET", "/bkt/key")
    assert (got.body, got.header("x-oss-meta-a")) == (b"by s3", "1")


@every_protocol
def test_a_wrong_secret_is_answered_with_the_error_of_the_service(endpoints: Endpoints, scheme: signing.Scheme) -> None:
    wrong = replace(endpoints.key, access_key_secret="9kFAKESECRETwrong")
    refused = endpoints.ask(scheme, "GET", "/bkt/key", key=wrong)
    assert refused.status == 403
    assert refused.header("content-type") == "application/xml"
    assert field(refused, "Code") == "SignatureDoesNotMatch"
    assert field(refused, "SignatureProvided")
    assert field(refused, "StringToSign")
    assert field(refused, "EC") == "0002-00000040"
    assert field(refused, "HostId") == "127.0.0.1:8080"
    assert field(refused, "RequestId")
    assert field(refused, "AWSAccessKeyId" if scheme is S3 else "OSSAccessKeyId") == endpoints.key.access_key_id


@every_protocol
def test_a_token_that_has_ended_is_refused(endpoints: Endpoints, scheme: signing.Scheme) -> None:
    endpoints.clock.advance(hours=1)
    refused = endpoints.ask(scheme, "GET", "/bkt/key")
    assert (refused.status, field(refused, "Code")) == (403, "SecurityTokenExpired")


@every_protocol
def test_a_change_of_policy_takes_effect_on_credentials_already_issued(
    endpoints: Endpoints, scheme: signing.Scheme
) -> None:
    put(endpoints, "key")
    endpoints.deny("oss:GetObject")
    refused = endpoints.ask(scheme, "GET", "/bkt/key")
    assert (refused.status, field(refused, "Code"), field(refused, "AuthAction")) == (
        403,
        "AccessDenied",
        "oss:GetObject",
    )
    assert endpoints.ask(scheme, "PUT", "/bkt/other", body=b"1").status == 200


def test_a_policy_can_name_one_object(endpoints: Endpoints) -> None:
    put(endpoints, "a/key")
    put(endpoints, "b/key")
    statement = {"Effect": "Allow", "Action": "oss:*", "Resource": ["acs:oss:*:*:bkt/a/*"]}
    endpoints.policies[:] = [{"Version": "1", "Statement": [statement]}]
    assert endpoints.ask(V4, "GET", "/bkt/a/key").status == 200
    assert endpoints.ask(V4, "GET", "/bkt/b/key").status == 403


def test_an_unsigned_request_is_denied(endpoints: Endpoints) -> None:
    put(endpoints, "key")
    refused = endpoints.answer(endpoints.sent(signing.Request("GET", "http://127.0.0.1:8080/bkt/key")))
    assert (refused.status, field(refused, "Code")) == (403, "AccessDenied")


def test_a_refused_head_says_why_in_a_header(endpoints: Endpoints) -> None:
    refused = endpoints.ask(V4, "HEAD", "/bkt/none")
    assert refused.status == 404
    assert b"<Code>NoSuchKey</Code>" in base64.b64decode(refused.header("x-oss-err") or "")


@every_protocol
def test_ranges_are_served(endpoints: Endpoints, scheme: signing.Scheme) -> None:
    put(endpoints, "key", b"0123456789")
    for asked, content, where in (
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=8-99", b"89", "bytes 8-9/10"),
    ):
        got = endpoints.ask(scheme, "GET", "/bkt/key", {"Range": asked})
        assert (got.status, got.body, got.header("content-range")) == (206, content, where)
    beyond = endpoints.ask(scheme, "GET", "/bkt/key", {"Range": "bytes=20-"})
    assert beyond.status == (416 if scheme is S3 else 200)


def test_a_presigned_url_serves_whoever_has_it_until_it_ends(endpoints: Endpoints) -> None:
    put(endpoints, "key", b"shared")
    for scheme in (V1, V2, V4, S3):
        request = signing.Request("GET", "http://127.0.0.1:8080/bkt/key", params={"response-content-type": "text/css"})
        presigned = endpoints.signer(scheme).presign(request, 60)
        wire = endpoints.sent(signing.Request("GET", presigned.url))
        got = endpoints.answer(wire)
        assert (got.status, got.body, got.header("content-type")) == (200, b"shared", "text/css")
        late = endpoints.answer(replace(wire, at=wire.at + 61))
        assert (late.status, field(late, "Message")) == (403, "Request has expired.")
        assert field(late, "Expires") == "2026-01-01T00:01:00.000Z"
        assert field(late, "ServerTime") == "2026-01-01T00:01:01.000Z"


def test_conditions_are_held(endpoints: Endpoints) -> None:
    put(endpoints, "key", b"hello")
    etag = '"5D41402ABC4B2A76B9719D911017C592"'
    assert endpoints.ask(V4, "GET", "/bkt/key", {"If-None-Match": etag}).status == 304
    assert endpoints.ask(V4, "GET", "/bkt/key", {"If-Match": etag}).status == 200
    assert field(endpoints.ask(V4, "GET", "/bkt/key", {"If-Match": '"other"'}), "Code") == "PreconditionFailed"
    assert endpoints.ask(V4, "GET", "/bkt/key", {"If-Modified-Since": "Thu, 01 Jan 2026 00:00:00 GMT"}).status == 304
    exists = endpoints.ask(V4, "PUT", "/bkt/key", {"x-oss-forbid-overwrite": "true"}, body=b"2")
    assert (exists.status, field(exists, "Code")) == (409, "FileAlreadyExists")


def test_a_wrong_digest_is_refused_and_changes_nothing(endpoints: Endpoints) -> None:
    right = base64.b64encode(hashlib.md5(b"one").digest()).decode()
    assert endpoints.ask(V4, "PUT", "/bkt/key", {"Content-MD5": right}, body=b"one").status == 200
    refused = endpoints.ask(V4, "PUT", "/bkt/key", {"Content-MD5": right}, body=b"two")
    assert (refused.status, field(refused, "Code")) == (400, "InvalidDigest")
    assert endpoints.ask(V4, "GET", "/bkt/key").body == b"one"


def test_listings_come_in_pages(endpoints: Endpoints) -> None:
    keys = ["a/1", "a/2", "b", "c&d", "杭"]
    for key in keys:
        put(endpoints, signing.Request("GET", f"http://h/{key}").path[1:])
    seen: list[str] = []
    token: dict[str, str | int | None] = {}
    while True:
        page = endpoints.ask(V4, "GET", "/bkt", params={"list-type": 2, "max-keys": 2, **token})
        seen += fields(page, "Key")
        if field(page, "IsTruncated") == "false":
            break
        assert field(page, "KeyCount") == "2"
        token = {"continuation-token": field(page, "NextContinuationToken")}
    assert seen == ["a/1", "a/2", "b", "c&amp;d", "杭"]
    first = endpoints.ask(V1, "GET", "/bkt/", params={"max-keys": 1, "delimiter": "/"})
    assert (fields(first, "Key"), field(first, "NextMarker"), field(first, "IsTruncated")) == ([], "a/", "true")
    second = endpoints.ask(V1, "GET", "/bkt/", params={"marker": "a/", "delimiter": "/", "encoding-type": "url"})
    assert fields(second, "Key") == ["b", "c%26d", "%E6%9D%AD"]
    assert fields(endpoints.ask(V4, "GET", "/bkt", params={"prefix": "a/"}), "Key") == ["a/1", "a/2"]
    assert field(endpoints.ask(V4, "GET", "/bkt", params={"max-keys": 1001}), "Code") == "InvalidArgument"


def test_buckets_come_with_their_first_use_and_go_when_deleted(endpoints: Endpoints) -> None:
    put(endpoints, "key")
    assert fields(endpoints.ask(signing.OSSV4("cn-hangzhou"), "GET", "/"), "Name") == ["bkt"]
    full = endpoints.ask(V4, "DELETE", "/bkt")
    assert (full.status, field(full, "Code")) == (409, "BucketNotEmpty")
    assert endpoints.ask(V4, "DELETE", "/bkt/key").status == 204
    assert endpoints.ask(V4, "DELETE", "/bkt").status == 204
    gone = endpoints.ask(V4, "PUT", "/bkt/key", body=b"1")
    assert (gone.status, field(gone, "Code")) == (404, "NoSuchBucket")
    assert endpoints.ask(V4, "PUT", "/bkt").status == 200
    put(endpoints, "key")


def test_a_multipart_upload_is_put_together(endpoints: Endpoints) -> None:
    started = endpoints.ask(V4, "POST", "/bkt/big", {"x-oss-meta-a": "1"}, {"uploads": None})
    upload = field(started, "UploadId")
    etags = []
    for number, part in ((1, b"one "), (2, b"two")):
        sent = endpoints.ask(V4, "PUT", "/bkt/big", params={"partNumber": number, "uploadId": upload}, body=part)
        etags.append(sent.header("etag"))
    assert fields(endpoints.ask(V4, "GET", "/bkt/big", params={"uploadId": upload}), "PartNumber") == ["1", "2"]
    entries = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>" for number, etag in enumerate(etags, 1)
    )
    wrong = entries.replace(str(etags[0]), '"0"')
    for body, code in ((wrong, "InvalidPart"), ("", "MalformedXML"), (entries + entries, "InvalidPartOrder")):
        asked = f"<CompleteMultipartUpload>{body}</CompleteMultipartUpload>".encode()
        assert field(endpoints.ask(V4, "POST", "/bkt/big", params={"uploadId": upload}, body=asked), "Code") == code
    asked = f"<CompleteMultipartUpload>{entries}</CompleteMultipartUpload>".encode()
    done = endpoints.ask(V4, "POST", "/bkt/big", params={"uploadId": upload}, body=asked)
    assert re.fullmatch(r'"[0-9A-F]{32}-2"', field(done, "ETag") or "")
    got = endpoints.ask(V4, "GET", "/bkt/big")
    assert (got.body, got.header("x-oss-meta-a")) == (b"one two", "1")
    assert field(endpoints.ask(V4, "DELETE", "/bkt/big", params={"uploadId": upload}), "Code") == "NoSuchUpload"


def test_objects_are_copied_appended_and_deleted_together(endpoints: Endpoints) -> None:
    put(endpoints, "one", b"1")
    assert endpoints.ask(V4, "PUT", "/bkt/two", {"x-oss-copy-source": "/bkt/one"}).status == 200
    assert endpoints.ask(V4, "GET", "/bkt/two").body == b"1"
    for position, body in ((0, b"ab"), (2, b"cd")):
        grown = endpoints.ask(V4, "POST", "/bkt/log", params={"append": None, "position": position}, body=body)
        assert grown.header("x-oss-next-append-position") == str(position + 2)
    refused = endpoints.ask(V4, "POST", "/bkt/log", params={"append": None, "position": 1}, body=b"x")
    assert field(refused, "Code") == "PositionNotEqualToLength"
    asked = b"<Delete><Object><Key>one</Key></Object><Object><Key>log</Key></Object></Delete>"
    assert fields(endpoints.ask(V4, "POST", "/bkt", params={"delete": None}, body=asked), "Key") == ["one", "log"]
    assert fields(endpoints.ask(V4, "GET", "/bkt"), "Key") == ["two"]


def test_an_operation_that_is_not_served_is_answered_501(endpoints: Endpoints) -> None:
    refused = endpoints.ask(V4, "GET", "/bkt", params={"lifecycle": None})
    assert (refused.status, field(refused, "Code")) == (501, "NotImplemented")


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("PUT", "/bkt/key", "acl"),
        ("PUT", "/bkt/key", "objectMeta"),
        ("PUT", "/bkt/key", "uploads"),
        ("DELETE", "/bkt/key", "acl"),
        ("DELETE", "/bkt/key", "symlink"),
        ("GET", "/bkt/key", "append"),
        ("PUT", "/bkt", "location"),
        ("DELETE", "/bkt", "acl"),
        ("GET", "/bkt", "delete"),
    ],
)
def test_a_sub_resource_that_a_method_does_not_have_changes_nothing(
    endpoints: Endpoints, method: str, path: str, name: str
) -> None:
    put(endpoints, "key", b"kept")
    refused = endpoints.ask(V4, method, path, params={name: None}, body=b"" if method == "PUT" else None)
    assert (refused.status, field(refused, "Code")) == (501, "NotImplemented")
    assert endpoints.ask(V4, "GET", "/bkt/key").body == b"kept"


def test_the_acl_of_an_object_is_judged_by_its_own_action(endpoints: Endpoints) -> None:
    endpoints.deny("oss:PutObjectAcl")
    assert endpoints.ask(V4, "PUT", "/bkt/key", params={"acl": None}).status == 403


# Upload forms.


def post(
    endpoints: Endpoints, form: dict[str, str], file: bytes = b"content", host: str = "bkt.localhost:8080"
) -> WireResponse:
    parts = [f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in form.items()]
    disposition = 'Content-Disposition: form-data; name="file"; filename="cat.png"\r\nContent-Type: image/png'
    body = "".join(parts).encode() + f"--b\r\n{disposition}\r\n\r\n".encode() + file + b"\r\n--b--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    return endpoints.answer(endpoints.sent(signing.Request("POST", f"http://{host}/", headers, body=body)))


def policy(*conditions: object, expiration: str = "2026-01-01T01:00:00.000Z") -> dict[str, object]:
    return {"expiration": expiration, "conditions": [{"bucket": "bkt"}, *conditions]}


@pytest.mark.parametrize("scheme", [V1, V4], ids=["V1", "V4"])
def test_an_upload_form_stores_its_file(endpoints: Endpoints, scheme: signing.Scheme) -> None:
    signed = endpoints.signer(scheme).post_form(policy(["starts-with", "$key", "up/"], ["content-length-range", 1, 10]))
    form = {**signed, "key": "up/${filename}", "success_action_status": "201", "x-oss-meta-a": "1"}
    stored = post(endpoints, form)
    assert (stored.status, field(stored, "Key")) == (201, "up/cat.png")
    got = endpoints.ask(V4, "GET", "/bkt/up/cat.png")
    assert (got.body, got.header("content-type"), got.header("x-oss-meta-a")) == (b"content", "image/png", "1")
    assert post(endpoints, {**form, "success_action_status": "204"}).status == 204
    # the same form posted to the bucket's path
    assert endpoints.answer(endpoints.sent(signing.Request("GET", "http://127.0.0.1:8080/bkt/up"))).status == 403


@pytest.mark.parametrize("scheme", [V1, V4], ids=["V1", "V4"])
def test_an_upload_form_is_held_to_its_policy(endpoints: Endpoints, scheme: signing.Scheme) -> None:
    def refusal(signed: dict[str, str], file: bytes = b"content", host: str = "bkt.localhost:8080") -> str | None:
        response = post(endpoints, {**signed, "key": "up/cat"}, file, host)
        assert response.status in (400, 403)
        return field(response, "Code")

    form = endpoints.signer(scheme).post_form
    assert refusal(form(policy(["starts-with", "$key", "other/"]))) == "AccessDenied"
    assert refusal(form(policy(["eq", "$key", "up/dog"]))) == "AccessDenied"
    assert refusal(form(policy(["in", "$content-type", ["image/gif"]]))) == "AccessDenied"
    assert refusal(form(policy(["not-in", "$key", ["up/cat"]]))) == "AccessDenied"
    assert refusal(form(policy()), host="other.localhost:8080") == "AccessDenied"
    assert refusal(form(policy(["content-length-range", 0, 3]))) == "EntityTooLarge"
    assert refusal(form(policy(["content-length-range", 30, 60]))) == "EntityTooSmall"
    assert refusal(form(json.dumps(policy(expiration="2025-12-31T00:00:00.000Z")))) == "AccessDenied"
    assert refusal({**form(policy()), "policy": base64.b64encode(b"{}").decode()}) == "SignatureDoesNotMatch"


def test_a_form_without_a_signature_or_without_a_file_is_refused(endpoints: Endpoints) -> None:
    assert field(post(endpoints, {"key": "a"}), "Code") == "AccessDenied"
    assert field(post(endpoints, {"key": "a", "policy": "e30="}), "Code") == "AccessDenied"
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    empty = signing.Request("POST", "http://bkt.localhost/", headers, body=b"--b--\r\n")
    assert field(endpoints.answer(endpoints.sent(empty)), "Code") == "MalformedPOSTRequest"
