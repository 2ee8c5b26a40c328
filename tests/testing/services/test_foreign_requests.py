"""Requests as other clients write them: what their service accepts, the fake cloud accepts."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import pytest

from ramrole_creds import signing
from ramrole_creds.testing.server.messages import WireRequest
from ramrole_creds.testing.services.markup import texts

if TYPE_CHECKING:
    from ramrole_creds.testing import FakeCloud
    from ramrole_creds.testing.server.messages import WireResponse
    from tests.testing.services.conftest import Endpoints

V1 = signing.OSSV1()
V4 = signing.OSSV4("cn-hangzhou", "bkt")
S3 = signing.SigV4("cn-hangzhou")
NOON = "Thu, 01 Jan 2026 00:00:00"


def code(response: WireResponse) -> str | None:
    found = re.search("<Code>(.*?)</Code>", response.body.decode())
    return found[1] if found else None


def chain(key: bytes, *steps: str) -> bytes:
    for step in steps:
        key = hmac.digest(key, step.encode(), "sha256")
    return key


def signed_by_go(endpoints: Endpoints, date: str, query: str = "", canonical_query: str = "") -> WireRequest:
    """A request for `/bkt/key` signed with V4 as version 1 of the Go SDK does it: over `Date`, without `x-oss-date`."""
    token = endpoints.key.security_token or ""
    sent = {"x-oss-content-sha256": "UNSIGNED-PAYLOAD", "x-oss-security-token": token}
    lines = "".join(f"{name}:{value}\n" for name, value in sent.items())
    canonical = f"GET\n/bkt/key\n{canonical_query}\n{lines}\n\nUNSIGNED-PAYLOAD"
    scope = "20260101/cn-hangzhou/oss/aliyun_v4_request"
    text = f"OSS4-HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = chain(f"aliyun_v4{endpoints.key.access_key_secret}".encode(), *scope.split("/"))
    signature = hmac.new(key, text.encode(), "sha256").hexdigest()
    claim = f"OSS4-HMAC-SHA256 Credential={endpoints.key.access_key_id}/{scope},Signature={signature}"
    headers = {"Host": "127.0.0.1:8080", "Date": date, "Authorization": claim, **sent}
    return WireRequest("GET", f"/bkt/key{query}", tuple(headers.items()), b"", endpoints.clock.time())


@pytest.mark.parametrize("zone", ["GMT", "UTC", "+0000"])
def test_a_v4_signature_of_oss_may_be_made_over_date(endpoints: Endpoints, zone: str) -> None:
    endpoints.ask(V4, "PUT", "/bkt/key", body=b"x")
    wire = signed_by_go(endpoints, f"{NOON} {zone}")
    assert endpoints.answer(wire).body == b"x"
    assert code(endpoints.answer(replace(wire, at=wire.at + 901))) == "RequestTimeTooSkewed"
    undated = replace(wire, headers=tuple(pair for pair in wire.headers if pair[0] != "Date"))
    assert code(endpoints.answer(undated)) == "InvalidArgument"


@pytest.mark.parametrize(
    ("canonical", "accepted"),
    [("a&tagging", True), ("a=&tagging=", True), ("a=&tagging", True), ("a&tagging=", False), ("a=", False)],
)
def test_ali_oss_signs_an_empty_parameter_of_v4_with_its_equals_sign(
    endpoints: Endpoints, canonical: str, accepted: bool
) -> None:
    endpoints.ask(V4, "PUT", "/bkt/key", body=b"x")
    answer = endpoints.answer(signed_by_go(endpoints, f"{NOON} GMT", "?a=&tagging=", canonical))
    assert (answer.status, code(answer)) == ((200, None) if accepted else (403, "SignatureDoesNotMatch"))


@pytest.mark.parametrize(("zone", "status"), [("GMT", 200), ("UTC", 200), ("+0000", 200), ("+0800", 403)])
def test_dates_in_utc_may_say_so_in_three_ways_to_oss(endpoints: Endpoints, zone: str, status: int) -> None:
    endpoints.ask(V4, "PUT", "/bkt/key", body=b"x")
    token, date = endpoints.key.security_token or "", f"{NOON} {zone}"
    for kind, header in (("OSS", "x-oss-security-token"), ("AWS", "x-amz-security-token")):
        text = f"GET\n\n\n{date}\n{header}:{token}\n/bkt/key"
        signature = base64.b64encode(hmac.digest(endpoints.key.access_key_secret.encode(), text.encode(), "sha1"))
        claim = f"{kind} {endpoints.key.access_key_id}:{signature.decode()}"
        headers = (("Host", "127.0.0.1"), ("Date", date), (header, token), ("Authorization", claim))
        wire = WireRequest("GET", "/bkt/key", headers, b"", endpoints.clock.time())
        assert endpoints.answer(wire).status == status


def test_another_service_takes_gmt_only(endpoints: Endpoints) -> None:
    signed = endpoints.sent(endpoints.signer(signing.MNS()).sign(signing.Request("GET", "http://127.0.0.1/queues")))
    headers = tuple(
        (name, value.replace("GMT", "UTC") if name.lower() == "date" else value) for name, value in signed.headers
    )
    assert code(endpoints.answer(replace(signed, headers=headers))) == "InvalidDateHeader"


def post(cloud: FakeCloud, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(cloud.host, cloud.port, timeout=10)
    try:
        connection.request("POST", "/", body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_an_rpc_call_may_have_all_its_parameters_in_the_body(cloud: FakeCloud) -> None:
    key = cloud.access_key()
    given = {
        "Action": "GetCallerIdentity",
        "Version": "2015-04-01",
        "Format": "JSON",
        "AccessKeyId": key.access_key_id,
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "SignatureNonce": "n-1",
        "Timestamp": "2027-01-15T08:00:00Z",
    }
    query = "&".join(f"{quote(name, safe='~')}={quote(given[name], safe='~')}" for name in sorted(given))
    text = f"POST&%2F&{quote(query, safe='~')}".encode()
    signature = base64.b64encode(hmac.digest(f"{key.access_key_secret}&".encode(), text, "sha1")).decode()
    body = urlencode({**given, "Signature": signature}).encode()
    status, answer = post(cloud, {"Content-Type": "application/x-www-form-urlencoded"}, body)
    assert (status, json.loads(answer)["IdentityType"]) == (200, "RAMUser")


def test_an_upload_form_is_taken_at_the_host_of_its_bucket(cloud: FakeCloud) -> None:
    key = cloud.access_key()
    policy = base64.b64encode(b'{"expiration": "2027-01-15T09:00:00.000Z", "conditions": [{"bucket": "bkt"}]}').decode()
    signature = base64.b64encode(hmac.digest(key.access_key_secret.encode(), policy.encode(), "sha1")).decode()
    fields = {"key": "k", "OSSAccessKeyId": key.access_key_id, "policy": policy, "Signature": signature}
    parts = "".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    )
    file = '--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nx\r\n--b--\r\n'
    headers = {"Host": "bkt.oss-cn-hangzhou.aliyuncs.com", "Content-Type": "multipart/form-data; boundary=b"}
    assert post(cloud, headers, (parts + file).encode())[0] == 204


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("&#34;a&#x22;", '"a"'),
        ("&lt;&gt;&quot;&apos;&amp;", "<>\"'&"),
        ("&amp;lt;", "&lt;"),
        ("&#128512;&#x1F600;", "😀😀"),
        ("&#xD800;&#9999999;", "\ufffd\ufffd"),
        ("&nbsp;&#;&#x;", "&nbsp;&#;&#x;"),
    ],
)
def test_entities_of_xml_are_read_named_and_numeric(written: str, text: str) -> None:
    assert texts(f"<ETag>{written}</ETag>".encode(), "ETag") == [text]


def test_an_upload_is_completed_with_the_quotes_of_a_go_client(endpoints: Endpoints) -> None:
    started = endpoints.ask(V4, "POST", "/bkt/big", params={"uploads": None})
    [upload] = texts(started.body, "UploadId")
    sent = endpoints.ask(V4, "PUT", "/bkt/big", params={"partNumber": 1, "uploadId": upload}, body=b"x")
    etag = (sent.header("etag") or "").replace('"', "&#34;")
    body = f"<X><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></X>".encode()
    assert endpoints.ask(V4, "POST", "/bkt/big", params={"uploadId": upload}, body=body).status == 200


@pytest.mark.parametrize("source", ["/bkt/a+b%2Bc", "/bkt/a%20b%2Bc", "bkt/a+b%2Bc?versionId=1"])
def test_a_plus_in_the_source_of_a_copy_is_a_blank(endpoints: Endpoints, source: str) -> None:
    endpoints.ask(V4, "PUT", "/bkt/a%20b%2Bc", body=b"x")
    assert endpoints.ask(V4, "PUT", "/bkt/copy", {"x-oss-copy-source": source}).status == 200
    [upload] = texts(endpoints.ask(V4, "POST", "/bkt/big", params={"uploads": None}).body, "UploadId")
    part: dict[str, str | int | None] = {"partNumber": 1, "uploadId": upload}
    assert endpoints.ask(V4, "PUT", "/bkt/big", {"x-oss-copy-source": source}, part).status == 200


def test_a_raw_plus_in_the_path_of_an_object_is_a_blank(endpoints: Endpoints) -> None:
    endpoints.ask(V4, "PUT", "/bkt/a%20b", body=b"blank")
    endpoints.ask(V4, "PUT", "/bkt/a%2Bb", body=b"plus")
    wire = endpoints.sent(endpoints.signer(V1).sign(signing.Request("GET", "http://127.0.0.1:8080/bkt/a%20b")))
    assert endpoints.answer(replace(wire, target="/bkt/a+b")).body == b"blank"
    assert endpoints.ask(V1, "GET", "/bkt/a%2Bb").body == b"plus"


def test_an_answer_without_a_body_has_no_content_type(endpoints: Endpoints) -> None:
    posted = endpoints.ask(signing.SLSV4("cn-hangzhou"), "POST", "/logstores/ls/shards/lb", body=b"\0")
    assert (posted.status, posted.body, posted.header("content-type")) == (200, b"", None)


def test_a_job_of_maxcompute_is_found_by_its_location(endpoints: Endpoints) -> None:
    scheme = signing.ODPSV2("http://127.0.0.1:8080/api")
    xml = {"Content-Type": "application/xml"}
    sent = endpoints.ask(scheme, "POST", "/api/projects/p/instances", xml, body=b"<Instance/>")
    location = sent.header("location") or ""
    assert (sent.status, location.startswith("http://127.0.0.1:8080/api/projects/p/instances/fake")) == (201, True)
    path = location.removeprefix("http://127.0.0.1:8080")
    assert texts(endpoints.ask(scheme, "GET", path).body, "Status") == ["Terminated", "Success"]
    status = endpoints.ask(scheme, "GET", path, params={"taskstatus": None})
    assert b'<Task Type="SQL"><Name>AnonymousSQLTask</Name><Status>Success</Status></Task>' in status.body
    assert b'<Result Format="text"></Result>' in endpoints.ask(scheme, "GET", path, params={"result": None}).body


def test_an_acl_is_written_as_each_protocol_writes_it(endpoints: Endpoints) -> None:
    assert b"<Grant>private</Grant>" in endpoints.ask(V4, "GET", "/bkt", params={"acl": None}).body
    grants = endpoints.ask(S3, "GET", "/bkt", params={"acl": None}).body
    assert texts(grants, "Permission") == ["FULL_CONTROL"]
    assert b'xsi:type="CanonicalUser"><ID>1234567890123456</ID>' in grants
    endpoints.ask(V4, "PUT", "/bkt/key", body=b"x")
    assert texts(endpoints.ask(S3, "GET", "/bkt/key", params={"acl": None}).body, "Permission") == ["FULL_CONTROL"]


# The signature covers these, whether the fake cloud does what they ask or not.


@pytest.mark.parametrize("scheme", [V1, signing.OSSV2(), V4], ids=["V1", "V2", "V4"])
@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("GET", {"x-oss-process": "image/resize,w_100"}),
        ("PUT", {"callback": "eyJhIjoxfQ==", "callback-var": "e30="}),
    ],
    ids=["process", "callback"],
)
def test_a_signature_covers_what_is_not_served(
    endpoints: Endpoints, scheme: signing.Scheme, method: str, params: dict[str, str]
) -> None:
    request = signing.Request(method, "http://127.0.0.1:8080/bkt/key", params=params)
    in_header = endpoints.sent(endpoints.signer(scheme).sign(request))
    in_url = endpoints.sent(signing.Request(method, endpoints.signer(scheme).presign(request, 60).url))
    for wire in (in_header, in_url):
        served = endpoints.answer(wire)
        assert (served.status, code(served)) == (501, "NotImplemented")
        name = next(iter(params))
        changed = replace(wire, target=re.sub(rf"{name}=[^&]*", f"{name}=other", wire.target))
        assert code(endpoints.answer(changed)) == "SignatureDoesNotMatch"
    endpoints.policies.clear()
    assert code(endpoints.answer(in_header)) == "AccessDenied"


def test_a_callback_in_a_header_is_not_passed_over(endpoints: Endpoints) -> None:
    asked = endpoints.ask(V4, "PUT", "/bkt/key", {"x-oss-callback": "e30="}, body=b"x")
    assert (asked.status, code(asked)) == (501, "NotImplemented")


@pytest.mark.parametrize("scheme", [V1, V4, S3], ids=["V1", "V4", "S3"])
def test_tags_are_kept(endpoints: Endpoints, scheme: signing.Scheme) -> None:
    prefix = "x-amz-" if scheme is S3 else "x-oss-"
    endpoints.ask(scheme, "PUT", "/bkt/key", {f"{prefix}tagging": "team=dev&a%20b=1"}, body=b"x")
    tagging: dict[str, str | int | None] = {"tagging": None}
    kept = endpoints.ask(scheme, "GET", "/bkt/key", params=tagging).body
    assert (texts(kept, "Key"), texts(kept, "Value")) == (["team", "a b"], ["dev", "1"])
    body = b"<Tagging><TagSet><Tag><Key>c</Key><Value>2</Value></Tag></TagSet></Tagging>"
    assert endpoints.ask(scheme, "PUT", "/bkt/key", params=tagging, body=body).status == 200
    assert texts(endpoints.ask(scheme, "GET", "/bkt/key", params=tagging).body, "Key") == ["c"]
    assert endpoints.ask(scheme, "DELETE", "/bkt/key", params=tagging).status == 204
    assert texts(endpoints.ask(scheme, "GET", "/bkt/key", params=tagging).body, "Key") == []


@pytest.mark.parametrize("scheme", [V1, V4], ids=["V1", "V4"])
def test_a_symbolic_link_leads_to_its_target(endpoints: Endpoints, scheme: signing.Scheme) -> None:
    link: dict[str, str | int | None] = {"symlink": None}
    made = endpoints.ask(scheme, "PUT", "/bkt/link", {"x-oss-symlink-target": "a%2Fb"}, link)
    assert made.status == 200
    assert code(endpoints.ask(scheme, "GET", "/bkt/link")) == "SymlinkTargetNotExist"
    endpoints.ask(scheme, "PUT", "/bkt/a/b", body=b"x")
    assert endpoints.ask(scheme, "GET", "/bkt/link").body == b"x"
    assert endpoints.ask(scheme, "GET", "/bkt/link", params=link).header("x-oss-symlink-target") == "a/b"
    assert code(endpoints.ask(scheme, "GET", "/bkt/a/b", params=link)) == "NotSymlink"


@pytest.mark.parametrize(
    ("method", "digest", "accepted"),
    [("hmac-sha256", "sha256", True), ("hmac-sha1", "sha1", True), ("hmac-sha256", "sha1", False)],
)
def test_the_generated_client_of_sls_names_its_hmac_and_sends_an_empty_digest(
    endpoints: Endpoints, method: str, digest: str, accepted: bool
) -> None:
    """As alibabacloud-sls20201230 does; the hand-written SDK signs with SHA-1 and sends no digest without a body."""
    sent = {
        "x-acs-security-token": endpoints.key.security_token or "",
        "x-log-apiversion": "0.6.0",
        "x-log-bodyrawsize": "0",
        "x-log-signaturemethod": method,
    }
    lines = "".join(f"{name}:{value}\n" for name, value in sent.items())
    text = f"GET\n\napplication/json\n{NOON} GMT\n{lines}/logstores"
    mac = hmac.digest(endpoints.key.access_key_secret.encode(), text.encode(), digest)
    headers = sent | {
        "Host": "project.127.0.0.1:8080",
        "Date": f"{NOON} GMT",
        "Content-Type": "application/json",
        "Content-MD5": "",
        "Authorization": f"LOG {endpoints.key.access_key_id}:{base64.b64encode(mac).decode()}",
    }
    wire = WireRequest("GET", "/logstores", tuple(headers.items()), b"", endpoints.clock.time())
    assert (endpoints.answer(wire).status == 200) == accepted
