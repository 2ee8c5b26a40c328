"""Client of the ECS instance metadata service.

The protocol is documented in the ECS user guide ("instance metadata"): plain HTTP at 100.100.100.200; in the
security-hardened mode each GET carries a token that a PUT gave. Everything here holds for both modes.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Literal, overload
from urllib.parse import quote, urlsplit

from ramrole_creds.clock import SYSTEM_CLOCK, Clock
from ramrole_creds.errors import ConfigurationError, MetadataError, MetadataUnreachable, RoleNotAttached
from ramrole_creds.http import (
    BodyTooLarge,
    ConnectFailed,
    ConnectionBroken,
    ConnectTimeout,
    HttpError,
    HttpResponse,
    HttpTransport,
    ReadTimeout,
)
from ramrole_creds.metadata_documents import first_role, parse_credentials, parse_identity_document, parse_token

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.flight import FetchContext
    from ramrole_creds.http import HttpSession

_log = logging.getLogger(__name__)

TokenMode = Literal["prefer", "require", "off"]

DEFAULT_ENDPOINT = "http://100.100.100.200"
ENDPOINT_VARIABLES = (
    "RAMROLE_CREDS_METADATA_ENDPOINT",
    "ALIBABA_CLOUD_IMDS_ENDPOINT",
    "ALIBABA_CLOUD_ECS_METADATA_SERVICE_ENDPOINT",
)
TOKEN_PATH = "/latest/api/token"  # noqa: S105  # a path
TOKEN_HEADER = "X-aliyun-ecs-metadata-token"  # noqa: S105  # a header's name
TOKEN_TTL_HEADER = "X-aliyun-ecs-metadata-token-ttl-seconds"  # noqa: S105  # a header's name
TOKEN_TTL_SECONDS = 21600
TOKEN_MARGIN_SECONDS = 30
TOKENLESS_MEMORY_SECONDS = 21600.0
SMALL_BODY_BYTES = 8192
DEFAULT_TIME_LIMIT_SECONDS = 10.0
ROLES_PATH = "/latest/meta-data/ram/security-credentials/"

NO_TOKEN_SERVICE_STATUS = frozenset({403, 404, 405, 501})


class _Item:
    """A metadata item under /latest/meta-data/, read from the service at each access."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.__doc__ = f"The item `{path}`, asked for at each access; raises as `MetadataClient.get` does."

    @overload
    def __get__(self, client: None, owner: type[MetadataClient]) -> _Item: ...
    @overload
    def __get__(self, client: MetadataClient, owner: type[MetadataClient]) -> str: ...
    def __get__(self, client: MetadataClient | None, owner: type[MetadataClient]) -> _Item | str:
        return self if client is None else client.get(self._path)


