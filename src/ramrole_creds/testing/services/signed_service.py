"""What all endpoints that verify signatures share."""

from __future__ import annotations

import re
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from ramrole_creds.testing.account.access import Access
from ramrole_creds.testing.services.denial import Denial
from ramrole_creds.testing.services.markup import json_response
from ramrole_creds.testing.services.room import Room
from ramrole_creds.testing.services.service import ServiceError
from ramrole_creds.testing.verify import NonceMemory, Rejected, find_verifier
from ramrole_creds.testing.verify.canonical import decode, query_pairs
from ramrole_creds.testing.verify.verification import readable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ramrole_creds.testing.account.credential_store import CredentialStore, IssuedCredentials
    from ramrole_creds.testing.server.messages import WireRequest, WireResponse
    from ramrole_creds.testing.verify import Accepted
    from ramrole_creds.testing.verify.error_catalogs import ErrorCatalog


DEFAULT_REGION = "cn-hangzhou"
VERBS = {"GET": "Get", "POST": "Create", "PUT": "Update", "DELETE": "Delete"}
_REQUEST_IDS: Mapping[str, Callable[[str], str]] = {  # of a UUID in upper case
    "short": lambda uuid: uuid.replace("-", "")[:24],
    "hex": lambda uuid: uuid.replace("-", "").lower(),
    "uuid": str.lower,
    "UUID": str,
}
REGION = re.compile(
    r"(?:^|[.-])((?:cn|us|eu|ap|me|na|sa)-[a-z]{1,20}(?:-[0-9a-z]{1,20}){0,5}?)(?:-(?:internal|vpc|intranet))?\."
)


@dataclass(frozen=True)
class SignedCall:
    """A request whose signature is right; `verdict` says who signed, `request_id` is that of the answer."""

    request: WireRequest
    request_id: str
    verdict: Accepted

    @property
    def caller(self) -> IssuedCredentials:
        """The credentials that signed."""
        return self.verdict.issued

    @property
    def account_id(self) -> str:
        """The caller's account."""
        return self.caller.account_id

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.request.method

    @cached_property
    def path(self) -> str:
        """The decoded path."""
        return readable(decode(self.request.path))

    @cached_property
    def query(self) -> dict[str, str]:
        """The decoded parameters of the URL."""
        return {name: value or "" for name, value in query_pairs(self.request.query_string)}

    @property
    def host(self) -> str:
        """The Host header."""
        return self.request.header("host") or ""

    @property
    def region(self) -> str:
        """The region of the credential scope, else of the host name, else `cn-hangzhou`."""
        return self.verdict.region or region_of(self.host)


def region_of(host: str) -> str:
    """The region in a host name of a service; `cn-hangzhou` where the name has none."""
    found = REGION.findall(host)
    return str(found[-1]) if found else DEFAULT_REGION


class SignedService(ABC):
    """An endpoint that verifies each request, judges it by the caller's policies, and answers.

    Subclasses set `name`, which is also that of their verifiers' service, `catalog`, `mark`, with which their own
    headers begin, `product`, as policies name it, and where their answers repeat the id of the request,
    `request_id_header` and the id's form. One that keeps what clients send takes room for it in `room`, says in
    `kept_sizes` what it keeps, and in `full_code` how it refuses more.
    """

    name: ClassVar[str]
    catalog: ClassVar[ErrorCatalog]
    request_id_header: ClassVar[str] = ""
    request_id_form: ClassVar[str] = "short"
    full_code: ClassVar[str] = "QuotaExceeded"
    error_names: ClassVar[tuple[str, ...]]  # of code, message and request id in an error document
    mark: ClassVar[str]
    product: ClassVar[str]

    def __init__(self, issuer: CredentialStore) -> None:
        self.issuer = issuer
        self.room: Room = Room(self.kept_sizes, self.full_code)
        self._nonces = NonceMemory()
        self._lock = threading.RLock()  # guards what the service keeps

    def recognizes(self, request: WireRequest) -> bool:
        """True for this service's signatures, and for unsigned requests that look like its own."""
        if find_verifier(request, self.name) is not None:
            return True
        return not request.header("authorization") and self.looks_familiar(request)

    def handle(self, request: WireRequest) -> WireResponse:
        """Verify the request, judge it, answer it."""
        request_id = _REQUEST_IDS[self.request_id_form](self.issuer.nonce())
        response = self._judged(request, request_id)
        return replace(response, headers=(*self.own_headers(request_id), *response.headers))

    def _judged(self, request: WireRequest, request_id: str) -> WireResponse:
        verifier = find_verifier(request, self.name)
        if verifier is None:
            unsigned = self.catalog.unsigned
            verdict = Rejected(self.name, unsigned.code, unsigned.status, unsigned.message)
            return self.refuse(request, request_id, verdict)
        result = verifier(request, self.issuer, request.at, self._nonces)
        if isinstance(result, Rejected):
            return self.refuse(request, request_id, result)
        call = SignedCall(request, request_id, result)
        try:
            self.require(call, *self.needs(call))
            return self.answer(call)
        except ServiceError as error:
            verdict = Rejected(self.name, error.code, error.status, error.message, extra=error.extra)
            return self.refuse(request, request_id, verdict)

    def own_headers(self, request_id: str) -> tuple[tuple[str, str], ...]:
        """The headers with which every answer of the service begins."""
        return ((self.request_id_header, request_id),) if self.request_id_header else ()

    def kept_sizes(self) -> Iterable[int]:
        """The sizes of what the service keeps for its clients."""
        raise NotImplementedError

    def looks_familiar(self, request: WireRequest) -> bool:
        """True for an unsigned request that is meant for this service: one with a header that begins with `mark`."""
        return any(name.lower().startswith(self.mark) for name, _ in request.headers)

    def needs(self, call: SignedCall) -> Iterable[Access]:
        """The permissions that the call needs; one, unless a service says otherwise."""
        action, resource = self.permission(call)
        yield Access(f"{self.product}:{action}", f"acs:{self.product}:{call.region}:{call.account_id}:{resource}")

    def permission(self, call: SignedCall) -> tuple[str, str]:
        """Action and resource of the permission that the call needs, without product, region and account."""
        raise NotImplementedError

    def require(self, call: SignedCall, *accesses: Access) -> None:
        """Judge the accesses, and refuse the call where one is denied.

        Raises:
            ServiceError: what `denied` gives.
        """
        authorizer, at = self.issuer.authorizer, call.request.at
        denials = [
            Denial(call.caller, access, judgement)
            for access in accesses
            if not (judgement := authorizer.judge(call.caller, access, at)).allowed
        ]
        if denials:
            raise self.denied(denials[0])

    def denied(self, denial: Denial) -> ServiceError:
        """The refusal of a caller who lacks a permission."""
        error, access = self.catalog.forbidden, denial.access
        message = error.message.replace("{action}", access.action).replace("{resource}", access.resource)
        return ServiceError(error.code, message, error.status)

    @abstractmethod
    def answer(self, call: SignedCall) -> WireResponse:
        """The answer to a call that is verified and allowed.

        Raises:
            ServiceError: the service refuses.
        """

    def refuse(self, request: WireRequest, request_id: str, refused: Rejected) -> WireResponse:
        """The service's error document, in JSON unless a service says otherwise."""
        values = (refused.code, refused.message, request_id)
        return json_response(dict(zip(self.error_names, values, strict=False)), status=refused.status)
