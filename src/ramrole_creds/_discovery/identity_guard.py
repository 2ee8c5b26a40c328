"""Whose credentials these are, and whether they are those that were expected."""

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
    """Whose credentials: what is known of it.

    Args:
        role: the role's name; "" where it is known to be no role, None where it is not known.
        account: the account's number, None where it is not known.
        shown: as it is shown in messages.
    """

    role: str | None
    account: str | None
    shown: str


@dataclass(frozen=True, slots=True)
class IdentityGuard:
    """Refuses credentials of any other identity than the expected one.

    What the credentials' source does not tell is asked for: the account of an instance's role from the metadata
    service, all else from STS (GetCallerIdentity, which needs no permission), once for each AccessKey ID.

    Args:
        role: the expected role's name or ARN, None for any.
        account: the expected account's number, None for any.
        endpoint: base URL of the metadata service.
        sts_endpoint: host or URL of STS.
    """

    role: str | None
    account: str | None
    endpoint: str | None = None
    sts_endpoint: str | None = None
    _known: dict[str, Owner] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Take a role's ARN for what it says: name and account.

        Raises:
            ConfigurationError: the ARN is none of a role, or one of another account than the expected one; or what
                was given is no text.
        """
        for name, given in (("expect_role", self.role), ("expect_account", self.account)):
            if given is not None and not isinstance(given, str):
                raise ConfigurationError(f"{name} must be a text, in quotation marks, not {type(given).__name__}.")
        if self.role is None or ":" not in self.role:
            return
        named = owner_of(self.role)
        if not named.role or named.account is None:
            raise ConfigurationError(
                "expect_role must be a role's name or its ARN, acs:ram::ACCOUNT-ID:role/NAME; what was given is none."
            )
        if self.account not in (None, named.account):
            raise ConfigurationError(
                f"expect_role names a role of account {named.account}, and expect_account another: {self.account}."
            )
        object.__setattr__(self, "role", named.role)
        object.__setattr__(self, "account", named.account)

    def check(self, credentials: Credentials, context: FetchContext) -> None:
        """Let the expected pass.

        Raises:
            IdentityMismatch: they are another's; names both.
            FetchError: whose they are could not be found out.
        """
        owner = owner_of(credentials.identity)
        if self._needs_more(owner):
            owner = self._known.get(credentials.access_key_id) or self._ask(credentials, owner, context)
        for what, expected, actual in (("role", self.role, owner.role), ("account", self.account, owner.account)):
            if expected is not None and (actual or "").casefold() != expected.casefold():
                raise IdentityMismatch(
                    f"The credentials of {credentials.provider_name} belong to {owner.shown}, and the {what} "
                    f"{expected!r} is expected: they are not used. Give this program the {what} that is meant for it, "
                    f"or change expect_{what} (RAMROLE_CREDS_EXPECT_{what.upper()}).",
                    unrecoverable=True,
                )

    def _needs_more(self, owner: Owner) -> bool:
        return (self.role is not None and owner.role is None) or (self.account is not None and owner.account is None)

    def _ask(self, credentials: Credentials, owner: Owner, context: FetchContext) -> Owner:
        try:
            found = self._from_metadata(credentials, owner) or self._from_sts(credentials, context)
        except RamRoleError as error:
            problem = str(error)
        else:
            while len(self._known) >= MAX_REMEMBERED:
                self._known.pop(next(iter(self._known)), None)
            self._known[credentials.access_key_id] = found
            return found
        raise FetchError(
            f"Whose credentials those of {credentials.provider_name} are could not be found out, and an identity is "
            f"expected: they are not used. {problem}"
        )

    def _from_metadata(self, credentials: Credentials, owner: Owner) -> Owner | None:
        """The account of an instance's role: no way out of the VPC is needed for this one."""
        if owner.role is None or credentials.provider_name.rpartition("/")[2] != "ecs_ram_role":
            return None
        account = MetadataClient(self.endpoint, default_token_mode()).get(ACCOUNT_ITEM).strip()
        return Owner(owner.role, account, f"{owner.shown} of account {account}")

    def _from_sts(self, credentials: Credentials, context: FetchContext) -> Owner:
        client = StsClient(self.sts_endpoint, clock=context.clock)
        # A context of its own: the server's time that goes with the credentials is not this answer's.
        limit = type(context).create(context.remaining(), clock=context.clock)
        identity = client.get_caller_identity(credentials, limit)
        owner = owner_of(identity.arn)
        return Owner(owner.role or "", identity.account_id, identity.arn)

    def __reduce__(self) -> tuple[Any, ...]:
        return IdentityGuard, (self.role, self.account, self.endpoint, self.sts_endpoint)


def owner_of(identity: str | None) -> Owner:
    """What an identity says: an ARN, or a role's bare name."""
    if not identity:
        return Owner(None, None, "somebody")
    arn = _ARN.fullmatch(identity)
    if arn is not None:
        return Owner(arn.group(2) or "", arn.group(1), identity)
    return Owner(identity, None, f"the role {identity!r}")
