"""The control API of a fake cloud that runs in a process of its own: what a test in any language does to it."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Protocol

from ramrole_creds.testing.request_log import describe_headers
from ramrole_creds.testing.server.messages import WireResponse
from ramrole_creds.testing.services.instance import RoleAlreadyAttached, utc

if TYPE_CHECKING:
    from ramrole_creds.testing.account.credential_store import CredentialStore
    from ramrole_creds.testing.faults.script import Faults
    from ramrole_creds.testing.request_log import RequestLog
    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.services.instance import Instance
    from ramrole_creds.testing.services.metadata_service import MetadataService, Mode, Quirks

KEY_HEADER = "X-Fake-Key"
Arguments = Mapping[str, Any]


class ControlledCloud(Protocol):
    """What the control API needs of a `FakeCloud`."""

    control_key: str | None
    faults: Faults
    instance: Instance
    issuer: CredentialStore
    metadata: MetadataService
    mode: Mode
    requests: RequestLog

    @property
    def clock(self) -> Any: ...  # noqa: ANN401  # any clock; `advance` is looked up
    @property
    def items(self) -> dict[str, str | bytes]: ...
    @property
    def quirks(self) -> Quirks: ...
    @property
    def url(self) -> str: ...
    def attach_role(self, name: str) -> object: ...
    def delete_role(self, name: str) -> None: ...
    def detach_role(self, name: str | None = None) -> None: ...
    def disable_endpoint(self, how: str = "403") -> None: ...
    def enable_endpoint(self) -> None: ...
    def replace_role(self, name: str) -> object: ...
    def reset(self) -> None: ...
    def rotate(self) -> None: ...
    def set_policies(self, name: str, policies: Sequence[Any]) -> None: ...


def answer_control(cloud: ControlledCloud, request: WireRequest) -> WireResponse:
    """Answer a request below `/_fake/`.

    All but `GET /_fake/health` want the key in the header `X-Fake-Key`. Arguments are a JSON object in the body.
    """
    route = f"{request.method} {request.path.rstrip('/')}"
    if route == "GET /_fake/health":
        return _json({"ok": True})
    key = request.header(KEY_HEADER) or ""
    if not hmac.compare_digest(key.encode(), (cloud.control_key or "").encode()):
        return _json({"error": f"The header {KEY_HEADER} must hold the key that the fake cloud was started with."}, 401)
    action = _ROUTES.get(route)
    if action is None:
        return _json({"error": f"There is no {route}.", "routes": sorted(_ROUTES)}, 404)
    try:
        arguments = json.loads(request.body) if request.body else {}
        if not isinstance(arguments, dict):
            raise ValueError("the body is no JSON object")  # noqa: TRY004, TRY301 - one answer for all bad input
        return _json(action(cloud, arguments))
    except (KeyError, TypeError, ValueError, OSError, RoleAlreadyAttached) as wrong:
        return _json({"error": f"{type(wrong).__name__}: {wrong}"}, 400)


def state(cloud: ControlledCloud, _: Arguments) -> dict[str, Any]:
    """Everything one may want to know, without secrets."""
    now = cloud.clock.time()
    return {
        "url": cloud.url,
        "time": utc(now),
        "mode": cloud.mode,
        "endpoint": "enabled" if cloud.metadata.enabled else "disabled",
        "roles": cloud.instance.visible_roles(now),
        "credential_lifetime": cloud.instance.credential_lifetime,
        "faults": [f"{one.where}: {one}" for one in cloud.faults],
        "requests": cloud.requests.counts(),
        "seed": cloud.issuer.seed,
    }


def _attach(cloud: ControlledCloud, arguments: Arguments) -> dict[str, Any]:
    cloud.attach_role(**arguments)
    return state(cloud, {})


def _detach(cloud: ControlledCloud, arguments: Arguments) -> dict[str, Any]:
    cloud.detach_role(**arguments)
    return state(cloud, {})


def _replace(cloud: ControlledCloud, arguments: Arguments) -> dict[str, Any]:
    cloud.replace_role(**arguments)
    return state(cloud, {})


def _delete(cloud: ControlledCloud, arguments: Arguments) -> dict[str, Any]:
    cloud.delete_role(**arguments)
    return state(cloud, {})


def _policies(cloud: ControlledCloud, arguments: Arguments) -> dict[str, Any]:
    cloud.set_policies(**arguments)
    return {}


def _rotate(cloud: ControlledCloud, _: Arguments) -> dict[str, Any]:
    cloud.rotate()
    return {}


def _mode(cloud: ControlledCloud, arguments: Arguments) -> dict[str, Any]:
    mode = arguments["mode"]
    if mode not in {"normal", "hardened"}:
        raise ValueError(f'mode is "normal" or "hardened", not {mode!r}')
    cloud.mode = mode
    return state(cloud, {})


def _endpoint(cloud: ControlledCloud, arguments: Arguments) -> dict[str, Any]:
    if arguments["endpoint"] == "enabled":
        cloud.enable_endpoint()
    else:
        cloud.disable_endpoint(str(arguments.get("how", "403")))
    return state(cloud, {})


def _items(cloud: ControlledCloud, arguments: Arguments) -> dict[str, Any]:
    for path, value in arguments.items():
        if value is None:
            cloud.items.pop(path, None)
        else:
            cloud.items[path] = str(value)
    return {path: str(value) for path, value in cloud.items.items()}


def _quirks(cloud: ControlledCloud, arguments: Arguments) -> dict[str, Any]:
    known = [one.name for one in fields(cloud.quirks)]
    for name, value in arguments.items():
        if name not in known:
            raise ValueError(f"there is no quirk {name!r}; known: {', '.join(known)}")
        setattr(cloud.quirks, name, value)
    return {name: getattr(cloud.quirks, name) for name in known}


def _advance(cloud: ControlledCloud, arguments: Arguments) -> dict[str, Any]:
    advance = getattr(cloud.clock, "advance", None)
    if advance is None:
        raise ValueError("the fake cloud runs on the real clock, which nobody advances")
    advance(**{name: float(value) for name, value in arguments.items()})
    cloud.faults.on_change()
    return {"time": utc(cloud.clock.time())}


def _list_faults(cloud: ControlledCloud, _: Arguments) -> list[dict[str, Any]]:
    return [
        {"where": one.where, "what": one.what, "options": dict(one.options), "times": one.times, "played": one.played}
        for one in cloud.faults
    ]


def _add_faults(cloud: ControlledCloud, arguments: Arguments) -> list[dict[str, Any]]:
    cloud.faults.load(arguments.get("faults", [arguments]))
    return _list_faults(cloud, {})


def _clear_faults(cloud: ControlledCloud, _: Arguments) -> list[dict[str, Any]]:
    cloud.faults.clear()
    return []


def _list_requests(cloud: ControlledCloud, _: Arguments) -> list[dict[str, Any]]:
    return [
        {
            "number": one.number,
            "time": utc(one.at),
            "service": one.service,
            "step": one.step,
            "method": one.method,
            "path": one.path,
            "status": one.status,
            "fault": one.fault,
            "access_key_id": one.access_key_id,
            "headers": describe_headers(one).splitlines(),
        }
        for one in cloud.requests
    ]


def _clear_requests(cloud: ControlledCloud, _: Arguments) -> list[Any]:
    cloud.requests.clear()
    return []


def _reset(cloud: ControlledCloud, _: Arguments) -> dict[str, Any]:
    cloud.reset()
    return state(cloud, {})


_ROUTES: Mapping[str, Callable[[ControlledCloud, Arguments], Any]] = {
    "GET /_fake/state": state,
    "POST /_fake/role/attach": _attach,
    "POST /_fake/role/detach": _detach,
    "POST /_fake/role/replace": _replace,
    "POST /_fake/role/delete": _delete,
    "POST /_fake/role/policies": _policies,
    "POST /_fake/role/rotate": _rotate,
    "POST /_fake/mode": _mode,
    "POST /_fake/endpoint": _endpoint,
    "POST /_fake/items": _items,
    "POST /_fake/quirks": _quirks,
    "POST /_fake/clock/advance": _advance,
    "GET /_fake/faults": _list_faults,
    "POST /_fake/faults": _add_faults,
    "DELETE /_fake/faults": _clear_faults,
    "GET /_fake/requests": _list_requests,
    "DELETE /_fake/requests": _clear_requests,
    "POST /_fake/reset": _reset,
}


def _json(value: object, status: int = 200) -> WireResponse:
    return WireResponse(status, (("Content-Type", "application/json"),), json.dumps(value, indent=1).encode() + b"\n")
