"""Client of the ECS instance metadata service.

The ECS user guide documents the protocol ("instance metadata"): plain HTTP at 100.100.100.200. In the
hardened mode, each GET carries a token that a PUT returned. This client handles both modes.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, TypeVar, overload

from ramrole_creds._checks import checked_seconds
from ramrole_creds._http.transport import HttpTransport, pause
from ramrole_creds._http.urls import InvalidUrlError, parse_base_url
from ramrole_creds._tracebacks import hide_frames
from ramrole_creds.clock import DEFAULT_CLOCK, Clock
from ramrole_creds.errors import ConfigurationError, MetadataError, MetadataUnreachable, RoleNotAttached
from ramrole_creds.metadata._parsing import parse_identity_document
from ramrole_creds.metadata._session import MetadataSession, TokenCache
from ramrole_creds.metadata.paths import ITEMS_PATH, is_path
from ramrole_creds.metadata.token_mode import OFF, PREFER, REQUIRE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ramrole_creds._cache.fetch_context import FetchContext
    from ramrole_creds.credentials import Credentials
    from ramrole_creds.metadata.token_mode import TokenMode

__all__ = ["DEFAULT_ENDPOINT", "ENDPOINT_VARIABLES", "MetadataClient"]

DEFAULT_ENDPOINT = "http://100.100.100.200"
ENDPOINT_VARIABLES = (
    "RAMROLE_CREDS_METADATA_ENDPOINT",
    "ALIBABA_CLOUD_IMDS_ENDPOINT",
    "ALIBABA_CLOUD_ECS_METADATA_SERVICE_ENDPOINT",
)
IDENTITY_DOCUMENT_PATH = "/latest/dynamic/instance-identity/document"
TIMEOUT_VARIABLE = "RAMROLE_CREDS_METADATA_TIMEOUT"
ATTEMPTS_VARIABLE = "RAMROLE_CREDS_METADATA_ATTEMPTS"
DEFAULT_TIME_LIMIT_SECONDS = 10.0
DEFAULT_CONNECT_TIMEOUT_SECONDS = 1.0
DEFAULT_READ_TIMEOUT_SECONDS = 2.0
DEFAULT_ATTEMPTS = 3
MAX_ATTEMPTS = 10

Answer = TypeVar("Answer")


class _Item:
    """A metadata item under /latest/meta-data/, requested at each access."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.__doc__ = f"The item `{path}`, requested at each access; raises what `MetadataClient.get` raises."

    @overload
    def __get__(self, client: None, owner: type[MetadataClient]) -> _Item: ...
    @overload
    def __get__(self, client: MetadataClient, owner: type[MetadataClient]) -> str: ...
    def __get__(self, client: MetadataClient | None, owner: type[MetadataClient]) -> _Item | str:
        return self if client is None else client.get(self._path)


