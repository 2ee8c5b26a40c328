"""Function Compute 2.0: `Authorization: FC <id>:<signature>`, API calls and HTTP triggers; signed trigger URLs."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from ramrole_creds.testing.verify.attempt import Attempt, Refused, http_time, judged
from ramrole_creds.testing.verify.canonical import (
    decode,
    header_lines,
    header_map,
    hmac_sha256,
    query_pairs,
    to_bytes,
)
from ramrole_creds.testing.verify.dialects import FC, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ramrole_creds.testing.verify.nonces import NonceMemory
    from ramrole_creds.testing.verify.verdict import Accepted, KeyDirectory, Verdict
    from ramrole_creds.testing.wire import WireRequest

TRIGGER_PATH = "/2016-08-15/proxy/"


def verify_fc(request: WireRequest, issuer: KeyDirectory, now: float, nonces: NonceMemory) -> Verdict:
    """Judge a Function Compute 2.0 request, signed in its headers or in its URL."""
    return judged(Attempt("fc", FC, request, issuer, now, nonces), _verify)


def _verify(attempt: Attempt) -> Accepted:
    headers = header_map(attempt.request)
    query = {name: value or "" for name, value in query_pairs(attempt.request.query_string)}
    if "authorization" not in headers and "x-fc-signature" in query:
        return _verify_url(attempt, headers, query)
    kind, _, claim = headers.get("authorization", "").partition(" ")
    access_key_id, colon, signature = claim.strip().rpartition(":")
    if kind != "FC" or not colon or not access_key_id:
        raise Refused(Reason("MissingRequiredHeader", 400, "The Authorization header is not FC <id>:<signature>."))
    when = http_time(headers.get("date", ""))
    if when is None:
        raise Refused(Reason("MissingRequiredHeader", 400, "The Date header is missing or no RFC 1123 date in GMT."))
    attempt.require_clock(when)
    issued = attempt.issued(access_key_id, headers.get("x-fc-security-token"))
    string_to_sign = _string_to_sign(attempt.request, headers, headers["date"])
    ours = base64.b64encode(hmac_sha256(to_bytes(issued.access_key_secret), string_to_sign)).decode()
    attempt.require_signature(ours, signature, access_key_id, string_to_sign)
    return attempt.accept(access_key_id, issued)


def _verify_url(attempt: Attempt, headers: Mapping[str, str], query: Mapping[str, str]) -> Accepted:
    access_key_id, expires = query.get("x-fc-access-key-id", ""), query.get("x-fc-expires", "")
    if not access_key_id or not (expires.isascii() and expires.isdigit()):
        raise Refused(Reason("MissingRequiredHeader", 400, "The query parameters of the signature are incomplete."))
    if attempt.now > int(expires):
        raise Refused(Reason("AccessDenied", 403, "The request has expired."))
    issued = attempt.issued(access_key_id, query.get("x-fc-security-token"))
    string_to_sign = _string_to_sign(attempt.request, headers, expires)
    ours = base64.b64encode(hmac_sha256(to_bytes(issued.access_key_secret), string_to_sign)).decode()
    attempt.require_signature(ours, query["x-fc-signature"], access_key_id, string_to_sign)
    return attempt.accept(access_key_id, issued)


def _string_to_sign(request: WireRequest, headers: Mapping[str, str], date: str) -> str:
    resource = decode(request.path)
    if resource.startswith(TRIGGER_PATH):
        lines = sorted(
            (
                name if value is None else f"{name}={value}"
                for name, value in query_pairs(request.query_string)
                if name != "x-fc-signature"
            ),
            key=to_bytes,
        )
        resource += "\n" + "\n".join(lines)
    fc_headers = header_lines(headers, (name for name in headers if name.startswith("x-fc-")))
    head = (request.method, headers.get("content-md5", ""), headers.get("content-type", ""), date)
    return "\n".join((*head, fc_headers + resource))
