"""Odd and hostile answers of a metadata service, ready to play against any client.

    @pytest.mark.parametrize("answer", hostile_answers(), ids=str)
    def test_my_client_copes(ramrole_cloud, answer):
        answer.play(ramrole_cloud)
        ...

A client copes when it ends in credentials or in a typed error, within its time limit, and prints no secret.
`outcome` says in which of the two a careful client ends: "ok" (credentials, after a retry where needed), "refused" (an
error), or "either" where both are defensible.
"""
# ruff: noqa: E501, RUF001  # a table is read across; the digits that look like others are what a row is about

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ramrole_creds.testing.fake_cloud import FakeCloud

Fault = dict[str, Any]
Outcome = Literal["ok", "refused", "either"]

PAGE = "<html><head><title>Sign in</title></head><body>Please accept the terms of use.</body></html>"
ABSENT = object()
GOOD_DOCUMENT: Mapping[str, str] = {
    "AccessKeyId": "STS.NTFAKEhostileAnswer000000",
    "AccessKeySecret": "9kFAKESECRET" + "hostileAnswer0" * 2 + "0000",
    "Expiration": "2099-01-01T00:00:00Z",
    "SecurityToken": "CAISFAKETOKEN" + "hostileAnswer0" * 30,
    "LastUpdated": "2024-01-01T00:00:00Z",
    "Code": "Success",
}
KEYS = ("AccessKeyId", "AccessKeySecret", "SecurityToken", "Expiration")


@dataclass(frozen=True, slots=True)
class HostileAnswer:
    """One odd answer.

    Args:
        id: a short name; members of one family share the part before "/": "token-5xx-twice/503".
        title: what the client meets, in a few words.
        outcome: how a careful client ends.
        faults: the faults that make the answer, as `Faults.load` takes them.
        role: the role of the instance, None for no role.
    """

    id: str
    title: str
    outcome: Outcome
    faults: tuple[Mapping[str, Any], ...]
    role: str | None = "web"

    @property
    def family(self) -> str:
        """The part of the id before "/"."""
        return self.id.partition("/")[0]

    @property
    def where(self) -> str:
        """The step that the first fault affects: "token", "role", "credentials" or "metadata"."""
        return str(self.faults[0]["where"]) if self.faults else "role"

    def play(self, cloud: FakeCloud) -> None:
        """Let the cloud answer this way from now on."""
        if self.role is None and cloud.instance.attached():
            cloud.detach_role()
        cloud.faults.load([{"label": self.id, **fault} for fault in self.faults])

    def __str__(self) -> str:
        return self.id


def hostile_answers() -> tuple[HostileAnswer, ...]:
    """All answers of the collection; play each one alone."""
    return (*token_answers(), *role_answers(), *documents(), *times(), *redirects(), *http_answers(), *connections())


def fault(where: str, what: str | int, **options: object) -> Fault:
    """A fault as `Faults.load` takes it."""
    return {"where": where, "what": what, **options}


def body(where: str, content: object, times: int | None = None) -> Fault:
    """An answer with status 200 and this body."""
    return fault(where, 200, body=content, times=times)


def raw(where: str, data: bytes, times: int | None = None) -> Fault:
    """These bytes in place of an answer."""
    return fault(where, "garbage", data=data, times=times)


def document(**changed: object) -> str:
    """The good credential document with some members changed, or left out where the value is ABSENT."""
    return json.dumps({key: value for key, value in {**GOOD_DOCUMENT, **changed}.items() if value is not ABSENT})


def http(content: bytes, *headers: str, start: str = "HTTP/1.1 200 OK") -> bytes:
    """An HTTP answer, byte by byte."""
    return "\r\n".join([start, *headers, "", ""]).encode() + content


GOOD_BYTES = document().encode()
LENGTH = f"Content-Length: {len(GOOD_BYTES)}"


