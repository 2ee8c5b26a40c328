"""MaxCompute: `Authorization: ODPS …`, v2 and v4."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING

from ramrole_creds.testing.verify.canonical import (
    decode,
    derived_key,
    header_map,
    query_pairs,
    same,
    to_bytes,
)
from ramrole_creds.testing.verify.error_catalogs import ODPS, ErrorSpec
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

TERMINATOR = "aliyun_v4_request"
ENDPOINT_PATH = "/api"
DAY_TOLERANCE_SECONDS = 36 * 3600


def verify_odps(request: WireRequest, issuer: KeyDirectory, now: float, nonces: NonceMemory) -> VerificationResult:
    """Judge a MaxCompute request of either signature; its token travels outside the signature."""
    return run_verification(Verification("odps", ODPS, request, issuer, now, nonces), _verify)


def _verify(check: Verification) -> Accepted:
    headers = header_map(check.request)
    authorization = headers.get("authorization")
    if not authorization:
        raise VerificationFailed(ErrorSpec("ODPS-0410001", 400, "Missing authorization header"))
    kind, _, claim = authorization.partition(" ")
    credential, colon, signature = claim.strip().rpartition(":")
    if kind != "ODPS" or not colon or not credential:
        raise VerificationFailed(
            ErrorSpec("ODPS-0410011", 400, "Invalid authorization - it must be ODPS <credential>:<signature>")
        )
    if not headers.get("date"):
        raise VerificationFailed(ErrorSpec("ODPS-0410021", 400, "Invalid Date header - Date is missing"))
    when = http_time(headers["date"])
    if when is None:
        raise VerificationFailed(
            ErrorSpec("ODPS-0410021", 400, "Invalid Date header - it must be an RFC 1123 date in GMT")
        )
    check.require_clock(when)
    access_key_id, region = credential, None
    scope = credential.split("/")
    if len(scope) > 1:
        if len(scope) != 5 or scope[3:] != ["odps", TERMINATOR]:
            raise VerificationFailed(
                ErrorSpec("ODPS-0410011", 400, "Invalid authorization - the credential scope is malformed")
            )
        access_key_id, region = scope[0], scope[2]
    issued = check.issued(access_key_id, headers.get("authorization-sts-token"))
    if region is None:
        key = to_bytes(issued.access_key_secret)
    else:
        # The official SDK takes the day from its clock, not from Date: around midnight the two may differ.
        key = derived_key("aliyun_v4", issued.access_key_secret, scope[1], region, "odps", TERMINATOR)
        _require_day(check, scope[1])
    candidates = list(_strings_to_sign(check.request, headers))
    string_to_sign = next((each for each in candidates if same(_mac(key, each), signature)), candidates[0])
    check.require_signature(_mac(key, string_to_sign), signature, access_key_id, string_to_sign)
    return check.accept(access_key_id, issued, region)


def _require_day(check: Verification, day: str) -> None:
    noon = compact_time(f"{day}T120000Z")
    if noon is None or abs(noon - check.now) > DAY_TOLERANCE_SECONDS:
        raise VerificationFailed(
            ErrorSpec("ODPS-0410031", 400, "Authentication request expired - the credential is of another day")
        )


def _strings_to_sign(request: WireRequest, headers: Mapping[str, str]) -> Iterator[str]:
    """One string for each place where the endpoint's own path, which is not signed, may end."""
    pairs = [(name, value or "") for name, value in query_pairs(request.query_string)]
    lines = {name: headers.get(name, "") for name in ("content-md5", "content-type", "date")}
    lines |= {name: f"{name}:{value}" for name, value in headers.items() if name.startswith("x-odps-")}
    lines |= {name: f"{name}:{value}" for name, value in pairs if name.startswith("x-odps-")}
    pairs.sort(key=lambda pair: (to_bytes(pair[0]), to_bytes(pair[1])))
    query = "&".join(f"{name}={value}" if value else name for name, value in pairs)
    path = decode(request.path)
    inner = [path.removeprefix(ENDPOINT_PATH)] if path.startswith(ENDPOINT_PATH + "/") else []
    for each in (*inner, path):
        resource = f"{each}?{query}" if query else each
        yield "\n".join((request.method, *(lines[name] for name in sorted(lines)), resource))


def _mac(key: bytes, text: str) -> str:
    return base64.b64encode(hmac.new(key, to_bytes(text), hashlib.sha1).digest()).decode()
