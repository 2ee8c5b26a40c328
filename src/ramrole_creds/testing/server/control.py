"""The control API of a fake cloud that runs in another process: how tests in any language steer it."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Protocol

from ramrole_creds.testing.faults.options import BOOLEAN, STATUS, TEXT, or_none
from ramrole_creds.testing.request_log import describe_headers
from ramrole_creds.testing.server.messages import WireResponse
from ramrole_creds.testing.services.instance import RoleAlreadyAttached, utc

if TYPE_CHECKING:
    from ramrole_creds.testing.account.credential_store import CredentialStore
    from ramrole_creds.testing.account.least_privilege import Width
    from ramrole_creds.testing.faults.script import Faults
    from ramrole_creds.testing.request_log import RequestLog
    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.services.instance import Instance
    from ramrole_creds.testing.services.metadata_service import MetadataService, Mode

KEY_HEADER = "X-Fake-Key"
_QUIRK_RULES = {  # by the type of the quirk
    "bool": BOOLEAN,
    "int": STATUS,
    "int | None": or_none(STATUS),
    "str | None": or_none(TEXT),
}
Arguments = Mapping[str, Any]


class ControlledCloud(Protocol):
    """What the control API reads of a `FakeCloud`; `_CALLS` names the methods that it calls besides."""

    control_key: str | None
    credential_store: CredentialStore
    faults: Faults
    instance: Instance
    metadata: MetadataService
    mode: Mode
    requests: RequestLog

    @property
    def clock(self) -> Any: ...  # noqa: ANN401  # any clock; `advance` is looked up
    @property
    def url(self) -> str: ...

    def least_privilege(self, name: str, *, resources: Width = "exact") -> dict[str, Any]:
        """The smallest policy that allows the calls of a role."""

    def disable_endpoint(self, how: str = "403") -> None:
        """Turn the metadata service off."""

    def enable_endpoint(self) -> None:
        """Turn the metadata service on."""


def answer_control(cloud: ControlledCloud, request: WireRequest) -> WireResponse:
    """Answer a request below `/_fake/`.

    All but `GET /_fake/health` need the key in the header `X-Fake-Key`. Arguments are a JSON object in the body.
    """
    route = f"{request.method} {request.path.rstrip('/')}"
    if route == "GET /_fake/health":
        return _json({"ok": True})
    key = request.header(KEY_HEADER) or ""
    if not hmac.compare_digest(key.encode("utf-8", "replace"), (cloud.control_key or "").encode()):
        return _json({"error": f"The header {KEY_HEADER} must hold the key that the fake cloud was started with."}, 401)
    try:
        if route in _CALLS:
            getattr(cloud, _CALLS[route])(**_arguments(route, request))
            return _json(state(cloud, {}))
        if route in _ANSWERS:
            return _json(_ANSWERS[route](cloud, _arguments(route, request)))
    except (KeyError, TypeError, ValueError, OSError, RecursionError, RoleAlreadyAttached) as error:
        return _json({"error": f"{type(error).__name__}: {error}"}, 400)
    return _json({"error": f"There is no {route}.", "routes": sorted([*_CALLS, *_ANSWERS])}, 404)


def state(cloud: ControlledCloud, _: Arguments) -> dict[str, Any]:
    """The state of the cloud, without secrets."""
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
        "seed": cloud.credential_store.seed,
    }


def _arguments(route: str, request: WireRequest) -> dict[str, Any]:
    arguments = json.loads(request.body) if request.body else {}
    if not isinstance(arguments, dict):
        raise ValueError("The body must be a JSON object.")  # noqa: TRY004  # the content of a request is a value
    name = arguments.get("name", "")
    if not isinstance(name, str) and not (name is None and route == _DETACH):
        raise ValueError("name must be a text.")
    return arguments


def _set_mode(cloud: ControlledCloud, arguments: Arguments) -> dict[str, Any]:
    cloud.mode = arguments["mode"]
    return state(cloud, {})


def _set_endpoint(cloud: ControlledCloud, arguments: Arguments) -> dict[str, Any]:
    wanted = arguments["endpoint"]
    if wanted not in ("enabled", "disabled"):
        raise ValueError(f'endpoint must be "enabled" or "disabled", not {wanted!r}.')
    if wanted == "enabled":
        cloud.enable_endpoint()
    else:
        cloud.disable_endpoint(str(arguments.get("how", "403")))
    return state(cloud, {})


def _set_items(cloud: ControlledCloud, arguments: Arguments) -> dict[str, Any]:
    items = cloud.instance.items
    _merge(items, arguments, str)
    return {path: str(value) for path, value in items.items()}


def _set_quirks(cloud: ControlledCloud, arguments: Arguments) -> dict[str, Any]:
    quirks = cloud.metadata.quirks
    known = {one.name: one for one in fields(quirks)}
    for name, value in arguments.items():
        if name not in known:
            raise ValueError(f"There is no quirk {name!r}. The quirks are {', '.join(known)}.")
        rule = _QUIRK_RULES[str(known[name].type)]
        if not rule.accepts(value):
            raise ValueError(f"The quirk {name} must be {rule.text}, not {value!r}.")
    for name, value in arguments.items():
        setattr(quirks, name, value)
    return {name: getattr(quirks, name) for name in known}


def _set_conditions(cloud: ControlledCloud, arguments: Arguments) -> dict[str, Any]:
    values = cloud.credential_store.authorizer.condition_values
    _merge(values, arguments, lambda value: tuple(map(str, value)) if isinstance(value, list) else str(value))
    return dict(values)


def _merge(target: dict[str, Any], changes: Arguments, read: Callable[[Any], Any]) -> None:
    """Set each value that is given; None removes one."""
    for name, value in changes.items():
        if value is None:
            target.pop(name, None)
        else:
            target[name] = read(value)


def _advance(cloud: ControlledCloud, arguments: Arguments) -> dict[str, Any]:
    advance = getattr(cloud.clock, "advance", None)
    if advance is None:
        raise ValueError("The fake cloud runs on the real clock, which cannot be advanced.")
    advance(**{name: float(value) for name, value in arguments.items()})
    cloud.faults.on_change()
    return {"time": utc(cloud.clock.time())}


def _list_faults(cloud: ControlledCloud, _: Arguments) -> list[dict[str, Any]]:
    names = ("where", "what", "times", "played")
    return [{name: getattr(one, name) for name in names} | {"options": _shown(one.options)} for one in cloud.faults]


def _shown(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.decode("latin-1") if isinstance(value, bytes) else value for name, value in options.items()}


def _add_faults(cloud: ControlledCloud, arguments: Arguments) -> list[dict[str, Any]]:
    cloud.faults.add_all(arguments.get("faults", [arguments]))
    return _list_faults(cloud, {})


def _clear_faults(cloud: ControlledCloud, _: Arguments) -> list[dict[str, Any]]:
    cloud.faults.clear()
    return []


def _list_requests(cloud: ControlledCloud, _: Arguments) -> list[dict[str, Any]]:
    names = ("number", "service", "step", "method", "path", "status", "fault", "access_key_id")
    return [
        {name: getattr(one, name) for name in names}
        | {"time": utc(one.at), "headers": describe_headers(one).splitlines()}
        for one in cloud.requests
    ]


def _clear_requests(cloud: ControlledCloud, _: Arguments) -> list[Any]:
    cloud.requests.clear()
    return []


_DETACH = "POST /_fake/role/detach"  # null for the name means every role
# Route -> the method of the cloud that it calls, with the members of the body as arguments; the answer is the state.
_CALLS: Mapping[str, str] = {
    "POST /_fake/role/attach": "attach_role",
    _DETACH: "detach_role",
    "POST /_fake/role/replace": "replace_role",
    "POST /_fake/role/delete": "delete_role",
    "POST /_fake/role/policies": "set_policies",
    "POST /_fake/role/rotate": "rotate",
    "POST /_fake/reset": "reset",
}
_ANSWERS: Mapping[str, Callable[[ControlledCloud, Arguments], Any]] = {
    "GET /_fake/state": state,
    "POST /_fake/mode": _set_mode,
    "POST /_fake/endpoint": _set_endpoint,
    "POST /_fake/items": _set_items,
    "POST /_fake/quirks": _set_quirks,
    "POST /_fake/conditions": _set_conditions,
    "POST /_fake/role/least-privilege": lambda cloud, arguments: cloud.least_privilege(**arguments),
    "POST /_fake/clock/advance": _advance,
    "GET /_fake/faults": _list_faults,
    "POST /_fake/faults": _add_faults,
    "DELETE /_fake/faults": _clear_faults,
    "GET /_fake/requests": _list_requests,
    "DELETE /_fake/requests": _clear_requests,
}


def _json(value: object, status: int = 200) -> WireResponse:
    return WireResponse(status, (("Content-Type", "application/json"),), json.dumps(value, indent=1).encode() + b"\n")
