"""Simple Log Service: projects with logstores that take logs and keep none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from ramrole_creds.testing.server.messages import WireResponse
from ramrole_creds.testing.services.markup import json_response, read_json
from ramrole_creds.testing.services.room import entry_size
from ramrole_creds.testing.services.service import ServiceError
from ramrole_creds.testing.services.signed_service import VERBS, SignedCall, SignedService
from ramrole_creds.testing.verify.error_catalogs import SLS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ramrole_creds.testing.account.credential_store import CredentialStore
    from ramrole_creds.testing.server.messages import WireRequest

_SHARD = {
    "shardID": 0,
    "status": "readwrite",
    "inclusiveBeginKey": "0" * 32,
    "exclusiveEndKey": "f" * 32,
    "createTime": 0,
}
END_CURSOR = "MA=="


class SlsService(SignedService):
    """One log service; the project is the first label of the host, or `default` where an address stands there."""

    name = "sls"
    catalog = SLS
    mark = "x-log-apiversion"
    product = "log"
    request_id_header = "x-log-requestid"
    error_names: ClassVar[tuple[str, ...]] = ("errorCode", "errorMessage", "requestId")

    def __init__(self, issuer: CredentialStore) -> None:
        super().__init__(issuer)
        self._logstores: set[tuple[str, str]] = set()

    def kept_sizes(self) -> Iterable[int]:
        """Logstores."""
        return (entry_size(*one) for one in self._logstores)

    def permission(self, call: SignedCall) -> tuple[str, str]:
        """One action on the project or on what is in it.

        Known, from "Authorization rules" of SLS and the page of each API: the names below, `logstore/<name>`, and
        `logstore/*` for what concerns no single logstore. Assumed: other collections are named by their singular, and
        their actions by verb and singular.
        """
        project, method = f"project/{_project(call.request)}", call.method
        head, _, rest = call.path.strip("/").partition("/")
        name, _, below = rest.partition("/")
        if not head:
            listing = method == "GET" and not {"offset", "size", "projectName"}.isdisjoint(call.query)
            return ("ListProject", "project/*") if listing else (f"{VERBS.get(method, 'Get')}Project", project)
        if head != "logstores":
            kind = head.removesuffix("s")
            verb = "List" if method == "GET" and not name else VERBS.get(method, "Get")
            return f"{verb}{kind[:1].upper()}{kind[1:]}", f"{project}/{kind.lower()}/{name or '*'}"
        if not name:
            return "ListLogStores" if method == "GET" else "CreateLogStore", f"{project}/logstore/*"
        return _logstore_access(call, f"{project}/logstore/{name}", below)

    def answer(self, call: SignedCall) -> WireResponse:
        """What the path names."""
        project, path = _project(call.request), call.path
        if path in ("", "/"):
            return json_response({"projectName": project, "status": "Normal", "region": "cn-hangzhou"})
        if path == "/logstores":
            return self._logstore_collection(call, project)
        match = re.fullmatch(r"/logstores/([^/]+)(?:/(.*))?", path)
        if match is None:
            return json_response({})
        logstore, below = match[1], match[2] or ""
        if below in ("shards/lb", "track", "shards/route"):
            with self._lock:
                self._keep(project, logstore)
            return json_response(None)
        return _reading(call, logstore, below)

    def _logstore_collection(self, call: SignedCall, project: str) -> WireResponse:
        with self._lock:
            if call.method != "POST":
                names = sorted(name for owner, name in self._logstores if owner == project)
                return json_response({"count": len(names), "total": len(names), "logstores": names})
            asked = read_json(call.request.body)
            name = str(asked.get("logstoreName", "")) if isinstance(asked, dict) else ""
            if (project, name) in self._logstores:
                raise ServiceError("LogStoreAlreadyExist", f"logstore {name} already exists")
            self._keep(project, name)
            return json_response(None)

    def _keep(self, project: str, logstore: str) -> None:
        if (project, logstore) not in self._logstores:
            self.room.take(entry_size(project, logstore))
            self._logstores.add((project, logstore))


def _reading(call: SignedCall, logstore: str, below: str) -> WireResponse:
    """What there is to read: one shard, and no logs."""
    kind = call.query.get("type")
    if below.startswith("shards"):
        return _shards(call, below)
    if below.startswith("consumergroups"):
        return json_response([0] if kind == "heartbeat" else [] if call.method == "GET" else None)
    if below == "logs":
        return json_response({"meta": {"progress": "Complete", "count": 0}, "data": []})
    if kind in ("log", "histogram"):
        return json_response([], ("x-log-count", "0"), ("x-log-progress", "Complete"))
    return json_response({"logstoreName": logstore, "ttl": 30, "shardCount": 1, "createTime": 0, "lastModifyTime": 0})


def _shards(call: SignedCall, below: str) -> WireResponse:
    if below == "shards":
        return json_response([_SHARD])
    if call.query.get("type") == "cursor":
        return json_response({"cursor": END_CURSOR})
    headers = (("x-log-cursor", END_CURSOR), ("x-log-count", "0"), ("x-log-bodyrawsize", "0"))
    return WireResponse(200, (*headers, ("Content-Type", "application/x-protobuf")))


def _project(request: WireRequest) -> str:
    label = (request.header("host") or "").partition(":")[0].partition(".")[0]
    return "default" if not label or label.isdigit() or label == "localhost" else label


# Action by method and what stands below a logstore; a query may name another.
_LOGSTORE_ACTIONS: Mapping[tuple[str, str], str] = {
    ("POST", ""): "PostLogStoreLogs",
    ("POST", "shards/lb"): "PostLogStoreLogs",
    ("POST", "shards/route"): "PostLogStoreLogs",
    ("POST", "track"): "PostLogStoreLogs",
    ("PUT", "track"): "PostLogStoreLogs",
    ("GET", "logs"): "GetLogStoreLogs",
    ("POST", "logs"): "GetLogStoreLogs",
    ("GET", "shards"): "ListShards",
}
_QUERY_ACTIONS: Mapping[str, str] = {
    "log": "GetLogStoreLogs",
    "histogram": "GetLogStoreHistogram",
    "context_log": "GetLogStoreContextLogs",
}


def _logstore_access(call: SignedCall, logstore: str, below: str) -> tuple[str, str]:
    method, kind = call.method, call.query.get("type", "")
    known = _LOGSTORE_ACTIONS.get((method, below)) or ("" if below else _QUERY_ACTIONS.get(kind))
    if known:
        return known, logstore
    if below.startswith("consumergroups"):
        return _group_action(method, kind, below), f"{logstore}/consumergroup/{below.partition('/')[2] or '*'}"
    if below.startswith("shards/"):
        splitting = {"split": "SplitShard", "merge": "MergeShards"}
        return splitting.get(call.query.get("action", ""), "GetCursorOrData"), logstore
    if below == "index":
        return f"{VERBS.get(method, 'Get')}Index", logstore
    return f"{VERBS.get(method, 'Get')}LogStore", logstore


def _group_action(method: str, kind: str, below: str) -> str:
    if method == "POST" and kind in ("heartbeat", "checkpoint"):
        return "ConsumerGroupHeartBeat" if kind == "heartbeat" else "ConsumerGroupUpdateCheckPoint"
    if method == "GET":
        return "GetConsumerGroupCheckPoint" if "/" in below else "ListConsumerGroup"
    return f"{VERBS.get(method, 'Get')}ConsumerGroup"
