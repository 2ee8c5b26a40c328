"""One row for each way in which the metadata service, or something in its place, answers oddly.

The ids are those of the project's list of hostile answers, so that a row can be talked about.
"""
# ruff: noqa: E501, RUF001  # a table is read across; the digits that look like others are what a row is about

from __future__ import annotations

import gzip
import json
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

import ramrole_creds._http.connection  # noqa: F401  # ahead of time: loading it would use up the short time limits
from ramrole_creds import Credentials
from ramrole_creds._cache.fetch_context import FetchContext
from ramrole_creds._http.transport import HttpTransport
from ramrole_creds.errors import MetadataError, MetadataUnreachable, RamRoleError, RoleNotAttached
from ramrole_creds.metadata import MetadataClient, TokenMode
from ramrole_creds.testing import FakeCloud

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PATIENT, IMPATIENT = 5.0, 0.3
"""Seconds for a fetch: those that must run into it get few; the others are not to fail on a busy machine."""
SILENCE = 0.1
SECRET, TOKEN = "Marker0Secret0Marker0Secret0Marker0Secret000", "MarkerSecurityToken" * 30
ABSENT = object()
GOOD = {
    "AccessKeyId": "STS.NTmarkerKeyId000000000000",
    "AccessKeySecret": SECRET,
    "Expiration": "2099-01-01T00:00:00Z",
    "SecurityToken": TOKEN,
    "LastUpdated": "2024-01-01T00:00:00Z",
    "Code": "Success",
}


@dataclass(frozen=True)
class Row:
    """What is arranged, and what comes of it; `error` None is OK."""

    id: str
    faults: Sequence[tuple[str, str | int, Mapping[str, Any]]]
    error: type[RamRoleError] | None = None
    says: Sequence[str] = ()
    step: str | None = None
    status: int | None = None
    identity: str = "web"
    token_mode: TokenMode = "prefer"
    role: str | None = "web"
    requests: Mapping[str, int] = field(default_factory=dict)
    limit: float = PATIENT
    read_timeout: float = 2.0


def body(content: bytes | str | object, status: int = 200, **headers: str) -> tuple[int, dict[str, Any]]:
    return status, {"body": content, "headers": {name.replace("_", "-"): value for name, value in headers.items()}}


def document(**changed: object) -> str:
    return json.dumps({key: value for key, value in {**GOOD, **changed}.items() if value is not ABSENT})


def answers(step: str, content: bytes | str | object, times: int | None = None) -> tuple[str, int, dict[str, Any]]:
    return step, 200, {"body": content, "times": times}


def raw(step: str, data: bytes, times: int | None = None) -> tuple[str, str, dict[str, Any]]:
    return step, "garbage", {"data": data, "times": times}


def http(content: bytes, *headers: str, start: str = "HTTP/1.1 200 OK") -> bytes:
    return "\r\n".join([start, *headers, "", ""]).encode() + content


GOOD_BYTES = document().encode()
LENGTH = f"Content-Length: {len(GOOD_BYTES)}"
HTML = "<html><head><title>Sign in</title></head><body>Welcome to the hotel</body></html>"