def _one(
    name: str, title: str, *faults: Fault, outcome: Outcome = "refused", role: str | None = "web"
) -> HostileAnswer:
    return HostileAnswer(name, title, outcome, faults, role)


def _family(
    name: str, title: str, members: Mapping[str, Any], make: Callable[[Any], Fault], outcome: Outcome = "refused"
) -> list[HostileAnswer]:
    """One answer for each member: the end of its id, and what its fault is made of."""
    return [_one(f"{name}/{end}", f"{title}: {end}", make(value), outcome=outcome) for end, value in members.items()]


def token_answers() -> list[HostileAnswer]:
    """Answers to the token call, and what becomes of a token later."""
    return [
        _one("token-404", "No token service, as in a private cloud", fault("token", 404), outcome="ok"),
        _one("token-405", "The token call is not allowed", fault("token", 405), outcome="ok"),
        _one("token-403", "A proxy that adds X-Forwarded-For", fault("token", 403), outcome="ok"),
        _one("token-501", "The token call is not implemented", fault("token", 501), outcome="ok"),
        _one("metadata-403", "403 to everything", fault("metadata", 403)),
        _one("token-400", "400 to the token call", fault("token", 400)),
        _one("token-401", "401 to the token call", fault("token", 401)),
        *_family("token-5xx-twice", "This status twice, then a token", {"500": 500, "502": 502, "503": 503, "504": 504},
                 lambda status: fault("token", status, times=2), "ok"),
        _one("token-503", "503 forever", fault("token", 503)),
        _one("token-429-long", "429 that asks for nine seconds", fault("token", 429, retry_after=9, times=1), outcome="either"),
        _one("token-429-short", "429 that asks for a second", fault("token", 429, retry_after=1, times=1), outcome="ok"),
        _one("token-429-once", "429 without Retry-After, once", fault("token", 429, times=1), outcome="ok"),
        _one("token-hang", "The token call is never answered", fault("token", "hang"), outcome="ok"),
        _one("token-reset", "The token call is reset", fault("token", "reset"), outcome="ok"),
        _one("token-empty", "An empty token", body("token", "")),
        _one("token-empty-once", "An empty token, once", body("token", "", 1), outcome="ok"),
        _one("token-blank", "A blank token", body("token", " \r\n ")),
        _one("token-html", "The page of a captive portal for a token", body("token", PAGE)),
        *_family("token-character", "A token with a character that no token has",
                 {"crlf": "\r\nX-Injected: yes", "lf": "\n", "nul": "\x00", "escape": "\x1b[2J", "space": " ", "latin": "é",
                  "separator": "\u2028", "angle": "<"},
                 lambda bad: body("token", f"to{bad}ken")),
        _one("token-100k", "A token of 100 KiB", body("token", "t" * 102400)),
        _one("token-5k", "A token of 5 KiB", body("token", "t" * 5120)),
        _one("token-redirect", "The token call is redirected", fault("token", "redirect")),
        _one("token-not-http", "Bytes that are not HTTP for a token", fault("token", "garbage")),
        _one("token-cut", "A token cut short", fault("token", "truncate")),
        _one("token-503-then-reset", "503 to the token call, then resets", fault("token", 503, times=1), fault("token", "reset")),
        _one("credentials-401-once", "The token is revoked after the listing", fault("credentials", 401, times=1), outcome="ok"),
        _one("credentials-401", "401 forever, with every new token", fault("credentials", 401)),
        _one("role-403", "403 though there is a token", fault("role", 403)),
    ]  # fmt: skip


