"""Logs, tables, messages, MaxCompute, functions, DataHub: each verifies, and answers as its client needs."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import signing

if TYPE_CHECKING:
    from ramrole_creds.testing.server.messages import WireResponse
    from tests.testing.services.conftest import Endpoints

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
def test_a_signed_call_is_answered(endpoints: Endpoints, call: tuple[signing.Scheme, str, str]) -> None:
    assert endpoints.ask(*call).status == 200


@every_call
def test_a_long_term_key_needs_no_token(endpoints: Endpoints, call: tuple[signing.Scheme, str, str]) -> None:
    assert endpoints.ask(*call, key=endpoints.issue(lifetime=None)).status == 200


@every_call
def test_a_wrong_secret_is_refused_with_the_code_of_the_service(
    endpoints: Endpoints, call: tuple[signing.Scheme, str, str]
) -> None:
    response = endpoints.ask(*call, key=replace(endpoints.key, access_key_secret="9kFAKESECRETwrong"))
    codes = {"SignatureNotMatch", "OTSAuthFailed", "SignatureDoesNotMatch", "ODPS-0410042"}
    assert response.status in (401, 403)
    assert error_code(response) in codes


@every_call
def test_a_revoked_key_is_refused(endpoints: Endpoints, call: tuple[signing.Scheme, str, str]) -> None:
    endpoints.issuer.revoke(endpoints.key.access_key_id)
    response = endpoints.ask(*call)
    assert response.status in (401, 403)
    codes = {"Unauthorized", "OTSAuthFailed", "InvalidAccessKeyId", "ODPS-0410051", "InvalidAccessKeyID"}
    assert error_code(response) in codes


@every_call
def test_a_role_without_permissions_is_refused(endpoints: Endpoints, call: tuple[signing.Scheme, str, str]) -> None:
    endpoints.policies.clear()
    response = endpoints.ask(*call)
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
    endpoints: Endpoints, headers: dict[str, str], path: str, code: str
) -> None:
    response = endpoints.answer(endpoints.sent(signing.Request("POST", f"http://127.0.0.1:8080{path}", headers)))
    assert response.status >= 400
    assert error_code(response) == code


def test_logs_are_taken_and_logstores_listed_by_project(endpoints: Endpoints) -> None:
    made = json.dumps({"logstoreName": "ls"}).encode()
    kind = {"Content-Type": "application/json"}
    host = "proj.localhost:8080"
    assert endpoints.ask(SLS, "POST", "/logstores", kind, body=made, host=host).status == 200
    again = endpoints.ask(SLS, "POST", "/logstores", kind, body=made, host=host)
    assert error_code(again) == "LogStoreAlreadyExist"
    listed = json.loads(endpoints.ask(SLS, "GET", "/logstores", host=host).body)
    assert listed == {"count": 1, "total": 1, "logstores": ["ls"]}
    binary = {"Content-Type": "application/x-protobuf", "x-log-compresstype": "lz4"}
    assert endpoints.ask(SLS, "POST", "/logstores/ls/shards/lb", binary, body=b"\0logs", host=host).status == 200
    assert json.loads(endpoints.ask(SLS, "GET", "/logstores", host="other.localhost:8080").body)["count"] == 0


def test_an_answer_of_tablestore_is_signed_for_the_key_that_asked(endpoints: Endpoints) -> None:
    for scheme in (OTS, signing.OTSV4("inst", "cn-hangzhou")):
        signed = endpoints.signer(scheme).sign(signing.Request("POST", "http://127.0.0.1:8080/ListTable"))
        response = endpoints.answer(endpoints.sent(signed))
        assert response.header("x-ots-date") == "2026-01-01T00:00:00.000Z"
        assert response.header("x-ots-contenttype") == "protocol buffer"
        assert (response.header("authorization") or "").startswith(f"OTS {endpoints.key.access_key_id}:")


def test_tables_are_made_listed_and_dropped(endpoints: Endpoints) -> None:
    named = b"\x0a\x05\x0a\x03tbl"  # CreateTableRequest: table_meta.table_name
    assert endpoints.ask(OTS, "POST", "/CreateTable", body=named).status == 200
    assert error_code(endpoints.ask(OTS, "POST", "/CreateTable", body=named)) == "OTSObjectAlreadyExist"
    assert endpoints.ask(OTS, "POST", "/ListTable").body == b"\x0a\x03tbl"
    assert endpoints.ask(OTS, "POST", "/DeleteTable", body=b"\x0a\x03tbl").status == 200
    assert error_code(endpoints.ask(OTS, "POST", "/DeleteTable", body=b"\x0a\x03tbl")) == "OTSObjectNotExist"
    assert error_code(endpoints.ask(OTS, "POST", "/CreateTable", body=b"junk")) == "OTSParameterInvalid"
    assert error_code(endpoints.ask(OTS, "POST", "/GetRow")) == "OTSUnsupportOperation"


def test_the_length_of_a_table_name_may_take_two_bytes(endpoints: Endpoints) -> None:
    field = b"\x0a\xac\x02" + b"t" * 300
    assert endpoints.ask(OTS, "POST", "/CreateTable", body=b"\x0a\xaf\x02" + field).status == 200
    assert endpoints.ask(OTS, "POST", "/ListTable").body == field
    assert endpoints.ask(OTS, "POST", "/DeleteTable", body=field).status == 200


@pytest.mark.parametrize("body", [b"\x0a\x05tbl", b"\x0a" + b"\xff" * 9], ids=["cut", "endless length"])
def test_a_message_without_a_whole_field_names_no_table(endpoints: Endpoints, body: bytes) -> None:
    assert error_code(endpoints.ask(OTS, "POST", "/CreateTable", body=body)) == "OTSParameterInvalid"


def test_a_message_is_received_once_and_deleted(endpoints: Endpoints) -> None:
    xml = {"Content-Type": "text/xml;charset=UTF-8"}
    message = b'<Message xmlns="http://mns.aliyuncs.com/doc/v1/"><MessageBody>a &amp; b</MessageBody></Message>'
    assert error_code(endpoints.ask(MNS, "GET", "/queues/q/messages")) == "QueueNotExist"
    assert [endpoints.ask(MNS, "PUT", "/queues/q").status for _ in range(2)] == [201, 204]
    assert b"/queues/q</QueueURL>" in endpoints.ask(MNS, "GET", "/queues").body
    assert endpoints.ask(MNS, "POST", "/queues/q/messages", xml, body=message).status == 201
    assert (
        b"<MessageBody>a &amp; b<" in endpoints.ask(MNS, "GET", "/queues/q/messages", params={"peekonly": "true"}).body
    )
    received = endpoints.ask(MNS, "GET", "/queues/q/messages")
    assert b"<ActiveMessages>0<" in endpoints.ask(MNS, "GET", "/queues/q").body
    assert error_code(endpoints.ask(MNS, "GET", "/queues/q/messages")) == "MessageNotExist"
    receipt = re.search(rb"<ReceiptHandle>(.*?)<", received.body)
    assert receipt is not None
    params = {"ReceiptHandle": receipt[1].decode()}
    assert endpoints.ask(MNS, "DELETE", "/queues/q/messages", params=params).status == 204
    assert error_code(endpoints.ask(MNS, "DELETE", "/queues/q/messages", params=params)) == "ReceiptHandleError"


def test_a_message_that_is_not_deleted_comes_back(endpoints: Endpoints) -> None:
    endpoints.ask(MNS, "PUT", "/queues/q")
    endpoints.ask(MNS, "POST", "/queues/q/messages", body=b"<Message><MessageBody>again</MessageBody></Message>")
    assert endpoints.ask(MNS, "GET", "/queues/q/messages").status == 200
    endpoints.clock.advance(30)
    assert endpoints.ask(MNS, "GET", "/queues/q/messages").status == 200


def test_a_topic_takes_messages(endpoints: Endpoints) -> None:
    assert endpoints.ask(MNS, "PUT", "/topics/t").status == 201
    body = b"<Message><MessageBody>m</MessageBody></Message>"
    assert endpoints.ask(MNS, "POST", "/topics/t/messages", body=body).status == 201
    assert b"<MessageCount>1<" in endpoints.ask(MNS, "GET", "/topics/t").body


def test_maxcompute_answers_what_a_client_asks_at_its_start(endpoints: Endpoints) -> None:
    assert endpoints.ask(ODPS, "GET", "/api/logview/host").body.startswith(b"http")
    assert json.loads(endpoints.ask(ODPS, "GET", "/api/tenants").body)["Parameters"]
    assert b"<Tables><Marker></Marker>" in endpoints.ask(ODPS, "GET", "/api/projects/p/tables").body
    assert b"<Name>p</Name>" in endpoints.ask(ODPS, "GET", "/api/projects/p").body
    missing = endpoints.ask(ODPS, "GET", "/api/projects/p/tables/t")
    assert (missing.status, error_code(missing)) == (404, "NoSuchObject")


def test_an_invocation_gives_its_body_back(endpoints: Endpoints) -> None:
    path = "/2016-08-15/services/s/functions/f/invocations"
    response = endpoints.ask(FC, "POST", path, {"Content-Type": "application/json"}, body=b'{"a": 1}')
    assert (response.body, response.header("content-type")) == (b'{"a": 1}', "application/json")
    assert json.loads(endpoints.ask(FC, "GET", "/2016-08-15/services").body) == {"services": [], "nextToken": None}
    assert endpoints.ask(FC, "DELETE", "/2016-08-15/services/s").status == 204
    triggered = endpoints.ask(FC, "POST", "/2016-08-15/proxy/s/f/x", params={"a": "1", "b": None}, body=b"hi")
    assert triggered.body == b"hi"
    triggered = endpoints.ask(signing.FCV3Trigger(), "POST", "/a%20b", params={"q": "1"}, body=b"hello")
    assert (triggered.status, triggered.body) == (200, b"hello")


def test_a_signed_url_of_a_trigger_is_good_for_its_seconds(endpoints: Endpoints) -> None:
    url = "http://127.0.0.1:8080/2016-08-15/proxy/s/f/x?a=1"
    presigned = endpoints.signer(FC).presign(signing.Request("GET", url), 60)
    request = endpoints.sent(signing.Request("GET", presigned.url, presigned.headers))
    assert endpoints.answer(request).status == 200
    foreign = presigned.url.replace("/proxy/s/f/x", "/proxy/s/f/y")
    refused = endpoints.answer(endpoints.sent(signing.Request("GET", foreign, presigned.headers)))
    assert refused.status == 403
    assert endpoints.answer(replace(request, at=request.at + 61)).status == 403


def test_datahub_keeps_projects(endpoints: Endpoints) -> None:
    assert endpoints.ask_datahub("POST", "/projects/proj").status == 201
    assert error_code(endpoints.ask_datahub("POST", "/projects/proj")) == "ProjectAlreadyExist"
    assert json.loads(endpoints.ask_datahub("GET", "/projects").body) == {"ProjectNames": ["proj"]}
    assert json.loads(endpoints.ask_datahub("GET", "/projects/proj").body)["Creator"]
    assert endpoints.ask_datahub("DELETE", "/projects/proj").status == 200
    assert error_code(endpoints.ask_datahub("GET", "/projects/proj")) == "NoSuchProject"
    assert error_code(endpoints.ask_datahub("GET", "/projects/proj/topics")) == "NoSuchTopic"
    assert error_code(endpoints.ask_datahub("GET", "/projects/proj/topics/topic/shards")) == "NoSuchTopic"
    endpoints.policies.clear()
    assert error_code(endpoints.ask_datahub("GET", "/projects")) == "NoPermission"
