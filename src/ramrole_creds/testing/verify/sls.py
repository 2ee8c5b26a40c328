"""Simple Log Service: `LOG <id>:<signature>` (v1) and `SLS4-HMAC-SHA256` (v4)."""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING

from ramrole_creds.testing.verify.canonical import (
    content_md5_matches,
    decode,
    derived_key,
    encode,
    from_wire,
    header_lines,
    header_map,
    hmac_sha1_base64,
    hmac_sha256,
    query_pairs,
    same,
    sha256_hex,
    to_bytes,
)
from ramrole_creds.testing.verify.error_catalogs import SLS, ErrorSpec
from ramrole_creds.testing.verify.verification import (
    Verification,
    VerificationFailed,
    compact_time,
    http_time,
    run_verification,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.verify.nonces import NonceMemory
    from ramrole_creds.testing.verify.result import Accepted, KeyDirectory, VerificationResult

ALGORITHM = "SLS4-HMAC-SHA256"
TERMINATOR = "aliyun_v4_request"


def verify_sls_v1(request: WireRequest, issuer: KeyDirectory, now: float, nonces: NonceMemory) -> VerificationResult:
    """Judge `Authorization: LOG <id>:<signature>`."""
    return run_verification(Verification("sls_v1", SLS, request, issuer, now, nonces), _verify_v1)


def verify_sls_v4(request: WireRequest, issuer: KeyDirectory, now: float, nonces: NonceMemory) -> VerificationResult:
    """Judge `Authorization: SLS4-HMAC-SHA256 …`."""
    return run_verification(Verification("sls_v4", SLS, request, issuer, now, nonces), _verify_v4)


def _verify_v1(check: Verification) -> Accepted:
    request = check.request
    headers = header_map(request)
    claim = headers.get("authorization", "").removeprefix("LOG ").strip()
    access_key_id, colon, signature = claim.rpartition(":")
    if not colon or not access_key_id:
        raise VerificationFailed(
            ErrorSpec("InvalidAccessKeyId", 400, "Authorization is not of the form LOG <id>:<signature>.")
        )
    _require_headers(headers, "x-log-apiversion", "x-log-signaturemethod", "date")
    when = http_time(headers["date"])
    if when is None:
        raise VerificationFailed(ErrorSpec("InvalidDateFormat", 400, "Date is not an RFC 1123 date in GMT."))
    check.require_clock(when)
    if request.body and "content-md5" not in headers:
        raise VerificationFailed(ErrorSpec("MissingContentMD5", 400, "Content-MD5 is required with a body."))
    if "content-md5" in headers and not content_md5_matches(request.body, headers["content-md5"]):
        raise VerificationFailed(
            ErrorSpec("InvalidContentMD5", 400, "Content-MD5 is not the digest of the request's body.")
        )
    issued = check.issued(access_key_id, headers.get("x-acs-security-token"))
    # The official SDK adds x-log-date after it has signed.
    signed = [name for name in headers if _is_log_header(name) and name != "x-log-date"]
    head = (request.method, headers.get("content-md5", ""), headers.get("content-type", ""), headers["date"])
    pairs = sorted((to_bytes(name), f"{name}={value or ''}") for name, value in query_pairs(request.query_string))
    query = "?" + "&".join(text for _, text in pairs) if pairs else ""
    candidates = [
        "\n".join((*head, header_lines(headers, signed) + path + query))
        for path in dict.fromkeys((decode(request.path), from_wire(request.path)))
    ]
    key = to_bytes(issued.access_key_secret)
    string_to_sign = next((each for each in candidates if same(hmac_sha1_base64(key, each), signature)), candidates[0])
    check.require_signature(hmac_sha1_base64(key, string_to_sign), signature, access_key_id, string_to_sign)
    return check.accept(access_key_id, issued)


def _verify_v4(check: Verification) -> Accepted:
    request = check.request
    headers = header_map(request)
    claim = dict(
        re.findall(r"([A-Za-z]+)=([^,]*?)\s*(?:,|$)", headers.get("authorization", "").removeprefix(ALGORITHM))
    )
    scope = claim.get("Credential", "").split("/")
    if len(scope) != 5 or scope[3:] != ["sls", TERMINATOR] or not claim.get("Signature"):
        raise VerificationFailed(
            ErrorSpec("InvalidAccessKeyId", 400, "Authorization holds no valid Credential and Signature.")
        )
    access_key_id, day, region = scope[:3]
    _require_headers(headers, "x-log-apiversion", "x-log-content-sha256", "x-log-date")
    when = compact_time(headers["x-log-date"])
    if when is None or day != headers["x-log-date"][:8]:
        raise VerificationFailed(
            ErrorSpec("InvalidRequestTime", 400, "x-log-date is not YYYYMMDDThhmmssZ of the Credential's day.")
        )
    check.require_clock(when)
    payload = sha256_hex(request.body)
    if not same(payload, headers["x-log-content-sha256"]):
        raise VerificationFailed(
            ErrorSpec("InvalidContentSha256", 400, "x-log-content-sha256 is not the hash of the request's body.")
        )
    issued = check.issued(access_key_id, headers.get("x-acs-security-token"))
    key = derived_key("aliyun_v4", issued.access_key_secret, day, region, "sls", TERMINATOR)
    head = f"{ALGORITHM}\n{headers['x-log-date']}\n{day}/{region}/sls/{TERMINATOR}\n"
    candidates = {head + sha256_hex(to_bytes(each)): each for each in _canonical_requests(request, headers, payload)}
    string_to_sign = next(
        (each for each in candidates if same(hmac_sha256(key, each).hex(), claim["Signature"])), next(iter(candidates))
    )
    ours = hmac_sha256(key, string_to_sign).hex()
    check.require_signature(ours, claim["Signature"], access_key_id, string_to_sign, candidates[string_to_sign])
    return check.accept(access_key_id, issued, region)


def _canonical_requests(request: WireRequest, headers: Mapping[str, str], payload: str) -> Iterator[str]:
    """The forms in use: releases of the official SDK differ in whether names and path are encoded."""
    signed = sorted(name for name in headers if name in ("content-type", "host") or _is_log_header(name))
    pairs = [(name, value or "") for name, value in query_pairs(request.query_string)]
    pairs.sort(key=lambda pair: (to_bytes(pair[0]), to_bytes(pair[1])))
    paths = dict.fromkeys((decode(request.path), from_wire(request.path)))
    hosts = dict.fromkeys((headers.get("host", ""), headers.get("host", "").partition(":")[0]))
    for path, encode_names, host in product(paths, (True, False), hosts):
        spelt = [(encode(name) if encode_names else name, encode(value)) for name, value in pairs]
        query = "&".join(f"{name}={value}" if value else name for name, value in spelt)
        lines = header_lines({**headers, "host": host}, signed)
        yield "\n".join((request.method, path, query, lines, ";".join(signed), payload))


def _is_log_header(name: str) -> bool:
    return name.startswith(("x-log-", "x-acs-")) and not name.startswith("x-log-meta-")


_MISSING = {
    "x-log-apiversion": ("MissingApiVersion", "x-log-apiversion does not exist in http header."),
    "x-log-signaturemethod": ("MissingSignatureMethod", "x-log-signaturemethod does not exist in http header."),
    "x-log-content-sha256": ("MissingContentSha256", "x-log-content-sha256 does not exist in http header."),
    "x-log-date": ("MissingDate", "x-log-date does not exist in http header."),
    "date": ("MissingDate", "Date does not exist in http header."),
}


def _require_headers(headers: Mapping[str, str], *names: str) -> None:
    for name in names:
        if not headers.get(name):
            code, message = _MISSING[name]
            raise VerificationFailed(ErrorSpec(code, 400, message))
