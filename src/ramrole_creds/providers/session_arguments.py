"""The arguments of a role session (name, policy, duration), checked before STS is asked."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from string import Formatter
from typing import TYPE_CHECKING, Final

from ramrole_creds._checks import checked_text, is_number
from ramrole_creds.errors import ConfigurationError
from ramrole_creds.providers.variables import ROLE_ARN_VARIABLE, SESSION_NAME_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_TEMPLATE: Final = "ramrole-creds-{host}-{process}-{unique}"
MIN_SESSION_SECONDS: Final = 900
MAX_SESSION_SECONDS: Final = 43200
MAX_NAME_CHARACTERS: Final = 64
MAX_POLICY_CHARACTERS: Final = 2048

_NAME = re.compile(r"[A-Za-z0-9.@_-]{2,64}")
_NOT_IN_NAME = re.compile(r"[^A-Za-z0-9.@_-]+")
_EXTERNAL_ID = re.compile(r"[A-Za-z0-9_+=,.@:/-]{2,1224}")
_ROLE_ARN = re.compile(r"acs:ram::[^:\s]*:role/[^\s]+")
_FIELDS = ("host", "pod", "process", "unique")
_SHOWN_FIELDS = ", ".join(f"{{{field}}}" for field in _FIELDS)
# The longest host and pod that a name may hold, tried in this order until the whole name fits.
_WORD_CHARACTERS = (MAX_NAME_CHARACTERS, 32, 24, 16, 8)


def session_namer(template: str | None) -> Callable[[], str]:
    """A function that returns the session's name at each fetch.

    The name shows in audit logs. `{process}` is filled in at the fetch, so a forked child has a different name.

    Args:
        template: a name, or a template with `{host}`, `{pod}` (in Kubernetes), `{process}` (the process id) and
            `{unique}` (random, the same for all sessions of one provider); else ALIBABA_CLOUD_ROLE_SESSION_NAME, else
            "ramrole-creds-{host}-{process}-{unique}".

    Raises:
        ConfigurationError: it is not a text, has another field, or has a character that STS refuses.
    """
    template = checked_text("session_name", template) or os.environ.get(SESSION_NAME_VARIABLE) or DEFAULT_TEMPLATE
    unique = os.urandom(4).hex()
    if _has_fields(template):
        return lambda: _filled_in(template, unique)
    if _NAME.fullmatch(template) is None:
        raise ConfigurationError(
            f"The session name is not valid. It must have 2 to {MAX_NAME_CHARACTERS} characters: letters, digits and "
            "`.@-_`."
        )
    return lambda: template


def checked_role_arn(role_arn: str | None) -> str:
    """The ARN of the role; ALIBABA_CLOUD_ROLE_ARN if None.

    Raises:
        ConfigurationError: there is no ARN, or it is not the ARN of a role.
    """
    role_arn = role_arn or os.environ.get(ROLE_ARN_VARIABLE) or ""
    if _ROLE_ARN.fullmatch(role_arn) is None:
        raise ConfigurationError(
            "role_arn must be the ARN of a role, acs:ram::ACCOUNT-ID:role/NAME; "
            + ("it is not set." if not role_arn else "the value given is not an ARN.")
        )
    return role_arn


def checked_duration(duration: object, maximum: int = MAX_SESSION_SECONDS) -> float:
    """The lifetime of the session in seconds.

    Args:
        duration: the lifetime.
        maximum: the longest one that the call of STS accepts.

    Raises:
        ConfigurationError: STS issues no sessions of that length.
    """
    if not is_number(duration) or not MIN_SESSION_SECONDS <= duration <= maximum:
        raise ConfigurationError(
            f"duration must be a number of seconds from {MIN_SESSION_SECONDS} to {maximum}, not {duration!r}."
        )
    return duration


def checked_external_id(external_id: object) -> str | None:
    """The external id; None if it is empty.

    Raises:
        ConfigurationError: STS accepts no such external id.
    """
    if not external_id:
        return None
    if not isinstance(external_id, str) or _EXTERNAL_ID.fullmatch(external_id) is None:
        raise ConfigurationError(
            "The external id is not valid. It must have 2 to 1224 characters: letters, digits and `+=,.@:/_-`."
        )
    return external_id


def policy_text(session_policy: object) -> str | None:
    """The session policy as JSON; None for None and an empty text.

    An empty mapping is refused: whoever passes one means to allow nothing, and no policy allows all that the role may.

    Args:
        session_policy: JSON text, which is sent unchanged, or a mapping.

    Raises:
        ConfigurationError: it is not a policy document, or it is longer than STS accepts.
    """
    if session_policy is None or session_policy == "":
        return None
    import json

    if isinstance(session_policy, str):
        text = session_policy
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            document = None
    elif isinstance(session_policy, Mapping):
        document = dict(session_policy)
        text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    else:
        document, text = None, ""
    if not isinstance(document, Mapping) or "Statement" not in document:
        raise ConfigurationError(
            'The session policy is not valid. It must be a JSON object with "Version" and "Statement".'
        )
    if len(text) > MAX_POLICY_CHARACTERS:
        raise ConfigurationError(
            f"The session policy has {len(text)} characters; STS accepts {MAX_POLICY_CHARACTERS}. Use wildcards, or "
            "attach a policy to the role."
        )
    return text


def require_unscoped(session_policy: str | None, new: object) -> None:
    """Check that a provider may be scoped.

    Args:
        session_policy: the session policy that it has.
        new: the one that it gets.

    Raises:
        ConfigurationError: it has a session policy already, or gets none.
    """
    if policy_text(new) is None:
        raise ConfigurationError(
            'scoped() needs a session policy: a JSON object with "Version" and "Statement". Without one the session '
            "may do all that the role may."
        )
    if session_policy is not None:
        raise ConfigurationError(
            "This provider has a session policy already, and STS cannot combine two: the new one might allow more. "
            "Scope the provider that has no session policy."
        )


def _has_fields(template: str) -> bool:
    """Whether the template has fields to fill in; all of them known."""
    try:
        parts = [part for part in Formatter().parse(template) if part[1] is not None]
    except ValueError:
        parts = [("", "", "", None)]
    if any(field not in _FIELDS or form or conversion for _, field, form, conversion in parts):
        raise ConfigurationError(f"The session name is not valid. Braces may hold {_SHOWN_FIELDS} only.")
    return bool(parts)


def _filled_in(template: str, unique: str) -> str:
    """The name. Host and pod are shortened if it is too long, so that `{process}` and `{unique}` stay."""
    host = _host()
    pod = os.environ.get("POD_NAME") or os.environ.get("HOSTNAME") or host
    name = ""
    for longest in _WORD_CHARACTERS:
        words = {"host": host[:longest], "pod": pod[-longest:], "process": os.getpid(), "unique": unique}
        name = _NOT_IN_NAME.sub("-", template.format(**words))
        if len(name) <= MAX_NAME_CHARACTERS:
            break
    return name[:MAX_NAME_CHARACTERS]


def _host() -> str:
    import socket

    return socket.gethostname().partition(".")[0] or "host"
