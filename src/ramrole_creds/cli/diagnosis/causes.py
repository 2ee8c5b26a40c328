"""Why a source is broken: the cause in a sentence, and what to do about it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ramrole_creds import MetadataError, StsError
from ramrole_creds.cli.diagnosis.sources import METADATA
from ramrole_creds.cli.diagnosis.variables import PAIR, TOKEN, URI, stray_character
from ramrole_creds.errors import message_of
from ramrole_creds.providers.ecs_ram_role import ROLE_VARIABLE, V1_DISABLED_VARIABLE
from ramrole_creds.sts.endpoints import REGION_VARIABLE, VPC_VARIABLE

if TYPE_CHECKING:
    from ramrole_creds.cli.diagnosis.place import Place
    from ramrole_creds.cli.diagnosis.sources import Answer

OIDC_VARIABLES: Final = (
    "ALIBABA_CLOUD_ROLE_ARN",
    "ALIBABA_CLOUD_OIDC_PROVIDER_ARN",
    "ALIBABA_CLOUD_OIDC_TOKEN_FILE",
)
NO_TOKEN_SERVICE_STATUS: Final = frozenset({403, 404, 405, 501})
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
_VARIABLE: Final = re.compile(r"(?:ALIBABA|ALIBABACLOUD|ALICLOUD|RAMROLE)_[A-Z0-9_]+(?= must be |: )")
_TIME: Final = re.compile(r"time|within|no (?:longer )?answer")
# Where the advice in an error's text begins: its last part says what to do.
_ADVICE: Final = re.compile(
    r"(?<=[.:;]) (?=(?:Add|Attach|Check|Choose|Correct|Create|Give|Look|Make|Mount|Point|Remove|Rename|Run|Save|Set|"
    r"Sign|Start|Unset|Use|Write)\b)"
)


def why_broken(answer: Answer, place: Place) -> tuple[str, str]:
    """The cause and the fix of a source at which the chain stops.

    Args:
        answer: what the source answered.
        place: where this program runs.
    """
    found = None
    if answer.source == "env":
        found = _why_env_is_broken()
    elif answer.source == "oidc_role_arn":
        found = _why_oidc_is_broken(answer)
    elif answer.source == METADATA:
        found = _why_metadata_is_broken(answer, place)
    return found if found is not None else _why_it_says(answer)


def stray_in_environment() -> tuple[str, str] | None:
    """The cause and the fix where a key or token in a variable holds what none has."""
    for name in (*PAIR, TOKEN):
        if stray := stray_character(os.environ.get(name, "")):
            return f"{name} has {stray} in it.", f"Set {name} again without it (for instance with `printf %s`)."
    return None


def _why_it_says(answer: Answer) -> tuple[str, str]:
    """The cause and the fix as the error itself states them."""
    error, source = answer.error, answer.source
    if isinstance(error, StsError) and error.code in REFUSALS:
        cause = f"STS rejects the keys of {source}: {REFUSALS[error.code]} ({error.code})."
        return cause, f"{REMOVE.get(source, 'Get new keys')}."
    cause, advice = _split_advice(message_of(error))
    return cause, _advice_for(answer, cause, advice)


def _advice_for(answer: Answer, cause: str, advice: str) -> str:
    """What to do about a source, from what its error advises."""
    error, source = answer.error, answer.source
    if source == "cli_profile" and not isinstance(error, StsError):
        return f"{advice or 'Correct the profile in the file.'} Or set ALIBABA_CLOUD_CLI_PROFILE_DISABLED=true."
    if named := _VARIABLE.match(cause):
        return advice or f"Correct {named[0]}, or unset it."
    if source == "credential_uri" and "answered" in cause:
        return f"{REMOVE[source]}."
    fallback = (
        "Look for a proxy that answers in its place" if source == METADATA else "Correct this source, or remove it"
    )
    return advice or f"{REMOVE.get(source, fallback)}."


def _split_advice(text: str) -> tuple[str, str]:
    """An error's text without its last part, and that part, which says what to do; "" where it says nothing."""
    cause, *advice = _ADVICE.split(text, maxsplit=1)
    cause = f"{cause.rstrip(':;')}." if cause.endswith((":", ";")) else cause
    return cause, advice[0] if advice else ""


def _why_env_is_broken() -> tuple[str, str] | None:
    missing = [name for name in PAIR if not os.environ.get(name)]
    if len(missing) == 1:
        present = PAIR[0] if missing == [PAIR[1]] else PAIR[1]
        return f"{present} is set and {missing[0]} is not: half a key pair.", f"Set both, or unset {present}."
    return stray_in_environment()


