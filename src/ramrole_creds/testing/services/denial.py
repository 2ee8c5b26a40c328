"""What the services say about a caller who lacks a permission.

`AccessDeniedDetail` and its fields are those that OSS (error 0003-00000201) and the OpenAPI gateway document. Assumed:
the display name of a role's session. `EncodedDiagnosticMessage`, which only RAM can decode, is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ramrole_creds.testing.services.service import ServiceError

if TYPE_CHECKING:
    from ramrole_creds.testing.account.access import Access, Judgement
    from ramrole_creds.testing.account.credential_store import IssuedCredentials

_PRINCIPAL_TYPES = {"RAMUser": "SubUser"}


@dataclass(frozen=True, slots=True)
class Denial:
    """A caller, the access that is refused, and why."""

    caller: IssuedCredentials
    access: Access
    judgement: Judgement

    @property
    def is_explicit(self) -> bool:
        """True where a statement denies the access, false where none allows it."""
        return self.judgement.decision.value == "ExplicitDeny"

    @property
    def detail(self) -> dict[str, str]:
        """The fields of `AccessDeniedDetail`."""
        identity = self.caller.identity
        return {
            "AuthAction": self.access.action,
            "AuthPrincipalDisplayName": identity.principal_id,
            "AuthPrincipalOwnerId": identity.account_id,
            "AuthPrincipalType": _PRINCIPAL_TYPES.get(identity.identity_type, identity.identity_type),
            "NoPermissionType": self.judgement.decision.value,
            "PolicyType": self.judgement.policy_type,
        }


def no_permission(denial: Denial) -> ServiceError:
    """`NoPermission`, as STS, RAM and ECS answer it."""
    message = "You are not authorized to do this action. You should be authorized by RAM."
    return ServiceError("NoPermission", message, 403, extra=(("AccessDeniedDetail", denial.detail),))


def no_right(denial: Denial) -> ServiceError:
    """`AccessDenied` of OSS: 0003-00000201 for an explicit deny, 0003-00000001 where no statement allows."""
    if denial.is_explicit:
        message, ec = "Access denied by bucket policy.", "0003-00000201"
    elif "/" in denial.access.resource:
        message, ec = "You have no right to access this object because of bucket acl.", "0003-00000001"
    else:
        message, ec = "You do not have read or write permission on the bucket.", "0003-00000001"
    return ServiceError("AccessDenied", message, 403, extra=(("AccessDeniedDetail", denial.detail), ("EC", ec)))
