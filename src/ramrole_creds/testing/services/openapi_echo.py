"""The common OpenAPI gateway: verifies any call of any product and answers with what it understood."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ramrole_creds.testing.server.messages import WireResponse
from ramrole_creds.testing.services.markup import document
from ramrole_creds.testing.verify import (
    NonceMemory,
    Rejected,
    is_fc_trigger,
    rpc_parameters,
    verify_acs3,
    verify_roa,
    verify_rpc,
)
from ramrole_creds.testing.verify.canonical import decode, header_map, query_pairs
from ramrole_creds.testing.verify.verification import readable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ramrole_creds.testing.account.credential_store import CredentialStore
    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.verify import Accepted, VerificationResult, Verifier

# Which product a version stands for, where the host name does not say.
PRODUCTS = {
    "2014-05-26": "ecs",
    "2014-08-15": "rds",
    "2014-05-15": "slb",
    "2020-06-16": "alb",
    "2015-04-01": "sts",
    "2015-05-01": "ram",
    "2016-01-20": "kms",
    "2016-04-28": "vpc",
    "2015-12-15": "cs",
    "2023-03-30": "fc",
}
_COMMON = {
    "AccessKeyId",
    "Format",
    "SecurityToken",
    "Signature",
    "SignatureMethod",
    "SignatureNonce",
    "SignatureType",
    "SignatureVersion",
    "Timestamp",
}
_MISSING = Rejected(
    "openapi", "MissingParameter", 400, "The input parameter Authorization that is mandatory for processing is missing."
)


@dataclass(slots=True)
class OpenApiEcho:
    """Answers every RPC and ROA call with the request as it was understood, and who made it."""

    issuer: CredentialStore
    nonces: NonceMemory = field(default_factory=NonceMemory)

    @property
    def name(self) -> str:
        """The name faults and the request log use."""
        return "openapi"

    def recognizes(self, request: WireRequest) -> bool:
        """By signature, by an `x-acs-` header or by the parameters of an RPC call."""
        if _verifier(request) is not None:
            return True
        if request.header("authorization"):
            return False
        return any(name.lower().startswith("x-acs-") for name, _ in request.headers) or _is_rpc(request)

    def handle(self, request: WireRequest) -> WireResponse:
        """Verify the request and echo it."""
        request_id = self.issuer.nonce()
        verifier = _verifier(request)
        verdict: VerificationResult = verifier(request, self.issuer, request.at, self.nonces) if verifier else _MISSING
        if isinstance(verdict, Rejected):
            return openapi_error(request, request_id, verdict.code, verdict.message, verdict.status)
        action, version = _operation(request)
        if verdict.scheme == "rpc" and not action:
            message = "The input parameter Action that is mandatory for processing is missing."
            return openapi_error(request, request_id, "MissingParameter", message, 400)
        product = _product(request, version)
        if not verdict.issued.allows(f"{product}:{action or '*'}"):
            message = "User not authorized to operate on the specified resource, or this API doesn't support RAM."
            return openapi_error(request, request_id, "Forbidden.RAM", message, 403)
        answer = _understood(request, verdict) | {"Product": product, "Action": action, "Version": version}
        return _answer(request, 200, {"RequestId": request_id, **answer}, root=f"{action or 'Echo'}Response")


def openapi_error(request: WireRequest, request_id: str, code: str, message: str, status: int) -> WireResponse:
    """The error document of the gateway, in the format that was asked for."""
    product = _product(request, _operation(request)[1])
    content = {
        "RequestId": request_id,
        "Message": message,
        "Recommend": f"https://api.aliyun.com/troubleshoot?q={code}&product={product}&requestId={request_id}",
        "HostId": request.header("host") or "",
        "Code": code,
    }
    return _answer(request, status, content, root="Error")


def _verifier(request: WireRequest) -> Verifier | None:
    authorization = request.header("authorization") or ""
    if authorization.startswith("ACS3-"):
        return None if is_fc_trigger(request) else verify_acs3
    if authorization.startswith("acs "):
        return verify_roa
    parameters = rpc_parameters(request) if not authorization and _is_rpc(request) else {}
    return verify_rpc if "Signature" in parameters or "AccessKeyId" in parameters else None


def _is_rpc(request: WireRequest) -> bool:
    return request.path in ("", "/") and not {"Action", "SignatureNonce"}.isdisjoint(rpc_parameters(request))


def _operation(request: WireRequest) -> tuple[str, str]:
    parameters = rpc_parameters(request)
    action = request.header("x-acs-action") or parameters.get("Action", "")
    version = request.header("x-acs-version") or parameters.get("Version", "")
    return readable(action), readable(version or request.path.split("/")[1][:10])


def _product(request: WireRequest, version: str) -> str:
    host = (request.header("host") or "").lower()
    return PRODUCTS.get(version) or (
        host.partition(".")[0] if host.partition(":")[0].endswith(".aliyuncs.com") else "api"
    )


def _understood(request: WireRequest, verdict: Accepted) -> dict[str, object]:
    """The request as the gateway read it, secrets and tokens left out."""
    headers = header_map(request)
    content_type = headers.get("content-type", "")
    form = content_type.startswith("application/x-www-form-urlencoded")
    query = {
        readable(name): readable(value or "")
        for name, value in query_pairs(request.query_string)
        if verdict.scheme != "rpc" or name not in _COMMON
    }
    body: object = readable(request.body.decode("utf-8", "surrogateescape"))
    if form:
        pairs = query_pairs(request.body.decode("utf-8", "surrogateescape"))
        body = {readable(name): readable(value or "") for name, value in pairs if name not in _COMMON}
    elif content_type.startswith("application/json") and request.body:
        with contextlib.suppress(ValueError):
            body = json.loads(request.body)
    return {
        "Scheme": verdict.scheme,
        "AccessKeyId": verdict.access_key_id,
        "Arn": verdict.issued.principal,
        "Method": request.method,
        "Path": readable(decode(request.path)),
        "Query": query,
        "Body": body,
    }


def _answer(request: WireRequest, status: int, content: Mapping[str, object], root: str) -> WireResponse:
    request_id = ("x-acs-request-id", str(content["RequestId"]))
    if _wants_xml(request):
        flat = {name: value if isinstance(value, str) else json.dumps(value) for name, value in content.items()}
        return WireResponse(status, (request_id, ("Content-Type", "text/xml;charset=utf-8")), document(root, flat))
    body = json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")
    return WireResponse(status, (request_id, ("Content-Type", "application/json;charset=utf-8")), body)


def _wants_xml(request: WireRequest) -> bool:
    """RPC answers XML unless JSON is asked for; V3 and ROA answer JSON."""
    parameters = rpc_parameters(request)
    if "SignatureVersion" in parameters:
        return parameters.get("Format", "XML").upper() != "JSON"
    return "xml" in (request.header("accept") or "")
