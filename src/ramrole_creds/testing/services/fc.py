"""Function Compute: no functions, but every invocation and every HTTP trigger, 3.0's too, gives its body back."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ramrole_creds.testing.server.messages import WireResponse
from ramrole_creds.testing.verify import NonceMemory, Rejected, is_fc_trigger, verify_fc, verify_fc_trigger
from ramrole_creds.testing.verify.canonical import decode
from ramrole_creds.testing.verify.verification import readable

if TYPE_CHECKING:
    from ramrole_creds.testing.account.credential_store import CredentialStore
    from ramrole_creds.testing.server.messages import WireRequest

API_PATH = "/2016-08-15/"


@dataclass(slots=True)
class FcService:
    """One Function Compute: the 2.0 interface and HTTP triggers; 3.0's interface speaks the common OpenAPI protocol."""

    issuer: CredentialStore
    nonces: NonceMemory = field(default_factory=NonceMemory)

    @property
    def name(self) -> str:
        """The name faults and the request log use."""
        return "fc"

    def recognizes(self, request: WireRequest) -> bool:
        """By signature or by path."""
        authorization = request.header("authorization")
        if authorization:
            return authorization.startswith("FC ") or is_fc_trigger(request)
        return request.path.startswith(API_PATH)

    def handle(self, request: WireRequest) -> WireResponse:
        """Verify the request and answer it."""
        request_id = self.issuer.nonce().lower()
        triggered = is_fc_trigger(request)
        verify = verify_fc_trigger if triggered else verify_fc
        verdict = verify(request, self.issuer, request.at, self.nonces)
        if isinstance(verdict, Rejected):
            return _json(request_id, verdict.status, {"ErrorCode": verdict.code, "ErrorMessage": verdict.message})
        path = readable(decode(request.path)).removeprefix(API_PATH.rstrip("/"))
        invoked = (
            triggered or re.search(r"/functions/[^/]+/invocations$", path) is not None or path.startswith("/proxy/")
        )
        verb = {"GET": "Get", "POST": "Create", "PUT": "Update", "DELETE": "Delete"}.get(request.method, "Get")
        action = "InvokeFunction" if invoked else f"{verb}Service"
        if not verdict.issued.allows(f"fc:{action}", f"acs:fc:*:{verdict.issued.account_id}:{path.lstrip('/')}"):
            message = f"the caller is not authorized to perform 'fc:{action}'"
            return _json(request_id, 403, {"ErrorCode": "AccessDenied", "ErrorMessage": message})
        if invoked:
            content_type = request.header("content-type") or "application/octet-stream"
            return WireResponse(200, (("X-Fc-Request-Id", request_id), ("Content-Type", content_type)), request.body)
        if request.method == "DELETE":
            return WireResponse(204, (("X-Fc-Request-Id", request_id),))
        collection = path.rpartition("/")[2]
        if request.method == "GET" and collection in ("services", "functions", "triggers", "versions", "aliases"):
            return _json(request_id, 200, {collection: [], "nextToken": None})
        return _json(request_id, 200, _given(request.body))


def _given(body: bytes) -> object:
    try:
        return json.loads(body) if body else {}
    except ValueError:
        return {}


def _json(request_id: str, status: int, content: object) -> WireResponse:
    headers = (("X-Fc-Request-Id", request_id), ("Content-Type", "application/json"))
    return WireResponse(status, headers, json.dumps(content).encode())