def role_answers() -> list[HostileAnswer]:
    """Listings of the attached role."""
    return [
        _one("role-none", "No role is attached", role=None),
        _one("role-empty", "An empty listing", body("role", "")),
        _one("role-empty-once", "An empty listing, once", body("role", "", 1), outcome="ok"),
        _one("role-blank", "A blank listing", body("role", "\n \r\n\t")),
        _one("role-newlines", "Line ends around the name", body("role", "\r\nweb\r\n"), outcome="ok"),
        _one("role-two", "Two names", body("role", "web\nother\n"), outcome="either"),
        _one("role-directory", "The form of a directory", body("role", "web/"), outcome="either"),
        *(_one(f"role-odd-name/{end}", f"A role named {name!r}", body("role", name), body("credentials", document()), outcome="either")
          for end, name in {"at": "web@corp", "space": "my role", "dots": "web.1_2-3", "latin": "wéb", "encoded": "a%2fb",
                            "percent": "50%", "chinese": "角色", "arn": "acs:ram::1234567890123456:role/web", "long": "r" * 65}.items()),
        *_family("role-path", "A name that leads elsewhere",
                 {"traversal": "../../user-data", "parent": "..", "dot": ".", "slash": "a/b", "absolute": "/web", "query": "a?x=1",
                  "fragment": "a#b", "backslash": "a\\b", "root": "/"},
                 lambda name: body("role", name)),
        _one("role-html", "The page of a captive portal for a listing", body("role", PAGE)),
        _one("role-10k", "A name of 10 KiB", body("role", "r" * 10240)),
        _one("role-513", "A name of 513 characters", body("role", "r" * 513)),
        *_family("role-json", "JSON for a listing",
                 {"list": '["web"]', "object": '{"role":"web"}', "brace": "{", "document": document()}, lambda text: body("role", text)),
        _one("role-escapes", "Escape sequences of a terminal", body("role", "\x1b[31mweb\x07")),
        *_family("role-invisible", "An invisible character", {"override": "we\u202eb", "nul": "web\x00", "bom": "\ufeffweb"},
                 lambda name: body("role", name)),
        _one("role-bytes", "Bytes that are not UTF-8", body("role", b"\xff\xfe\x00")),
        _one("role-drip", "The listing comes byte by byte, in time", fault("role", "drip", interval=0.02), outcome="ok"),
    ]  # fmt: skip


