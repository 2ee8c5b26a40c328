"""RPC style, SignatureVersion 1.0: the signature among the parameters of query and form body; HMAC-SHA1 and RSA."""

from __future__ import annotations

from base64 import b64decode
from functools import partial
from typing import TYPE_CHECKING

from ramrole_creds.testing.verify.canonical import base64_mac, encode, query_pairs, rsa_mac, to_bytes, to_text
from ramrole_creds.testing.verify.error_catalogs import OPENAPI
from ramrole_creds.testing.verify.registry import scheme
from ramrole_creds.testing.verify.times import iso_time
from ramrole_creds.testing.verify.verification import Accepted, Verification, refused

if TYPE_CHECKING:
    from ramrole_creds.testing.server.messages import WireRequest

RSA = "SHA256withRSA"
_MANDATORY = ("AccessKeyId", "Signature", "SignatureMethod", "SignatureVersion", "SignatureNonce", "Timestamp")


def rpc_parameters(request: WireRequest) -> dict[str, str]:
    """The decoded parameters of query and form body; a name in both has the body's value, which is the signed one."""
    pairs = query_pairs(request.query_string)
    content_type = (request.header("content-type") or "").partition(";")[0].strip().lower()
    if request.body and content_type == "application/x-www-form-urlencoded" and not request.has_long_form:
        pairs += query_pairs(to_text(request.body))
    return {name: value or "" for name, value in pairs}


def named_operation(request: WireRequest) -> tuple[str, str]:
    """Action and version of an OpenAPI call, of the headers of ACS3 or of the parameters; "" for what is not there."""
    parameters = rpc_parameters(request)
    action = request.header("x-acs-action") or parameters.get("Action", "")
    return action, request.header("x-acs-version") or parameters.get("Version", "")


def is_rpc(request: WireRequest) -> bool:
    """Whether the request has the parameters of an RPC call."""
    return request.path in ("", "/") and not {"Action", "SignatureNonce"}.isdisjoint(rpc_parameters(request))


def _is_signed(request: WireRequest) -> bool:
    return is_rpc(request) and not {"Signature", "AccessKeyId"}.isdisjoint(rpc_parameters(request))


@scheme("rpc", OPENAPI, when=_is_signed, service="openapi")
def rpc(check: Verification) -> Accepted:
    """A request whose query or form holds `Signature`."""
    given = rpc_parameters(check.request)
    for name in _MANDATORY:
        if not given.get(name):
            code = f"Missing{name}" if name in ("AccessKeyId", "Timestamp") else "MissingParameter"
            raise refused(code, 400, f"{name} is mandatory for this action.")
    if given["SignatureMethod"] not in ("HMAC-SHA1", RSA) or given["SignatureVersion"] != "1.0":
        message = f"Only HMAC-SHA1 and {RSA} with SignatureVersion 1.0 are supported."
        raise refused("InvalidSignatureMethod", 400, message)
    check.require_clock(iso_time(given["Timestamp"]))
    issued = check.issued(given["AccessKeyId"], given.get("SecurityToken"))
    query = "&".join(
        f"{encode(name)}={encode(given[name])}" for name in sorted(given, key=to_bytes) if name != "Signature"
    )
    if (given["SignatureMethod"] == RSA) != (issued.public_key is not None):
        raise refused("InvalidSignatureMethod", 400, "The signature method is not that of the key.")
    if issued.public_key is None:
        mac = base64_mac(f"{issued.access_key_secret}&")
    else:
        mac = rsa_mac(issued.public_key, given["Signature"], partial(b64decode, validate=True))
    accepted = check.conclude(issued, given["Signature"], mac, f"{check.request.method}&%2F&{encode(query)}")
    check.require_new_nonce(issued.access_key_id, given["SignatureNonce"])
    return accepted
