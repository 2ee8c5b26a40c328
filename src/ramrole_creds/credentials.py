"""One set of credentials: an immutable snapshot of one fetch."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import NoReturn

from ramrole_creds._sdk_names import SdkCredentialsMixin
from ramrole_creds.errors import ConfigurationError

SHOWN_HEAD_CHARACTERS = 8
SHOWN_TAIL_CHARACTERS = 4


@dataclass(frozen=True, slots=True, repr=False)
class Credentials(SdkCredentialsMixin):
    """An AccessKey pair, with its security token where it is temporary.

    Id, secret and token are always of one fetch. `repr`, `str`, logging and tracebacks show neither secret nor
    token. Copies are the object itself; pickling raises TypeError (send the provider instead, it pickles without
    secrets).

    Args:
        access_key_id: the AccessKey ID; temporary ones begin with "STS.".
        access_key_secret: the secret that signs.
        security_token: the STS token, None for a long-term key; an empty one counts as None.
        expiration: aware datetime, kept in UTC. None means "never" for a long-term key and "unknown" for one with
            a security token.
        provider_name: where they came from, as the official SDKs spell it ("ecs_ram_role", "default/env" …).
        identity: role name or ARN, where the provider learnt it.

    Raises:
        ConfigurationError: an empty or unprintable key, secret or token, or a naive expiration.
    """

    access_key_id: str
    access_key_secret: str
    security_token: str | None = None
    expiration: datetime | None = None
    provider_name: str = ""
    identity: str | None = None

    def __post_init__(self) -> None:
        _require_text("access_key_id", self.access_key_id)
        _require_text("access_key_secret", self.access_key_secret)
        if self.security_token == "":
            object.__setattr__(self, "security_token", None)
        if self.security_token is not None:
            _require_text("security_token", self.security_token)
        if self.expiration is not None:
            object.__setattr__(self, "expiration", _utc(self.expiration))

    def is_expired(self) -> bool:
        """True when `expiration` has passed by the local wall clock; a provider's cache uses a better one."""
        return self.expiration is not None and self.expiration.timestamp() <= time.time()

    def __repr__(self) -> str:
        parts = [f"access_key_id={shorten_id(self.access_key_id)!r}"]
        if self.provider_name:
            parts.append(f"provider_name={self.provider_name!r}")
        if self.identity:
            parts.append(f"identity={self.identity!r}")
        parts.append(_describe_expiration(self))
        return f"Credentials({', '.join(parts)})"

    def __copy__(self) -> Credentials:
        return self

    def __deepcopy__(self, memo: object) -> Credentials:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            "Credentials cannot be pickled: the secret would travel to other processes, queues and files. "
            "Pickle the provider instead: it carries its configuration only and fetches where it arrives."
        )


def same_keys(one: Credentials, other: Credentials) -> bool:
    """True where id, secret and token are the same, whatever is known of their end and their owner."""
    return (one.access_key_id, one.access_key_secret, one.security_token) == (
        other.access_key_id,
        other.access_key_secret,
        other.security_token,
    )


def shorten_id(access_key_id: str) -> str:
    """The AccessKey ID as it may be shown: its first 8 and last 4 characters, enough to find it in an audit log."""
    if len(access_key_id) <= SHOWN_HEAD_CHARACTERS + SHOWN_TAIL_CHARACTERS:
        return access_key_id
    return f"{access_key_id[:SHOWN_HEAD_CHARACTERS]}…{access_key_id[-SHOWN_TAIL_CHARACTERS:]}"


def shown_identity(credentials: Credentials) -> str:
    """Whose they are: role name or ARN, or the shortened AccessKey ID where neither is known."""
    return credentials.identity or shorten_id(credentials.access_key_id)


def _require_text(field: str, value: object) -> None:
    """Keys travel in headers: a blank or a control character in one is a mistake or an attack, never a key."""
    if not isinstance(value, str) or not value:
        raise ConfigurationError(
            f"{field} must be a non-empty string, not {type(value).__name__ if value else value!r}."
        )
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ConfigurationError(
            f"{field} has a blank, a control character or a character outside ASCII: no key or token has one. "
            "Look for a stray line end or quotation mark where it was copied from."
        )


def _utc(expiration: datetime) -> datetime:
    if not isinstance(expiration, datetime):
        raise ConfigurationError(f"expiration must be a datetime or None, not {type(expiration).__name__}.")
    if expiration.tzinfo is None or expiration.utcoffset() is None:
        raise ConfigurationError(
            "expiration has no time zone: give an aware datetime, for instance "
            "datetime(2030, 1, 1, tzinfo=timezone.utc)."
        )
    try:
        return expiration.astimezone(timezone.utc)
    except OverflowError:  # within hours of the first or the last moment that a datetime can hold
        raise ConfigurationError("expiration lies outside of the years 1 to 9999 in UTC.") from None


def _describe_expiration(credentials: Credentials) -> str:
    if credentials.expiration is None:
        return "expiry unknown" if credentials.security_token else "never expires"
    left = int(credentials.expiration.timestamp() - time.time())
    return f"expires in {timedelta(seconds=left)}" if left > 0 else f"expired {timedelta(seconds=-left)} ago"
