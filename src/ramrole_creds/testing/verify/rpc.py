"""RPC style, SignatureVersion 1.0: the signature among the parameters of query and form body."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ramrole_creds.testing.verify.canonical import base64_mac, encode, query_pairs, to_bytes, to_text
from ramrole_creds.testing.verify.error_catalogs import OPENAPI
from ramrole_creds.testing.verify.registry import scheme
from ramrole_creds.testing.verify.times import iso_time
from ramrole_creds.testing.verify.verification import Accepted, Verification, refused

if TYPE_CHECKING:
    from ramrole_creds.testing.server.messages import WireRequest

_MANDATORY = ("AccessKeyId", "Signature", "SignatureMethod", "SignatureVersion", "SignatureNonce", "Timestamp")


def rpc_parameters(request: WireRequest) -> dict[str, str]:
    """The decoded parameters of query and form body; a name in both has the body's value, which is the signed one."""
    pairs = query_pairs(request.query_string)
    content_type = (request.header("content-type") or "").partition(";")[0].strip().lower()
    if request.body and content_type == "application/x-www-form-urlencoded":
        pairs += query_pairs(to_text(request.body))
    return {name: value or "" for name, value in pairs}


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
    if given["SignatureMethod"] != "HMAC-SHA1" or given["SignatureVersion"] != "1.0":
        raise refused("InvalidSignatureMethod", 400, "Only HMAC-SHA1 with SignatureVersion 1.0 is supported.")
    check.require_clock(iso_time(given["Timestamp"]))
    issued = check.issued(given["AccessKeyId"], given.get("SecurityToken"))
    query = "&".join(
        f"{encode(name)}={encode(given[name])}" for name in sorted(given, key=to_bytes) if name != "Signature"
    )
    mac = base64_mac(f"{issued.access_key_secret}&")
    accepted = check.conclude(issued, given["Signature"], mac, f"{check.request.method}&%2F&{encode(query)}")
    check.require_new_nonce(issued.access_key_id, given["SignatureNonce"])
    return accepted
