"""The one sentence that all of it comes down to: who a program is here, or why it is nobody and what to do."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final

from ramrole_creds import MetadataUnreachable, RoleNotAttached, StsError
from ramrole_creds.cli.diagnosis.causes import REFUSALS, REMOVE, stray_in_environment, why_broken
from ramrole_creds.cli.diagnosis.network import MAX_SIGNATURE_AGE_SECONDS, describe_clock, proxy_variables
from ramrole_creds.cli.diagnosis.report import Verdict
from ramrole_creds.cli.diagnosis.sources import METADATA
from ramrole_creds.cli.diagnosis.variables import TEMPORARY_PREFIX, TOKEN
from ramrole_creds.credentials import shorten_id, shown_identity
from ramrole_creds.metadata.client import ENDPOINT_VARIABLES
from ramrole_creds.providers.ecs_ram_role import DISABLED_VARIABLE

if TYPE_CHECKING:
    from ramrole_creds import Credentials
    from ramrole_creds.cli.diagnosis.network import Verification
    from ramrole_creds.cli.diagnosis.place import Place
    from ramrole_creds.cli.diagnosis.sources import Answer, Survey

ATTACH: Final = (
    "Attach a role in the ECS console, or run `ramrole-creds role attach NAME --instance ID` on a machine with the "
    "permission; its credentials are available a minute or two later."
)


def conclude(survey: Survey, verification: Verification | None, place: Place, ahead: float | None = None) -> Verdict:
    """The verdict.

    Args:
        survey: what the sources answered.
        verification: what STS said; None where it was not asked.
        place: where this program runs.
        ahead: the server's time less this machine's, in seconds; None where no answer had a date.
    """
    winner, broken = survey.winner, survey.broken
    if broken is not None:
        cause, fix = why_broken(broken, place)
        return Verdict(usable=False, cause=cause, fix=fix + _then_the_role(survey, broken))
    if winner is None or winner.credentials is None:
        return _nothing_found(survey, place)
    if survey.mismatch is not None:
        return _other_identity(winner.credentials, verification)
    if verification is not None and verification.error is not None:
        if verification.refused:
            return _refused(survey, winner, verification)
        if verification.proxy:
            return Verdict(
                usable=False,
                cause=f"STS cannot be reached through the proxy {verification.proxy}.",
                fix=f"Correct {proxy_variables()}, or name the hosts to reach directly in NO_PROXY (such as "
                ".aliyuncs.com).",
            )
    return _usable(winner.credentials, verification, ahead)


def _usable(credentials: Credentials, verification: Verification | None, ahead: float | None) -> Verdict:
    is_role = credentials.security_token is not None and credentials.identity is not None
    who = f"role {credentials.identity}" if is_role else shown_identity(credentials)
    if verification is not None and verification.caller is not None and not is_role:
        who = verification.caller.arn
    text = f"A program here runs as {who}, {_until(credentials)}"
    text = f"{text}." if verification is None or verification.caller else f"{text}; not verified."
    if ahead is not None and abs(ahead) > MAX_SIGNATURE_AGE_SECONDS:
        # This library learns the server's time from its answers; the other SDKs do not.
        text = f"{text} {describe_clock(ahead)}: set it, because services reject what other SDKs sign with it."
    return Verdict(usable=True, text=text)


def _until(credentials: Credentials) -> str:
    if credentials.expiration is None:
        return (
            "with a security token of unknown expiry" if credentials.security_token else "with a key that never expires"
        )
    left = timedelta(seconds=int((credentials.expiration - datetime.now(timezone.utc)).total_seconds()))
    return f"until {credentials.expiration:%Y-%m-%dT%H:%M:%SZ} (in {left})"


def _refused(survey: Survey, winner: Answer, verification: Verification) -> Verdict:
    assert isinstance(verification.error, StsError)  # noqa: S101  # what `refused` says
    assert winner.credentials is not None  # noqa: S101  # what makes it the winner
    code = verification.error.code
    key = shorten_id(winner.credentials.access_key_id)
    reason = REFUSALS.get(code, "STS does not accept them")
    advice = f"{REMOVE.get(winner.source, 'Get new credentials from their source')}."
    if winner.source == "env" and (stray := stray_in_environment()) is not None:
        return Verdict(usable=False, cause=stray[0], fix=stray[1] + _then_the_role(survey, winner))
    if winner.credentials.access_key_id.startswith(TEMPORARY_PREFIX) and winner.credentials.security_token is None:
        reason = REFUSALS["MissingSecurityToken"]
        advice = f"Set {TOKEN} too, or unset all three." if winner.source == "env" else advice
    cause = f"STS rejects the credentials {key} of {winner.source}: {reason} ({code})."
    if code.startswith("InvalidTimeStamp"):
        return Verdict(usable=False, cause=cause, fix="Set this machine's clock, with chrony for instance.")
    return Verdict(usable=False, cause=cause, fix=advice + _then_the_role(survey, winner))


def _other_identity(credentials: Credentials, verification: Verification | None) -> Verdict:
    wanted = {name: os.environ[name] for name in _EXPECTATIONS if os.environ.get(name)}
    named = " and ".join(f"{name}={value}" for name, value in wanted.items())
    caller = None if verification is None else verification.caller
    verb = "expects" if len(wanted) == 1 else "expect"
    who = shown_identity(credentials)
    if caller is not None and _EXPECTATIONS[1] in wanted:
        who = f"{who} of the account {caller.account_id}"
    return Verdict(
        usable=False,
        cause=f"The credentials belong to {who}, and {named} {verb} another identity.",
        fix=f"Attach the expected role, or give the pod its own role, or change {' and '.join(wanted)}.",
    )


_EXPECTATIONS: Final = ("RAMROLE_CREDS_EXPECT_ROLE", "RAMROLE_CREDS_EXPECT_ACCOUNT")


def _nothing_found(survey: Survey, place: Place) -> Verdict:
    answer = survey.metadata
    error = None if answer is None else answer.error
    if isinstance(error, RoleNotAttached):
        return Verdict(usable=False, cause="No RAM role is attached to this instance.", fix=ATTACH)
    if isinstance(error, MetadataUnreachable):
        if place.is_ecs:
            return Verdict(
                usable=False,
                cause="This is an ECS instance, and its metadata service does not answer.",
                fix=_correct_the_address()
                + "Look for a VPN or a firewall that drops packets to 100.100.100.200; `-v` shows what was tried.",
            )
        return Verdict(
            usable=False,
            cause="No source of credentials is configured here, and no metadata service answers.",
            fix=_correct_the_address() + _where_a_role_comes_from(place),
        )
    return Verdict(
        usable=False,
        cause=f"No source of credentials is configured here, and {DISABLED_VARIABLE}=true forbids requests to the "
        "metadata service.",
        fix=f"Unset {DISABLED_VARIABLE} to use the instance's role.",
    )


def _correct_the_address() -> str:
    """The advice for an address that a variable sets, where nothing answers."""
    variable = next((name for name in ENDPOINT_VARIABLES if os.environ.get(name)), None)
    return "" if variable is None else f"Correct {variable}, or unset it: nothing answers at its address. Or: "


def _where_a_role_comes_from(place: Place) -> str:
    if place.function:
        return f"Give the function {place.function} a role in its settings, and use the credentials of its context."
    if place.pod:
        return (
            "Give the pod's service account a role (RRSA: ack-pod-identity-webhook sets the variables of the pod), or "
            "let the pod reach 100.100.100.200 on a node with a role."
        )
    if place.container:
        return (
            "Let the container reach 100.100.100.200 on an instance with a role, or start its program with the "
            "variables of `ramrole-creds serve` on the host."
        )
    return "Run on an ECS instance with a role, give the pod a role (RRSA), or sign in with `aliyun configure`."


def _then_the_role(survey: Survey, used: Answer) -> str:
    role = survey.attached_role
    return "" if role is None or used.source == METADATA else f" Then the attached role {role} is used."
