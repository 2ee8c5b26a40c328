"""What an endpoint of the fake cloud is, and how it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from ramrole_creds.testing.server.messages import WireRequest, WireResponse
    from ramrole_creds.testing.verify.verification import Extra


@runtime_checkable
class Service(Protocol):
    """One endpoint behind the fake cloud's single port.

    The server asks each service in turn; the first that recognizes a request handles it. `handle` is called from
    many threads at once. What it raises other than `ServiceError` counts as a defect of the service.
    """

    @property
    def name(self) -> str:
        """Short name, used by faults and the request log: "sts", "oss" …"""

    def recognizes(self, request: WireRequest) -> bool:
        """True when the request is meant for this service; decided by its authorization scheme, query or headers."""

    def handle(self, request: WireRequest) -> WireResponse:
        """Verify and answer the request."""


class ServiceError(Exception):
    """A refusal with the code and text of the real service.

    Args:
        code: the service's error code, for instance "InvalidAccessKeyId.NotFound".
        message: the text beside it; never a secret.
        status: the HTTP status.
        extra: further fields of the error document.
    """

    def __init__(self, code: str, message: str, status: int = 400, *, extra: Extra = ()) -> None:
        super().__init__(f"{code}: {message}")
        self.code: str = code
        self.message: str = message
        self.status: int = status
        self.extra: Extra = extra
