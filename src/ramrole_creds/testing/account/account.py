"""The account behind the fake cloud: its roles, users, policies and identity providers."""

from __future__ import annotations

import json
import threading
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ramrole_creds.testing.account import ram_policy
from ramrole_creds.testing.account.credential_store import ACCOUNT_ID, Identity
from ramrole_creds.testing.account.managed_policy import Policy
from ramrole_creds.testing.account.policy_grammar import (
    MAX_CUSTOM_POLICY_CHARACTERS,
    parse_policy,
    parse_trust_policy,
)
from ramrole_creds.testing.account.rsa_signature import PublicKey

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from ramrole_creds.testing.account.access import Authorizer
    from ramrole_creds.testing.account.credential_store import CredentialStore, IssuedCredentials
    from ramrole_creds.testing.account.oidc_issuer import OidcIssuer
    from ramrole_creds.testing.account.ram_policy import Document

# Those of ECS, RDS, SLB and VPC have statements for other products, too, which are left out here.
SYSTEM_POLICIES: Mapping[str, Document] = {
    "AdministratorAccess": ram_policy.ALLOW_ALL,
    "ReadOnlyAccess": ram_policy.READ_ONLY,
    "AliyunOSSFullAccess": ram_policy.allow("oss:*"),
    "AliyunOSSReadOnlyAccess": ram_policy.allow("oss:Get*", "oss:List*"),
    "AliyunECSFullAccess": ram_policy.allow("ecs:*"),
    "AliyunECSReadOnlyAccess": ram_policy.allow("ecs:Describe*", "ecs:List*"),
    "AliyunRDSFullAccess": ram_policy.allow("rds:*"),
    "AliyunRDSReadOnlyAccess": ram_policy.allow("rds:Describe*"),
    "AliyunSLBFullAccess": ram_policy.allow("slb:*"),
    "AliyunSLBReadOnlyAccess": ram_policy.allow("slb:Describe*"),
    "AliyunVPCFullAccess": ram_policy.allow("vpc:*"),
    "AliyunVPCReadOnlyAccess": ram_policy.allow("vpc:Describe*"),
    "AliyunKMSFullAccess": ram_policy.allow("kms:*"),
    "AliyunRAMFullAccess": ram_policy.allow("ram:*"),
    "AliyunRAMReadOnlyAccess": ram_policy.allow("ram:Get*", "ram:List*"),
    "AliyunSTSAssumeRoleAccess": ram_policy.allow("sts:AssumeRole"),
    "AliyunLogFullAccess": ram_policy.allow("log:*"),
    "AliyunLogReadOnlyAccess": ram_policy.allow("log:Get*", "log:List*", "log:Query*"),
    "AliyunOTSFullAccess": ram_policy.allow("ots:*"),
    "AliyunMNSFullAccess": ram_policy.allow("mns:*"),
    "AliyunFCFullAccess": ram_policy.allow("fc:*"),
    "AliyunFCInvocationAccess": ram_policy.allow("fc:InvokeFunction"),
    "AliyunDataHubFullAccess": ram_policy.allow("dhs:*"),
}

MIN_SESSION_SECONDS = 900
DEFAULT_MAX_SESSION_SECONDS = 3600


@dataclass(eq=False, slots=True, kw_only=True)
class PolicyOwner:
    """Has policies attached. They take effect at once, on credentials that were issued before too.

    Args:
        attached: the attached policies by (type, name), type "System" or "Custom".
        account_id: the number of the account.
    """

    attached: dict[tuple[str, str], Policy] = field(default_factory=dict)
    account_id: str = ACCOUNT_ID

    @property
    def policies(self) -> dict[tuple[str, str], Document]:
        """The documents of the attached policies as they are now, by type and name."""
        return {key: one.document for key, one in self.attached.items()}


