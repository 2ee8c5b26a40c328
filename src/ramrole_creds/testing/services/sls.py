"""Simple Log Service: projects with logstores that take logs and give them back as counts."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ramrole_creds.testing.server.messages import WireResponse
from ramrole_creds.testing.verify import NonceMemory, Rejected, verify_sls_v1, verify_sls_v4
from ramrole_creds.testing.verify.canonical import decode, query_pairs

if TYPE_CHECKING:
    from ramrole_creds.testing.account.credential_store import CredentialStore
    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.verify import VerificationResult, Verifier

_MISSING = Rejected("sls", "InvalidAccessKeyId", 400, "The Authorization header is missing.")
_SHARD = {
    "shardID": 0,
    "status": "readwrite",
    "inclusiveBeginKey": "0" * 32,
    "exclusiveEndKey": "f" * 32,
    "createTime": 0,
}
END_CURSOR = "MA=="


@dataclass(slots=True)
class SlsService:
    """One log service; the project is the first label of the host, or `default` where an address stands there."""

    issuer: CredentialStore
    nonces: NonceMemory = field(default_factory=NonceMemory)
    _logstores: dict[tuple[str, str], list[bytes]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)  # guards _logstores

    @property
    def name(self) -> str:
        """The name faults and the request log use."""
        return "sls"

    def recognizes(self, request: WireRequest) -> bool:
        """By signature, or by the version header that every call has."""
        if request.header("authorization"):
            return _verifier(request) is not None
        return request.header("x-log-apiversion") is not None

    def handle(self, request: WireRequest) -> WireResponse:
        """Verify the request and answer it."""
        request_id = self.issuer.nonce().replace("-", "")[:24]
        verifier = _verifier(request)
        verdict: VerificationResult = verifier(request, self.issuer, request.at, self.nonces) if verifier else _MISSING
        if isinstance(verdict, Rejected):
            return _refuse(request_id, verdict.code, verdict.message, verdict.status)
        project, path = _project(request), decode(request.path)
        action = _action(request.method, path)
        if not verdict.issued.allows(f"log:{action}", f"acs:log:*:{verdict.issued.account_id}:project/{project}{path}"):
            message = f"denied by sts or ram, action: log:{action}, resource: project/{project}{path}"
            return _refuse(request_id, "Unauthorized", message, 401)
        return self._answer(request, request_id, project, path)

    def received(self, project: str, logstore: str) -> list[bytes]:
        """The bodies that were posted to a logstore, in their order."""
        with self._lock:
            return list(self._logstores.get((project, logstore), ()))

    def _answer(self, request: WireRequest, request_id: str, project: str, path: str) -> WireResponse:
        query = {name: value or "" for name, value in query_pairs(request.query_string)}
        if path in ("", "/"):
            return _json(request_id, {"projectName": project, "status": "Normal", "region": "cn-hangzhou"})
        if path == "/logstores":
            return self._logstore_collection(request, request_id, project)
        match = re.fullmatch(r"/logstores/([^/]+)(?:/(.*))?", path)
        if match is None:
            return _json(request_id, {})
        logstore, below = match[1], match[2] or ""
        if below in ("shards/lb", "track", "shards/route"):
            with self._lock:
                self._logstores.setdefault((project, logstore), []).append(request.body)
            return _json(request_id, None)
        return _reading(request, request_id, logstore, below, query)

    def _logstore_collection(self, request: WireRequest, request_id: str, project: str) -> WireResponse:
        if request.method == "POST":
            name = _field(request.body, "logstoreName")
            with self._lock:
                if (project, name) in self._logstores:
                    return _refuse(request_id, "LogStoreAlreadyExist", f"logstore {name} already exists", 400)
                self._logstores[project, name] = []
            return _json(request_id, None)
        with self._lock:
            names = sorted(name for owner, name in self._logstores if owner == project)
        return _json(request_id, {"count": len(names), "total": len(names), "logstores": names})


def _reading(request: WireRequest, request_id: str, logstore: str, below: str, query: dict[str, str]) -> WireResponse:
    """What there is to read: one shard, and no logs."""
    if below.startswith("shards"):
        return _shards(request_id, below, query)
    if below.startswith("consumergroups"):
        beating = query.get("type") == "heartbeat"
        return _json(request_id, [0] if beating else [] if request.method == "GET" else None)
    if below == "logs":
        return _json(request_id, {"meta": {"progress": "Complete", "count": 0}, "data": []})
    if query.get("type") in ("log", "histogram"):
        response = _json(request_id, [])
        return WireResponse(
            200, (*response.headers, ("x-log-count", "0"), ("x-log-progress", "Complete")), response.body
        )
    return _json(
        request_id, {"logstoreName": logstore, "ttl": 30, "shardCount": 1, "createTime": 0, "lastModifyTime": 0}
    )


def _shards(request_id: str, below: str, query: dict[str, str]) -> WireResponse:
    if below == "shards":
        return _json(request_id, [_SHARD])
    if query.get("type") == "cursor":
        return _json(request_id, {"cursor": END_CURSOR})
    headers = (("x-log-cursor", END_CURSOR), ("x-log-count", "0"), ("x-log-bodyrawsize", "0"))
    return WireResponse(200, (("x-log-requestid", request_id), *headers, ("Content-Type", "application/x-protobuf")))


def _verifier(request: WireRequest) -> Verifier | None:
    authorization = request.header("authorization") or ""
    if authorization.startswith("SLS4-HMAC-SHA256"):
        return verify_sls_v4
    return verify_sls_v1 if authorization.startswith("LOG ") else None


def _project(request: WireRequest) -> str:
    label = (request.header("host") or "").partition(":")[0].partition(".")[0]
    return "default" if not label or label.isdigit() or label == "localhost" else label


def _action(method: str, path: str) -> str:
    verb = {"GET": "Get", "POST": "Post", "PUT": "Update", "DELETE": "Delete"}.get(method, method.title())
    if path == "/logstores":
        return "ListLogStores" if method == "GET" else "CreateLogStore"
    return f"{verb}LogStoreLogs" if path.startswith("/logstores/") else f"{verb}Project"


def _field(body: bytes, name: str) -> str:
    try:
        content = json.loads(body)
    except ValueError:
        return ""
    return str(content.get(name, "")) if isinstance(content, dict) else ""


def _json(request_id: str, content: object) -> WireResponse:
    body = b"" if content is None else json.dumps(content).encode()
    return WireResponse(200, (("x-log-requestid", request_id), ("Content-Type", "application/json")), body)


def _refuse(request_id: str, code: str, message: str, status: int) -> WireResponse:
    body = json.dumps({"errorCode": code, "errorMessage": message, "requestId": request_id}).encode()
    return WireResponse(status, (("x-log-requestid", request_id), ("Content-Type", "application/json")), body)
