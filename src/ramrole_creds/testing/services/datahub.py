"""DataHub: projects by name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from ramrole_creds.testing.services.markup import json_response
from ramrole_creds.testing.services.room import entry_size
from ramrole_creds.testing.services.service import ServiceError
from ramrole_creds.testing.services.signed_service import VERBS, SignedCall, SignedService
from ramrole_creds.testing.verify.error_catalogs import DATAHUB

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ramrole_creds.testing.account.credential_store import CredentialStore
    from ramrole_creds.testing.server.messages import WireResponse


class DatahubService(SignedService):
    """One DataHub."""

    name = "datahub"
    catalog = DATAHUB
    request_id_form = "hex"
    mark = "x-datahub-"
    product = "dhs"
    full_code = "LimitExceeded"
    request_id_header = "x-datahub-request-id"
    error_names: ClassVar[tuple[str, ...]] = ("ErrorCode", "ErrorMessage", "RequestId")

    def __init__(self, issuer: CredentialStore) -> None:
        super().__init__(issuer)
        self._projects: dict[str, float] = {}

    def kept_sizes(self) -> Iterable[int]:
        """Projects."""
        return map(entry_size, self._projects)

    def permission(self, call: SignedCall) -> tuple[str, str]:
        """One action on a project, a topic or a subscription.

        Known, from "Access control" of DataHub: these actions, `projects/<name>/topics/<name>/subscriptions/<id>`, and
        `*` in place of the name for creating and listing. Assumed: records and shards are judged by their topic, by
        the `Action` in the request's body where there is one.
        """
        parts = call.path.strip("/").split("/")
        known = 0
        while known < len(parts) and parts[known] in _KINDS:
            known += 2
        named, below = parts[:known], parts[known:]
        resource = "/".join(named) + ("/*" if len(named) % 2 else "") or "projects/*"
        if below:
            return _shard_action(call.request.body), resource
        collection = len(named) % 2 == 1
        kind = _KINDS[named[-1 if collection else -2]] if named else "Project"
        if call.method == "POST":
            return f"Create{kind}", resource.rpartition("/")[0] + "/*"
        verb = "List" if collection else VERBS.get(call.method, "Get")
        return f"{verb}{kind}", resource

    def answer(self, call: SignedCall) -> WireResponse:
        """Projects are listed, created, described and deleted."""
        with self._lock:
            if call.path == "/projects":
                return json_response({"ProjectNames": sorted(self._projects)})
            match = re.fullmatch(r"/projects/([^/]+)", call.path)
            if match is None:
                raise ServiceError("NoSuchTopic", "The fake cloud has no topics.", 404)
            return self._project(call, match[1])

    def _project(self, call: SignedCall, project: str) -> WireResponse:
        if call.method == "POST":
            if project in self._projects:
                raise ServiceError("ProjectAlreadyExist", "The project already exists.")
            self.room.take(entry_size(project))
            self._projects[project] = call.request.at
            return json_response({}, status=201)
        if project not in self._projects:
            raise ServiceError("NoSuchProject", "The specified project does not exist.", 404)
        if call.method == "DELETE":
            del self._projects[project]
            return json_response({})
        created = int(self._projects[project])
        return json_response({"Comment": "", "CreateTime": created, "LastModifyTime": created, "Creator": "fake"})


_KINDS = {"projects": "Project", "topics": "Topic", "subscriptions": "Subscription"}
_SHARD_ACTIONS = {b"pub": "PutRecords", b"sub": "GetRecords", b"cursor": "GetCursor", b"split": "SplitShard"}


def _shard_action(body: bytes) -> str:
    match = re.search(rb'"Action"\s*:\s*"([a-z]+)"', body)
    return _SHARD_ACTIONS.get(match[1] if match else b"", "ListShard")
