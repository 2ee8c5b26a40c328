"""Every credential that the fake cloud has issued: what its endpoints verify against."""

from __future__ import annotations

import random
import secrets
import string
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ramrole_creds.testing.account.access import Access, Authorizer, condition_context, decide_for
from ramrole_creds.testing.account.ram_policy import ALLOW_ALL

if TYPE_CHECKING:
    from ramrole_creds.testing.account.rsa_signature import PublicKey

ACCOUNT_ID = "1234567890123456"

# Each is part of the value it marks, so that a secret scanner, a test or a human can distinguish it from a real one.
TOKEN_MARKER = "FAKETOKEN"  # noqa: S105  # a marker
METADATA_TOKEN_MARKER = "FAKEMETATOKEN"  # noqa: S105  # a marker

TOKEN_CHARACTERS = 524
MAX_ISSUED = 100_000  # temporary credentials; the oldest are forgotten
_ALPHANUMERIC = string.ascii_letters + string.digits
_BASE64 = _ALPHANUMERIC + "+/"

Policies = Iterable[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Identity:
    """The owner of credentials: a role session, a user or the account.

    Args:
        arn: the caller's ARN, e.g. "acs:ram::1234567890123456:assumed-role/web/vm-ram-i-bp1fake".
        identity_type: "AssumedRoleUser", "RAMUser" or "Account", as in the answer of GetCallerIdentity.
        principal_id: id of the role with ":session", or of the user.
        role_name: the role behind a session, else None.
        account_id: the account's number.
        policies: gives the policies of the identity as they are at the moment of the call.
    """

    arn: str
    identity_type: str = "AssumedRoleUser"
    principal_id: str = ""
    role_name: str | None = None
    account_id: str = ACCOUNT_ID
    policies: Callable[[], Policies] = field(default=lambda: (ALLOW_ALL,), repr=False, compare=False)


@dataclass(frozen=True, slots=True, repr=False)
class IssuedCredentials:
    """Credentials as they were issued, with the identity of their owner.

    Args:
        access_key_id: "STS.NTFAKE…" (29 characters), or "LTAI5tFAKE…" (24) for a long-term key.
        access_key_secret: 44 characters (30 for a long-term key) with the marker FAKESECRET.
        security_token: begins CAIS, 524 characters with the marker FAKETOKEN; None for a long-term key.
        issued_at: Unix seconds.
        expires_at: Unix seconds, None for never.
        identity: the identity of the owner.
        session_policy: the policy given when the session was made, which can only narrow.
        public_key: the public half of a key pair; signatures with it need no secret.
    """

    access_key_id: str
    access_key_secret: str
    security_token: str | None
    issued_at: float
    expires_at: float | None
    identity: Identity
    session_policy: Mapping[str, Any] | None = None
    public_key: PublicKey | None = None

    @property
    def principal(self) -> str:
        """ARN of the caller."""
        return self.identity.arn

    @property
    def account_id(self) -> str:
        """The account's number."""
        return self.identity.account_id

    @property
    def role_name(self) -> str | None:
        """The role behind a session, else None."""
        return self.identity.role_name

    def is_expired(self, at: float) -> bool:
        """True from the very second of the expiry on."""
        return self.expires_at is not None and at >= self.expires_at

    @property
    def name(self) -> str:
        """Name of the role or user, the account's number for the account itself."""
        identity = self.identity
        return identity.role_name or (identity.arn.rpartition("/")[2] if "/" in identity.arn else identity.account_id)

    @property
    def principal_arn(self) -> str:
        """The value of the condition key `acs:PrincipalARN`: ARN of the user, or of the role of a session."""
        role = self.identity.role_name
        return self.principal if role is None else f"acs:ram::{self.account_id}:role/{role}"

    @property
    def identity_type(self) -> str:
        """Either "AssumedRoleUser", "RAMUser" or "Account"."""
        return self.identity.identity_type

    def policy_layers(self) -> list[tuple[str, list[Mapping[str, Any]]]]:
        """The policies of the identity as they are at this moment, and the session policy where there is one."""
        layers = [("AccountLevelIdentityBasedPolicy", list(self.identity.policies()))]
        if self.session_policy is not None:
            layers.append(("SessionPolicy", [self.session_policy]))
        return layers

    def allows(self, action: str, resource: str = "*", **conditions: str) -> bool:
        """True when identity and session policy both allow the action, by the policies as they are at this moment.

        Args:
            action: "oss:GetObject".
            resource: as RAM names it.
            **conditions: values of condition keys, as in `allows("oss:ListObjects", **{"oss:Prefix": "logs/"})`.
        """
        context = condition_context(conditions)
        return decide_for(self, Access(action, resource), context).allowed

    def __repr__(self) -> str:
        return f"IssuedCredentials({self.access_key_id!r}, principal={self.principal!r}, expires_at={self.expires_at})"


class CredentialStore:
    """Issues credentials and keeps a record of them; safe for many threads.

    Args:
        seed: makes the values reproducible; None picks one, kept in `seed`.
    """

    def __init__(self, seed: int | str | None = None) -> None:
        self.seed: str = secrets.token_hex(8) if seed is None else str(seed)
        self._random = random.Random(self.seed)  # noqa: S311  # reproducible on purpose, secures nothing
        self._issued: dict[str, IssuedCredentials] = {}
        self._revoked: set[str] = set()
        self._lock = threading.Lock()  # guards all of the above but `seed`
        self.authorizer: Authorizer = Authorizer()
        """Decides by policies whether a call is allowed."""

    def issue(
        self,
        identity: Identity,
        *,
        now: float,
        lifetime: float | None,
        session_policy: Mapping[str, Any] | None = None,
    ) -> IssuedCredentials:
        """Issue a new credential.

        Args:
            identity: the identity of the owner.
            now: Unix seconds.
            lifetime: seconds until it expires; None makes a long-term key without a token.
            session_policy: narrows what the credential may do.

        Returns:
            What was issued; `lookup` finds it from now on.
        """
        with self._lock:
            if lifetime is None:
                key, secret = self._text("LTAI5tFAKE", 24), self._text("9kFAKESECRET", 30)
                issued = IssuedCredentials(key, secret, None, now, None, identity)
            else:
                key, secret = self._text("STS.NTFAKE", 29), self._text("9kFAKESECRET", 44)
                token = self._text(f"CAIS{TOKEN_MARKER}", TOKEN_CHARACTERS - 3, _BASE64) + "A=="
                issued = IssuedCredentials(key, secret, token, now, now + lifetime, identity, session_policy)
            return self._keep(issued)

    def issue_session_key(self, identity: Identity, *, now: float, lifetime: float) -> IssuedCredentials:
        """Issue a session key of a key pair: it expires, and has no token."""
        with self._lock:
            key, secret = self._text("TMPSK.FAKE", 29), self._text("9kFAKESECRET", 44)
            return self._keep(IssuedCredentials(key, secret, None, now, now + lifetime, identity))

    def register_public_key(self, public_key_id: str, public_key: PublicKey, owner: IssuedCredentials) -> None:
        """Let the owner of a key pair sign with it.

        Args:
            public_key_id: the ID of the public key.
            public_key: the public half.
            owner: credentials of the owner of the key pair.
        """
        with self._lock:
            self._issued[public_key_id] = replace(owner, access_key_id=public_key_id, public_key=public_key)

    def lookup(self, access_key_id: str) -> IssuedCredentials | None:
        """The credentials with this AccessKey ID, expired ones too; None if it is unknown or revoked."""
        with self._lock:
            return None if access_key_id in self._revoked else self._issued.get(access_key_id)

    def issued(self, role_name: str | None = None) -> list[IssuedCredentials]:
        """Everything issued so far, oldest first; only sessions of one role where `role_name` is given."""
        with self._lock:
            return [one for one in self._issued.values() if role_name is None or one.role_name == role_name]

    def revoke(self, access_key_id: str) -> None:
        """Revoke credentials at once, as if their role or user had been deleted."""
        with self._lock:
            self._revoked.add(access_key_id)

    def metadata_token(self) -> str:
        """A session token of the metadata service: 56 characters of base64 with the marker FAKEMETATOKEN."""
        with self._lock:
            return self._text(METADATA_TOKEN_MARKER, 54) + "=="

    def nonce(self) -> str:
        """A request ID in the form that the services use (an upper-case UUID)."""
        with self._lock:
            digits = f"{self._random.getrandbits(128):032X}"
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

    def _keep(self, issued: IssuedCredentials) -> IssuedCredentials:
        while len(self._issued) >= MAX_ISSUED:
            oldest = next((key for key, one in self._issued.items() if one.expires_at is not None), None)
            if oldest is None:
                break
            del self._issued[oldest]
        self._issued[issued.access_key_id] = issued
        return issued

    def _text(self, head: str, length: int, characters: str = _ALPHANUMERIC) -> str:
        return head + "".join(self._random.choices(characters, k=length - len(head)))
