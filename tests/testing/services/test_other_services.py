"""Logs, tables, messages, MaxCompute, functions, DataHub: each verifies, and answers as its client needs."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import signing
from ramrole_creds.testing.server.messages import WireRequest
from ramrole_creds.testing.services import SlsService

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.testing.server.messages import WireResponse
    from tests.testing.services.conftest import Bench

SLS = signing.SLSV4("cn-hangzhou")
OTS = signing.OTSV2("inst")
MNS = signing.MNS()
ODPS = signing.ODPSV2("http://127.0.0.1:8080/api")
FC = signing.FCV2()

CALLS: dict[str, tuple[signing.Scheme, str, str]] = {
    "sls v1": (signing.SLSV1(), "GET", "/logstores"),
    "sls v4": (SLS, "GET", "/logstores"),
    "ots v2": (OTS, "POST", "/ListTable"),
    "ots v4": (signing.OTSV4("inst", "cn-hangzhou"), "POST", "/ListTable"),
    "mns": (MNS, "GET", "/queues"),
    "odps v2": (ODPS, "GET", "/api/projects/p/tables"),
    "odps v4": (signing.ODPSV4("http://127.0.0.1:8080/api", "cn-hangzhou"), "GET", "/api/projects/p/tables"),
    "fc": (FC, "GET", "/2016-08-15/services"),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=list(CALLS))


def error_code(response: WireResponse) -> str:
    """The code in whatever document a service writes its errors."""
    text = response.body.decode("utf-8", "replace")
    if text.startswith("{"):
        document = json.loads(text)
        return str(document.get("errorCode") or document.get("ErrorCode"))
    found = re.search("<Code>(.*?)</Code>", text) or re.match("\n.(OTS[A-Za-z]+)\x12", text, re.DOTALL)
    assert found is not None, text
    return found[1]


@every_call
def test_a_signed_call_is_answered(bench: Bench, call: tuple[signing.Scheme, str, str]) -> None:
    assert bench.ask(*call).status == 200


@every_call
def test_a_long_term_key_needs_no_token(bench: Bench, call: tuple[signing.Scheme, str, str]) -> None:
    assert bench.ask(*call, key=bench.issue(lifetime=None)).status == 200


@every_call
def test_a_wrong_secret_is_refused_in_the_service_s_own_words(
    bench: Bench, call: tuple[signing.Scheme, str, str]
) -> None:
    response = bench.ask(*call, key=replace(bench.key, access_key_secret="9kFAKESECRETwrong"))
    codes = {"SignatureNotMatch", "OTSAuthFailed", "SignatureDoesNotMatch", "ODPS-0410042"}
    assert response.status in (401, 403)
    assert error_code(response) in codes


@every_call
def test_a_revoked_key_is_refused(bench: Bench, call: tuple[signing.Scheme, str, str]) -> None:
    bench.issuer.revoke(bench.key.access_key_id)
    response = bench.ask(*call)
    assert response.status in (401, 403)
    codes = {"Unauthorized", "OTSAuthFailed", "InvalidAccessKeyId", "ODPS-0410051", "InvalidAccessKeyID"}
    assert error_code(response) in codes


@every_call
def test_a_role_without_permissions_is_refused(bench: Bench, call: tuple[signing.Scheme, str, str]) -> None:
    bench.policies.clear()
    response = bench.ask(*call)
    assert response.status in (401, 403)
    codes = {"Unauthorized", "OTSNoPermissionAccess", "AccessDenied", "ODPS-0420095"}
    assert error_code(response) in codes


@pytest.mark.parametrize(
    ("headers", "path", "code"),
    [
        ({"x-log-apiversion": "0.6.0"}, "/logstores", "InvalidAccessKeyId"),
        ({"x-ots-date": "2026-01-01T00:00:00.000Z"}, "/ListTable", "OTSParameterInvalid"),
        ({"x-mns-version": "2015-06-06"}, "/queues", "InvalidAuthorizationHeader"),
        ({}, "/api/projects/p", "ODPS-0410001"),
        ({}, "/2016-08-15/services", "MissingRequiredHeader"),
        ({"x-datahub-client-version": "1.1"}, "/projects", "Unauthorized"),
        ({"x-oss-meta-a": "1"}, "/bkt/key", "AccessDenied"),
        ({"x-amz-meta-a": "1"}, "/bkt/key", "AccessDenied"),
    ],
)
def test_an_unsigned_request_gets_the_error_of_the_service_it_looks_like(
    bench: Bench, headers: dict[str, str], path: str, code: str
) -> None:
    response = bench.answer(bench.sent(signing.Request("POST", f"http://127.0.0.1:8080{path}", headers)))
    assert response.status >= 400
    assert error_code(response) == code


def test_logs_that_were_put_are_kept_for_the_test_to_look_at(bench: Bench) -> None:
    made = json.dumps({"logstoreName": "ls"}).encode()
    kind = {"Content-Type": "application/json"}
    host = "proj.127.0.0.1:8080"
    assert bench.ask(SLS, "POST", "/logstores", kind, body=made, host=host).status == 200
    again = bench.ask(SLS, "POST", "/logstores", kind, body=made, host=host)
    assert error_code(again) == "LogStoreAlreadyExist"
    listed = json.loads(bench.ask(SLS, "GET", "/logstores", host=host).body)
    assert listed == {"count": 1, "total": 1, "logstores": ["ls"]}
    binary = {"Content-Type": "application/x-protobuf", "x-log-compresstype": "lz4"}
    assert bench.ask(SLS, "POST", "/logstores/ls/shards/lb", binary, body=b"\0logs", host=host).status == 200
    [service] = [one for one in bench.services if isinstance(one, SlsService)]
    assert service.received("proj", "ls") == [b"\0logs"]
    assert json.loads(bench.ask(SLS, "GET", "/logstores", host="other.127.0.0.1:8080").body)["count"] == 0


def test_an_answer_of_tablestore_is_signed_for_the_key_that_asked(bench: Bench) -> None:
    for scheme in (OTS, signing.OTSV4("inst", "cn-hangzhou")):
        signed = bench.signer(scheme).sign(signing.Request("POST", "http://127.0.0.1:8080/ListTable"))
        response = bench.answer(bench.sent(signed))
        assert response.header("x-ots-date") == "2026-01-01T00:00:00.000Z"
        assert response.header("x-ots-contenttype") == "protocol buffer"
        assert (response.header("authorization") or "").startswith(f"OTS {bench.key.access_key_id}:")


def test_tables_are_made_listed_and_dropped(bench: Bench) -> None:
    named = b"\x0a\x05\x0a\x03tbl"  # CreateTableRequest: table_meta.table_name
    assert bench.ask(OTS, "POST", "/CreateTable", body=named).status == 200
    assert error_code(bench.ask(OTS, "POST", "/CreateTable", body=named)) == "OTSObjectAlreadyExist"
    assert bench.ask(OTS, "POST", "/ListTable").body == b"\x0a\x03tbl"
    assert bench.ask(OTS, "POST", "/DeleteTable", body=b"\x0a\x03tbl").status == 200
    assert error_code(bench.ask(OTS, "POST", "/DeleteTable", body=b"\x0a\x03tbl")) == "OTSObjectNotExist"
    assert error_code(bench.ask(OTS, "POST", "/CreateTable", body=b"junk")) == "OTSParameterInvalid"
    assert error_code(bench.ask(OTS, "POST", "/GetRow")) == "OTSUnsupportOperation"


def test_a_message_is_received_once_and_deleted(bench: Bench) -> None:
    xml = {"Content-Type": "text/xml;charset=UTF-8"}
    message = b'<Message xmlns="http://mns.aliyuncs.com/doc/v1/"><MessageBody>a &amp; b</MessageBody></Message>'
    assert error_code(bench.ask(MNS, "GET", "/queues/q/messages")) == "QueueNotExist"
    assert [bench.ask(MNS, "PUT", "/queues/q").status for _ in range(2)] == [201, 204]
    assert b"/queues/q</QueueURL>" in bench.ask(MNS, "GET", "/queues").body
    assert bench.ask(MNS, "POST", "/queues/q/messages", xml, body=message).status == 201
    assert b"<MessageBody>a &amp; b<" in bench.ask(MNS, "GET", "/queues/q/messages", params={"peekonly": "true"}).body
    received = bench.ask(MNS, "GET", "/queues/q/messages")
    assert b"<ActiveMessages>0<" in bench.ask(MNS, "GET", "/queues/q").body
    assert error_code(bench.ask(MNS, "GET", "/queues/q/messages")) == "MessageNotExist"
    receipt = re.search(rb"<ReceiptHandle>(.*?)<", received.body)
    assert receipt is not None
    params = {"ReceiptHandle": receipt[1].decode()}
    assert bench.ask(MNS, "DELETE", "/queues/q/messages", params=params).status == 204
    assert error_code(bench.ask(MNS, "DELETE", "/queues/q/messages", params=params)) == "ReceiptHandleError"


def test_a_message_that_nobody_deletes_comes_back(bench: Bench) -> None:
    bench.ask(MNS, "PUT", "/queues/q")
    bench.ask(MNS, "POST", "/queues/q/messages", body=b"<Message><MessageBody>again</MessageBody></Message>")
    assert bench.ask(MNS, "GET", "/queues/q/messages").status == 200
    bench.clock.advance(30)
    assert bench.ask(MNS, "GET", "/queues/q/messages").status == 200


def test_a_topic_takes_messages(bench: Bench) -> None:
    assert bench.ask(MNS, "PUT", "/topics/t").status == 201
    body = b"<Message><MessageBody>m</MessageBody></Message>"
    assert bench.ask(MNS, "POST", "/topics/t/messages", body=body).status == 201
    assert b"<MessageCount>1<" in bench.ask(MNS, "GET", "/topics/t").body


def test_maxcompute_tells_a_client_what_it_asks_at_its_start(bench: Bench) -> None:
    assert bench.ask(ODPS, "GET", "/api/logview/host").body.startswith(b"http")
    assert json.loads(bench.ask(ODPS, "GET", "/api/tenants").body)["Parameters"]
    assert b"<Tables><Marker></Marker>" in bench.ask(ODPS, "GET", "/api/projects/p/tables").body
    assert b"<Name>p</Name>" in bench.ask(ODPS, "GET", "/api/projects/p").body
    missing = bench.ask(ODPS, "GET", "/api/projects/p/tables/t")
    assert (missing.status, error_code(missing)) == (404, "NoSuchObject")


def test_an_invocation_gives_its_body_back(bench: Bench) -> None:
    path = "/2016-08-15/services/s/functions/f/invocations"
    response = bench.ask(FC, "POST", path, {"Content-Type": "application/json"}, body=b'{"a": 1}')
    assert (response.body, response.header("content-type")) == (b'{"a": 1}', "application/json")
    assert json.loads(bench.ask(FC, "GET", "/2016-08-15/services").body) == {"services": [], "nextToken": None}
    triggered = bench.ask(FC, "POST", "/2016-08-15/proxy/s/f/x", params={"a": "1", "b": None}, body=b"hi")
    assert triggered.body == b"hi"
    triggered = bench.ask(signing.FCV3Trigger(), "POST", "/a%20b", params={"q": "1"}, body=b"hello")
    assert (triggered.status, triggered.body) == (200, b"hello")


# DataHub's signature has no signer here; the service's own answer tells what to sign.


def datahub(bench: Bench, sign: Callable[[str], str], method: str, path: str) -> WireResponse:
    def wire(signature: str) -> WireRequest:
        headers = {
            "Host": "127.0.0.1:8080",
            "Content-Type": "application/json",
            "Date": "Thu, 01 Jan 2026 00:00:00 GMT",
            "x-datahub-security-token": bench.key.security_token or "",
            "Authorization": f"DATAHUB {bench.key.access_key_id}:{signature}",
        }
        return WireRequest(method, path, tuple(headers.items()), b"", bench.clock.time())

    refused = bench.answer(wire("unsigned"))
    told = json.loads(refused.body)["ErrorMessage"].partition("The string to sign is: ")[2]
    return bench.answer(wire(sign(told)))


def test_datahub_keeps_projects(bench: Bench) -> None:
    def sign(text: str) -> str:
        return base64.b64encode(hmac.digest(bench.key.access_key_secret.encode(), text.encode(), hashlib.sha1)).decode()

    assert datahub(bench, sign, "POST", "/projects/proj").status == 201
    assert error_code(datahub(bench, sign, "POST", "/projects/proj")) == "ProjectAlreadyExist"
    assert json.loads(datahub(bench, sign, "GET", "/projects").body) == {"ProjectNames": ["proj"]}
    assert json.loads(datahub(bench, sign, "GET", "/projects/proj").body)["Creator"]
    assert datahub(bench, sign, "DELETE", "/projects/proj").status == 200
    assert error_code(datahub(bench, sign, "GET", "/projects/proj")) == "NoSuchProject"
    assert error_code(datahub(bench, sign, "GET", "/projects/proj/topics")) == "NoSuchTopic"
    bench.policies.clear()
    assert error_code(datahub(bench, sign, "GET", "/projects")) == "NoPermission"