def _why_oidc_is_broken(answer: Answer) -> tuple[str, str] | None:
    missing = [name for name in OIDC_VARIABLES if not os.environ.get(name)]
    if missing:
        present = [name for name in OIDC_VARIABLES if name not in missing]
        parts = f"{_listed(present)} set and {_listed(missing)} not"
        return (
            f"{parts}: RRSA is configured in part.",
            "Let ack-pod-identity-webhook set all three, or unset them.",
        )
    if isinstance(answer.error, StsError):
        return _why_sts_refuses_oidc(answer.error)
    file = os.environ[OIDC_VARIABLES[2]]
    if not os.access(file, os.R_OK):
        return (
            f"The OIDC token file {file} cannot be read.",
            "Mount it: check the annotations by which ack-pod-identity-webhook injects it, and its mode.",
        )
    if Path(file).is_file() and not Path(file).stat().st_size:
        return f"The OIDC token file {file} is empty.", "Check the kubelet, which writes it; restart the pod."
    return None


def _why_sts_refuses_oidc(error: StsError) -> tuple[str, str] | None:
    role = os.environ[OIDC_VARIABLES[0]]
    if error.code == "AuthenticationFail.OIDCToken.Expired":
        return (
            "The OIDC token has expired: the kubelet has not replaced the file.",
            "Check the time of the token file and the kubelet; restart the pod to get a new token.",
        )
    if error.code.startswith("AuthenticationFail.OIDCToken."):
        return (
            f"STS does not accept what {os.environ[OIDC_VARIABLES[2]]} holds as an OIDC token ({error.code}).",
            "Mount the projected token of the pod's service account there, with the audience of the OIDC provider.",
        )
    if error.code == "EntityNotExist.Role":
        return f"The account has no role {role}.", f"Correct {OIDC_VARIABLES[0]}, or create the role."
    if error.code.endswith("NoPermission"):
        return f"The role's trust policy does not accept this pod's OIDC token ({error.code}).", ROLE_OF_OIDC
    if error.status is None:
        return (
            "STS does not answer, and the pod's role needs it.",
            f"Check the network and HTTPS_PROXY; inside a VPC set {REGION_VARIABLE} and {VPC_VARIABLE}=true.",
        )
    return None


def _listed(names: list[str]) -> str:
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'}"


def _why_metadata_is_broken(answer: Answer, place: Place) -> tuple[str, str] | None:
    error = answer.error
    if not isinstance(error, MetadataError):
        return None
    pinned = os.environ.get(ROLE_VARIABLE)
    if error.step == "role" and error.status == 404 and pinned:
        return (
            f"{ROLE_VARIABLE}={pinned} pins a role that is not attached to this instance.",
            f"Attach {pinned}, or unset {ROLE_VARIABLE} to use the role that is attached.",
        )
    if error.status == 403 and answer.tokens_lost:
        where = "this container" if place.container else "this program"
        return (
            f"The metadata service requires session tokens, and its answers with a token do not reach {where}.",
            "Raise HttpPutResponseHopLimit of the instance to 2 or more, or use the host's network.",
        )
    if error.status == 403:
        return (
            "The metadata service refuses all requests (403): access to it is disabled for this instance.",
            "Set HttpEndpoint=enabled with ModifyInstanceMetadataOptions; in a container, also look at the hop limit.",
        )
    if error.status is None and _TIME.search(error.message) is None:
        return None  # its own text says it better
    return _why_metadata_fails(error.status or 0, error.step)


def _why_metadata_fails(status: int, step: str) -> tuple[str, str]:
    if status >= 500 or status == 429:
        return (
            f"The metadata service fails (HTTP {status}).",
            "Try again in a minute; if the failure remains, open a ticket for this instance.",
        )
    if 300 <= status < 400:
        return (
            f"The address of the metadata service redirects (HTTP {status}), which the service never does.",
            "Look for a proxy or a sign-in page that answers in its place, and reach 100.100.100.200 directly.",
        )
    if status in NO_TOKEN_SERVICE_STATUS and step == "token" and os.environ.get(V1_DISABLED_VARIABLE):
        return (
            f"{V1_DISABLED_VARIABLE} requires session tokens, and the metadata service issues none (HTTP {status}).",
            f"Look for a proxy between this program and 100.100.100.200, or unset {V1_DISABLED_VARIABLE}.",
        )
    if status == 401 or (status and step == "token"):
        return (
            f"The metadata service rejects session tokens (HTTP {status}, step {step}).",
            "Look for a proxy between this program and 100.100.100.200; in a container, raise HttpPutResponseHopLimit.",
        )
    if status:
        returned = "no usable credentials" if status == 200 else f"HTTP {status}, which the service never does"
        return (
            f"The program that answers at the address of the metadata service returns {returned}.",
            "Look for a proxy or a sign-in page that answers in its place; `-v` shows what came back.",
        )
    return (
        "The metadata service does not return a usable answer in time.",
        "Look for a proxy, a VPN or a firewall that delays packets; in a container, raise HttpPutResponseHopLimit.",
    )
