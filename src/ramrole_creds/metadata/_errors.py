"""The errors for a metadata service without a usable answer: what was requested, what came back, what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ramrole_creds._http.errors import (
    BodyTooLarge,
    ConnectFailed,
    ConnectTimeout,
    HttpError,
    ReadTimeout,
    TimeLimitExceeded,
)
from ramrole_creds.errors import MetadataError, MetadataUnreachable, RoleNotAttached
from ramrole_creds.metadata.token_mode import OFF

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ramrole_creds._http.transport import HttpResponse
    from ramrole_creds.metadata.token_mode import TokenMode

NO_TOKEN_SERVICE_STATUS = frozenset({403, 404, 405, 501})

_SLOW = "The service is overloaded, or something in between delays its answers."


def no_answer(error: HttpError, endpoint: str, step: str, *, exists: bool) -> MetadataUnreachable | MetadataError:
    """The error for a request without a usable answer of any status.

    `MetadataUnreachable` lets a chain go on to the next source, so it must be certain that there is no service: no byte
    ever came from this address to this process, the network answers for it (refused, unreachable, unknown name) or
    drops what is sent to it, and this process had what it needs to connect. Whatever else happens is an error: a
    service that answered exists, and one that could not be asked for want of descriptors, memory, threads or a module
    may exist.

    Args:
        error: what became of the request.
        endpoint: the address.
        step: the step that failed.
        exists: True if the service has answered this process.
    """
    if error.local:
        return MetadataError(
            f"Could not ask the metadata service: {error} This process or machine has run out of a resource: check "
            "its limits, and look for leaked sockets, files and threads.",
            step=step,
        )
    if exists and not error.answered:
        return MetadataError(
            f"The metadata service no longer answers: {error} It has answered this process before, so it "
            "exists. It may be overloaded or restarting; check the route and the firewall rules too.",
            step=step,
        )
    if isinstance(error, ConnectTimeout):
        return MetadataUnreachable(
            f"No metadata service: {error} This is normal outside of an ECS instance in a VPC; set "
            "ALIBABA_CLOUD_ECS_METADATA_DISABLED=true there. On an instance, check for a VPN that takes 100.64.0.0/10 "
            "(Tailscale does: give 100.100.100.200 a separate route) or a firewall rule."
        )
    if isinstance(error, ConnectFailed):
        return MetadataUnreachable(
            f"No metadata service: {error} On an ECS instance, check the route and the firewall rules for {endpoint}; "
            "elsewhere choose another source of credentials."
        )
    if not error.answered and step != "token":
        return MetadataUnreachable(
            f"No metadata service: {error} Something accepts connections at {endpoint} and does not answer, for "
            "instance a proxy, a VPN or a container network. Outside of ECS, choose another source of credentials."
        )
    return MetadataError(
        f"The metadata service gave no usable answer. {error} {_hint_for_failure(error, step)}", step=step
    )


def no_token(response: HttpResponse, request_line: str) -> MetadataError:
    """The error for a token call that was answered without a token, if a token is required."""
    status = response.status
    if status in NO_TOKEN_SERVICE_STATUS:
        hint = (
            "There seems to be no token service, or a proxy adds X-Forwarded-For. If requests without a token are "
            "acceptable, use token_mode='prefer' and unset ALIBABA_CLOUD_IMDSV1_DISABLED."
        )
    elif status == 400:
        hint = "It does not understand the request, which is as documented: look for a proxy that drops headers."
    else:
        hint = _hint_for_status(status)
    return MetadataError(
        f"No token for the hardened mode: {request_line} answered {status} with {response.describe_body()}. {hint}",
        step="token",
        status=status,
        retry_after=response.retry_after(),
    )


def unexpected_status(
    response: HttpResponse, request_line: str, step: str, token_mode: TokenMode, *, with_token: bool
) -> MetadataError:
    """The error for a GET that was answered with another status than 200 or 404."""
    status = response.status
    return MetadataError(
        f"{request_line} answered {status} with {response.describe_body()}. "
        + (_hint_for_refusal(status, token_mode, with_token=with_token) or _hint_for_status(status)),
        step=step,
        status=status,
        unrecoverable=status in (401, 403),
        retry_after=response.retry_after(),
    )


def no_such_item(request_line: str) -> MetadataError:
    """The error for an item that does not exist."""
    return MetadataError(
        f"{request_line} answered 404: this instance has no such item. MetadataClient().get('') lists the names of its "
        "items.",
        step="item",
        status=404,
    )


def tokens_refused(request_line: str, step: str, pause: float) -> MetadataError:
    """The error for a service that refuses the tokens that it issues, and is not asked for some time."""
    return MetadataError(
        f"{request_line} answered 401: it rejects the token that it issued a moment ago. Requests may reach different "
        f"servers: look for a proxy at this address. The next request is sent in {pause:.0f} s.",
        step=step,
        status=401,
        unrecoverable=True,
        retry_after=pause,
    )


def no_role(request_line: str, wanted: str | None) -> RoleNotAttached:
    """The error for a listing that does not exist.

    It lets a chain go on to the next source. It is certain: the service itself answered 404 for the list of roles,
    which is its documented way of saying that no role is attached.
    """
    wish = "" if wanted is None else f", neither {wanted!r} nor another"
    return RoleNotAttached(
        f"No RAM role is attached to this instance{wish} ({request_line} answered 404). Attach one in the ECS console "
        "or with AttachInstanceRamRole; it is available a minute or two later. Only instances in a VPC can have one."
    )


def other_role(wanted: str, attached: Sequence[str], request_line: str) -> MetadataError:
    """The error for a role that is not attached while another one is."""
    names = ", ".join(repr(name) for name in attached)
    return MetadataError(
        f"The role {wanted!r} is not attached to this instance; the attached role is {names} ({request_line} answered "
        f"404). Attach {wanted!r}, or request {names}.",
        step="role",
        status=404,
        unrecoverable=True,
    )


def role_without_credentials(role: str, request_line: str) -> MetadataError:
    """The error for a role that is listed and has no credentials."""
    return MetadataError(
        f"The role {role!r} is listed as attached, but {request_line} answered 404. It was attached, detached or "
        "deleted a moment ago: try again in a minute, and check that the role still exists.",
        step="credentials",
        status=404,
    )


def already_expired(request_line: str, expiration: datetime, seconds: float) -> MetadataError:
    """The error for credentials that had expired when they were served."""
    return MetadataError(
        f"{request_line} answered with credentials that expired at {expiration:%Y-%m-%dT%H:%M:%SZ}, {seconds:.0f} s "
        "ago by the service's own clock (its Date). Try again in a minute; if the error remains, the program that "
        "answers is not the real metadata service.",
        step="credentials",
        status=200,
    )


def _hint_for_failure(error: HttpError, step: str) -> str:
    if isinstance(error, BodyTooLarge):
        return "A proxy or a captive portal may be answering in its place."
    if step == "token" and not error.answered:
        return (
            f"{_SLOW} In a container, the token response may exceed the allowed network hops "
            "(HttpPutResponseHopLimit): use the host's network, or raise that limit."
        )
    if isinstance(error, (ReadTimeout, TimeLimitExceeded)) or not error.answered:
        return _SLOW
    return "Look for a proxy or another program that answers at this address."


def _hint_for_refusal(status: int, token_mode: TokenMode, *, with_token: bool) -> str | None:
    """What 401 or 403 means; None for any other status."""
    if status == 403 and with_token:
        return (
            "It refuses requests with a token too: metadata access is disabled for this instance (HttpEndpoint), or a "
            "proxy blocks it."
        )
    if status in (401, 403) and token_mode == OFF:
        return "The instance requires the hardened mode: do not set token_mode='off'."
    if status in (401, 403):
        return (
            "Either metadata access is disabled (HttpEndpoint), or the hardened mode is required and something "
            "keeps tokens away, such as a proxy that adds X-Forwarded-For, or in a container a hop limit of 1 "
            "(HttpPutResponseHopLimit)."
        )
    return None


def _hint_for_status(status: int) -> str:
    if 300 <= status < 400:
        return "It redirects, which the real service never does: a captive portal or a proxy answers."
    if status == 407:
        return "A proxy answers: this address must be reached directly."
    if status == 429:
        return "Throttled: too many requests come from this instance. Try again later."
    if status >= 500:
        return "The service, or a proxy in front of it, failed. Try again later."
    return "Check the address and what is listening there."