TOKEN_ROWS = [
    Row("IM-01: no token service (404)", [("token", 404, {})], requests={"token": 1, "role": 1, "credentials": 1}),
    Row("IM-02: the token call is not allowed (405)", [("token", 405, {})], requests={"token": 1}),
    Row("IM-02: the same where a token is required", [("token", 405, {})], MetadataError, ["405", "token_mode='prefer'"],
        "token", 405, token_mode="require", requests={"token": 1, "role": 0}),
    Row("IM-03: a proxy that adds X-Forwarded-For (403)", [("token", 403, {})], requests={"token": 1}),
    Row("IM-03: the same where a token is required", [("token", 403, {})], MetadataError, ["X-Forwarded-For"],
        "token", 403, token_mode="require"),
    Row("IM-04: 403 to both", [("metadata", 403, {})], MetadataError, ["HttpEndpoint", "X-Forwarded-For", "403"],
        "role", 403, requests={"token": 1, "role": 1}),
    Row("IM-05: 400", [("token", 400, {})], MetadataError, ["400"], "token", 400, requests={"token": 1, "role": 0}),
    Row("IM-06: 401", [("token", 401, {})], MetadataError, ["401"], "token", 401, requests={"token": 1, "role": 0}),
    Row("IM-07: not implemented (501)", [("token", 501, {})], requests={"token": 1}),
    *(Row(f"IM-08: {status} twice, then a token", [("token", status, {"times": 2})], requests={"token": 3})
      for status in (500, 502, 503, 504)),
    Row("IM-09: 503 for ever", [("token", 503, {})], MetadataError, ["503", "failed. Try again later"], "token", 503,
        requests={"token": 3, "role": 0}),
    Row("IM-10: 429 that asks for a second it has not got", [("token", 429, {"retry_after": 9, "times": 1})],
        MetadataError, ["429", "Throttled"], "token", 429, requests={"token": 1, "role": 0}),
    Row("IM-10: 429 that asks for a second", [("token", 429, {"retry_after": 1, "times": 1})], requests={"token": 2}),
    Row("IM-11: 429 without Retry-After, once", [("token", 429, {"times": 1})], requests={"token": 2}),
    Row("IM-12: the token call is never answered", [("token", "hang", {})], requests={"token": 1, "credentials": 1},
        read_timeout=SILENCE),
    Row("IM-12: the same where a token is required", [("token", "hang", {})], MetadataError, ["no answer came in time"],
        "token", token_mode="require", read_timeout=SILENCE),
    Row("IM-13: the token call is reset", [("token", "reset", {})], requests={"token": 3, "credentials": 1}),
    Row("IM-14: an empty token", [answers("token", "")], MetadataError, ["an empty body", "not a token"], "token", 200,
        requests={"token": 3, "role": 0}),
    Row("IM-14: an empty token, once", [answers("token", "", 1)], requests={"token": 2}),
    Row("IM-15: a blank token", [answers("token", " \r\n ")], MetadataError, ["an empty body"], "token", 200),
    Row("IM-16: HTML for a token", [answers("token", HTML)], MetadataError, ["an HTML page", "captive portal"],
        "token", 200, requests={"role": 0}),
    *(Row(f"IM-18: {bad!r} in a token", [answers("token", f"to{bad}ken")], MetadataError, ["not a token"], "token",
          requests={"role": 0})
      for bad in ("\r\nX-Injected: yes", "\n", "\x00", "\x1b[2J", " ", "é", "\u2028", "<")),
    Row("IM-20: a token of 100 KiB", [answers("token", "t" * 102400)], MetadataError, ["longer"], "token",
        requests={"token": 1, "role": 0}),
    Row("IM-20: a token of 5 KiB", [answers("token", "t" * 5120)], MetadataError, ["not a token"], "token"),
    Row("IM-25: the token call is redirected", [("token", "redirect", {})], MetadataError, ["302", "captive portal"],
        "token", 302, requests={"token": 1, "role": 0}),
    Row("what is no HTTP is no reason to do without a token", [("token", "garbage", {})], MetadataError,
        ["not HTTP"], "token", requests={"role": 0}),
    Row("nor is a token cut short", [("token", "truncate", {})], MetadataError, ["the connection ended"], "token",
        requests={"token": 3, "role": 0}),
    Row("nor is an outage before the silence", [("token", 503, {"times": 1}), ("token", "reset", {})], MetadataError,
        ["no usable answer"], "token", requests={"token": 3, "role": 0}),
    Row("IM-30: the token is revoked after the listing", [("credentials", 401, {"times": 1})],
        requests={"token": 2, "role": 1, "credentials": 2}),
    Row("IM-31: 401 for ever", [("credentials", 401, {})], MetadataError, ["401", "it has just issued"], "credentials",
        401, requests={"token": 2, "role": 1, "credentials": 2}),
    Row("IM-32: 403 though there is a token", [("role", 403, {})], MetadataError, ["even with a token", "HttpEndpoint"],
        "role", 403, requests={"token": 1, "role": 1}),
]  # fmt: skip

