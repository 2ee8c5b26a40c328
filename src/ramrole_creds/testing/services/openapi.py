"""What the OpenAPI endpoints have in common: the gateway that verifies, and the shape of answers and errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from ramrole_creds.testing.server.messages import WireResponse
from ramrole_creds.testing.services.service import ServiceError
from ramrole_creds.testing.verify import Accepted, NonceMemory, rpc_parameters, verify_acs3, verify_rpc

if TYPE_CHECKING:
    from ramrole_creds.testing.account.account import Account
    from ramrole_creds.testing.account.credential_store import IssuedCredentials
    from ramrole_creds.testing.server.messages import WireRequest

Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One API call behind the gateway.

    Args:
        action: its name, for instance "AssumeRole".
        parameters: query and form, decoded.
        signer: whose key signed it; None for an anonymous call.
        at: Unix time of arrival.
    """

    action: str
    parameters: Mapping[str, str]
    signer: IssuedCredentials | None
    at: float

    @property
    def caller(self) -> IssuedCredentials:
        """The signer of a call that has been verified."""
        if self.signer is None:
            raise ServiceError("MissingAccessKeyId", "AccessKeyId is mandatory for this action.")
        return self.signer

    def required(self, name: str) -> str:
        """A parameter that must be there.

        Raises:
            ServiceError: `Missing<name>`.
        """
        value = self.parameters.get(name)
        if not value:
            raise ServiceError(f"Missing{name}", f"{name} is mandatory for this action.")
        return value

    def require_permission(self, action: str, resource: str) -> None:
        """Refuse a caller whose policies do not allow the action.

        Raises:
            ServiceError: `NoPermission`.
        """
        if not self.caller.allows(action, resource):
            raise ServiceError(
                "NoPermission", "You are not authorized to do this action. You should be authorized by RAM.", 403
            )


class OpenApi:
    """An API behind the common OpenAPI gateway: RPC style, signed with ACS3 or the older RPC signature.

    Subclasses set `name` and `version`, and give `actions`.
    """

    name = ""
    version = ""
    anonymous: frozenset[str] = frozenset()

    def __init__(self, account: Account) -> None:
        self.account = account
        self._nonces = NonceMemory()

    @property
    def actions(self) -> Mapping[str, Callable[[Call], Answer]]:
        """The actions by name."""
        raise NotImplementedError

    def recognizes(self, request: WireRequest) -> bool:
        """True for a request that names this API's version."""
        return (request.header("x-acs-version") or rpc_parameters(request).get("Version")) == self.version

    def handle(self, request: WireRequest) -> WireResponse:
        """Verify, dispatch, and answer in JSON (or XML, the default of unversioned RPC clients)."""
        parameters = rpc_parameters(request)
        request_id = self.account.issuer.nonce()
        as_json = request.header("x-acs-action") is not None or parameters.get("Format", "XML").upper() == "JSON"
        try:
            action = request.header("x-acs-action") or parameters.get("Action", "")
            handler = self.actions.get(action)
            if handler is None:
                raise ServiceError(  # noqa: TRY301 - one place turns refusals into answers
                    "InvalidAction.NotFound", "Specified api is not found, please check your url and method.", 404
                )
            answer = handler(Call(action, parameters, self._signer(request, action, parameters), request.at))
        except ServiceError as refusal:
            error = {
                "RequestId": request_id,
                "HostId": request.header("Host") or "",
                "Code": refusal.code,
                "Message": refusal.message,
                "Recommend": f"https://error-center.aliyun.com/status/search?Keyword={refusal.code}&source=PopGw",
            }
            return _encoded("Error", error, refusal.status, request_id, as_json=as_json)
        return _encoded(f"{action}Response", {"RequestId": request_id, **answer}, 200, request_id, as_json=as_json)

    def verify_other(self, call: Call) -> IssuedCredentials | None:
        """Verify a signature that only this API takes; None when it is none of those."""

    def _signer(self, request: WireRequest, action: str, parameters: Mapping[str, str]) -> IssuedCredentials | None:
        if request.header("Authorization"):
            verdict = verify_acs3(request, self.account.issuer, request.at, self._nonces)
        elif "Signature" in parameters:
            other = self.verify_other(Call(action, parameters, None, request.at))
            if other is not None:
                return other
            verdict = verify_rpc(request, self.account.issuer, request.at, self._nonces)
        elif action in self.anonymous:
            return None
        else:
            raise ServiceError("MissingAccessKeyId", "AccessKeyId is mandatory for this action.")
        if isinstance(verdict, Accepted):
            return verdict.issued
        raise ServiceError(verdict.code, verdict.message, verdict.status)


def _encoded(root: str, answer: Answer, status: int, request_id: str, *, as_json: bool) -> WireResponse:
    if as_json:
        body = json.dumps(answer, separators=(",", ":"), ensure_ascii=False)
        kind = "application/json; charset=utf-8"
    else:
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}>{_xml(answer)}</{root}>'
        kind = "text/xml; charset=utf-8"
    return WireResponse(status, (("Content-Type", kind), ("x-acs-request-id", request_id)), body.encode())


def _xml(value: object) -> str:
    if isinstance(value, Mapping):
        return "".join(
            "".join(f"<{key}>{_xml(one)}</{key}>" for one in (item if isinstance(item, list) else [item]))
            for key, item in value.items()
        )
    if isinstance(value, bool):
        return str(value).lower()
    return escape(str(value))