class MetadataClient:
    """Asks the instance metadata service; thread-safe.

    Args:
        endpoint: base URL; else RAMROLE_CREDS_METADATA_ENDPOINT, ALIBABA_CLOUD_IMDS_ENDPOINT or
            ALIBABA_CLOUD_ECS_METADATA_SERVICE_ENDPOINT, else http://100.100.100.200.
        token_mode: "prefer" the hardened mode and do without where there is no token service; "require" it; or
            "off", never ask for a token.
        connect_timeout: seconds for connecting.
        read_timeout: seconds without a byte.
        clock: by which tokens age.

    Raises:
        ConfigurationError: the endpoint or the mode makes no sense.
    """

    region_id = _Item("region-id")
    zone_id = _Item("zone-id")
    instance_id = _Item("instance-id")
    instance_type = _Item("instance/instance-type")
    instance_name = _Item("instance/instance-name")
    image_id = _Item("image-id")
    hostname = _Item("hostname")
    serial_number = _Item("serial-number")
    owner_account_id = _Item("owner-account-id")
    network_type = _Item("network-type")
    private_ipv4 = _Item("private-ipv4")
    eipv4 = _Item("eipv4")
    mac = _Item("mac")
    vpc_id = _Item("vpc-id")
    vpc_cidr_block = _Item("vpc-cidr-block")
    vswitch_id = _Item("vswitch-id")
    vswitch_cidr_block = _Item("vswitch-cidr-block")

    def __init__(
        self,
        endpoint: str | None = None,
        token_mode: TokenMode = "prefer",  # noqa: S107  # a mode
        connect_timeout: float = 1.0,
        read_timeout: float = 2.0,
        *,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        if token_mode not in ("prefer", "require", "off"):
            raise ConfigurationError(f'token_mode must be "prefer", "require" or "off", not {token_mode!r}.')
        self.endpoint = _find_endpoint(endpoint)
        self.token_mode: TokenMode = token_mode
        self._transport = HttpTransport(connect_timeout=connect_timeout, read_timeout=read_timeout)
        self._clock = clock
        # Each is replaced as a whole: the worst that two threads at once can do is to ask for a token twice.
        self._token: tuple[str, float] | None = None
        self._tokenless_until = 0.0

    def get(self, path: str) -> str:
        """One item's text, as the service gives it.

        Args:
            path: below /latest/meta-data/, for instance "region-id"; or absolute, "/latest/user-data".

        Raises:
            MetadataUnreachable: no metadata service answers.
            MetadataError: it answered something unusable; `status` is 404 for an item that is not there.
        """
        target = path if path.startswith("/") else f"/latest/meta-data/{path}"
        if not target.isascii() or not target.isprintable() or " " in target:
            raise ConfigurationError(f"{path!r} is no path of a metadata item.")
        with self._asking(None) as conversation:
            return _text(conversation.get(target, step="item"), target)

    def identity_document(self) -> Mapping[str, str]:
        """The instance identity document (/latest/dynamic/instance-identity/document) as names and texts."""
        return parse_identity_document(self.get("/latest/dynamic/instance-identity/document"))

    def role_names(self, context: FetchContext | None = None) -> tuple[str, ...]:
        """Names of the attached RAM roles: one at most, by the service's rules.

        Raises:
            RoleNotAttached: the service says that there is none.
            MetadataUnreachable, MetadataError: see `get`.
        """
        with self._asking(context) as conversation:
            return (conversation.attached_role(),)

    def role_credentials(self, name: str, context: FetchContext | None = None) -> Credentials:
        """Credentials of the role `name`, asked for directly.

        Raises:
            RoleNotAttached: no role is attached.
            MetadataError: another role is attached, or the answer cannot be used.
            MetadataUnreachable: no metadata service answers.
        """
        with self._asking(context) as conversation:
            credentials = conversation.credentials_of(name)
            if credentials is not None:
                return credentials
            attached = conversation.attached_role()
            raise MetadataError(
                f"The role {name!r} is not attached to this instance, {attached!r} is "
                f"(GET {self.endpoint}{ROLES_PATH}{quote(name, safe='')} answered 404). Attach {name!r}, or ask for "
                f"{attached!r}.",
                step="role",
                status=404,
                unrecoverable=True,
            )

    def attached_role_credentials(self, remembered: str | None, context: FetchContext | None = None) -> Credentials:
        """Credentials of whatever role is attached; `identity` is its name.

        Args:
            remembered: the role that was attached last: asked for first, so that a refresh needs no listing.
            context: the fetch's time limit.

        Raises:
            RoleNotAttached: no role is attached.
            MetadataUnreachable, MetadataError: see `get`.
        """
        with self._asking(context) as conversation:
            credentials = conversation.credentials_of(remembered) if remembered else None
            if credentials is not None:
                return credentials
            attached = conversation.attached_role()
            credentials = conversation.credentials_of(attached)
            if credentials is None:
                raise _no_role(f"GET {self.endpoint}{ROLES_PATH}{quote(attached, safe='')}")
            return credentials

    def _asking(self, context: FetchContext | None) -> _Conversation:
        return _Conversation(self, context)

    # What a conversation learns and later ones need

    def usable_token(self) -> str | None:
        """The session token, while it lives."""
        held = self._token
        return held[0] if held is not None and self._clock.monotonic() < held[1] else None

    def keep_token(self, token: str, ttl_seconds: float) -> None:
        """Keep a token until shortly before its end."""
        margin = min(TOKEN_MARGIN_SECONDS, ttl_seconds / 10)
        self._token = (token, self._clock.monotonic() + ttl_seconds - margin)
        self._tokenless_until = 0.0

    def forget_token(self) -> None:
        """The service refused it."""
        self._token = None

    def without_token(self) -> bool:
        """True while it is known that there is no token service."""
        return self.token_mode == "off" or self._clock.monotonic() < self._tokenless_until  # noqa: S105  # a mode

    def remember_no_token_service(self) -> None:
        """Do without for a while: the time-out of a service that never answers a PUT is not paid at each refresh."""
        self._tokenless_until = self._clock.monotonic() + TOKENLESS_MEMORY_SECONDS

    def forget_no_token_service(self) -> None:
        """There seems to be one after all."""
        self._tokenless_until = 0.0

    @property
    def transport(self) -> HttpTransport:
        """How requests are made."""
        return self._transport


class _Conversation:
    """The requests of one call: one session, one time limit."""

    def __init__(self, client: MetadataClient, context: FetchContext | None) -> None:
        self._client = client
        self._context = context
        limit = DEFAULT_TIME_LIMIT_SECONDS if context is None else context.remaining()
        self._session: HttpSession = client.transport.open(limit)

    def __enter__(self) -> Self:
        self._session.__enter__()
        return self

    def __exit__(self, *exit_arguments: object) -> None:
        self._session.__exit__(None, None, None)

    def attached_role(self) -> str:
        response = self.get(ROLES_PATH, step="role", missing_is_answer=True)
        asked = f"GET {self._client.endpoint}{ROLES_PATH}"
        if response.status == 404:
            raise _no_role(asked)
        role, others = first_role(_text(response, ROLES_PATH, step="role"), asked)
        if others:
            _log.warning("%s lists several roles; the first, %s, is used", asked, role)
        return role

    def credentials_of(self, role: str) -> Credentials | None:
        """None where the service does not know the role."""
        path = ROLES_PATH + quote(role, safe="")
        response = self.get(path, step="credentials", missing_is_answer=True)
        if response.status == 404:
            return None
        served_at = response.server_time()
        credentials = parse_credentials(response, role, f"GET {self._client.endpoint}{path}")
        if served_at is not None and self._context is not None:
            self._context.note_server_time(served_at)
        return credentials

    def get(self, path: str, *, step: str, missing_is_answer: bool = False) -> HttpResponse:
        """A 200, or a 404 where that is an answer too; everything else is raised."""
        client = self._client
        token = self._token()
        response = self._send(path, token, step)
        if response.status == 401 and token is not None:
            client.forget_token()  # expired early or revoked: a new one, once
            token = self._token()
            response = self._send(path, token, step)
        elif response.status in (401, 403) and token is None and client.token_mode == "prefer":  # noqa: S105
            client.forget_no_token_service()  # hardened since: a token, once
            token = self._new_token()
            if token is not None:
                response = self._send(path, token, step)
        if response.status == 200 or (response.status == 404 and missing_is_answer):
            return response
        raise self._refused(response, path, step, token)

    def _token(self) -> str | None:
        client = self._client
        if client.without_token():
            return None
        return client.usable_token() or self._new_token()

    def _new_token(self) -> str | None:
        """A session token, or None where the service has none and none is required."""
        client = self._client
        asked = f"PUT {client.endpoint}{TOKEN_PATH}"
        may_fall_back = client.token_mode == "prefer"  # noqa: S105  # a mode
        try:
            response = self._session.request(
                "PUT",
                client.endpoint + TOKEN_PATH,
                headers={TOKEN_TTL_HEADER: str(TOKEN_TTL_SECONDS), "Content-Length": "0"},
                retry_timeouts=False,
                max_body=SMALL_BODY_BYTES,
            )
        except (ReadTimeout, ConnectionBroken) as error:
            failure = self._failed(error, "token")
            if not may_fall_back:
                raise failure from None
            response = None
        except HttpError as error:
            raise self._failed(error, "token") from None
        if response is not None and response.status == 200:
            token = parse_token(response, asked)
            client.keep_token(token, _token_life(response))
            return token
        if may_fall_back and (response is None or response.status in NO_TOKEN_SERVICE_STATUS):
            _log.info("%s: no token service there; going on without a token", asked)
            client.remember_no_token_service()
            return None
        assert response is not None  # noqa: S101  # no answer was raised above unless a fall-back is allowed
        raise MetadataError(
            f"No token for the hardened mode: {asked} answered {response.status} with {response.describe_body()}. "
            + _status_hint(response.status, "Allow plain requests with token_mode='prefer' if that is intended."),
            step="token",
            status=response.status,
            retry_after=response.retry_after(),
        )

    def _send(self, path: str, token: str | None, step: str) -> HttpResponse:
        headers = {} if token is None else {TOKEN_HEADER: token}
        small = SMALL_BODY_BYTES if step == "role" else None
        try:
            return self._session.request("GET", self._client.endpoint + path, headers=headers, max_body=small)
        except HttpError as error:
            raise self._failed(error, step) from None

    def _failed(self, error: HttpError, step: str) -> MetadataUnreachable | MetadataError:
        if isinstance(error, ConnectTimeout):
            return MetadataUnreachable(
                f"No metadata service: {error} This is normal outside of an ECS instance in a VPC; set "
                "ALIBABA_CLOUD_ECS_METADATA_DISABLED=true there. On an instance, look for a VPN that takes "
                "100.64.0.0/10 (Tailscale does: give 100.100.100.200 a route of its own) or a firewall rule."
            )
        if isinstance(error, ConnectFailed):
            return MetadataUnreachable(
                f"No metadata service: {error} On an ECS instance, look at the route and the firewall rules for "
                f"{self._client.endpoint}; elsewhere choose another source of credentials."
            )
        if isinstance(error, BodyTooLarge):
            hint = "A proxy or a captive portal may be answering in its place."
        elif isinstance(error, ReadTimeout):
            hint = "The service is overloaded, or something on the way swallows its answers."
        else:
            hint = "Look for a proxy or another program that answers at this address."
        return MetadataError(f"The metadata service gave no usable answer. {error} {hint}", step=step)

    def _refused(self, response: HttpResponse, path: str, step: str, token: str | None) -> MetadataError:
        status = response.status
        asked = f"GET {self._client.endpoint}{path}"
        if status in (401, 403):
            if token is not None:
                hint = "It refuses even with a token: metadata access is switched off for this instance (HttpEndpoint)."
            elif self._client.token_mode == "off":  # noqa: S105  # a mode
                hint = "The instance wants the hardened mode: do not set token_mode='off'."
            else:
                hint = (
                    "Either metadata access is switched off (HttpEndpoint), or the hardened mode is required and "
                    "something on the way, such as a proxy that adds X-Forwarded-For, keeps tokens from being given."
                )
        else:
            hint = _status_hint(status, "Look at the address and at what is listening there.")
        return MetadataError(
            f"{asked} answered {status} with {response.describe_body()}. {hint}",
            step=step,
            status=status,
            unrecoverable=status in (401, 403),
            retry_after=response.retry_after(),
        )


def _find_endpoint(endpoint: str | None) -> str:
    """The endpoint from the argument or the environment; an empty one counts as unset."""
    if endpoint:
        return _checked_endpoint(endpoint, "endpoint")
    for variable in ENDPOINT_VARIABLES:
        value = os.environ.get(variable, "")
        if value:
            return _checked_endpoint(value, variable)
    return DEFAULT_ENDPOINT


def _checked_endpoint(endpoint: str, source: str) -> str:
    """`http://host[:port]` and nothing more."""
    try:
        parts = urlsplit(endpoint)
        port_is_sane = parts.port is None or parts.port > 0
    except ValueError:
        parts, port_is_sane = None, False
    if (
        parts is None
        or not port_is_sane
        or parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.username is not None
        or parts.path not in ("", "/")
        or parts.query
        or parts.fragment
        or not endpoint.isprintable()
        or " " in endpoint
    ):
        raise ConfigurationError(
            f"{source} must be the address of a metadata service, http://HOST or http://HOST:PORT without user, path "
            "or query; what it holds is none."
        )
    return f"{parts.scheme}://{parts.netloc}"


def _text(response: HttpResponse, path: str, *, step: str = "item") -> str:
    try:
        return response.body.decode()
    except UnicodeDecodeError:
        raise MetadataError(f"GET {path} answered bytes that are no UTF-8 text.", step=step) from None


def _token_life(response: HttpResponse) -> float:
    """The life the service grants, where it says one and it is no longer than what was asked for."""
    granted = response.header(TOKEN_TTL_HEADER).strip()
    if granted.isascii() and granted.isdigit() and len(granted) < 9 and 0 < int(granted) <= TOKEN_TTL_SECONDS:
        return float(granted)
    return float(TOKEN_TTL_SECONDS)


def _no_role(asked: str) -> RoleNotAttached:
    return RoleNotAttached(
        f"No RAM role is attached to this instance ({asked} answered 404). Attach one in the ECS console or with "
        "AttachInstanceRamRole; it is there a minute or two later. Only instances in a VPC can have one."
    )


def _status_hint(status: int, otherwise: str) -> str:
    if 300 <= status < 400:
        return "It redirects, which the real service never does: a captive portal or a proxy is in the way."
    if status == 407:
        return "A proxy is in the way: this address must be reached directly."
    if status == 429:
        return "It throttles: too many requests from this instance."
    if status >= 500:
        return "The service has trouble; it is asked again."
    return otherwise
