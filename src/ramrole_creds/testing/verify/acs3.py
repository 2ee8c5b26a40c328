"""ACS3-HMAC-SHA256, ACS3-HMAC-SM3 and ACS3-RSA-SHA256: the header signature of OpenAPI V3."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ramrole_creds.testing.verify.authorization import authorization_fields
from ramrole_creds.testing.verify.canonical import (
    encode,
    from_wire,
    header_lines,
    header_map,
    hex_mac,
    rsa_mac,
    same,
    sorted_pairs,
    to_bytes,
)
from ramrole_creds.testing.verify.error_catalogs import OPENAPI
from ramrole_creds.testing.verify.registry import scheme
from ramrole_creds.testing.verify.times import iso_time
from ramrole_creds.testing.verify.verification import Accepted, Verification, VerificationFailed, refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ramrole_creds.testing.account.credential_store import IssuedCredentials
    from ramrole_creds.testing.server.messages import WireRequest

RSA = "ACS3-RSA-SHA256"
DIGESTS: Mapping[str, str] = {"ACS3-HMAC-SHA256": "sha256", "ACS3-HMAC-SM3": "sm3", RSA: "sha256"}


def is_fc_trigger(request: WireRequest) -> bool:
    """Whether an ACS3 request calls an HTTP trigger: it has none of the headers that every API call has."""
    names = {name.lower() for name, _ in request.headers}
    signed = (request.header("authorization") or "").startswith("ACS3-")
    return signed and names.isdisjoint({"x-acs-action", "x-acs-version", "x-acs-content-sha256"})


@dataclass(frozen=True, slots=True)
class _Header:
    """What the Authorization header says, and the headers it may speak of."""

    algorithm: str
    access_key_id: str
    signature: str
    signed: tuple[str, ...]
    headers: Mapping[str, str]

    @property
    def digest(self) -> str:
        return DIGESTS[self.algorithm]


@scheme("acs3", OPENAPI, prefix="ACS3-", when=lambda request: not is_fc_trigger(request), service="openapi")
def acs3(check: Verification) -> Accepted:
    """A request to the common OpenAPI gateway, with SHA256 or SM3."""
    given = _read(check)
    _require_mandatory(check, given, "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256")
    issued = check.issued(given.access_key_id, given.headers.get("x-acs-security-token"))
    # The official clients sign User-Agent, Accept and the like; the service does not ask for them.
    _require_signed(given, {name for name in given.headers if name == "host" or name.startswith("x-acs-")})
    payload = hashlib.new(given.digest, check.request.body).hexdigest()
    if not same(payload, given.headers["x-acs-content-sha256"]):
        raise refused("InvalidContentSha256", 400, "x-acs-content-sha256 is not the hash of the request's body.")
    accepted = _conclude(check, given, issued, payload)
    check.require_new_nonce(given.access_key_id, given.headers["x-acs-signature-nonce"])
    return accepted


@scheme("fc_trigger", OPENAPI, prefix="ACS3-", when=is_fc_trigger)
def fc_trigger(check: Verification) -> Accepted:
    """A call of a Function Compute 3.0 HTTP trigger: ACS3 with an empty payload line and no nonce."""
    given = _read(check)
    _require_mandatory(check, given, "x-acs-date")
    token = given.headers.get("x-acs-security-token")
    issued = check.issued(given.access_key_id, token)
    _require_signed(given, {"x-acs-date", *(["x-acs-security-token"] if token else [])})
    return _conclude(check, given, issued, "")


def _read(check: Verification) -> _Header:
    # The official signer sorts the values of a header that differs only in case before it joins them.
    headers = header_map(check.request, join=lambda values: ",".join(sorted(values)))
    authorization = headers.get("authorization")
    if not authorization:
        raise _missing("Authorization")
    algorithm, _, rest = authorization.partition(" ")
    if DIGESTS.get(algorithm) not in hashlib.algorithms_available:
        raise refused("InvalidSignatureMethod", 400, f"The signature method {algorithm[:40]} is not supported.")
    fields = authorization_fields(rest)
    if not all(fields.get(name) for name in ("Credential", "SignedHeaders", "Signature")):
        raise _incomplete("Authorization must hold Credential, SignedHeaders and Signature")
    signed = tuple(name for name in fields["SignedHeaders"].split(";") if name)
    absent = [name for name in signed if name not in headers]
    if absent:
        raise _incomplete(f"SignedHeaders names absent headers {';'.join(absent)}")
    return _Header(algorithm, fields["Credential"], fields["Signature"], signed, headers)


def _require_mandatory(check: Verification, given: _Header, *names: str) -> None:
    for name in names:
        if not given.headers.get(name):
            raise _missing(name)
    when = iso_time(given.headers["x-acs-date"])
    if when is None:
        raise refused("IllegalTimestamp", 400, "The input parameter x-acs-date is not YYYY-MM-DDThh:mm:ssZ.")
    check.require_clock(when)


def _require_signed(given: _Header, names: set[str]) -> None:
    unsigned = names - set(given.signed)
    if unsigned:
        raise _incomplete(f"SignedHeaders lacks {';'.join(sorted(unsigned))}")


def _conclude(check: Verification, given: _Header, issued: IssuedCredentials, payload: str) -> Accepted:
    pairs = sorted_pairs(check.request.query_string)
    canonical = "\n".join(
        (
            check.request.method,
            from_wire(check.request.path) or "/",
            "&".join(f"{encode(name)}={encode(value)}" for name, value in pairs),
            header_lines(given.headers, given.signed),
            ";".join(sorted(given.signed)),
            payload,
        )
    )
    string_to_sign = f"{given.algorithm}\n{hashlib.new(given.digest, to_bytes(canonical)).hexdigest()}"
    if (given.algorithm == RSA) != (issued.public_key is not None):
        raise refused("InvalidSignatureMethod", 400, f"The signature method {given.algorithm} is not that of the key.")
    if issued.public_key is None:
        mac = hex_mac(issued.access_key_secret, given.digest)
    else:
        mac = rsa_mac(issued.public_key, given.signature, bytes.fromhex)
    return check.conclude(issued, given.signature, mac, {string_to_sign: canonical})


def _missing(name: str) -> VerificationFailed:
    return refused("MissingParameter", 400, f"The input parameter {name} that is mandatory for processing is missing.")


def _incomplete(why: str) -> VerificationFailed:
    return refused("IncompleteSignature", 400, f"The request signature does not conform to the standards: {why}.")
