"""What to say when the metadata service does not give what it was asked for: what was asked, what came, what to do."""

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

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ramrole_creds._http.transport import HttpResponse
    from ramrole_creds.metadata.token_mode import TokenMode

NO_TOKEN_SERVICE_STATUS = frozenset({403, 404, 405, 501})


def no_answer(error: HttpError, endpoint: str, step: str) -> MetadataUnreachable | MetadataError:
    """There was no usable answer of any status.

    Nothing at all came: no metadata service is there. Something came: one is, or something else in its place.
    """
    if isinstance(error, ConnectTimeout):
        return MetadataUnreachable(
            f"No metadata service: {error} This is normal outside of an ECS instance in a VPC; set "
            "ALIBABA_CLOUD_ECS_METADATA_DISABLED=true there. On an instance, look for a VPN that takes "
            "100.64.0.0/10 (Tailscale does: give 100.100.100.200 a route of its own) or a firewall rule."
        )
    if isinstance(error, ConnectFailed) and error.local:
        return MetadataUnreachable(
            f"The metadata service could not be asked: {error} This process or machine has run out of something: "
            "look for leaked sockets and files, and at its limits."
        )
    if isinstance(error, ConnectFailed):
        return MetadataUnreachable(
            f"No metadata service: {error} On an ECS instance, look at the route and the firewall rules for "
            f"{endpoint}; elsewhere choose another source of credentials."
        )
    if not error.answered and step != "token":
        return MetadataUnreachable(
            f"No metadata service: {error} Something accepts connections at {endpoint} and says nothing: a proxy, a "
            "VPN or a container network may stand in between. Outside of ECS, choose another source of credentials."
        )
    if isinstance(error, BodyTooLarge):
        hint = "A proxy or a captive portal may be answering in its place."
    elif step == "token" and not error.answered:
        hint = (
            "The service is overloaded, or something on the way holds its answers back. In a container, its answer to "
            "the token call may be let one network hop too few (HttpPutResponseHopLimit): use the host's network, or "
            "raise that limit."
        )
    elif isinstance(error, (ReadTimeout, TimeLimitExceeded)) or not error.answered:
        hint = "The service is overloaded, or something on the way holds its answers back."
    else:
        hint = "Look for a proxy or another program that answers at this address."
    return MetadataError(f"The metadata service gave no usable answer. {error} {hint}", step=step)


def no_token(response: HttpResponse, asked: str) -> MetadataError:
    """The token call was answered, but not with a token, and to do without is not allowed."""
    status = response.status
    if status in NO_TOKEN_SERVICE_STATUS:
        hint = (
            "There seems to be no token service, or a proxy that adds X-Forwarded-For is in the way. If plain requests "
            "are acceptable, use token_mode='prefer' and unset ALIBABA_CLOUD_IMDSV1_DISABLED."
        )
    elif status == 400:
        hint = "It does not understand the request, which is as documented: look for a proxy that drops headers."
    else:
        hint = _hint(status, "Look at the address and at what is listening there.")
    return MetadataError(
        f"No token for the hardened mode: {asked} answered {status} with {response.describe_body()}. {hint}",
        step="token",
        status=status,
        retry_after=response.retry_after(),
    )


def refused(response: HttpResponse, asked: str, step: str, token_mode: TokenMode, *, with_token: bool) -> MetadataError:
    """A GET was answered with something other than 200."""
    status = response.status
    if status == 404:
        return MetadataError(f"{asked} answered 404: this instance has no such item.", step=step, status=404)
    if status == 401 and with_token:
        hint = (
            "It refuses the token that it has just given: requests may be reaching different servers. Look for a "
            "proxy at this address."
        )
    elif status == 403 and with_token:
        hint = (
            "It refuses even with a token: metadata access is switched off for this instance (HttpEndpoint), or a "
            "proxy in between does not let this program have it."
        )
    elif status in (401, 403) and token_mode == "off":  # noqa: S105  # a mode
        hint = "The instance requires the hardened mode: do not set token_mode='off'."
    elif status in (401, 403):
        hint = (
            "Either metadata access is switched off (HttpEndpoint), or the hardened mode is required and something "
            "on the way, such as a proxy that adds X-Forwarded-For, or in a container a hop limit of 1 "
            "(HttpPutResponseHopLimit), keeps tokens from being given."
        )
    else:
        hint = _hint(status, "Look at the address and at what is listening there.")
    return MetadataError(
        f"{asked} answered {status} with {response.describe_body()}. {hint}",
        step=step,
        status=status,
        unrecoverable=status in (401, 403),
        retry_after=response.retry_after(),
    )


def no_role(asked: str, wanted: str | None) -> RoleNotAttached:
    """The listing is not there: no role is attached."""
    wish = "" if wanted is None else f", neither {wanted!r} nor another"
    return RoleNotAttached(
        f"No RAM role is attached to this instance{wish} ({asked} answered 404). Attach one in the ECS console or with "
        "AttachInstanceRamRole; it is there a minute or two later. Only instances in a VPC can have one."
    )


def other_role(wanted: str, attached: Sequence[str], asked: str) -> MetadataError:
    """Another role is attached than the one that was asked for."""
    names = ", ".join(repr(name) for name in attached)
    return MetadataError(
        f"The role {wanted!r} is not attached to this instance, {names} is ({asked} answered 404). Attach {wanted!r}, "
        f"or ask for {names}.",
        step="role",
        status=404,
        unrecoverable=True,
    )


def role_without_credentials(role: str, asked: str) -> MetadataError:
    """The role is listed, and yet there are no credentials of it."""
    return MetadataError(
        f"The role {role!r} is listed as attached, but {asked} answered 404. It was attached or detached a moment ago, "
        "or deleted: ask again in a minute, and look whether the role still exists.",
        step="credentials",
        status=404,
    )


def ended_already(asked: str, expiration: datetime, seconds: float, *, by_its_own_clock: bool) -> MetadataError:
    """The credentials were dead when they were served."""
    clock = "the service's own clock (its Date)" if by_its_own_clock else "this machine's clock"
    advice = (
        "Ask again in a minute; if it stays so, what answers is no real metadata service."
        if by_its_own_clock
        else "The answer had no usable Date to compare with: if this machine's clock is right, ask again in a minute."
    )
    return MetadataError(
        f"{asked} answered with credentials that ended at {expiration:%Y-%m-%dT%H:%M:%SZ}, {seconds:.0f} s ago by "
        f"{clock}. {advice}",
        step="credentials",
        status=200,
    )


def _hint(status: int, otherwise: str) -> str:
    if 300 <= status < 400:
        return "It redirects, which the real service never does: a captive portal or a proxy is in the way."
    if status == 407:
        return "A proxy is in the way: this address must be reached directly."
    if status == 429:
        return "It throttles: too many requests come from this instance. Ask later."
    if status >= 500:
        return "The service has trouble, or a proxy in between has. Ask later."
    return otherwise