class MetadataClient:
    """Client of the instance metadata service; thread-safe.

    Args:
        endpoint: base URL; else RAMROLE_CREDS_METADATA_ENDPOINT, ALIBABA_CLOUD_IMDS_ENDPOINT or
            ALIBABA_CLOUD_ECS_METADATA_SERVICE_ENDPOINT, else http://100.100.100.200.
        token_mode: "prefer" uses the hardened mode, and falls back if there is no token service; "require" never falls
            back; "off" never requests a token.
        connect_timeout: seconds for connecting; else RAMROLE_CREDS_METADATA_TIMEOUT, else 1.
        read_timeout: seconds without a byte; else RAMROLE_CREDS_METADATA_TIMEOUT, else 2.
        clock: measures the age of tokens.
        transport: sends the requests; replaces the two timeouts and RAMROLE_CREDS_METADATA_ATTEMPTS (else 3), the
            maximum attempts at one request.

    Raises:
        ConfigurationError: the endpoint, the mode, a timeout or a variable is not valid.
    """

    region_id: _Item = _Item("region-id")
    zone_id: _Item = _Item("zone-id")
    instance_id: _Item = _Item("instance-id")
    instance_type: _Item = _Item("instance/instance-type")
    instance_name: _Item = _Item("instance/instance-name")
    image_id: _Item = _Item("image-id")
    hostname: _Item = _Item("hostname")
    serial_number: _Item = _Item("serial-number")
    owner_account_id: _Item = _Item("owner-account-id")
    network_type: _Item = _Item("network-type")
    private_ipv4: _Item = _Item("private-ipv4")
    eipv4: _Item = _Item("eipv4")
    mac: _Item = _Item("mac")
    vpc_id: _Item = _Item("vpc-id")
    vpc_cidr_block: _Item = _Item("vpc-cidr-block")
    vswitch_id: _Item = _Item("vswitch-id")
    vswitch_cidr_block: _Item = _Item("vswitch-cidr-block")

    @hide_frames
    def __init__(
        self,
        endpoint: str | None = None,
        token_mode: TokenMode = PREFER,
        connect_timeout: float | None = None,
        read_timeout: float | None = None,
        *,
        clock: Clock = DEFAULT_CLOCK,
        transport: HttpTransport | None = None,
    ) -> None:
        if token_mode not in (PREFER, REQUIRE, OFF):
            raise ConfigurationError(f'token_mode must be "prefer", "require" or "off", not {token_mode!r}.')
        self.endpoint: str = _find_endpoint(endpoint)
        self.token_mode: TokenMode = token_mode
        self._transport = transport or HttpTransport(
            _find_timeout(connect_timeout, DEFAULT_CONNECT_TIMEOUT_SECONDS),
            _find_timeout(read_timeout, DEFAULT_READ_TIMEOUT_SECONDS),
            attempts=_find_attempts(),
            sleep=partial(pause, clock=clock),
        )
        self._clock = clock
        self._tokens = TokenCache(clock)

    def get(self, path: str) -> str:
        """The text of one item, as the service returns it.

        Args:
            path: below /latest/meta-data/, for instance "region-id"; or absolute, "/latest/user-data".

        Raises:
            MetadataUnreachable: no metadata service answers.
            MetadataError: the answer is not usable; `status` is 404 for an item that does not exist.
            ConfigurationError: the path is not valid.
        """
        if not is_path(path):
            raise ConfigurationError(
                f"{path!r} is not a valid metadata path. Give the name of an item, such as 'region-id', in ASCII and "
                "without blanks."
            )
        target = path if path.startswith("/") else f"{ITEMS_PATH}{path}"
        return self._ask(lambda session: session.item(target))

    def identity_document(self) -> Mapping[str, str]:
        """The instance identity document (/latest/dynamic/instance-identity/document) as names and texts."""
        return parse_identity_document(self.get(IDENTITY_DOCUMENT_PATH), f"GET {self.endpoint}{IDENTITY_DOCUMENT_PATH}")

    def role_names(self, context: FetchContext | None = None) -> tuple[str, ...]:
        """Names of the attached RAM roles. An instance has at most one.

        Raises:
            RoleNotAttached: no role is attached.
            MetadataUnreachable, MetadataError: see `get`.
        """
        return self._ask(lambda session: session.attached_roles(), context)

    def role_credentials(self, name: str, context: FetchContext | None = None) -> Credentials:
        """Credentials of the role `name`, requested directly.

        Raises:
            RoleNotAttached: no role is attached.
            MetadataError: another role is attached, or the answer is not usable.
            MetadataUnreachable: no metadata service answers.
            ConfigurationError: the name is not text, or empty.
        """
        given: object = name
        if not isinstance(given, str) or not given:
            raise ConfigurationError(f"The name of a role must be a text, such as 'web', not {name!r:.60}.")
        return self._ask(lambda session: session.credentials_of_pinned(name), context)

    def attached_role_credentials(self, remembered: str | None, context: FetchContext | None = None) -> Credentials:
        """Credentials of whatever role is attached; `identity` is its name.

        Args:
            remembered: the role that was attached last. It is requested first, so that a refresh needs no listing.
            context: the fetch's time limit.

        Raises:
            RoleNotAttached: no role is attached.
            MetadataUnreachable, MetadataError: see `get`.
        """
        return self._ask(lambda session: session.credentials_of_attached(remembered), context)

    @hide_frames
    def _ask(self, question: Callable[[MetadataSession], Answer], context: FetchContext | None = None) -> Answer:
        http = self._transport.open(DEFAULT_TIME_LIMIT_SECONDS if context is None else context.remaining())
        session = MetadataSession(self.endpoint, self.token_mode, self._tokens, self._clock, http, context)
        try:
            return question(session)
        except (MetadataUnreachable, RoleNotAttached, MetadataError) as error:
            error.attempts, error.elapsed = http.attempts, http.elapsed()
            raise


def _find_endpoint(endpoint: str | None) -> str:
    """The endpoint of the argument or the environment. An empty one counts as unset."""
    if endpoint:
        return _checked_endpoint(endpoint, "endpoint")
    for variable in ENDPOINT_VARIABLES:
        value = os.environ.get(variable, "")
        if value:
            return _checked_endpoint(value, variable)
    return DEFAULT_ENDPOINT


def _find_timeout(argument: float | None, default: float) -> float:
    """The seconds of the argument or the environment."""
    if argument is not None:
        return argument  # checked by the transport
    text = os.environ.get(TIMEOUT_VARIABLE, "").strip()
    if not text:
        return default
    try:
        return checked_seconds(TIMEOUT_VARIABLE, float(text))
    except ValueError:
        raise ConfigurationError(f"{TIMEOUT_VARIABLE} must be a number of seconds above 0, not {text!r}.") from None


def _find_attempts() -> int:
    """The attempts of the environment."""
    text = os.environ.get(ATTEMPTS_VARIABLE, "").strip()
    if not text:
        return DEFAULT_ATTEMPTS
    if not (text.isascii() and text.isdigit() and len(text) < 4 and 0 < int(text) <= MAX_ATTEMPTS):
        raise ConfigurationError(f"{ATTEMPTS_VARIABLE} must be a number from 1 to {MAX_ATTEMPTS}, not {text!r}.")
    return int(text)


def _checked_endpoint(endpoint: object, source: str) -> str:
    """`http://host[:port]`."""
    try:
        return parse_base_url(endpoint).base
    except InvalidUrlError as error:
        raise ConfigurationError(
            f"{source} must be the address of a metadata service, http://HOST or http://HOST:PORT without user, path "
            f"or query; {error}."
        ) from None
