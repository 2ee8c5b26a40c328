"""The common OpenAPI gateway: verifies any call of any product and answers with what it understood."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ramrole_creds.testing.account.access import Access
from ramrole_creds.testing.services.markup import openapi_answer, openapi_error, read_json
from ramrole_creds.testing.services.openapi_products import code_of, refusal_of, resources_of
from ramrole_creds.testing.services.service import ServiceError
from ramrole_creds.testing.services.signed_service import SignedCall, SignedService
from ramrole_creds.testing.verify import is_rpc, named_operation, rpc_parameters
from ramrole_creds.testing.verify.canonical import decode, header_map, query_pairs, to_text
from ramrole_creds.testing.verify.error_catalogs import OPENAPI
from ramrole_creds.testing.verify.verification import readable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ramrole_creds.testing.server.messages import WireRequest, WireResponse
    from ramrole_creds.testing.services.denial import Denial
    from ramrole_creds.testing.verify import Accepted, Rejected

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


class OpenApiEcho(SignedService):
    """Answers every RPC and ROA call with the request as it was understood, and who made it."""

    name = "openapi"
    catalog = OPENAPI
    request_id_form = "UUID"
    mark = "x-acs-"

    def looks_familiar(self, request: WireRequest) -> bool:
        """By an `x-acs-` header or by the parameters of an RPC call."""
        return super().looks_familiar(request) or is_rpc(request)

    def needs(self, call: SignedCall) -> Iterable[Access]:
        """The action of the product, on the resources that the parameters name.

        Assumed: `*` as the action of a ROA call, which does not carry the API's name. For all else see
        `openapi_products`.
        """
        action, version = _operation(call.request)
        if call.verdict.scheme == "rpc" and not action:
            message = "The input parameter Action that is mandatory for processing is missing."
            raise ServiceError("MissingParameter", message)
        product, parameters = _product(call.request, version), rpc_parameters(call.request)
        region = parameters.get("RegionId") or call.region
        for resource in resources_of(product, action, call.path, parameters):
            yield Access(f"{product}:{action or '*'}", f"acs:{product}:{region}:{call.account_id}:{resource}")

    def denied(self, denial: Denial) -> ServiceError:
        """`Forbidden.RAM`, unless the product has another code."""
        code, message = refusal_of(denial.access.action.partition(":")[0], denial.access.resource)
        return ServiceError(code, message, 403, extra=(("AccessDeniedDetail", denial.detail),))

    def answer(self, call: SignedCall) -> WireResponse:
        """The request as it was understood."""
        action, version = _operation(call.request)
        content: dict[str, object] = {"RequestId": call.request_id, **_understood(call.request, call.verdict)}
        content |= {"Product": _product(call.request, version), "Action": action, "Version": version}
        as_xml = _wants_xml(call.request)
        if as_xml:
            content = {name: one if isinstance(one, str) else json.dumps(one) for name, one in content.items()}
        return openapi_answer(f"{action or 'Echo'}Response", content, as_xml=as_xml)

    def refuse(self, request: WireRequest, request_id: str, refused: Rejected) -> WireResponse:
        """The error document of the gateway, in the format that was asked for."""
        product = _product(request, _operation(request)[1])
        return openapi_error(request, refused, request_id, product, as_xml=_wants_xml(request))


def _operation(request: WireRequest) -> tuple[str, str]:
    action, version = named_operation(request)
    return readable(action), readable(version or request.path.split("/")[1][:10])


def _product(request: WireRequest, version: str) -> str:
    return code_of((request.header("host") or "").lower(), version)


def _understood(request: WireRequest, verdict: Accepted) -> dict[str, object]:
    """The request as the gateway read it, secrets and tokens left out."""
    query = {
        readable(name): readable(value or "")
        for name, value in query_pairs(request.query_string)
        if verdict.scheme != "rpc" or name not in _COMMON
    }
    return {
        "Scheme": verdict.scheme,
        "AccessKeyId": verdict.access_key_id,
        "Arn": verdict.issued.principal,
        "Method": request.method,
        "Path": readable(decode(request.path)),
        "Query": query,
        "Body": _understood_body(request),
    }


def _understood_body(request: WireRequest) -> object:
    content_type = header_map(request).get("content-type", "")
    text = to_text(request.body)
    if content_type.startswith("application/x-www-form-urlencoded"):
        return {readable(name): readable(value or "") for name, value in query_pairs(text) if name not in _COMMON}
    parsed = read_json(request.body) if content_type.startswith("application/json") else None
    return readable(text) if parsed is None else parsed


def _wants_xml(request: WireRequest) -> bool:
    """RPC answers XML unless JSON is asked for; V3 and ROA answer JSON."""
    parameters = rpc_parameters(request)
    if "SignatureVersion" in parameters:
        return parameters.get("Format", "XML").upper() != "JSON"
    return "xml" in (request.header("accept") or "")
