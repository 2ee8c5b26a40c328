"""What the OpenAPI endpoints have in common: the gateway that verifies, and the shape of answers and errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ramrole_creds.testing.account.access import Access
from ramrole_creds.testing.services.denial import Denial, no_permission
from ramrole_creds.testing.services.markup import openapi_answer, openapi_error
from ramrole_creds.testing.services.service import ServiceError
from ramrole_creds.testing.verify import VERIFIERS, Accepted, NonceMemory, named_operation, rpc_parameters

if TYPE_CHECKING:
    from ramrole_creds.testing.account.access import Authorizer
    from ramrole_creds.testing.account.account import Account
    from ramrole_creds.testing.account.credential_store import IssuedCredentials
    from ramrole_creds.testing.server.messages import WireRequest, WireResponse

Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One API call behind the gateway, with its decoded query and form; an anonymous one has no signer."""

    action: str
    parameters: Mapping[str, str]
    signer: IssuedCredentials | None
    at: float
    authorizer: Authorizer

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
        judgement = self.authorizer.judge(self.caller, Access(action, resource), self.at)
        if not judgement.allowed:
            raise no_permission(Denial(self.caller, Access(action, resource), judgement))


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
        return named_operation(request)[1] == self.version

    def handle(self, request: WireRequest) -> WireResponse:
        """Verify, dispatch, and answer in JSON (or XML, the default of unversioned RPC clients)."""
        parameters = rpc_parameters(request)
        request_id = self.account.issuer.nonce()
        as_xml = request.header("x-acs-action") is None and parameters.get("Format", "XML").upper() != "JSON"
        action, _ = named_operation(request)
        try:
            answer = self._answer(request, action, parameters)
        except ServiceError as refusal:
            return openapi_error(request, refusal, request_id, self.name, as_xml=as_xml)
        return openapi_answer(f"{action}Response", {"RequestId": request_id, **answer}, as_xml=as_xml)

    def _answer(self, request: WireRequest, action: str, parameters: Mapping[str, str]) -> Answer:
        handler = self.actions.get(action)
        if handler is None:
            raise ServiceError(
                "InvalidAction.NotFound", "Specified api is not found, please check your url and method.", 404
            )
        call = Call(action, parameters, None, request.at, self.account.issuer.authorizer)
        return handler(replace(call, signer=self._signer(request, call)))

    def _signer(self, request: WireRequest, call: Call) -> IssuedCredentials | None:
        scheme = "acs3" if request.header("Authorization") else "rpc"
        if scheme == "rpc" and "Signature" not in call.parameters:
            return None if call.action in self.anonymous else call.caller  # which raises for an unsigned call
        verdict = VERIFIERS[scheme](request, self.account.issuer, request.at, self._nonces)
        if isinstance(verdict, Accepted):
            return verdict.issued
        raise ServiceError(verdict.code, verdict.message, verdict.status)