ROLE_ROWS = [
    Row("IM-37: no role", [], RoleNotAttached, ["No RAM role is attached", "404", "AttachInstanceRamRole"], role=None,
        requests={"role": 1, "credentials": 0}),
    Row("IM-39: an empty listing", [answers("role", "")], MetadataError, ["an empty listing", "try again"], "role", 200,
        requests={"role": 3, "credentials": 0}),
    Row("IM-39: an empty listing, once", [answers("role", "", 1)], requests={"role": 2}),
    Row("IM-40: a blank listing", [answers("role", "\n \r\n\t")], MetadataError, ["an empty listing"], "role", 200),
    Row("IM-41: line ends around the name", [answers("role", "\r\nweb\r\n")]),
    Row("IM-42: two names", [answers("role", "web\nother\n")]),
    Row("IM-44: the form of a directory", [answers("role", "web/")]),
    *(Row(f"IM-46: {name!r}", [answers("role", name), answers("credentials", document())], identity=name)
      for name in ("web@corp", "my role", "web.1_2-3", "wéb", "a%2fb", "50%", "角色")),
    Row("IM-43: the role's ARN", [answers("role", "acs:ram::1234567890123456:role/web"),
                                  answers("credentials", document())], identity="acs:ram::1234567890123456:role/web"),
    *(Row(f"IM-48: {name!r}", [answers("role", name)], MetadataError, ["not the name of a role"], "role", 200,
          requests={"credentials": 0})
      for name in ("../../user-data", "..", ".", "a/b", "/web", "a?x=1", "a#b", "a\\b", "/")),
    Row("IM-49: an HTML page", [answers("role", HTML)], MetadataError, ["an HTML page", "captive"], "role", 200,
        requests={"credentials": 0}),
    Row("IM-50: a name of 10 KiB", [answers("role", "r" * 10240)], MetadataError, ["longer"], "role",
        requests={"role": 1, "credentials": 0}),
    Row("IM-50: a name of 513 characters", [answers("role", "r" * 513)], MetadataError, ["513 bytes"], "role"),
    Row("IM-50: a name of 65 characters", [answers("role", "r" * 65), answers("credentials", document())],
        identity="r" * 65),
    *(Row(f"IM-52: {text}", [answers("role", text)], MetadataError, [f"{len(text)} bytes"], "role", 200,
          requests={"credentials": 0})
      for text in ('["web"]', '{"role":"web"}', "{", document())),
    Row("IM-54: escape sequences", [answers("role", "\x1b[31mweb\x07")], MetadataError, [r"\x07", "31m"], "role",
        requests={"credentials": 0}),
    *(Row(f"IM-54: {name!a}", [answers("role", name)], MetadataError, [ascii(name)[1:-1]], "role")
      for name in ("we\u202eb", "web\x00", "\ufeffweb")),
    Row("IM-55: bytes that are no text", [answers("role", b"\xff\xfe\x00")], MetadataError, ["not UTF-8"], "role"),
]  # fmt: skip