def documents() -> list[HostileAnswer]:
    """Credential documents."""
    wrong = {
        "null": None,
        "empty": "",
        "integer": 1,
        "float": 1.5,
        "true": True,
        "object": {},
        "list": [GOOD_DOCUMENT["AccessKeySecret"]],
        "nested": {"a": GOOD_DOCUMENT["AccessKeySecret"]},
    }
    bad = {
        "space": " ",
        "lf": "\n",
        "crlf": "\r\nX: y",
        "nul": "\x00",
        "latin": "é",
        "surrogate": "\ud800",
        "override": "\u202e",
    }
    return [
        _one("document-cut", "JSON cut off", body("credentials", GOOD_BYTES[:100])),
        _one("document-html", "The page of a captive portal for a document", body("credentials", PAGE)),
        *_family("document-other", "Something that is not a JSON object",
                 {"null": "null", "list": "[]", "wrapped": f"[{document()}]", "string": '"text"', "number": "1", "nan": "NaN",
                  "text": "not json", "open": '{"Code":"Success"', "form": "AccessKeyId=STS.x"},
                 lambda text: body("credentials", text)),
        _one("document-empty", "An empty document", body("credentials", "")),
        _one("document-empty-once", "An empty document, once", body("credentials", "", 1), outcome="ok"),
        _one("document-bom", "A byte order mark", body("credentials", b"\xef\xbb\xbf" + GOOD_BYTES), outcome="either"),
        *_family("document-tail", "A good document, and more behind it",
                 {"letter": "x", "object": "{}", "document": document(), "nul": "\x00"},
                 lambda rest: body("credentials", document() + rest)),
        _one("document-blanks", "Whitespace around the document", body("credentials", f"\n{document()}\r\n "), outcome="ok"),
        *_family("document-code", "A Code that is not Success",
                 {"lower": "success", "upper": "SUCCESS", "empty": "", "space": "Success ", "null": None, "number": 200, "true": True,
                  "list": ["Success"], "absent": ABSENT},
                 lambda code: body("credentials", document(Code=code))),
        _one("document-failed", "The Code of a failure", body("credentials", document(Code="InternalError"))),
        *(_one(f"document-wrong-{key}/{end}", f"{key} is {end if value is ABSENT else repr(value):.40}", body("credentials", document(**{key: value})))
          for key in KEYS for end, value in {**wrong, "absent": ABSENT}.items()),
        _one("document-aws", "The names of AWS", body("credentials", json.dumps(
            {"Code": "Success", "AccessKeyId": "x", "SecretAccessKey": GOOD_DOCUMENT["AccessKeySecret"],
             "Token": GOOD_DOCUMENT["SecurityToken"], "Expiration": "x"}))),
        *_family("document-case", "Keys in another case", {"lower": str.lower, "upper": str.upper}, lambda change: body(
            "credentials", json.dumps({change(key): value for key, value in GOOD_DOCUMENT.items()}))),
        _one("document-unknown-keys", "Unknown keys, and none of the optional ones",
             body("credentials", document(LastUpdated=ABSENT, Type="x", Message={"a": [1]})), outcome="ok"),
        _one("document-key-twice", "A key twice", body("credentials", document()[:-1] + ',"AccessKeyId":"STS.other"}'), outcome="either"),
        _one("document-huge-number", "A number of 5,000 digits", body("credentials", document()[:-1] + f',"x":{"9" * 5000}}}'), outcome="either"),
        *_family("document-deep", "Ten thousand levels", {"lists": "[", "objects": '{"a":'}, lambda part: body("credentials", part * 10000)),
        _one("document-deep-member", "A whole document with a deep member",
             body("credentials", document()[:-1] + ',"x":' + "[" * 30000 + "]" * 30000 + "}"), outcome="either"),
        *_family("document-encoding", "Another encoding of Unicode",
                 {name: name for name in ("utf-16", "utf-16-le", "utf-32", "utf-8-sig")},
                 lambda name: body("credentials", document().encode(name)), "either"),
        _one("document-latin-1", "Latin-1", body("credentials", document(Note="é").encode().replace(b"\\u00e9", b"\xe9")), outcome="either"),
        *(_one(f"document-character-{key}/{end}", f"{key} with a character that no key or token has: {end}",
               body("credentials", document(**{key: f"a{character}"})))
          for key in KEYS[:3] for end, character in bad.items()),
        _one("document-4k-token", "A security token of 4 KiB", body("credentials", document(SecurityToken="CAIS" + "x" * 4096)), outcome="ok"),
        _one("document-ltai", "An AccessKey ID without STS.", body("credentials", document(AccessKeyId="LTAI000000000000")), outcome="either"),
    ]  # fmt: skip


