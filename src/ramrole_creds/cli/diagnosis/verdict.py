"""The one sentence that all of it comes down to: who a program is here, or why it is nobody and what to do."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final

from ramrole_creds import MetadataError, MetadataUnreachable, ProfileError, RoleNotAttached, StsError
from ramrole_creds.cli.diagnosis.report import Verdict
from ramrole_creds.cli.diagnosis.sources import METADATA
from ramrole_creds.cli.diagnosis.variables import PAIR, TOKEN, URI, stray_character
from ramrole_creds.credentials import shorten_id, shown_identity
from ramrole_creds.errors import message_of
from ramrole_creds.providers.ecs_ram_role import DISABLED_VARIABLE, ROLE_VARIABLE
from ramrole_creds.sts.endpoints import REGION_VARIABLE, VPC_VARIABLE

if TYPE_CHECKING:
    from ramrole_creds import Credentials
    from ramrole_creds.cli.diagnosis.network import Verification
    from ramrole_creds.cli.diagnosis.place import Place
    from ramrole_creds.cli.diagnosis.sources import Answer, Survey

REFUSALS: Final = {
    "InvalidAccessKeyId.NotFound": "the AccessKey does not exist",
    "InvalidAccessKeyId.Inactive": "the AccessKey is disabled",
    "InvalidSecurityToken.Expired": "the security token has expired",
    "InvalidSecurityToken.Malformed": "the security token is damaged",
    "InvalidSecurityToken.MismatchWithAccessKey": "the security token belongs to another AccessKey",
    "MissingSecurityToken": "the AccessKey is temporary and its security token is missing",
    "SignatureDoesNotMatch": "the AccessKey secret does not belong to the AccessKey ID",
    "InvalidTimeStamp.Expired": "this machine's clock is wrong",
}
REMOVE: Final = {
    "env": f"Unset {', '.join((*PAIR, TOKEN))}",
    "oidc_role_arn": "Unset ALIBABA_CLOUD_OIDC_PROVIDER_ARN and ALIBABA_CLOUD_OIDC_TOKEN_FILE",
    "cli_profile": "Sign in again with `aliyun configure`, or set ALIBABA_CLOUD_CLI_PROFILE_DISABLED=true",
    "profile": "Correct or remove the section of the ini file",
    "credential_uri": f"Point {URI} at the credential service itself (a proxy or a sign-in page may answer)",
}
ROLE_OF_OIDC: Final = (
    "Give the role a trust policy that names the OIDC provider, with conditions on oidc:iss, oidc:aud and oidc:sub "
    "that hold for this pod's service account."
)
ATTACH: Final = (
    "Attach a role in the ECS console, or run `ramrole-creds role attach NAME --instance ID` on a machine that may; it "
    "works a minute or two later."
)


def conclude(survey: Survey, verification: Verification | None, place: Place) -> Verdict:
    """The verdict.

    Args:
        survey: what the sources answered.
        verification: what STS said; None where it was not asked.
        place: where this program runs.
    """
    winner, broken = survey.winner, survey.broken
    if broken is not None:
        cause, fix = _why_broken(broken)
        return Verdict(usable=False, cause=cause, fix=fix + _then_the_role(survey, broken))
    if winner is None or winner.credentials is None:
        return _nothing_found(survey, place)
    if survey.mismatch is not None:
        return _other_identity(winner.credentials)
    if verification is not None and verification.error is not None:
        if verification.refused:
            return _refused(survey, winner, verification)
        if verification.proxy:
            return Verdict(
                usable=False,
                cause=f"STS cannot be reached through the proxy {verification.proxy}.",
                fix="Correct HTTPS_PROXY, or name the hosts to reach directly in NO_PROXY (such as .aliyuncs.com).",
            )
    return _usable(winner.credentials, verification)


def _usable(credentials: Credentials, verification: Verification | None) -> Verdict:
    is_role = credentials.security_token is not None and credentials.identity is not None
    who = f"role {credentials.identity}" if is_role else shown_identity(credentials)
    if verification is not None and verification.caller is not None and not is_role:
        who = verification.caller.arn
    if credentials.expiration is None:
        until = "with a security token of unknown life" if credentials.security_token else "with a key that never ends"
        text = f"A program here runs as {who}, {until}"
    else:
        left = timedelta(seconds=int((credentials.expiration - datetime.now(timezone.utc)).total_seconds()))
        text = f"A program here runs as {who}, until {credentials.expiration:%Y-%m-%dT%H:%M:%SZ} (in {left})"
    return Verdict(
        usable=True, text=f"{text}." if verification is None or verification.caller else f"{text}; not verified."
    )


def _refused(survey: Survey, winner: Answer, verification: Verification) -> Verdict:
    assert isinstance(verification.error, StsError)  # noqa: S101  # what `refused` says
    assert winner.credentials is not None  # noqa: S101  # what makes it the winner
    code = verification.error.code
    key = shorten_id(winner.credentials.access_key_id)
    reason = REFUSALS.get(code, "STS does not accept them")
    cause = f"STS refuses the credentials {key} of {winner.source}: {reason} ({code})."
    if code.startswith("InvalidTimeStamp"):
        return Verdict(usable=False, cause=cause, fix="Set this machine's clock, with chrony for instance.")
    remove = REMOVE.get(winner.source, "Get new credentials from their source")
    return Verdict(usable=False, cause=cause, fix=f"{remove}.{_then_the_role(survey, winner)}")


def _other_identity(credentials: Credentials) -> Verdict:
    wanted = {name: os.environ[name] for name in _EXPECTATIONS if os.environ.get(name)}
    named = " and ".join(f"{name}={value}" for name, value in wanted.items())
    return Verdict(
        usable=False,
        cause=f"The credentials belong to {shown_identity(credentials)}, and {named} expects another identity.",
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
                fix="Look for a VPN or a firewall that takes packets to 100.100.100.200; `-v` shows what was tried.",
            )
        return Verdict(
            usable=False,
            cause="No source of credentials is configured here, and no metadata service answers.",
            fix="Run on an ECS instance with a role, give the pod a role (RRSA), or sign in with `aliyun configure`.",
        )
    return Verdict(
        usable=False,
        cause=f"No source of credentials is configured here, and {DISABLED_VARIABLE}=true forbids to ask the metadata "
        "service.",
        fix=f"Unset {DISABLED_VARIABLE} to use the instance's role.",
    )


def _then_the_role(survey: Survey, used: Answer) -> str:
    role = survey.attached_role
    return "" if role is None or used.source == METADATA else f" Then the attached role {role} is used."


def _why_broken(answer: Answer) -> tuple[str, str]:
    explain = {
        "env": _why_env_is_broken,
        "oidc_role_arn": _why_oidc_is_broken,
        METADATA: _why_metadata_is_broken,
    }.get(answer.source)
    found = explain(answer) if explain is not None else None
    if found is not None:
        return found
    error = answer.error
    if isinstance(error, StsError) and error.code in REFUSALS:
        cause = f"STS refuses the keys of {answer.source}: {REFUSALS[error.code]} ({error.code})."
        return cause, f"{REMOVE.get(answer.source, 'Get new keys')}."
    said = message_of(error)
    if isinstance(error, ProfileError):
        return said, f"{REMOVE.get(answer.source, 'Correct the file')}."
    return said, f"{REMOVE.get(answer.source, 'Correct this source, or remove it')}."


def _why_env_is_broken(answer: Answer) -> tuple[str, str] | None:
    del answer
    values = {name: os.environ.get(name, "") for name in (*PAIR, TOKEN)}
    missing = [name for name in PAIR if not values[name]]
    if len(missing) == 1:
        present = PAIR[0] if missing == [PAIR[1]] else PAIR[1]
        return f"{present} is set and {missing[0]} is not: half a key pair.", f"Set both, or unset {present}."
    for name, value in values.items():
        if stray := stray_character(value):
            return f"{name} has {stray} in it.", f"Set {name} again without it (for instance with `printf %s`)."
    return None


def _why_oidc_is_broken(answer: Answer) -> tuple[str, str] | None:
    error = answer.error
    if not isinstance(error, StsError):
        file = os.environ.get("ALIBABA_CLOUD_OIDC_TOKEN_FILE", "")
        if file and not os.access(file, os.R_OK):
            return (
                f"The OIDC token file {file} cannot be read.",
                "Mount it: look at the annotations by which ack-pod-identity-webhook injects it, and at its mode.",
            )
        return None
    if error.code == "AuthenticationFail.OIDCToken.Expired":
        return (
            "The OIDC token has expired: the kubelet has not replaced the file.",
            "Look at the time of the token file and at the kubelet; restart the pod to get a new token.",
        )
    if error.code.endswith("NoPermission"):
        return f"The role's trust policy does not accept this pod's OIDC token ({error.code}).", ROLE_OF_OIDC
    if error.status is None:
        return (
            "STS does not answer, and the pod's role needs it.",
            f"Look at the network and HTTPS_PROXY; inside a VPC set {REGION_VARIABLE} and {VPC_VARIABLE}=true.",
        )
    return None


def _why_metadata_is_broken(answer: Answer) -> tuple[str, str] | None:
    error = answer.error
    if not isinstance(error, MetadataError):
        return None
    pinned = os.environ.get(ROLE_VARIABLE)
    if error.step == "role" and error.status == 404 and pinned:
        return (
            f"{ROLE_VARIABLE}={pinned} pins a role that is not attached to this instance.",
            f"Attach {pinned}, or unset {ROLE_VARIABLE} to use whatever role is attached.",
        )
    if error.status == 403:
        return (
            "The metadata service refuses all requests (403): access to it is switched off for this instance.",
            "Set HttpEndpoint=enabled with ModifyInstanceMetadataOptions; in a container, also look at the hop limit.",
        )
    return _why_metadata_fails(error.status or 0, error.step)


def _why_metadata_fails(status: int, step: str) -> tuple[str, str]:
    if status >= 500 or status == 429:
        return (
            f"The metadata service fails (HTTP {status}).",
            "Try again in a minute; if it stays so, open a ticket for this instance.",
        )
    if status == 401 or (status and step == "token"):
        return (
            f"The metadata service refuses session tokens (HTTP {status}, step {step}).",
            "Look for a proxy between this program and 100.100.100.200; in a container, raise HttpPutResponseHopLimit.",
        )
    return (
        "The metadata service does not give a usable answer in time.",
        "Look for a proxy, a VPN or a firewall that holds its packets; in a container, raise HttpPutResponseHopLimit.",
    )
