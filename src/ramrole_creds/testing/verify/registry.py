"""Every signature scheme that the fake cloud verifies, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from ramrole_creds.testing.verify.verification import (
    Accepted,
    KeyDirectory,
    Verification,
    VerificationFailed,
    VerificationResult,
)

if TYPE_CHECKING:
    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.verify.error_catalogs import ErrorCatalog
    from ramrole_creds.testing.verify.nonces import NonceMemory

Steps = Callable[[Verification], Accepted]


@dataclass(frozen=True, slots=True)
class Verifier:
    """One signature scheme, from the side of the service whose requests are signed so. Call it to verify a request.

    `recognizes` is true for a request that carries this kind of signature, right or wrong; `steps` are what is checked.
    """

    name: str
    service: str
    catalog: ErrorCatalog
    recognizes: Callable[[WireRequest], bool]
    steps: Steps

    def __call__(
        self, request: WireRequest, issuer: KeyDirectory, now: float, nonces: NonceMemory
    ) -> VerificationResult:
        """Verify `request`, received at the Unix time `now`."""
        try:
            return self.steps(Verification(self.name, self.catalog, request, issuer, now, nonces))
        except VerificationFailed as failed:
            return failed.rejection(self.name)


_registered: dict[str, Verifier] = {}
VERIFIERS: Final[Mapping[str, Verifier]] = MappingProxyType(_registered)


def scheme(
    name: str,
    catalog: ErrorCatalog,
    *,
    prefix: str = "",
    when: Callable[[WireRequest], bool] | None = None,
    service: str | None = None,
) -> Callable[[Steps], Verifier]:
    """Register the decorated steps as the verifier of a scheme.

    Args:
        name: the scheme.
        catalog: the errors of its service.
        prefix: how its Authorization header begins; empty for a scheme without one.
        when: what else distinguishes its requests.
        service: its service; None for the first word of the name.
    """

    def recognizes(request: WireRequest) -> bool:
        authorization = request.header("authorization") or ""
        carried = authorization.startswith(prefix) if prefix else not authorization
        return carried and (when is None or when(request))

    def register(steps: Steps) -> Verifier:
        verifier = Verifier(name, service or name.partition("_")[0], catalog, recognizes, steps)
        _registered[name] = verifier
        return verifier

    return register


def find_verifier(request: WireRequest, service: str) -> Verifier | None:
    """The verifier of the service that recognizes the request's signature; None for an unsigned request."""
    return next((one for one in VERIFIERS.values() if one.service == service and one.recognizes(request)), None)
