"""DataHub: projects by name."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ramrole_creds.testing.server.messages import WireResponse
from ramrole_creds.testing.verify import NonceMemory, Rejected, verify_datahub
from ramrole_creds.testing.verify.canonical import decode
from ramrole_creds.testing.verify.verification import readable

if TYPE_CHECKING:
    from ramrole_creds.testing.account.credential_store import CredentialStore
    from ramrole_creds.testing.server.messages import WireRequest


@dataclass(slots=True)
class DatahubService:
    """One DataHub."""

    issuer: CredentialStore
    nonces: NonceMemory = field(default_factory=NonceMemory)
    _projects: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)  # guards _projects

    @property
    def name(self) -> str:
        """The name faults and the request log use."""
        return "datahub"

    def recognizes(self, request: WireRequest) -> bool:
        """By signature, or by a header of its own."""
        authorization = request.header("authorization")
        if authorization:
            return authorization.startswith("DATAHUB ")
        return any(name.lower().startswith("x-datahub-") for name, _ in request.headers)

    def handle(self, request: WireRequest) -> WireResponse:
        """Verify the request and answer it."""
        request_id = self.issuer.nonce().replace("-", "").lower()
        verdict = verify_datahub(request, self.issuer, request.at, self.nonces)
        if isinstance(verdict, Rejected):
            return _refuse(request_id, verdict.code, verdict.message, verdict.status)
        path = readable(decode(request.path))
        verb = {"GET": "Get", "POST": "Create", "PUT": "Update", "DELETE": "Delete"}.get(request.method, "Get")
        action = "dhs:ListProject" if path == "/projects" else f"dhs:{verb}Project"
        resource = f"acs:dhs:*:{verdict.issued.account_id}:{path.lstrip('/')}"
        if not verdict.issued.allows(action, resource):
            return _refuse(request_id, "NoPermission", f"No permission, action: {action}, resource: {resource}", 403)
        with self._lock:
            return self._answer(request, request_id, path)

    def _answer(self, request: WireRequest, request_id: str, path: str) -> WireResponse:
        if path == "/projects":
            return _json(request_id, 200, {"ProjectNames": sorted(self._projects)})
        match = re.fullmatch(r"/projects/([^/]+)", path)
        if match is None:
            return _refuse(request_id, "NoSuchTopic", "The fake cloud has no topics.", 404)
        return self._project(request, request_id, match[1])

    def _project(self, request: WireRequest, request_id: str, project: str) -> WireResponse:
        if request.method == "POST":
            if project in self._projects:
                return _refuse(request_id, "ProjectAlreadyExist", "The project already exists.", 400)
            self._projects[project] = request.at
            return _json(request_id, 201, {})
        if project not in self._projects:
            return _refuse(request_id, "NoSuchProject", "The specified project does not exist.", 404)
        if request.method == "DELETE":
            del self._projects[project]
            return _json(request_id, 200, {})
        created = int(self._projects[project])
        return _json(
            request_id, 200, {"Comment": "", "CreateTime": created, "LastModifyTime": created, "Creator": "fake"}
        )


def _json(request_id: str, status: int, content: object) -> WireResponse:
    headers = (("x-datahub-request-id", request_id), ("Content-Type", "application/json"))
    return WireResponse(status, headers, json.dumps(content).encode())


def _refuse(request_id: str, code: str, message: str, status: int) -> WireResponse:
    return _json(request_id, status, {"RequestId": request_id, "ErrorCode": code, "ErrorMessage": message})
