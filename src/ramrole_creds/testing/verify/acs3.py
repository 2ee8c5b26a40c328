"""ACS3-HMAC-SHA256 and ACS3-HMAC-SM3: the header signature of OpenAPI V3."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ramrole_creds.testing.verify.canonical import (
    encode,
    from_wire,
    header_lines,
    header_map,
    query_pairs,
    same,
    to_bytes,
)
from ramrole_creds.testing.verify.error_catalogs import OPENAPI, ErrorSpec
from ramrole_creds.testing.verify.sm3 import hmac_sm3, sm3
from ramrole_creds.testing.verify.verification import Verification, VerificationFailed, iso_time, run_verification

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.verify.nonces import NonceMemory
    from ramrole_creds.testing.verify.result import Accepted, KeyDirectory, VerificationResult

SHA256 = "ACS3-HMAC-SHA256"
SM3 = "ACS3-HMAC-SM3"


def verify_acs3(request: WireRequest, issuer: KeyDirectory, now: float, nonces: NonceMemory) -> VerificationResult:
    """Judge a request to the common OpenAPI gateway, SHA256 and SM3 alike."""
    return run_verification(Verification("acs3", OPENAPI, request, issuer, now, nonces), _verify)


def verify_fc_trigger(
    request: WireRequest, issuer: KeyDirectory, now: float, nonces: NonceMemory
) -> VerificationResult:
    """Judge a call of a Function Compute 3.0 HTTP trigger: ACS3 with an empty payload line and no nonce."""
    return run_verification(Verification("fc_trigger", OPENAPI, request, issuer, now, nonces), _verify_trigger)


def is_fc_trigger(request: WireRequest) -> bool:
    """Whether an ACS3 request calls an HTTP trigger: it has none of the headers that every API call has."""
    names = {name.lower() for name, _ in request.headers}
    signed = (request.header("authorization") or "").startswith("ACS3-")
    return signed and names.isdisjoint({"x-acs-action", "x-acs-version", "x-acs-content-sha256"})


@dataclass(frozen=True, slots=True)
class _Claim:
    algorithm: str
    access_key_id: str
    signed: tuple[str, ...]
    signature: str


@dataclass(frozen=True, slots=True)
class _Algorithm:
    digest: Callable[[bytes], str]
    mac: Callable[[bytes, bytes], str]


_ALGORITHMS: Mapping[str, _Algorithm] = {
    SHA256: _Algorithm(
        lambda data: hashlib.sha256(data).hexdigest(),
        lambda key, data: hmac.new(key, data, hashlib.sha256).hexdigest(),
    ),
    SM3: _Algorithm(lambda data: sm3(data).hex(), lambda key, data: hmac_sm3(key, data).hex()),
}


def _verify(check: Verification) -> Accepted:
    headers = header_map(check.request, join=_joined)
    claim = _claim(headers.get("authorization"))
    algorithm = _ALGORITHMS[claim.algorithm]
    for name in ("x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"):
        if not headers.get(name):
            raise VerificationFailed(_missing(name))
    _require_time(check, headers["x-acs-date"])
    issued = check.issued(claim.access_key_id, headers.get("x-acs-security-token"))
    unsigned = [name for name in headers if _must_be_signed(name) and name not in claim.signed]
    if unsigned:
        raise VerificationFailed(_incomplete(f"SignedHeaders lacks {';'.join(sorted(unsigned))}"))
    payload = algorithm.digest(check.request.body)
    if not same(payload, headers["x-acs-content-sha256"]):
        raise VerificationFailed(
            ErrorSpec("InvalidContentSha256", 400, "x-acs-content-sha256 is not the hash of the request's body.")
        )
    _require_signature(check, claim, headers, payload, issued.access_key_secret)
    if not check.nonces.admit(claim.access_key_id, headers["x-acs-signature-nonce"], check.now):
        raise VerificationFailed(ErrorSpec("SignatureNonceUsed", 400, "Specified signature nonce was used already."))
    return check.accept(claim.access_key_id, issued)


def _verify_trigger(check: Verification) -> Accepted:
    headers = header_map(check.request, join=_joined)
    claim = _claim(headers.get("authorization"))
    if not headers.get("x-acs-date"):
        raise VerificationFailed(_missing("x-acs-date"))
    _require_time(check, headers["x-acs-date"])
    token = headers.get("x-acs-security-token")
    issued = check.issued(claim.access_key_id, token)
    needed = {"x-acs-date", *(["x-acs-security-token"] if token else [])}
    if not needed <= set(claim.signed):
        raise VerificationFailed(_incomplete(f"SignedHeaders lacks {';'.join(sorted(needed - set(claim.signed)))}"))
    _require_signature(check, claim, headers, "", issued.access_key_secret)
    return check.accept(claim.access_key_id, issued)


def _require_time(check: Verification, text: str) -> None:
    when = iso_time(text)
    if when is None:
        raise VerificationFailed(
            ErrorSpec("IllegalTimestamp", 400, "The input parameter x-acs-date is not YYYY-MM-DDThh:mm:ssZ.")
        )
    check.require_clock(when)


def _require_signature(
    check: Verification, claim: _Claim, headers: Mapping[str, str], payload: str, secret: str
) -> None:
    absent = [name for name in claim.signed if name not in headers]
    if absent:
        raise VerificationFailed(_incomplete(f"SignedHeaders names absent headers {';'.join(absent)}"))
    request = check.request
    canonical = "\n".join(
        (
            request.method,
            from_wire(request.path) or "/",
            _canonical_query(request.query_string),
            header_lines(headers, claim.signed),
            ";".join(sorted(claim.signed)),
            payload,
        )
    )
    algorithm = _ALGORITHMS[claim.algorithm]
    string_to_sign = f"{claim.algorithm}\n{algorithm.digest(to_bytes(canonical))}"
    ours = algorithm.mac(to_bytes(secret), to_bytes(string_to_sign))
    check.require_signature(ours, claim.signature, claim.access_key_id, string_to_sign, canonical)


def _canonical_query(query: str) -> str:
    pairs = sorted((to_bytes(name), to_bytes(value or ""), name, value or "") for name, value in query_pairs(query))
    return "&".join(f"{encode(name)}={encode(value)}" for _, _, name, value in pairs)


def _must_be_signed(name: str) -> bool:
    # User-Agent, Accept and the like are signed by the official clients and may be left out.
    return name == "host" or name.startswith("x-acs-")


def _joined(values: list[str]) -> str:
    # The official signer sorts the values of a header that differs only in case before it joins them.
    return ",".join(sorted(values))


def _claim(authorization: str | None) -> _Claim:
    if not authorization:
        raise VerificationFailed(_missing("Authorization"))
    algorithm, _, rest = authorization.partition(" ")
    if algorithm not in _ALGORITHMS:
        raise VerificationFailed(
            ErrorSpec("InvalidSignatureMethod", 400, f"The signature method {algorithm[:40]} is not supported.")
        )
    parts = dict(re.findall(r"\s*([A-Za-z]+)=([^,]*?)\s*(?:,|$)", rest))
    if not (parts.get("Credential") and parts.get("SignedHeaders") and parts.get("Signature")):
        raise VerificationFailed(_incomplete("Authorization must hold Credential, SignedHeaders and Signature"))
    names = tuple(name for name in parts["SignedHeaders"].split(";") if name)
    return _Claim(algorithm, parts["Credential"], names, parts["Signature"])


def _missing(name: str) -> ErrorSpec:
    return ErrorSpec(
        "MissingParameter", 400, f"The input parameter {name} that is mandatory for processing is missing."
    )


def _incomplete(why: str) -> ErrorSpec:
    return ErrorSpec("IncompleteSignature", 400, f"The request signature does not conform to the standards: {why}.")
