"""What each source of the default chain answers: each is asked once, and the instance's role in any case."""

from __future__ import annotations

import os
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from ramrole_creds import (
    FetchContext,
    MetadataError,
    MetadataUnreachable,
    NoCredentialsError,
    ProviderUnavailable,
    RamRoleError,
    RoleNotAttached,
    default_provider,
)
from ramrole_creds._discovery.default import EXPECT_ACCOUNT_VARIABLE, EXPECT_ROLE_VARIABLE
from ramrole_creds._discovery.identity_guard import IdentityGuard
from ramrole_creds.cli.diagnosis.report import Check
from ramrole_creds.errors import message_of
from ramrole_creds.metadata import MetadataClient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ramrole_creds import CredentialProvider, Credentials
    from ramrole_creds.cli.diagnosis.report import Mark
    from ramrole_creds.metadata.token_mode import TokenMode

METADATA: Final = "ecs_ram_role"
CHAIN: Final = "default"
_REFUSALS: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one source answered.

    Args:
        source: its name.
        plan: what it says that it would do.
        credentials: what it gave.
        error: why it gave nothing; None where it was not asked.
        server_time: the server's time less this machine's, in seconds, where the answer has a date.
        tokens_lost: True where the metadata service gave no answer to the request for a session token.
    """

    source: str
    plan: str
    credentials: Credentials | None = None
    error: RamRoleError | None = None
    server_time: float | None = None
    tokens_lost: bool = False

    @property
    def is_configured(self) -> bool:
        """True where the source is there, by its own account."""
        return "would " in self.plan or self.plan.startswith("broken")

    @property
    def absent(self) -> bool:
        """True where the chain would pass it over."""
        return isinstance(self.error, (ProviderUnavailable, NoCredentialsError))

    @property
    def broken(self) -> bool:
        """True where the chain would stop."""
        return self.error is not None and not self.absent


@dataclass(frozen=True, slots=True)
class Survey:
    """The sources in the order of the chain.

    Args:
        answers: one per source.
        mismatch: why the credentials found are rejected, where another identity is expected.
    """

    answers: tuple[Answer, ...]
    mismatch: RamRoleError | None = None

    @property
    def winner(self) -> Answer | None:
        """The source that a program uses, None where the chain finds nothing or stops."""
        first = next((one for one in self.answers if not one.absent and (one.credentials or one.error)), None)
        return first if first is not None and first.credentials is not None else None

    @property
    def broken(self) -> Answer | None:
        """The source at which the chain stops, None where it does not."""
        first = next((one for one in self.answers if not one.absent and (one.credentials or one.error)), None)
        return first if first is not None and first.broken else None

    @property
    def metadata(self) -> Answer | None:
        """What the metadata service answered."""
        return next((one for one in self.answers if one.source == METADATA), None)

    @property
    def attached_role(self) -> str | None:
        """The role of this instance, where the metadata service gave its credentials."""
        answer = self.metadata
        return answer.credentials.identity if answer is not None and answer.credentials is not None else None


def survey_sources() -> Survey:
    """Ask each source up to the one that a program uses, and the metadata service.

    Raises:
        RamRoleError: the chain cannot be made.
    """
    answers: list[Answer] = []
    decided = False
    mismatch: RamRoleError | None = None
    with default_provider() as chain:
        for provider in chain.providers:
            name = provider.get_provider_name()
            if decided and name != METADATA:
                answers.append(Answer(name, _plan(provider)))
                continue
            answer = _ask(provider)
            answers.append(answer)
            if not decided and answer.credentials is not None:
                mismatch = _mismatch(answer.credentials)
            decided = decided or not answer.absent
    return Survey(tuple(answers), mismatch)


def check_metadata(survey: Survey, overlay: list[str]) -> Iterator[Check]:
    """The lines about the metadata service, from the one session with it.

    Args:
        survey: what the sources answered.
        overlay: this machine's addresses in the range that hides the metadata service.
    """
    answer = survey.metadata
    if answer is None:
        return
    error = answer.error
    said = (message_of(error),)
    mark: Mark = "failed" if survey.winner is None else "skipped"  # nothing is missed where another source is used
    if answer.credentials is not None:
        yield Check("metadata", "ok", f"The metadata service answers, role attached: {answer.credentials.identity}.")
        yield _check_tokens()
    elif isinstance(error, RoleNotAttached):
        yield Check("metadata", mark, "The metadata service answers; no role is attached.", said)
        yield _check_tokens()
    elif isinstance(error, MetadataUnreachable):
        yield Check("metadata", mark, "The metadata service does not answer.", said)
        for address in overlay:
            yield Check(
                "overlay",
                "warning",
                f"This machine has the address {address}, of 100.64.0.0/10: an overlay network such as Tailscale "
                "receives the packets to the metadata service. Turn its packet filter off (tailscale up "
                "--netfilter-mode=off), or give 100.100.100.200 a separate route.",
            )
    elif isinstance(error, MetadataError):
        status = "nothing usable" if error.status is None else f"HTTP {error.status}"
        yield Check("metadata", "failed", f"The metadata service answers {status} (step: {error.step}).", said)
    elif isinstance(error, ProviderUnavailable):
        yield Check("metadata", "skipped", "The metadata service was not called: a variable forbids it.", said)
    else:
        yield Check("metadata", "failed", "The metadata service was not called: a setting is not valid.", said)


def check_sources(survey: Survey) -> Iterator[Check]:
    """One line about the source that a program uses, one for each that it hides."""
    winner, broken = survey.winner, survey.broken
    details = tuple(f"{one.source}: {message_of(one.error) or one.plan}" for one in survey.answers)
    if winner is not None and winner.credentials is not None:
        shown = winner.credentials.replace(provider_name=f"{CHAIN}/{winner.credentials.provider_name}")
        yield Check("source", "ok", f"A program uses {shown.provider_name}: {shown!r}.", details)
    elif broken is not None:
        yield Check("source", "failed", f"The search stops at {broken.source}: it is configured and broken.", details)
    else:
        yield Check("source", "failed", "No source has credentials.", details)
    if survey.mismatch is not None:
        yield Check("identity", "failed", "The credentials belong to another identity than the expected one.")
    used = winner or broken
    if used is not None:
        yield from _check_shadowed(survey, used)


def _check_shadowed(survey: Survey, used: Answer) -> Iterator[Check]:
    """The sources that are there and come too late."""
    after = survey.answers[survey.answers.index(used) + 1 :]
    for one in after:
        if one.source not in (METADATA, "credential_uri") and one.is_configured:
            text = f"{one.source} is configured and not used: {used.source} comes first."
            yield Check("shadowed", "warning", text, (one.plan,))
    role = survey.attached_role
    if role is not None and used.source != METADATA:
        yield Check("shadowed", "warning", f"The attached role {role} is not used: {used.source} comes first.")
    if used.source != "credential_uri" and os.environ.get("ALIBABA_CLOUD_CREDENTIALS_URI"):
        text = f"ALIBABA_CLOUD_CREDENTIALS_URI is set and not used: {used.source} comes first."
        yield Check("shadowed", "warning", text)


def _ask(provider: CredentialProvider) -> Answer:
    context = FetchContext.create(provider.default_policy.fetch_timeout)
    name, plan = provider.get_provider_name(), _plan(provider)
    try:
        credentials = provider.fetch(context)
    except RamRoleError as error:
        lost = isinstance(error, MetadataError) and error.status == HTTPStatus.FORBIDDEN and _tokens_are_lost()
        return Answer(name, plan, error=error, tokens_lost=lost)
    date = context.server_time
    return Answer(name, plan, credentials, server_time=None if date is None else date[0] - context.clock.time())


def _plan(provider: CredentialProvider) -> str:
    explain = getattr(provider, "explain", None)
    return str(explain()) if explain is not None else "would be asked"


def _mismatch(credentials: Credentials) -> RamRoleError | None:
    role, account = os.environ.get(EXPECT_ROLE_VARIABLE) or None, os.environ.get(EXPECT_ACCOUNT_VARIABLE) or None
    if not role and not account:
        return None
    try:
        IdentityGuard(role, account).check(credentials, FetchContext.create(20.0))
    except RamRoleError as error:
        return error
    return None


def _check_tokens() -> Check:
    """Whether session tokens work from here, and whether the service refuses requests without one."""
    error = _error_of("require")
    if error is not None and getattr(error, "step", "token") == "token":
        return Check(
            "hardened-mode",
            "warning",
            "The metadata service issues no session token to this program: the hardened mode cannot be "
            "required. In a container, raise HttpPutResponseHopLimit of the instance to 2 or more.",
            (error.message,),
        )
    issued = "The metadata service issues session tokens"
    refusal = _error_of("off")
    if refusal is None:
        return Check(
            "hardened-mode",
            "ok",
            f"{issued}, and answers requests without one too: the hardened mode is not enforced.",
            ("To enforce it, set HttpTokens of the instance to required (ModifyInstanceMetadataOptions).",),
        )
    if isinstance(refusal, MetadataError) and refusal.status in _REFUSALS:
        text = f"{issued}, and refuses requests without one (hardened mode)."
        return Check("hardened-mode", "ok", text)
    return Check("hardened-mode", "ok", f"{issued}; a request without one was not answered.", (refusal.message,))


def _tokens_are_lost() -> bool:
    """True where the request for a session token gets no answer, as beyond the hop limit of the instance."""
    error = _error_of("require")
    return isinstance(error, MetadataError) and error.step == "token" and error.status is None


def _error_of(token_mode: TokenMode) -> RamRoleError | None:
    """The error of a request in this mode, None where it is answered."""
    try:
        MetadataClient(token_mode=token_mode).get("instance-id")
    except RamRoleError as error:
        absent = isinstance(error, MetadataError) and error.status == HTTPStatus.NOT_FOUND and error.step != "token"
        return None if absent else error
    return None