def times() -> list[HostileAnswer]:
    """Expirations and dates."""
    expired = body("credentials", document(Expiration="2017-11-01T05:20:01Z"))
    return [
        _one("updated-late", "LastUpdated is after Expiration", body("credentials", document(LastUpdated="2199-01-01T00:00:00Z")), outcome="ok"),
        _one("updated-nonsense", "LastUpdated is not a date", body("credentials", document(LastUpdated=[])), outcome="ok"),
        _one("expired", "Credentials that expired long ago", expired),
        _one("expired-no-date", "Expired, and no Date header to compare with", expired, fault("credentials", "no-date"),
             outcome="either"),
        *_family("expiration", "An Expiration in an unusual form of RFC 3339",
                 {"milliseconds": "2099-01-01T00:00:01.123Z", "nanoseconds": "2099-01-01T00:00:01.123456789Z",
                  "offset": "2099-01-01T08:00:00+08:00", "minus-zero": "2099-01-01T00:00:00-00:00",
                  "half-offset": "2099-01-01T00:00:00.5+05:30", "leap-second": "2099-12-31T23:59:60Z",
                  "lower": "2099-01-01t00:00:00z", "blanks": " 2099-01-01T00:00:00Z\n"},
                 lambda text: body("credentials", document(Expiration=text)), "either"),
        *_family("expiration-no-zone", "An Expiration without a time zone, or in a form that has none",
                 {"plain": "2030-01-01T00:00:00", "space": "2030-01-01 00:00:00Z", "date": "2030-01-01", "basic": "20300101T000000Z",
                  "week": "2030-W01-1T00:00:00Z", "unix": "4102444800", "minutes": "2030-01-01T00:00Z",
                  "offset": "2030-01-01T00:00:00+0800", "gap": "2030-01-01T00:00:00 Z"},
                 lambda text: body("credentials", document(Expiration=text)), "either"),
        *_family("expiration-not-a-date", "An Expiration that is not a date",
                 {"text": "not-a-date", "february": "2023-02-30T00:00:00Z", "month": "2023-13-01T00:00:00Z", "hour": "2030-01-01T25:00:00Z",
                  "rfc1123": "Tue, 01 Jan 2030 00:00:00 GMT", "words": "1 January 2030", "arabic": "٢٠٣٠-٠١-٠١T٠٠:٠٠:٠٠Z",
                  "fullwidth": "２０３０-01-01T00:00:00Z", "offset": "2030-01-01T00:00:00+25:00", "offset-minutes": "2030-01-01T00:00:00+08:60",
                  "year-0": "0000-01-01T00:00:00Z", "60k": "x" * 60000, "tail": "2030-01-01T00:00:00Z2",
                  "beyond": "9999-12-31T23:59:59-23:59", "before": "0001-01-01T00:00:00+23:59"},
                 lambda text: body("credentials", document(Expiration=text))),
        _one("expiration-year-9999", "The year 9999", body("credentials", document(Expiration="9999-12-31T23:59:59Z")), outcome="ok"),
        _one("expiration-year-1", "The year 1", body("credentials", document(Expiration="0001-01-01T00:00:00Z"))),
        _one("date-year-ago", "A Date header of a year ago", fault("metadata", "date", seconds=-365 * 86400.0), outcome="ok"),
        _one("date-unreadable", "A Date header that is not a date", fault("metadata", "date", value="yesterday"), outcome="ok"),
        _one("date-absent", "No Date header", fault("metadata", "no-date"), outcome="ok"),
    ]  # fmt: skip


def redirects() -> list[HostileAnswer]:
    """Answers that lead elsewhere."""
    locations = {
        "loopback": (301, "http://127.0.0.1:9/"),
        "own": (302, "/latest/meta-data/region-id"),
        "file": (303, "file:///etc/passwd"),
        "tls": (307, "https://captive.invalid"),
        "malformed": (308, "http://[::1"),
        "empty": (302, ""),
        "nul": (300, "\x00"),
    }
    return [
        *(_one(f"{step}-redirect/{end}", f"Redirected with {status} to {where!r}", fault(step, "redirect", status=status, location=where))
          for step in ("role", "credentials") for end, (status, where) in locations.items()),
        _one("metadata-redirect", "Everything is redirected to another host", fault("metadata", "redirect")),
        _one("role-redirect-bomb", "A redirect with a gzip bomb in its body",
             raw("role", http(gzip.compress(bytes(50_000_000), 1), "Location: /x", "Content-Encoding: gzip", start="HTTP/1.1 302 Found"))),
    ]  # fmt: skip


