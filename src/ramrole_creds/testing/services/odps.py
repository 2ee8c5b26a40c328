"""MaxCompute: enough of its REST interface for a client to start and list what there is, which is nothing."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ramrole_creds.testing.server.messages import WireResponse
from ramrole_creds.testing.services.markup import document
from ramrole_creds.testing.verify import NonceMemory, Rejected, verify_odps
from ramrole_creds.testing.verify.canonical import decode
from ramrole_creds.testing.verify.verification import readable

if TYPE_CHECKING:
    from ramrole_creds.testing.account.credential_store import CredentialStore
    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.services.markup import Node

ENDPOINT_PATH = "/api"
# The collections below a project, with the elements of an empty listing.
_COLLECTIONS = {
    "tables": "Tables",
    "instances": "Instances",
    "resources": "Resources",
    "registration/functions": "Functions",
    "volumes": "Volumes",
}


@dataclass(slots=True)
class OdpsService:
    """One MaxCompute, at the path `/api`."""

    issuer: CredentialStore
    nonces: NonceMemory = field(default_factory=NonceMemory)

    @property
    def name(self) -> str:
        """The name faults and the request log use."""
        return "odps"

    def recognizes(self, request: WireRequest) -> bool:
        """By signature, by its token header, or by the path."""
        authorization = request.header("authorization")
        if authorization:
            return authorization.startswith("ODPS ")
        return request.header("authorization-sts-token") is not None or request.path.startswith(ENDPOINT_PATH + "/")

    def handle(self, request: WireRequest) -> WireResponse:
        """Verify the request and answer it."""
        request_id = self.issuer.nonce().replace("-", "").lower()
        verdict = verify_odps(request, self.issuer, request.at, self.nonces)
        if isinstance(verdict, Rejected):
            return _refuse(request, request_id, verdict.code, verdict.message, verdict.status)
        path = readable(decode(request.path)).removeprefix(ENDPOINT_PATH)
        match = re.fullmatch(r"/projects/([^/]+)(?:/(.*))?", path)
        project = match[1] if match else "*"
        action = "Read" if request.method in ("GET", "HEAD") else "Write"
        resource = f"acs:odps:*:{verdict.issued.account_id}:projects/{project}"
        if not verdict.issued.allows(f"odps:{action}", resource):
            message = f"Authorization Failed [4019], You have NO privilege 'odps:{action}' on {resource}"
            return _refuse(request, request_id, "ODPS-0420095", f"Access Denied - {message}", 403)
        return _answer(request, request_id, path, project, match[2] or "" if match else "")


def _answer(request: WireRequest, request_id: str, path: str, project: str, below: str) -> WireResponse:
    if path == "/logview/host":
        return _reply(request_id, b"http://logview.example.invalid", "text/plain")
    if path == "/tenants":
        content = {"Name": "fake-tenant", "Parameters": {"odps.namespace.schema": "false"}}
        return _reply(request_id, json.dumps(content).encode(), "application/json")
    if path == "/projects":
        return _xml(request_id, "Projects", {"Marker": "", "MaxItems": 0})
    if below in _COLLECTIONS:
        return _xml(request_id, _COLLECTIONS[below], {"Marker": "", "MaxItems": 0})
    if project != "*" and not below:
        return _xml(request_id, "Project", {"Name": project, "Owner": "ALIYUN$fake", "State": "AVAILABLE"})
    message = f"The requested resource was not found. [Resource: {path}]"
    return _refuse(request, request_id, "NoSuchObject", message, 404)


def _xml(request_id: str, root: str, content: Node) -> WireResponse:
    return _reply(request_id, document(root, content), "application/xml")


def _reply(request_id: str, body: bytes, content_type: str) -> WireResponse:
    return WireResponse(200, (("x-odps-request-id", request_id), ("Content-Type", content_type)), body)


def _refuse(request: WireRequest, request_id: str, code: str, message: str, status: int) -> WireResponse:
    content = {"Code": code, "Message": message, "RequestId": request_id, "HostId": request.header("host") or ""}
    headers = (("x-odps-request-id", request_id), ("Content-Type", "application/xml"))
    return WireResponse(status, headers, document("Error", content))
