"""The identity of credentials, and whether it is the expected one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ramrole_creds.errors import ConfigurationError, FetchError, IdentityMismatch, RamRoleError
from ramrole_creds.metadata.client import MetadataClient
from ramrole_creds.providers.ecs_ram_role import default_token_mode
from ramrole_creds.sts.client import StsClient

if TYPE_CHECKING:
    from ramrole_creds.credentials import Credentials
    from ramrole_creds.provider import FetchContext

ACCOUNT_ITEM = "owner-account-id"
MAX_REMEMBERED = 16

_ARN = re.compile(r"acs:(?:ram|sts)::(\d+):(?:(?:assumed-)?role/([^/]+)|[^/]+).*")


@dataclass(frozen=True, slots=True)
class Owner:
    """What is known of the identity of credentials.

    Args:
        role: the name of the role; "" if the identity is not a role, None if that is unknown.
        account: the number of the account, None if it is unknown.
        shown: the identity as messages show it.
    """

    role: str | None
    account: str | None
    shown: str


@dataclass(frozen=True, slots=True)
class IdentityGuard:
    """Refuses credentials of any other identity than the expected one.

    If the source does not report the identity, the guard asks: the metadata service for the account of an instance's
    role, STS for the rest (GetCallerIdentity, which needs no permission), once per AccessKey ID.

    Args:
        role: name or ARN of the expected role, None for any.
        account: number of the expected account, None for any.
        endpoint: base URL of the metadata service.
        sts_endpoint: host or URL of STS.
    """

    role: str | None
    account: str | None
    endpoint: str | None = None
    sts_endpoint: str | None = None
    _known: dict[str, Owner] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Split the ARN of a role into name and account.

        Raises:
            ConfigurationError: an expectation is not text, the ARN is not that of a role, or it names another account
                than the expected one.
        """
        for name, given in (("expect_role", self.role), ("expect_account", self.account)):
            if given is not None and not isinstance(given, str):
                raise ConfigurationError(f"{name} must be a text, in quotation marks, not {type(given).__name__}.")
        if self.role is None or ":" not in self.role:
            return
        named = owner_of(self.role)
        if not named.role or named.account is None:
            raise ConfigurationError(
                "expect_role (RAMROLE_CREDS_EXPECT_ROLE) must be the name of a role or its ARN, "
                f"acs:ram::ACCOUNT-ID:role/NAME, not {self.role!r}."
            )
        if self.account not in (None, named.account):
            raise ConfigurationError(
                f"expect_role (RAMROLE_CREDS_EXPECT_ROLE) names a role of account {named.account}, but expect_account "
                f"(RAMROLE_CREDS_EXPECT_ACCOUNT) is {self.account}. Correct one of them, or set expect_role alone."
            )
        object.__setattr__(self, "role", named.role)
        object.__setattr__(self, "account", named.account)

    def check(self, credentials: Credentials, context: FetchContext) -> None:
        """Check that the credentials have the expected identity.

        Raises:
            IdentityMismatch: they have another one; the message names both.
            FetchError: their identity could not be determined.
        """
        owner = owner_of(credentials.identity)
        if self._needs_more(owner):
            owner = self._known.get(credentials.access_key_id) or self._ask(credentials, owner, context)
        for what, expected, actual in (("role", self.role, owner.role), ("account", self.account, owner.account)):
            if expected is not None and (actual or "").casefold() != expected.casefold():
                raise IdentityMismatch(
                    f"The credentials of {credentials.provider_name} belong to {owner.shown}, but the expected {what} "
                    f"is {expected!r}: they are not used. Give this program the right {what}, or change expect_{what} "
                    f"(RAMROLE_CREDS_EXPECT_{what.upper()}).",
                    unrecoverable=True,
                )

    def _needs_more(self, owner: Owner) -> bool:
        return (self.role is not None and owner.role is None) or (self.account is not None and owner.account is None)

    def _ask(self, credentials: Credentials, owner: Owner, context: FetchContext) -> Owner:
        try:
            found = self._from_metadata(credentials, owner) or self._from_sts(credentials, context)
        except RamRoleError as error:
            raise FetchError(
                f"Could not determine whose credentials {credentials.provider_name} returned; expect_role or "
                f"expect_account requires it, so they are not used. {error}"
            ) from None
        while len(self._known) >= MAX_REMEMBERED:
            self._known.pop(next(iter(self._known)), None)
        self._known[credentials.access_key_id] = found
        return found

    def _from_metadata(self, credentials: Credentials, owner: Owner) -> Owner | None:
        """The account of an instance's role, which the metadata service knows: no route out of the VPC is needed."""
        if owner.role is None or credentials.provider_name.rpartition("/")[2] != "ecs_ram_role":
            return None
        account = MetadataClient(self.endpoint, default_token_mode()).get(ACCOUNT_ITEM).strip()
        return Owner(owner.role, account, f"{owner.shown} of account {account}")

    def _from_sts(self, credentials: Credentials, context: FetchContext) -> Owner:
        client = StsClient(self.sts_endpoint, clock=context.clock)
        # A separate context: the server time of this answer is not that of the credentials.
        limit = type(context).create(context.remaining(), clock=context.clock)
        identity = client.get_caller_identity(credentials, limit)
        owner = owner_of(identity.arn)
        return Owner(owner.role or "", identity.account_id, identity.arn)

    def __reduce__(self) -> tuple[Any, ...]:
        return IdentityGuard, (self.role, self.account, self.endpoint, self.sts_endpoint)


def owner_of(identity: str | None) -> Owner:
    """The owner that an identity names: an ARN, or only the name of a role."""
    if not identity:
        return Owner(None, None, "an unknown identity")
    arn = _ARN.fullmatch(identity)
    if arn is not None:
        return Owner(arn.group(2) or "", arn.group(1), identity)
    return Owner(identity, None, f"the role {identity!r}")