DOCUMENT_ROWS = [
    Row("IM-59: JSON cut off", [answers("credentials", GOOD_BYTES[:100])], MetadataError, ["not a JSON object"]),
    Row("IM-60: HTML", [answers("credentials", HTML)], MetadataError, ["an HTML page"]),
    *(Row(f"IM-61: {text!r}", [answers("credentials", text)], MetadataError, ["not a JSON object"])
      for text in ("null", "[]", f"[{document()}]", '"text"', "1", "NaN", "not json", '{"Code":"Success"')),
    Row("IM-62: empty", [answers("credentials", "")], MetadataError, ["with nothing"], requests={"credentials": 3}),
    Row("IM-62: empty, once", [answers("credentials", "", 1), answers("credentials", document())],
        requests={"credentials": 2}),
    Row("IM-63: a byte order mark", [answers("credentials", b"\xef\xbb\xbf" + GOOD_BYTES)]),
    *(Row(f"IM-64: followed by {rest!r}", [answers("credentials", document() + rest)], MetadataError,
          ["not a JSON object"])
      for rest in ("x", "{}", document(), "\x00")),
    Row("IM-64: followed by blanks", [answers("credentials", f"\n{document()}\r\n ")]),
    *(Row(f"IM-66: Code is {code!r}", [answers("credentials", document(Code=code))], MetadataError,
          ["Code", "is not 'Success'"])
      for code in ("success", "SUCCESS", "", "Success ", None, 200, True, ["Success"])),
    Row("IM-66: no Code", [answers("credentials", document(Code=ABSENT))], MetadataError, ["Code"]),
    Row("IM-66: the Code of a failure is shown", [answers("credentials", document(Code="InternalError"))], MetadataError,
        ["'InternalError'"]),
    *(Row(f"IM-68: {name} is {value!r}", [answers("credentials", document(**{name: value}))], MetadataError, [name])
      for name in ("AccessKeyId", "AccessKeySecret", "SecurityToken", "Expiration")
      for value in (None, "", 1, 1.5, True, {}, [SECRET], {"a": SECRET})),
    *(Row(f"IM-67: no {name}", [answers("credentials", document(**{name: ABSENT}))], MetadataError, [name])
      for name in ("AccessKeyId", "AccessKeySecret", "SecurityToken", "Expiration")),
    Row("IM-71: AWS's names", [answers("credentials", json.dumps(
        {"Code": "Success", "AccessKeyId": "x", "SecretAccessKey": SECRET, "Token": TOKEN, "Expiration": "x"}))],
        MetadataError, ["AccessKeySecret"]),
    *(Row(f"IM-72: {style} keys", [answers("credentials", json.dumps({change(key): value for key, value in GOOD.items()}))],
          MetadataError, ["Code"])
      for style, change in (("lower-case", str.lower), ("upper-case", str.upper))),
    Row("IM-73: unknown keys, and none of the optional ones",
        [answers("credentials", document(LastUpdated=ABSENT, Type="x", Message={"a": [1]}))]),
    Row("IM-74: a key twice", [answers("credentials", document()[:-1] + ',"AccessKeyId":"STS.other"}')], MetadataError),
    Row("IM-75: a number of 5000 digits", [answers("credentials", document()[:-1] + f',"x":{"9" * 5000}}}')],
        MetadataError),
    *(Row(f"IM-76: 10 000 deep {kind}", [answers("credentials", opening * 10000)], MetadataError)
      for kind, opening in (("lists", "["), ("objects", '{"a":'))),
    Row("IM-76: deep and whole", [answers("credentials", document()[:-1] + ',"x":' + "[" * 30000 + "]" * 30000 + "}")],
        MetadataError),
    *(Row(f"IM-78: {encoding}", [answers("credentials", document().encode(encoding))])
      for encoding in ("utf-16", "utf-16-le", "utf-32", "utf-8-sig")),
    Row("IM-78: Latin-1", [answers("credentials", document(Note="é").encode().replace(b"\\u00e9", b"\xe9"))],
        MetadataError),
    *(Row(f"IM-80: {name} with {bad!r}", [answers("credentials", document(**{name: f"a{bad}"}))], MetadataError,
          ["in which"])
      for name in ("AccessKeyId", "AccessKeySecret", "SecurityToken")
      for bad in (" ", "\n", "\r\nX: y", "\x00", "é", "\ud800", "\u202e")),
    Row("IM-82: a token of 4 KiB", [answers("credentials", document(SecurityToken="CAIS" + "x" * 4096))]),
    Row("IM-84: an id without STS.", [answers("credentials", document(AccessKeyId="LTAI000000000000"))]),
]  # fmt: skip