@dataclass(eq=False, slots=True)
class Role(PolicyOwner):
    """A RAM role.

    Args:
        name: the role's name.
        trust: who may assume it.
        max_session_seconds: the longest session of AssumeRole.
        description: free text.
        account_id: the number of the account.
        role_id: the ID that RAM gave the role.
        created_at: when it was created, as Unix seconds.
    """

    name: str
    trust: Document = field(default_factory=lambda: ram_policy.TRUST_ECS)
    max_session_seconds: int = DEFAULT_MAX_SESSION_SECONDS
    description: str = ""
    role_id: str = ""
    created_at: float = 0.0

    @property
    def arn(self) -> str:
        """acs:ram::<account>:role/<name>, in lower case as RAM prints it."""
        return f"acs:ram::{self.account_id}:role/{self.name.lower()}"

    def session(self, session_name: str) -> Identity:
        """The identity of a session of this role."""
        return Identity(
            arn=f"acs:ram::{self.account_id}:assumed-role/{self.name}/{session_name}",
            identity_type="AssumedRoleUser",
            principal_id=f"{self.role_id}:{session_name}",
            role_name=self.name,
            account_id=self.account_id,
            policies=lambda: list(self.policies.values()),
        )


@dataclass(eq=False, slots=True)
class User(PolicyOwner):
    """A RAM user with long-term AccessKeys.

    Args:
        name: the user's name.
        user_id: the ID that RAM gave the user.
        account_id: the number of the account.
    """

    name: str
    user_id: str

    @property
    def identity(self) -> Identity:
        """The identity of the user's keys."""
        return Identity(
            arn=f"acs:ram::{self.account_id}:user/{self.name}",
            identity_type="RAMUser",
            principal_id=self.user_id,
            account_id=self.account_id,
            policies=lambda: list(self.policies.values()),
        )


