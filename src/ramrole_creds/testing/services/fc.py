"""Function Compute: every invocation and every HTTP trigger, 3.0's too, returns its body; no functions are kept."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from ramrole_creds.testing.server.messages import WireResponse
from ramrole_creds.testing.services.markup import json_response, read_json
from ramrole_creds.testing.services.signed_service import VERBS, SignedCall, SignedService
from ramrole_creds.testing.verify.error_catalogs import FC

if TYPE_CHECKING:
    from ramrole_creds.testing.server.messages import WireRequest

API_PATH = "/2016-08-15/"
_COLLECTIONS = ("services", "functions", "triggers", "versions", "aliases")


class FcService(SignedService):
    """One Function Compute: the 2.0 interface and HTTP triggers; 3.0's interface speaks the common OpenAPI protocol."""

    name = "fc"
    catalog = FC
    request_id_form = "uuid"
    request_id_header = "X-Fc-Request-Id"
    product = "fc"
    error_names: ClassVar[tuple[str, ...]] = ("ErrorCode", "ErrorMessage")

    def looks_familiar(self, request: WireRequest) -> bool:
        """By path."""
        return request.path.startswith(API_PATH)

    def permission(self, call: SignedCall) -> tuple[str, str]:
        """Invoking a function, or managing a service and what is in it.

        Known, from "RAM authorization" of Function Compute: `fc:InvokeFunction`, actions of verb and kind, and the
        resource `services/<name>/functions/<name>`. Assumed: the function behind a trigger of 3.0 is named by the first
        label of its host.
        """
        if call.verdict.scheme == "fc_trigger":
            return "InvokeFunction", f"functions/{call.host.partition('.')[0].partition(':')[0]}"
        path = _path(call).strip("/")
        if path.startswith("proxy/"):
            service, _, rest = path.removeprefix("proxy/").partition("/")
            return "InvokeFunction", f"services/{service}/functions/{rest.partition('/')[0]}"
        if _is_invocation(call):
            return "InvokeFunction", path.rpartition("/")[0]
        parts = path.split("/")
        if len(parts) % 2:  # a collection
            kind = parts[-1].title()
            action = f"List{kind}" if call.method == "GET" else f"Create{kind.removesuffix('s')}"
            return action, f"{path}/*"
        return f"{VERBS.get(call.method, 'Get')}{parts[-2].title().removesuffix('s')}", path

    def answer(self, call: SignedCall) -> WireResponse:
        """The body of an invocation; of other calls an empty collection, or what was sent."""
        if _is_invocation(call):
            content_type = call.request.header("content-type") or "application/octet-stream"
            return WireResponse(200, (("Content-Type", content_type),), call.request.body)
        if call.method == "DELETE":
            return WireResponse(204)
        collection = call.path.rpartition("/")[2]
        if call.method == "GET" and collection in _COLLECTIONS:
            return json_response({collection: [], "nextToken": None})
        return json_response(read_json(call.request.body) or {})


def _path(call: SignedCall) -> str:
    return call.path.removeprefix(API_PATH.rstrip("/"))


def _is_invocation(call: SignedCall) -> bool:
    path = _path(call)
    triggered = call.verdict.scheme == "fc_trigger" or path.startswith("/proxy/")
    return triggered or re.search(r"/functions/[^/]+/invocations$", path) is not None
