"""What a role session is asked for with: its name, its policy, its duration; checked before STS is asked."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from string import Formatter
from typing import TYPE_CHECKING

from ramrole_creds.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

SESSION_NAME_VARIABLE = "ALIBABA_CLOUD_ROLE_SESSION_NAME"
ROLE_ARN_VARIABLE = "ALIBABA_CLOUD_ROLE_ARN"
DEFAULT_TEMPLATE = "ramrole-creds-{host}-{process}-{unique}"
MIN_SESSION_SECONDS = 900
DEFAULT_SESSION_SECONDS = 3600.0
MAX_SESSION_SECONDS = 43200
MAX_NAME_CHARACTERS = 64
MAX_POLICY_CHARACTERS = 2048

_NAME = re.compile(r"[A-Za-z0-9.@_-]{2,64}")
_NOT_IN_NAME = re.compile(r"[^A-Za-z0-9.@_-]+")
_EXTERNAL_ID = re.compile(r"[A-Za-z0-9_+=,.@:/-]{2,1224}")
_ROLE_ARN = re.compile(r"acs:ram::[^:\s]*:role/[^\s]+")
_FIELDS = ("host", "pod", "process", "unique")


def session_namer(template: str | None) -> Callable[[], str]:
    """What gives a session's name at each fetch.

    The name shows in audit logs. A forked child has one of its own, since `{process}` is filled in at the fetch.

    Args:
        template: a name, or one with `{host}`, `{pod}` (in Kubernetes), `{process}` (its id) and `{unique}` (random,
            once for each provider); else ALIBABA_CLOUD_ROLE_SESSION_NAME, else
            "ramrole-creds-{host}-{process}-{unique}".

    Raises:
        ConfigurationError: the template has another field, or the name characters that no session name may have.
    """
    template = template or os.environ.get(SESSION_NAME_VARIABLE) or DEFAULT_TEMPLATE
    unique = os.urandom(4).hex()
    fields = _fields_of(template)
    if not fields:
        if _NAME.fullmatch(template) is None:
            raise ConfigurationError(
                f"A session name has 2 to {MAX_NAME_CHARACTERS} letters, digits and characters of `.@-_`; the one "
                "given has not."
            )
        return lambda: template
    return lambda: _filled_in(template, unique)


def checked_role_arn(role_arn: str | None) -> str:
    """The role's ARN; where None, ALIBABA_CLOUD_ROLE_ARN.

    Raises:
        ConfigurationError: there is none, or it is no ARN of a role.
    """
    role_arn = role_arn or os.environ.get(ROLE_ARN_VARIABLE) or ""
    if _ROLE_ARN.fullmatch(role_arn) is None:
        raise ConfigurationError(
            "role_arn must be the ARN of a role, acs:ram::ACCOUNT-ID:role/NAME; what was given is "
            + ("empty." if not role_arn else "none.")
        )
    return role_arn


def checked_duration(duration: object) -> float:
    """The session's seconds.

    Raises:
        ConfigurationError: STS makes no sessions of that length.
    """
    if isinstance(duration, bool) or not isinstance(duration, (int, float)) or not duration >= MIN_SESSION_SECONDS:
        raise ConfigurationError(f"duration is a number of seconds from {MIN_SESSION_SECONDS} up, not {duration!r}.")
    if duration > MAX_SESSION_SECONDS:
        raise ConfigurationError(f"No session lasts longer than {MAX_SESSION_SECONDS} s; {duration:g} s was asked.")
    return duration


def checked_external_id(external_id: object) -> str | None:
    """The external id.

    Raises:
        ConfigurationError: STS takes no such external id.
    """
    if not external_id:
        return None
    if not isinstance(external_id, str) or _EXTERNAL_ID.fullmatch(external_id) is None:
        raise ConfigurationError(
            "An external id has 2 to 1224 letters, digits and characters of `+=,.@:/_-`; the one given has not."
        )
    return external_id


def policy_text(session_policy: object) -> str | None:
    """The session policy as JSON.

    Args:
        session_policy: JSON text, which is sent as it is, or a mapping.

    Raises:
        ConfigurationError: it is no policy document, or longer than STS takes.
    """
    if not session_policy:
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
        raise ConfigurationError('A session policy is a JSON object with "Version" and "Statement"; this is none.')
    if len(text) > MAX_POLICY_CHARACTERS:
        raise ConfigurationError(
            f"The session policy has {len(text)} characters, STS takes {MAX_POLICY_CHARACTERS}: use wildcards, or "
            "attach a policy to the role."
        )
    return text


def _fields_of(template: str) -> set[str]:
    try:
        parts = [part for part in Formatter().parse(template) if part[1] is not None]
    except ValueError:
        parts = [("", "{", "", None)]
    fields = {field for _, field, _, _ in parts if field is not None}
    if fields - set(_FIELDS) or any(form or conversion for _, _, form, conversion in parts):
        raise ConfigurationError(
            f"A session name may hold {', '.join('{%s}' % field for field in _FIELDS)} and no other braces."  # noqa: UP031
        )
    return fields


def _filled_in(template: str, unique: str) -> str:
    """The name, shortened in its variable words where it is too long, so that `{process}` and `{unique}` stay."""
    host = _host()
    pod = os.environ.get("POD_NAME") or os.environ.get("HOSTNAME") or host

    def fill(longest_word: int) -> str:
        words = {"host": host[:longest_word], "pod": pod[-longest_word:], "process": os.getpid(), "unique": unique}
        return _NOT_IN_NAME.sub("-", template.format(**words))

    for longest_word in (MAX_NAME_CHARACTERS, 32, 24, 16, 8):
        name = fill(longest_word)
        if len(name) <= MAX_NAME_CHARACTERS:
            return name
    return fill(8)[:MAX_NAME_CHARACTERS]


def _host() -> str:
    import socket

    return socket.gethostname().partition(".")[0] or "host"