class Account:
    """Roles, users and policies by name; safe for many threads.

    Args:
        issuer: where keys of users and sessions are made.
        account_id: the account's number.
    """

    def __init__(self, issuer: CredentialStore, account_id: str = ACCOUNT_ID) -> None:
        self.issuer: CredentialStore = issuer
        self.account_id: str = account_id
        self.lock: AbstractContextManager[bool] = threading.RLock()
        """Guards everything below."""
        self.roles: dict[str, Role] = {}
        """Roles by their names in lower case."""
        self.users: dict[str, User] = {}
        """Users by their names."""
        self.system_policies: dict[str, Policy] = {
            name: Policy.of(name, document, "System") for name, document in SYSTEM_POLICIES.items()
        }
        """System policies by their names."""
        self.custom_policies: dict[str, Policy] = {}
        """Custom policies by their names."""
        self.oidc_issuers: dict[str, OidcIssuer] = {}
        """Identity providers by their ARNs."""

    @property
    def authorizer(self) -> Authorizer:
        """Judges calls; holds the values of condition keys such as `acs:SourceIp`."""
        return self.issuer.authorizer

    def add_role(
        self,
        name: str,
        *,
        trust: Document | str | None = None,
        policies: Sequence[str | Document] = ("AdministratorAccess",),
        max_session_seconds: int = DEFAULT_MAX_SESSION_SECONDS,
    ) -> Role:
        """Create a role; it replaces one of the same name.

        Args:
            name: the role's name.
            trust: trust policy; None trusts ECS, so that it can be attached to an instance, and everybody in the
                account, so that it can be assumed.
            policies: names of system or custom policies, or documents. All is allowed by default.
            max_session_seconds: the longest session of AssumeRole.
        """
        role = Role(
            name,
            ram_policy.trust_account(self.account_id) if trust is None else parse_trust_policy(trust),
            max_session_seconds=max_session_seconds,
            account_id=self.account_id,
            role_id=self.numeric_id("role", name),
        )
        self.set_policies(role, policies)
        with self.lock:
            self.roles[name.lower()] = role
        return role

    def add_user(self, name: str, *, policies: Sequence[str | Document] = ("AdministratorAccess",)) -> User:
        """Create a RAM user; it replaces one of the same name."""
        user = User(name, self.numeric_id("user", name), account_id=self.account_id)
        self.set_policies(user, policies)
        with self.lock:
            self.users[name] = user
        return user

    def access_key(self, user: User, now: float) -> IssuedCredentials:
        """A new long-term AccessKey of a user."""
        return self.issuer.issue(user.identity, now=now, lifetime=None)

    def add_public_key(self, user: User, pem: str, now: float) -> str:
        """Register the public half of a user's RSA key pair; returns the ID of the public key."""
        owner = self.access_key(user, now)
        public_key_id = owner.access_key_id.replace("LTAI5t", "LTRSA.")
        self.issuer.register_public_key(public_key_id, PublicKey.from_pem(pem), owner)
        return public_key_id

    def add_oidc_issuer(self, issuer: OidcIssuer) -> None:
        """Register an identity provider."""
        with self.lock:
            self.oidc_issuers[issuer.provider_arn] = issuer

    def set_policies(self, owner: Role | User, policies: Sequence[str | Document]) -> None:
        """Replace all policies of a role or user; takes effect at once.

        Args:
            owner: the role or user.
            policies: names of system or custom policies, and documents, as mappings or as JSON.

        Raises:
            KeyError: no policy has that name.
            TypeError: `policies` is one policy and not a list.
            ValueError: a document is not a policy.
        """
        if isinstance(policies, (str, Mapping)):
            raise TypeError(
                f"policies is a list of names and documents, not {type(policies).__name__}. Put it in a list."
            )
        found = [
            self.find_policy(one)
            if isinstance(one, str) and not one.lstrip().startswith("{")
            else Policy.of(f"inline-{index}", parse_policy(one))
            for index, one in enumerate(policies)
        ]
        with self.lock:
            owner.attached = {(one.kind, one.name): one for one in found}

    def put_policy(self, name: str, document: str | Document, *, at: float = 0.0) -> None:
        """Create a custom policy, or give it a new default version, which takes effect at once.

        RAM keeps five versions: the oldest one makes room.

        Args:
            name: its name.
            document: its content.
            at: Unix time at which it is made.

        Raises:
            ValueError: the document is not a policy, or is longer than RAM takes.
        """
        parsed = parse_policy(document)
        length = len(document if isinstance(document, str) else json.dumps(document, separators=(",", ":")))
        if length > MAX_CUSTOM_POLICY_CHARACTERS:
            raise ValueError(
                f"The policy {name!r} has {length} characters, and RAM takes {MAX_CUSTOM_POLICY_CHARACTERS}. Use "
                "wildcards, or make several policies of it."
            )
        with self.lock:
            self.custom_policies.setdefault(name, Policy(name)).add(parsed, at)

    def find_policy(self, name: str, kind: str | None = None) -> Policy:
        """The policy of that name, and type where one is given.

        Raises:
            KeyError: no policy has that name and type.
        """
        with self.lock:
            if kind != "Custom" and name in self.system_policies:
                return self.system_policies[name]
            if kind != "System" and name in self.custom_policies:
                return self.custom_policies[name]
            known = ", ".join([*self.system_policies, *self.custom_policies])
        raise KeyError(f"The account has no policy {name!r}. Give a document, or one of these names: {known}.")

    def role(self, name: str) -> Role | None:
        """The role of that name, whatever its case."""
        with self.lock:
            return self.roles.get(name.lower())

    def existing_role(self, name: str) -> Role:
        """The role of that name.

        Raises:
            KeyError: the account has no such role.
        """
        with self.lock:
            known = ", ".join(sorted(one.name for one in self.roles.values()))
            found = self.roles.get(name.lower())
        if found is None:
            raise KeyError(f"The account has no role {name!r}. Its roles: {known or 'none'}.")
        return found

    def owner(self, name: str) -> Role | User:
        """The role, or else the user, of that name.

        Raises:
            KeyError: there is neither.
        """
        with self.lock:
            found = self.roles.get(name.lower()) or self.users.get(name)
            known = sorted([*(role.name for role in self.roles.values()), *self.users])
        if found is None:
            raise KeyError(f"The account has no role or user {name!r}. It has: {', '.join(known) or 'none'}.")
        return found

    def delete_role(self, name: str) -> None:
        """Delete a role. Its credentials are rejected from now on, before they expire."""
        with self.lock:
            role = self.roles.pop(name.lower(), None)
        if role is not None:
            for issued in self.issuer.issued(role.name):
                self.issuer.revoke(issued.access_key_id)

    def numeric_id(self, kind: str, name: str) -> str:
        """An 18-digit id, always the same for the same name."""
        digits = f"{zlib.crc32(f'{kind}/{name}'.encode()):010d}"
        return f"3{digits}{digits[:7]}"
