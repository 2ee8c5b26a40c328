"""RPC style, SignatureVersion 1.0: the signature among the parameters of query and form body."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ramrole_creds.testing.verify.canonical import encode, hmac_sha1_base64, query_pairs, to_bytes, to_text
from ramrole_creds.testing.verify.error_catalogs import OPENAPI, ErrorSpec
from ramrole_creds.testing.verify.verification import Verification, VerificationFailed, iso_time, run_verification

if TYPE_CHECKING:
    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.verify.nonces import NonceMemory
    from ramrole_creds.testing.verify.result import Accepted, KeyDirectory, VerificationResult


def verify_rpc(request: WireRequest, issuer: KeyDirectory, now: float, nonces: NonceMemory) -> VerificationResult:
    """Judge a request whose query or form holds `Signature`."""
    return run_verification(Verification("rpc", OPENAPI, request, issuer, now, nonces), _verify)


def rpc_parameters(request: WireRequest) -> dict[str, str]:
    """The decoded parameters of query and form body; a name in both has the body's value, which is the signed one."""
    pairs = query_pairs(request.query_string)
    content_type = (request.header("content-type") or "").partition(";")[0].strip().lower()
    if request.body and content_type == "application/x-www-form-urlencoded":
        pairs += query_pairs(to_text(request.body))
    return {name: value or "" for name, value in pairs}


def _verify(check: Verification) -> Accepted:
    given = rpc_parameters(check.request)
    for name in ("AccessKeyId", "Signature", "SignatureMethod", "SignatureVersion", "SignatureNonce", "Timestamp"):
        if not given.get(name):
            raise VerificationFailed(
                ErrorSpec(
                    f"Missing{name}" if name in ("AccessKeyId", "Timestamp") else "MissingParameter",
                    400,
                    f"{name} is mandatory for this action.",
                )
            )
    if given["SignatureMethod"] != "HMAC-SHA1" or given["SignatureVersion"] != "1.0":
        raise VerificationFailed(
            ErrorSpec("InvalidSignatureMethod", 400, "Only HMAC-SHA1 with SignatureVersion 1.0 is supported.")
        )
    when = iso_time(given["Timestamp"])
    if when is None:
        raise VerificationFailed(
            ErrorSpec("InvalidTimeStamp.Format", 400, "Specified time stamp or date value is not well formatted.")
        )
    check.require_clock(when)
    access_key_id = given["AccessKeyId"]
    issued = check.issued(access_key_id, given.get("SecurityToken"))
    query = "&".join(
        f"{encode(name)}={encode(given[name])}" for name in sorted(given, key=to_bytes) if name != "Signature"
    )
    string_to_sign = f"{check.request.method}&%2F&{encode(query)}"
    ours = hmac_sha1_base64(to_bytes(issued.access_key_secret + "&"), string_to_sign)
    check.require_signature(ours, given["Signature"], access_key_id, string_to_sign)
    if not check.nonces.admit(access_key_id, given["SignatureNonce"], check.now):
        raise VerificationFailed(ErrorSpec("SignatureNonceUsed", 400, "Specified signature nonce was used already."))
    return check.accept(access_key_id, issued)
