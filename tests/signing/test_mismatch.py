"""A refused signature is explained by the component that differs, without a secret."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ramrole_creds import signing
from ramrole_creds.credentials import Credentials
from ramrole_creds.signing import Request, Scheme, Signer, explain_mismatch

KEYS = Credentials("STS.NTid", "FAKESECRET", "FAKETOKEN")
URL = "https://examplebucket.oss-cn-hangzhou.aliyuncs.com/key"


def xml(scheme: Scheme, signed: Request, *, element: str = "StringToSign") -> bytes:
    string = scheme.string_to_sign(signed) if element == "StringToSign" else scheme.canonical_request(signed)  # type: ignore[attr-defined]
    escaped = string.replace("&", "&amp;").replace("<", "&lt;")
    return f"<Error><Code>SignatureDoesNotMatch</Code><{element}>{escaped}</{element}></Error>".encode()


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"method": "PUT"}, "the method"),
        ({"url": f"{URL}2"}, "the resource"),
        ({"headers": {"x-oss-meta-a": "2"}}, "header x-oss-meta-a"),
        ({"headers": {"Content-Type": "text/html", "x-oss-meta-a": "1"}}, "Content-Type"),
    ],
)
def test_the_component_that_differs_is_named(changed: dict[str, object], named: str) -> None:
    scheme = signing.OSSV1()
    given = {"method": "GET", "url": URL, "headers": {"x-oss-meta-a": "1"}}
    signer = Signer(KEYS, scheme)
    signed = signer.sign(Request(**given))  # type: ignore[arg-type]
    arrived = signer.sign(Request(**{**given, **changed}))  # type: ignore[arg-type]
    reason = explain_mismatch(scheme, signed, xml(scheme, arrived))
    assert named in reason
    assert "FAKE" not in reason


def test_a_canonical_request_is_compared_line_by_line() -> None:
    scheme = signing.OSSV4("cn-hangzhou")
    signed = Signer(KEYS, scheme).sign(Request("GET", URL, {"x-oss-meta-a": "1"}))
    arrived = Request("GET", URL, [(n, v if n != "x-oss-meta-a" else "2") for n, v in signed.headers])
    reason = explain_mismatch(scheme, signed, xml(scheme, arrived, element="CanonicalRequest"))
    assert "header x-oss-meta-a" in reason


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"method": "PUT"}, "the method"),
        ({"url": f"{URL}2"}, "the path"),
        ({"url": f"{URL}?acl"}, "the query"),
        ({"headers": {"x-oss-meta-a": "1"}}, "the names of the signed headers"),
    ],
    ids=["method", "path", "query", "headers"],
)
def test_the_line_of_a_canonical_request_that_differs_is_named(changed: dict[str, Any], named: str) -> None:
    headers = {"Range": "bytes=0-1", "x-oss-meta-a": "1"}
    given = {"method": "GET", "url": URL, "headers": headers}
    scheme = signing.OSSV4("cn-hangzhou", additional_headers=("range",))
    signer = Signer(KEYS, scheme)
    signed, arrived = (signer.sign(Request(**fields)) for fields in (given, {**given, **changed}))
    assert named in explain_mismatch(scheme, signed, xml(scheme, arrived, element="CanonicalRequest"))


def test_where_the_canonical_request_is_the_same_the_string_to_sign_is_compared() -> None:
    scheme = signing.OSSV4("cn-hangzhou")
    signed = Signer(KEYS, scheme).sign(Request("GET", URL))
    answer = xml(scheme, signed, element="CanonicalRequest") + xml(scheme, signed).replace(
        b"cn-hangzhou", b"cn-beijing"
    )
    assert "The server signed other values for: " in explain_mismatch(scheme, signed, answer)


def test_an_rpc_parameter_that_differs_is_named() -> None:
    scheme = signing.RPC()
    signed = Signer(KEYS, scheme).sign(Request("GET", "https://h/", params={"Action": "A", "Name": "a b"}))
    arrived = scheme.string_to_sign(signed).replace("a%2520b", "a%252Bb")
    body = f'{{"Code": "SignatureDoesNotMatch", "Message": "… server string to sign is:{arrived}"}}'.encode()
    assert "parameter Name" in explain_mismatch(scheme, signed, body)


def test_the_same_string_means_another_secret() -> None:
    for scheme in (signing.OSSV1(), signing.OSSV4("r"), signing.SLSV1()):
        signed = Signer(KEYS, scheme).sign(Request("GET", URL))
        assert "the secret differs" in explain_mismatch(scheme, signed, xml(scheme, signed))


@pytest.mark.parametrize("answer", [b"", b"<html>", b"{}", b"[1]", b"\xff\xfe", b"<StringToSign></StringToSign>"])
def test_an_answer_without_the_string_is_explained_too(answer: bytes) -> None:
    signed = Signer(KEYS, signing.OSSV1()).sign(Request("GET", URL))
    assert explain_mismatch(signing.OSSV1(), signed, answer)


HUGE = {
    "openings": b"<StringToSign>" * 5000,
    "message openings": b"<Message>" * 8000,
    "canonical openings": b"<CanonicalRequest>" * 4000 + b"</StringToSign>" * 1000,
    "closings": b"</Message>" * 7000,
    "blanks": b"string to sign is" + b" " * 65000,
    "many phrases": b"string to sign " * 5000,
    "elements": b"<StringToSign>GET</StringToSign>" * 2000,
    "lines": b"<StringToSign>GET\n" + b"a:b\n" * 16000 + b"</StringToSign>",
    "ampersands": b"<StringToSign>GET&%2F&" + b"a%3Db%26" * 8000 + b"</StringToSign>",
    "entities": b"<StringToSign>" + b"&amp" * 16000 + b"</StringToSign>",
    "long number": b"<StringToSign>&#" + b"9" * 60000 + b";</StringToSign>",
    "nested": b"[" * 65000,
    "one object": b'{"a":' * 13000,
}


@pytest.mark.parametrize("answer", HUGE.values(), ids=HUGE)
@pytest.mark.parametrize("scheme", [signing.OSSV1(), signing.OSSV4("r"), signing.RPC()], ids=lambda scheme: scheme.name)
def test_an_answer_made_to_take_long_is_explained_at_once(scheme: Scheme, answer: bytes) -> None:
    signed = Signer(KEYS, scheme).sign(Request("GET", URL))
    began = time.process_time()
    assert explain_mismatch(scheme, signed, answer * 20)
    assert time.process_time() - began < 0.5
