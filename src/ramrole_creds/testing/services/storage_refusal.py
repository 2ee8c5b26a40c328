"""The error document of object storage, in both protocols."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ramrole_creds.testing.services.markup import document

if TYPE_CHECKING:
    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.services.markup import Node
    from ramrole_creds.testing.verify import Rejected


def refusal_document(request: WireRequest, request_id: str, refused: Rejected, *, key_name: str) -> bytes:
    """The document: code and message, what the server signed and what it got, the fine code and where to read on."""
    content: dict[str, Node] = {
        "Code": refused.code,
        "Message": refused.message,
        "RequestId": request_id,
        "HostId": request.header("host") or "",
        **dict(refused.extra),
    }
    ec = refused.ec or dict(refused.extra).get("EC")
    further = {
        key_name: refused.access_key_id,
        "SignatureProvided": refused.signature_provided,
        "StringToSign": refused.string_to_sign,
        "CanonicalRequest": refused.canonical_request,
        "EC": ec,
        "RecommendDoc": f"https://api.aliyun.com/troubleshoot?q={ec}" if ec else None,
    }
    content |= {name: value for name, value in further.items() if value is not None}
    return document("Error", content)
