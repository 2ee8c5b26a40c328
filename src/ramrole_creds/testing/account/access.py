"""Every call's permissions: what it needs, what the caller's policies decide, and a record of both."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ramrole_creds.testing.account.ram_policy import Decision, decide

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ramrole_creds.testing.account.policy_conditions import Context
    from ramrole_creds.testing.account.ram_policy import Document

Values = str | tuple[str, ...]

# What a fake cloud cannot know, and assumes until a test sets it.
ASSUMED_VALUES: Mapping[str, Values] = {
    "acs:SourceIp": "127.0.0.1",
    "acs:SecureTransport": "false",
    "acs:MFAPresent": "false",
}
MAX_ACCESSES = 100_000


@dataclass(frozen=True, slots=True)
class Access:
    """One action on one resource, as RAM policies name them.

    Args:
        action: "oss:GetObject" for instance.
        resource: "acs:oss:oss-cn-hangzhou:1234567890123456:bucket/key" for instance; "*" where the API has none.
        conditions: the service's own condition keys with their values, "oss:Prefix" for instance.
    """

    action: str
    resource: str = "*"
    conditions: Mapping[str, Values] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class JudgedAccess:
    """An access that was asked for, and the decision.

    Args:
        principal: name of the role or user, "web" for instance.
        identity_type: "AssumedRoleUser", "RAMUser" or "Account".
        action: the action.
        resource: the resource.
        decision: what the policies said.
    """

    principal: str
    identity_type: str
    action: str
    resource: str
    decision: Decision


class Judgement(NamedTuple):
    """A decision, and the kind of policy that it comes from, as `PolicyType` of `AccessDeniedDetail` names it."""

    decision: Decision
    policy_type: str

    @property
    def allowed(self) -> bool:
        """True where every layer of policies allows the access."""
        return self.decision is Decision.ALLOW


class Caller(Protocol):
    """Who makes a call, as far as policies look at it: the properties and layers of `IssuedCredentials`."""

    @property
    def name(self) -> str: ...
    @property
    def identity_type(self) -> str: ...
    @property
    def principal_arn(self) -> str: ...
    @property
    def access_key_id(self) -> str: ...

    def policy_layers(self) -> list[tuple[str, list[Document]]]:
        """The kinds of policies with their documents, all of which must allow a call."""


_recorders: list[Callable[[JudgedAccess, Context], None]] = []


@contextmanager
def record_accesses(recorder: Callable[[JudgedAccess, Context], None]) -> Iterator[None]:
    """Report every access that any fake cloud of this process judges, and its context, until the block ends."""
    _recorders.append(recorder)
    try:
        yield
    finally:
        _recorders.remove(recorder)


class Authorizer:
    """Judges calls by the policies of their callers as they are at that moment; safe for many threads.

    `condition_values` holds the values of condition keys that a fake cloud cannot know, such as `acs:SourceIp`,
    `acs:SecureTransport`, `acs:SourceVpc` or `acs:ResourceTag/team`. Change it at any time: a text, or a tuple of
    texts for a key with several values.

    Args:
        max_accesses: how many different accesses are remembered, the oldest being forgotten first.
    """

    def __init__(self, max_accesses: int = MAX_ACCESSES) -> None:
        self._max_accesses = max_accesses
        self.condition_values: dict[str, Values] = dict(ASSUMED_VALUES)
        """The values of condition keys that a fake cloud cannot know."""
        self._lock = threading.Lock()  # guards _judged
        self._judged: dict[JudgedAccess, None] = {}

    def judge(self, caller: Caller, access: Access, at: float) -> Judgement:
        """Decide whether the caller may do this at the Unix time `at`, and record it."""
        context = self.context(caller, access.conditions, at)
        judgement = decide_for(caller, access, context)
        judged = JudgedAccess(caller.name, caller.identity_type, access.action, access.resource, judgement.decision)
        with self._lock:
            self._judged[judged] = None
            if len(self._judged) > self._max_accesses:  # a cloud that runs for weeks, or a benchmark
                del self._judged[next(iter(self._judged))]
        for recorder in _recorders:
            recorder(judged, context)
        return judgement

    def judged(self, principal: str | None = None) -> list[JudgedAccess]:
        """The accesses so far, each once, in the order in which they came; of one role or user, or of all."""
        with self._lock:
            return [one for one in self._judged if principal is None or one.principal.lower() == principal.lower()]

    def forget(self) -> None:
        """Forget the accesses so far."""
        with self._lock:
            self._judged.clear()

    def context(self, caller: Caller | None, given: Mapping[str, Values], at: float) -> Context:
        """The values of condition keys for a call at the Unix time `at`: common ones, the service's, those set here."""
        moment = datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        common = {"acs:CurrentTime": moment}
        if caller is not None:
            common |= {"acs:PrincipalARN": caller.principal_arn, "acs:AccessId": caller.access_key_id}
        return condition_context(common, given, self.condition_values)


def condition_context(*sources: Mapping[str, Values]) -> Context:
    """Values by condition key in lower case; a later source wins."""
    return {
        key.lower(): (value,) if isinstance(value, str) else tuple(value)
        for source in sources
        for key, value in source.items()
    }


def decide_for(caller: Caller, access: Access, context: Context) -> Judgement:
    """What identity and session policy decide together: the session policy can only narrow."""
    judged = [
        Judgement(decide(documents, access.action, access.resource, context), kind)
        for kind, documents in caller.policy_layers()
    ]
    for worst in (Decision.EXPLICIT_DENY, Decision.IMPLICIT_DENY):
        for one in judged:
            if one.decision is worst:
                return one
    return judged[0]
