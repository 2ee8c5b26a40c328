"""The policy document of an upload form: the string that OSS signs."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from ramrole_creds.errors import SigningError

if TYPE_CHECKING:
    from ramrole_creds.signing.scheme import Signable

DEFAULT_LIFE_SECONDS = 3600


def encode_policy(policy: object, fields: dict[str, str], credentials: Signable, now: float) -> str:
    """The policy in base64.

    Args:
        policy: text, which is used byte for byte, or a mapping with "conditions" and an optional "expiration" (a
            datetime or ISO 8601 text; an hour from now if absent).
        fields: form fields that a mapping's conditions must allow; added if no condition names them.
        credentials: a mapping expires no later than their token.
        now: Unix seconds.

    Raises:
        SigningError: the policy is neither text nor a mapping, or its expiration is not valid.
    """
    if isinstance(policy, str):
        return b64encode(policy.encode()).decode()
    if not isinstance(policy, dict):
        raise SigningError(f"A policy must be text or a mapping with 'conditions', not {type(policy).__name__}.")
    conditions = policy.get("conditions", [])
    if not isinstance(conditions, list):
        raise SigningError("The 'conditions' of a policy must be a list.")
    named = {name for condition in conditions for name in _names(condition)}
    document = {
        **policy,
        "expiration": _expiration(policy.get("expiration"), credentials, now),
        "conditions": [*conditions, *({name: value} for name, value in fields.items() if name not in named)],
    }
    return b64encode(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()).decode()


def _names(condition: object) -> list[str]:
    if isinstance(condition, dict):
        return [str(name) for name in condition]
    if isinstance(condition, list) and len(condition) > 1:
        return [str(condition[1]).removeprefix("$")]
    return []


def _expiration(wanted: object, credentials: Signable, now: float) -> str:
    end = _moment(wanted) if wanted is not None else datetime.fromtimestamp(now, timezone.utc)
    if wanted is None:
        end += timedelta(seconds=DEFAULT_LIFE_SECONDS)
    if credentials.security_token and credentials.expiration is not None:
        end = min(end, credentials.expiration)
    return end.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _moment(wanted: object) -> datetime:
    if isinstance(wanted, str):
        try:
            wanted = datetime.fromisoformat(wanted.replace("Z", "+00:00").replace(".000", ""))
        except ValueError:
            raise SigningError(
                f"The policy's expiration {wanted!r} is not valid. Write it as 2030-01-31T23:59:59.000Z."
            ) from None
    if not isinstance(wanted, datetime) or wanted.tzinfo is None:
        raise SigningError("The policy's expiration must be text or a datetime, with a time zone.")
    return wanted