TIME_ROWS = [
    Row("IM-85: LastUpdated is after Expiration", [answers("credentials", document(LastUpdated="2199-01-01T00:00:00Z"))]),
    Row("IM-85: LastUpdated is nonsense", [answers("credentials", document(LastUpdated=[]))]),
    Row("IM-86: ended long ago", [answers("credentials", document(Expiration="2017-11-01T05:20:01Z"))], MetadataError,
        ["2017-11-01T05:20:01Z", "Date"], requests={"credentials": 1}),
    Row("IM-86: ended long ago, and no Date to compare with",
        [answers("credentials", document(Expiration="2017-11-01T05:20:01Z")), ("credentials", "no-date", {})],
        MetadataError, ["2017-11-01T05:20:01Z", "this machine's clock"]),
    *(Row(f"IM-92: {text}", [answers("credentials", document(Expiration=text))])
      for text in ("2099-01-01T00:00:01.123Z", "2099-01-01T00:00:01.123456789Z", "2099-01-01T08:00:00+08:00",
                   "2099-01-01T00:00:00-00:00", "2099-01-01T00:00:00.5+05:30", "2099-12-31T23:59:60Z",
                   "2099-01-01t00:00:00z", " 2099-01-01T00:00:00Z\n")),
    *(Row(f"IM-94: {text!r}", [answers("credentials", document(Expiration=text))], MetadataError, ["RFC 3339", "zone"])
      for text in ("2030-01-01T00:00:00", "2030-01-01 00:00:00Z", "2030-01-01", "20300101T000000Z", "2030-W01-1T00:00:00Z",
                   "4102444800", "2030-01-01T00:00Z", "2030-01-01T00:00:00+0800", "2030-01-01T00:00:00 Z")),
    *(Row(f"IM-96: {text!r}", [answers("credentials", document(Expiration=text))], MetadataError, ["RFC 3339"])
      for text in ("not-a-date", "2023-02-30T00:00:00Z", "2023-13-01T00:00:00Z", "2030-01-01T25:00:00Z",
                   "Tue, 01 Jan 2030 00:00:00 GMT", "1 January 2030", "٢٠٣٠-٠١-٠١T٠٠:٠٠:٠٠Z", "２０３０-01-01T00:00:00Z",
                   "2030-01-01T00:00:00+25:00", "2030-01-01T00:00:00+08:60", "0000-01-01T00:00:00Z", "x" * 60000,
                   "2030-01-01T00:00:00Z2", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59")),
    Row("IM-98: the year 9999", [answers("credentials", document(Expiration="9999-12-31T23:59:59Z"))]),
    Row("IM-98: the year 1", [answers("credentials", document(Expiration="0001-01-01T00:00:00Z"))], MetadataError,
        ["expired"]),
]  # fmt: skip

HTTP_ROWS = [
    *(Row(f"IM-104: {step} redirected with {status} to {where}", [(step, "redirect", {"status": status, "location": where})],
          MetadataError, [str(status), "redirects"], step, status, requests={step: 1})
      for step in ("role", "credentials")
      for status, where in ((301, "http://127.0.0.1:9/"), (302, "/latest/meta-data/region-id"), (303, "file:///etc/passwd"),
                            (307, "https://captive.invalid"), (308, "http://[::1"), (302, ""), (300, "\x00"))),
    Row("IM-104: a redirect with a bomb in its body",
        [raw("role", http(gzip.compress(bytes(50_000_000)), "Location: /x", "Content-Encoding: gzip",
                          start="HTTP/1.1 302 Found"))], MetadataError),
    Row("IM-105: 103 before the answer",
        [raw("credentials", http(b"", "Link: </x>", start="HTTP/1.1 103 Early Hints") + http(GOOD_BYTES, LENGTH))]),
    Row("IM-105: 100 before the answer",
        [raw("credentials", http(b"", start="HTTP/1.1 100 Continue") + http(GOOD_BYTES, LENGTH))]),
    *(Row(f"IM-105: {status}", [("credentials", status, {"body": document()})], MetadataError, [str(status)],
          "credentials", status, requests={"credentials": 1})
      for status in (201, 202, 203, 206, 304, 402, 405, 406, 410, 418, 421, 451)),
    Row("IM-105: 204", [raw("credentials", http(b"", start="HTTP/1.1 204 No Content"))], MetadataError, ["204"]),
    *(Row(f"IM-106: a flood of {status}", [("credentials", "informational", {"status": status})], MetadataError, ["longer"],
          requests={"credentials": 1})
      for status in (100, 102, 103)),
    Row("IM-107: gzip that nobody asked for",
        [raw("credentials", http(gzip.compress(GOOD_BYTES), "Content-Encoding: gzip"))]),
    Row("IM-108: says gzip and is plain", [raw("credentials", http(GOOD_BYTES, LENGTH, "Content-Encoding: gzip"))],
        MetadataError, ["content encoding"]),
    Row("IM-108: gzip and does not say so", [raw("credentials", http(gzip.compress(GOOD_BYTES)))], MetadataError,
        ["not a JSON object"]),
    Row("IM-108: gzip cut off", [raw("credentials", http(gzip.compress(GOOD_BYTES)[:-9], "Content-Encoding: gzip"))],
        MetadataError, ["content encoding"]),
    Row("IM-108: an encoding that nobody knows", [raw("credentials", http(GOOD_BYTES, "Content-Encoding: br"))],
        MetadataError, ["content encoding"]),
    Row("IM-108: a bomb", [raw("credentials", http(gzip.compress(bytes(20_000_000)), "Content-Encoding: gzip"))],
        MetadataError, ["longer"], requests={"credentials": 1}),
    Row("IM-109: chunked", [raw("credentials", http(b"%x;ext=1\r\n%s\r\n0\r\nTrailer: x\r\n\r\n" % (len(GOOD_BYTES), GOOD_BYTES),
                                                    "Transfer-Encoding: chunked"))]),
    Row("IM-110: chunked, and cut before the last chunk, the JSON being whole",
        [raw("credentials", http(b"%x\r\n%s\r\n" % (len(GOOD_BYTES), GOOD_BYTES), "Transfer-Encoding: chunked"))],
        MetadataError, ["the connection ended"], requests={"credentials": 3}),
    Row("IM-110: cut once", [raw("credentials", http(b"5\r\nabc", "Transfer-Encoding: chunked"), 1)],
        requests={"credentials": 2}),
    Row("IM-111: a chunk size that is none", [raw("credentials", http(b"zz\r\nabc", "Transfer-Encoding: chunked"))],
        MetadataError),
    Row("IM-112: shorter than it says, the JSON being whole",
        [raw("credentials", http(GOOD_BYTES, f"Content-Length: {len(GOOD_BYTES) + 1}"))], MetadataError,
        ["the connection ended"], requests={"credentials": 3}),
    Row("IM-112: cut once", [("credentials", "truncate", {"times": 1})], requests={"credentials": 2}),
    Row("IM-113: longer than it says", [raw("credentials", http(GOOD_BYTES + b"surplus", LENGTH))]),
    Row("IM-114: HTTP/1.0 until the end", [raw("credentials", http(GOOD_BYTES, start="HTTP/1.0 200 OK"))]),
    Row("IM-115: two lengths", [raw("credentials", http(GOOD_BYTES, LENGTH, "Content-Length: 9"))], MetadataError,
        ["not HTTP"]),
    Row("IM-115: a length that is none", [raw("credentials", http(GOOD_BYTES, "Content-Length: -5"))]),
    *(Row(f"IM-116: endless {step}", [(step, "oversize", {"bytes": 1 << 30, "length": length})], MetadataError, ["longer"],
          step, requests={step: 1})
      for step in ("token", "role", "credentials") for length in (True, False)),
    Row("IM-117: a header without end", [raw("credentials", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 300_000)], MetadataError),
    Row("IM-117: ten thousand headers", [raw("credentials", http(GOOD_BYTES, *(f"X-{i}: y" for i in range(10_000))))],
        MetadataError),
    *(Row(f"IM-120: {data[:16]!r}", [raw("credentials", data)], MetadataError, ["not HTTP"])
      for data in (b"raw text\n", b"ICY 200 OK\r\n\r\n" + GOOD_BYTES, b"HTTP/9.9 200 OK\r\n\r\n", b"SSH-2.0-OpenSSH_9.6\r\n",
                   b"\x15\x03\x01\x00\x02\x02\x46\r\n", b"HTTP/1.1 abc OK\r\n\r\n", b"HTTP/1.1 1000 OK\r\n\r\n", b"\x00" * 64 + b"\n",
                   b"HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n" + GOOD_BYTES)),
    Row("IM-121: no reason phrase", [raw("credentials", http(GOOD_BYTES, LENGTH, start="HTTP/1.1 200"))]),
    Row("IM-121: a reason phrase that lies", [raw("credentials", http(GOOD_BYTES, LENGTH, start="HTTP/1.1 200 Not Found"))]),
    Row("IM-121: bare line feeds", [raw("credentials", http(b"", LENGTH).replace(b"\r\n", b"\n") + GOOD_BYTES)]),
    *(Row(f"IM-122: {headers}", [raw("credentials", http(GOOD_BYTES, LENGTH, *headers))])
      for headers in (("Content-Type: text/html",), ("Content-Type: application/octet-stream",),
                      ("Content-Type: a", "Content-Type: b"), ("Content-Type: text/plain; charset=klingon",),
                      ("Content-Type: multipart/form-data",), ("Content-Type: multipart/mixed; boundary=x",),
                      ("Set-Cookie: a=b; Path=/",), ("Date: yesterday", "Age: old"), ("Date: " + "9" * 5000,))),
    Row("IM-124: 407", [("role", 407, {})], MetadataError, ["407", "A proxy answers"], "role", 407,
        requests={"role": 1}),
    *(Row(f"IM-126: {status} for ever", [(step, status, {})], MetadataError, [str(status)], step, status,
          requests={step: 3})
      for step in ("role", "credentials") for status in (500, 502, 503, 504)),
    Row("IM-126: 503 twice", [("credentials", 503, {"times": 2})], requests={"credentials": 3}),
    Row("IM-127: 429 for ever", [("credentials", 429, {})], MetadataError, ["429", "Throttled"], "credentials", 429),
    Row("IM-128: 404 whose body is a credential document", [("metadata", 404, {"body": document()})], RoleNotAttached),
    *(Row(f"IM-130: {status}", [raw("credentials", http(GOOD_BYTES, LENGTH, start=f"HTTP/1.1 {status} X"))], MetadataError,
          [str(status)], "credentials", status)
      for status in (599, 600, 999, 100)[:3]),
    Row("IM-132: the next answer came with this one",
        [raw("role", http(b"web", "Content-Length: 3") + http(document(AccessKeyId="poison").encode())),
         answers("credentials", document(AccessKeyId="STS.own"))]),
]  # fmt: skip

WIRE_ROWS = [
    Row("IM-119: the head drips", [("credentials", "drip", {"part": "head", "interval": 0.01})], MetadataError,
        ["time limit", "delays its answers"], limit=IMPATIENT),
    Row("IM-118: the body drips", [("credentials", "drip", {"interval": 0.01})], MetadataError,
        ["time limit"], limit=IMPATIENT),
    Row("IM-118: the token drips", [("token", "drip", {"interval": 0.1})], MetadataError, ["time limit"], "token",
        requests={"token": 1, "role": 0}, limit=IMPATIENT),
    Row("IM-135: reset", [("role", "reset", {})], MetadataUnreachable, ["reset"], requests={"role": 3}),
    Row("IM-135: reset after some bytes", [("credentials", "reset", {"after": 90})], MetadataError,
        requests={"credentials": 3}),
    Row("IM-136: accepts, and never answers", [("metadata", "hang", {})], MetadataUnreachable, ["does not answer"],
        read_timeout=SILENCE),
    Row("IM-136: answers a bit, and hangs", [("credentials", "hang", {"after": 200})], MetadataError, ["the answer began"],
        read_timeout=SILENCE),
    Row("IM-138: closed without a byte", [("metadata", "close", {})], MetadataUnreachable, ["does not answer"]),
    Row("IM-138: closed without a byte, once", [("role", "close", {"times": 1})], requests={"role": 2}),
    Row("IM-144: every other request fails", [("role", "reset", {"times": 1}), ("credentials", 503, {"times": 1})]),
]  # fmt: skip

ROWS = [*TOKEN_ROWS, *ROLE_ROWS, *DOCUMENT_ROWS, *TIME_ROWS, *HTTP_ROWS, *WIRE_ROWS]


def short_id(row: Row) -> str:
    """The first words of a row's name; pytest numbers those that are the same."""
    return re.sub(r"[^A-Za-z0-9]+", "-", row.id.partition("{")[0])[:40].strip("-")


@pytest.mark.parametrize("row", ROWS, ids=short_id)
def test_an_odd_answer_ends_in_credentials_or_in_a_typed_error_that_says_why(row: Row) -> None:
    with FakeCloud(role=row.role, seed=1) as cloud:
        for where, what, options in row.faults:
            cloud.faults.add(where, what, **options)
        transport = HttpTransport(read_timeout=row.read_timeout, sleep=lambda _seconds: None)
        client = MetadataClient(cloud.url, row.token_mode, clock=cloud.clock, transport=transport)
        outcome: Credentials | RamRoleError
        begun = time.monotonic()
        try:
            outcome = client.attached_role_credentials(None, FetchContext.create(row.limit, clock=cloud.clock))
        except RamRoleError as error:
            outcome = error
        took = time.monotonic() - begun
        if row.error is None:
            assert isinstance(outcome, Credentials), outcome
            assert outcome.identity == row.identity
            assert outcome.access_key_id != "poison"
        else:
            assert type(outcome) is row.error, outcome
            assert getattr(outcome, "attempts", 0) == len(cloud.requests)
            assert 0 < getattr(outcome, "elapsed", 0) < took + 0.01
            text = str(outcome)
            for phrase in row.says:
                assert phrase in text
            assert cloud.url in text, "the error says what was asked"
            assert SECRET[:12] not in text
            assert TOKEN[:12] not in text
            assert text.isprintable(), "nothing that came is echoed raw"
            assert len(text) < 700
            if row.step is not None:
                assert getattr(outcome, "step", None) == row.step
            if row.status is not None:
                assert getattr(outcome, "status", None) == row.status
        assert took < row.limit + 1.5  # the overhead is far below; the machine may be busy
        counts = cloud.requests.counts()
        for step, times in row.requests.items():
            assert counts.get(step, 0) == times, cloud.requests
        assert sum(counts.values()) <= 3 * 3 + 2