def http_answers() -> list[HostileAnswer]:
    """Statuses, headers, encodings and bytes that are not HTTP."""
    zipped = gzip.compress(GOOD_BYTES)
    chunk = b"%x;ext=1\r\n%s\r\n0\r\nTrailer: x\r\n\r\n" % (len(GOOD_BYTES), GOOD_BYTES)
    return [
        *_family("early-hints", "An informational answer before the right one",
                 {"103": http(b"", "Link: </x>", start="HTTP/1.1 103 Early Hints"), "100": http(b"", start="HTTP/1.1 100 Continue")},
                 lambda hint: raw("credentials", hint + http(GOOD_BYTES, LENGTH)), "ok"),
        *_family("status", "A good document with this status",
                 {str(status): status for status in (201, 202, 203, 206, 304, 402, 405, 406, 410, 418, 421, 451)},
                 lambda status: fault("credentials", status, body=document())),
        _one("status-204", "204", raw("credentials", http(b"", start="HTTP/1.1 204 No Content"))),
        *_family("flood", "A flood of informational answers", {"100": 100, "102": 102, "103": 103},
                 lambda status: fault("credentials", "informational", status=status), "either"),
        _one("gzip", "gzip that nobody asked for", raw("credentials", http(zipped, "Content-Encoding: gzip")), outcome="either"),
        _one("gzip-plain", "Says gzip and is plain", raw("credentials", http(GOOD_BYTES, LENGTH, "Content-Encoding: gzip")), outcome="either"),
        _one("gzip-unsaid", "gzip without the header", raw("credentials", http(zipped))),
        _one("gzip-cut", "gzip cut off", raw("credentials", http(zipped[:-9], "Content-Encoding: gzip"))),
        _one("encoding-unknown", "An unknown encoding", raw("credentials", http(GOOD_BYTES, "Content-Encoding: br")), outcome="either"),
        _one("gzip-bomb", "A gzip bomb", raw("credentials", http(gzip.compress(bytes(20_000_000), 1), "Content-Encoding: gzip"))),
        _one("chunked", "A chunked body", raw("credentials", http(chunk, "Transfer-Encoding: chunked")), outcome="ok"),
        _one("chunked-cut", "Cut before the last chunk, the JSON being whole",
             raw("credentials", http(b"%x\r\n%s\r\n" % (len(GOOD_BYTES), GOOD_BYTES), "Transfer-Encoding: chunked"))),
        _one("chunked-cut-once", "Cut inside a chunk, once", raw("credentials", http(b"5\r\nabc", "Transfer-Encoding: chunked"), 1), outcome="ok"),
        _one("chunked-malformed", "A chunk size that is not a number", raw("credentials", http(b"zz\r\nabc", "Transfer-Encoding: chunked"))),
        _one("length-short", "One byte less than announced, the JSON being whole",
             raw("credentials", http(GOOD_BYTES, f"Content-Length: {len(GOOD_BYTES) + 1}"))),
        _one("cut-once", "Cut inside the body, once", fault("credentials", "truncate", times=1), outcome="ok"),
        _one("cut", "Cut inside the body", fault("credentials", "truncate")),
        _one("length-long", "More than announced", raw("credentials", http(GOOD_BYTES + b"surplus", LENGTH)), outcome="ok"),
        _one("http-1.0", "HTTP/1.0 until the end", raw("credentials", http(GOOD_BYTES, start="HTTP/1.0 200 OK")), outcome="ok"),
        _one("length-twice", "Two lengths", raw("credentials", http(GOOD_BYTES, LENGTH, "Content-Length: 9"))),
        _one("length-negative", "A negative length", raw("credentials", http(GOOD_BYTES, "Content-Length: -5")), outcome="either"),
        *(_one(f"endless-{step}/{'length' if length else 'until-close'}", f"A gigabyte for the {step}",
               fault(step, "oversize", bytes=1 << 30, length=length))
          for step in ("token", "role", "credentials") for length in (True, False)),
        _one("header-endless", "A header without end", raw("credentials", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 300_000)),
        _one("headers-10k", "Ten thousand headers", raw("credentials", http(GOOD_BYTES, *(f"X-{i}: y" for i in range(10_000))))),
        *_family("not-http", "Bytes that are not HTTP",
                 {"text": b"raw text\n", "icy": b"ICY 200 OK\r\n\r\n" + GOOD_BYTES, "version": b"HTTP/9.9 200 OK\r\n\r\n",
                  "ssh": b"SSH-2.0-OpenSSH_9.6\r\n", "tls": b"\x15\x03\x01\x00\x02\x02\x46\r\n", "status": b"HTTP/1.1 abc OK\r\n\r\n",
                  "status-1000": b"HTTP/1.1 1000 OK\r\n\r\n", "nul": b"\x00" * 64 + b"\n", "no-status": b"HTTP/1.1\r\n\r\n",
                  "no-colon": b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n" + GOOD_BYTES},
                 lambda data: raw("credentials", data)),
        _one("reason-absent", "No reason phrase", raw("credentials", http(GOOD_BYTES, LENGTH, start="HTTP/1.1 200")), outcome="ok"),
        _one("reason-wrong", "A wrong reason phrase", raw("credentials", http(GOOD_BYTES, LENGTH, start="HTTP/1.1 200 Not Found")), outcome="ok"),
        _one("bare-line-feeds", "Bare line feeds", raw("credentials", http(b"", LENGTH).replace(b"\r\n", b"\n") + GOOD_BYTES), outcome="either"),
        *_family("header", "A header beside the point",
                 {"html": ("Content-Type: text/html",), "octets": ("Content-Type: application/octet-stream",),
                  "type-twice": ("Content-Type: a", "Content-Type: b"), "charset": ("Content-Type: text/plain; charset=klingon",),
                  "form": ("Content-Type: multipart/form-data",), "boundary": ("Content-Type: multipart/mixed; boundary=x",),
                  "cookie": ("Set-Cookie: a=b; Path=/",), "dates": ("Date: yesterday", "Age: old"), "date-5k": ("Date: " + "9" * 5000,)},
                 lambda headers: raw("credentials", http(GOOD_BYTES, LENGTH, *headers)), "ok"),
        _one("role-407", "A proxy that wants authentication", fault("role", 407)),
        *(_one(f"{step}-5xx/{status}", f"{status} forever", fault(step, status))
          for step in ("role", "credentials") for status in (500, 502, 503, 504)),
        _one("credentials-503-twice", "503 twice", fault("credentials", 503, times=2), outcome="ok"),
        _one("credentials-429", "429 forever", fault("credentials", 429)),
        _one("document-404", "404 whose body is a good document", fault("metadata", 404, body=document())),
        *_family("odd-status", "A good document with a status that does not exist", {str(status): status for status in (599, 600, 999)},
                 lambda status: raw("credentials", http(GOOD_BYTES, LENGTH, start=f"HTTP/1.1 {status} X"))),
        _one("answer-ahead", "The next answer comes with this one, before it is asked for",
             raw("role", http(b"web", "Content-Length: 3") + http(document(AccessKeyId="poison").encode())),
             body("credentials", document(AccessKeyId="STS.own")), outcome="ok"),
    ]  # fmt: skip


def connections() -> list[HostileAnswer]:
    """Slow, broken and silent connections."""
    return [
        _one("head-drip", "The head comes byte by byte", fault("credentials", "drip", part="head", interval=0.01), outcome="either"),
        _one("body-drip", "The body comes byte by byte", fault("credentials", "drip", interval=0.01), outcome="either"),
        _one("token-drip", "The token comes byte by byte", fault("token", "drip", interval=0.1), outcome="either"),
        _one("role-reset", "The listing is reset", fault("role", "reset")),
        _one("metadata-reset", "Everything is reset", fault("metadata", "reset")),
        _one("reset-after", "Reset inside the answer", fault("credentials", "reset", after=90)),
        _one("silence", "Accepts connections, and never answers", fault("metadata", "hang")),
        _one("hang-after", "Answers a part, and hangs", fault("credentials", "hang", after=200)),
        _one("close", "Closes without a byte", fault("metadata", "close")),
        _one("close-once", "Closes without a byte, once", fault("role", "close", times=1), outcome="ok"),
        _one("every-other", "Every other request fails", fault("role", "reset", times=1), fault("credentials", 503, times=1), outcome="ok"),
    ]  # fmt: skip
