"""The fake cloud: one object with one loopback port that answers everything that code with a role calls."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ramrole_creds._http.urls import authority_of
from ramrole_creds._pickling import BoundToProcess
from ramrole_creds.metadata.answered import forget_answered
from ramrole_creds.metadata.client import DEFAULT_ENDPOINT
from ramrole_creds.testing.account.account import Account
from ramrole_creds.testing.account.credential_store import CredentialStore
from ramrole_creds.testing.account.least_privilege import least_policy, unused_permissions
from ramrole_creds.testing.account.policy_grammar import parse_policy
from ramrole_creds.testing.clocks import VirtualClock
from ramrole_creds.testing.environment import ENDPOINT_VARIABLE, STS_ENDPOINT_VARIABLE
from ramrole_creds.testing.faults.script import Faults
from ramrole_creds.testing.request_log import RequestAssertions, RequestLog
from ramrole_creds.testing.server.gateway import Gateway
from ramrole_creds.testing.server.http_server import HttpServer
from ramrole_creds.testing.server.port import Port
from ramrole_creds.testing.services.instance import INSTANCE_ID, Instance
from ramrole_creds.testing.services.metadata_service import MetadataService, error_page

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from types import TracebackType

    from ramrole_creds.clock import Clock
    from ramrole_creds.testing.account.account import Role, User
    from ramrole_creds.testing.account.credential_store import IssuedCredentials
    from ramrole_creds.testing.account.least_privilege import UnusedPermission, Width
    from ramrole_creds.testing.account.oidc_issuer import OidcIssuer
    from ramrole_creds.testing.account.ram_policy import Document
    from ramrole_creds.testing.server.messages import WireRequest, WireResponse
    from ramrole_creds.testing.services.metadata_service import Mode, Quirks
    from ramrole_creds.testing.services.service import Service

CREDENTIAL_LIFETIME_SECONDS = 6 * 3600


class FakeCloudDefect(AssertionError):
    """The fake cloud itself failed while it answered. The result of the test means nothing."""


class FakeCloud(BoundToProcess, RequestAssertions):
    """A fake Alibaba Cloud on loopback: instance metadata, STS, RAM and ECS role APIs, and verifying endpoints.

    Use it as a context manager, or call `start` and `stop`:

        with FakeCloud(role="web", mode="hardened") as cloud:
            provider = EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock)
            provider.get_credentials()
            cloud.clock.advance(hours=6)
            cloud.assert_called_once("token")

    Args:
        role: the RAM role attached to the instance, None for no role.
        mode: "hardened" requires a session token for metadata; "normal" answers with and without one.
        host: the local address to bind.
        port: 0 for a free one.
        clock: the cloud's time; None makes a `VirtualClock`, which stands still until it is advanced. For real time
            pass `ramrole_creds.clock.SYSTEM_CLOCK` or a `TickingClock`.
        credential_lifetime: lifetime of metadata credentials in seconds (or a timedelta), at least 2 s.
        services: the endpoints; None for all.
        seed: makes all issued values reproducible.
        propagation_delay: seconds until an attached or detached role shows in the metadata (60 to 120 in reality).
        allowed_hosts: further names to accept in the Host header; "*" accepts all.
        control_key: key of the control API under `/_fake/`; None turns that API off.
        instance_id: the id of the instance.
    """

    _instead = "it is a server of this process. Send its address, `cloud.url`."

    def __init__(  # noqa: PLR0913  # one place to configure everything, all by keyword
        self,
        role: str | None = "web",
        *,
        mode: Mode = "normal",
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Clock | None = None,
        credential_lifetime: float | timedelta = CREDENTIAL_LIFETIME_SECONDS,
        services: Sequence[Service] | None = None,
        seed: int | str | None = None,
        propagation_delay: float = 0.0,
        allowed_hosts: Collection[str] = (),
        control_key: str | None = None,
        instance_id: str = INSTANCE_ID,
    ) -> None:
        if isinstance(credential_lifetime, timedelta):
            credential_lifetime = credential_lifetime.total_seconds()
        if credential_lifetime < 2:
            raise ValueError(f"credential_lifetime must be at least 2 seconds, not {credential_lifetime}.")
        self._clock: Clock = VirtualClock() if clock is None else clock
        self.credential_store: CredentialStore = CredentialStore(seed)
        """All credentials that were issued."""
        self.account: Account = Account(self.credential_store)
        """The account, with its roles, users and policies."""
        self.instance: Instance = Instance(
            self.account, credential_lifetime=credential_lifetime, instance_id=instance_id
        )
        """The instance whose metadata is served."""
        self.instances: dict[str, Instance] = {instance_id: self.instance}
        """All instances of the ECS API by their IDs."""
        self.metadata: MetadataService = MetadataService(self.instance, self.credential_store, self._clock, mode)
        """The service that answers for the metadata."""
        self.requests: RequestLog = RequestLog()
        """The log of all requests: `cloud.requests.to("sts")`."""
        self.faults: Faults = Faults(self._clock, seed=self.credential_store.seed)
        """The faults of the cloud: `cloud.faults.add("token", 503)`."""
        self.propagation_delay: float = propagation_delay
        self.control_key: str | None = control_key
        self._gateway = Gateway(
            self.metadata,
            self._load_services if services is None else lambda: list(services),
            self.faults,
            self.requests,
            frozenset(name.lower() for name in (host, *allowed_hosts)),
            self._answer_control,
        )
        self._oidc: OidcIssuer | None = None
        self._server = HttpServer(self._gateway, host, port, self._clock.time)
        self._port = Port(self._server, self.faults, self._clock)
        self._started = False
        if role is not None:
            self.instance.attach(role, self._clock.time())

    def start(self) -> FakeCloud:
        """Bind the port and answer from now on; returns itself.

        Raises:
            OSError: the address is taken or not local.
        """
        if not self._started:
            self._port.update()
            self._server.start()
            forget_answered(self.url, DEFAULT_ENDPOINT)  # another service may have answered there before
            self._started = True
        return self

    @property
    def is_running(self) -> bool:
        """True from `start()` to `stop()`."""
        return self._started

    def stop(self) -> None:
        """Stop answering. Every thread and socket is released, and requests that hang are ended."""
        self._started = False
        self._port.cancel()
        self._server.stop()

    def __enter__(self) -> FakeCloud:  # noqa: PYI034  # Self needs Python 3.11
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if kind is None:
            self.check()

    async def __aenter__(self) -> FakeCloud:  # noqa: PYI034  # as above
        return self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def check(self) -> None:
        """Raise `FakeCloudDefect` where the fake cloud itself failed while it answered."""
        if self.defects:
            raise FakeCloudDefect("The fake cloud failed while it answered:\n\n" + "\n".join(self.defects))

    @property
    def host(self) -> str:
        """The address it is bound to."""
        return self._server.host

    @property
    def port(self) -> int:
        """The port it is bound to."""
        return self._server.port

    @property
    def url(self) -> str:
        """Base URL of all services, for instance "http://127.0.0.1:40123"."""
        return f"http://{self.address}"

    @property
    def address(self) -> str:
        """The URL without its scheme, for clients that add the scheme: "127.0.0.1:40123"."""
        everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # a port of all addresses is at loopback too
        return authority_of(everywhere.get(self.host, self.host), self.port)

    @property
    def metadata_endpoint(self) -> str:
        """Base URL of the metadata service."""
        return self.url

    @property
    def sts_endpoint(self) -> str:
        """Base URL of STS."""
        return self.url

    def environment(self) -> dict[str, str]:
        """Variables that point this library in a child process at this cloud, without a proxy."""
        direct = "127.0.0.1,localhost,100.100.100.200"
        endpoints = {ENDPOINT_VARIABLE: self.url, STS_ENDPOINT_VARIABLE: self.sts_endpoint}
        return {**endpoints, "NO_PROXY": direct, "no_proxy": direct}

    @property
    def tls_attempts(self) -> int:
        """On how many connections a client spoke TLS, which the fake cloud does not."""
        return self._server.tls_attempts

    @property
    def clock(self) -> VirtualClock:
        """The cloud's clock: `cloud.clock.advance(hours=6)`. A clock given to the constructor is this one."""
        return self._clock  # type: ignore[return-value]  # a caller that passed another clock knows its type

    def attach_role(
        self, name: str, *, policies: Sequence[str | Document] | None = None, allow_second: bool = False
    ) -> Role:
        """Attach a role to the instance. A role that the account does not have is created with all permissions.

        Args:
            name: the name of the role.
            policies: its policies from now on, as `Account.set_policies` takes them; None keeps them.
            allow_second: allow a second role, which the real service never does.

        Raises:
            RoleAlreadyAttached: the instance has one.
        """
        self.instance.attach(name, self._clock.time(), self.propagation_delay, allow_second=allow_second)
        role = self.role(name)
        if policies is not None:
            self.account.set_policies(role, policies)
        return role

    def detach_role(self, name: str | None = None) -> None:
        """Detach a role, by default the attached one. Credentials issued before stay valid until they expire."""
        self.instance.detach(self._clock.time(), name, self.propagation_delay)

    def replace_role(self, name: str, *, gap: float = 0.0) -> Role:
        """Detach the attached role and attach another one after `gap` seconds without a role."""
        now = self._clock.time()
        self.instance.detach(now, delay=self.propagation_delay)
        self.instance.attach(name, now, self.propagation_delay + gap)
        return self.role(name)

    def delete_role(self, name: str) -> None:
        """Delete a role from the account; its credentials are rejected from now on."""
        self.instance.detach(self._clock.time(), name)
        self.account.delete_role(name)

    def set_policies(self, name: str, policies: Sequence[str | Document]) -> None:
        """Replace the policies of a role or user, for issued credentials too; see `Account.set_policies`."""
        self.account.set_policies(self.account.owner(name), policies)

    def role(self, name: str) -> Role:
        """The role of that name.

        Raises:
            KeyError: the account has no such role.
        """
        return self.account.existing_role(name)

    def least_privilege(self, name: str, *, resources: Width = "exact") -> dict[str, Any]:
        """The smallest RAM policy under which every call that a role or user made so far is allowed.

        Args:
            name: of the role or user.
            resources: "exact" names each resource, "prefix" the folder that it is in, "any" none. Region and account
                are `*`.

        Raises:
            KeyError: the account has no role or user of that name.
        """
        self.account.owner(name)
        return least_policy(self.account.authorizer.judged(name), resources)

    def unused_permissions(self, name: str, policy: str | Document | None = None) -> list[UnusedPermission]:
        """What the policies of a role or user, or the given policy, allow and no call needed so far.

        Raises:
            KeyError: the account has no role or user of that name.
        """
        documents = {one.name: one.document for one in self.account.owner(name).attached.values()}
        if policy is not None:
            documents = {"policy": parse_policy(policy)}
        return unused_permissions(documents, self.account.authorizer.judged(name))

    def rotate(self) -> None:
        """Issue new credentials at the next read, before their time; the old ones stay valid."""
        self.instance.rotate()

    @property
    def mode(self) -> Mode:
        """Either "normal" or "hardened"; may be set while the cloud runs."""
        return self.metadata.mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self.metadata.mode = mode

    @property
    def quirks(self) -> Quirks:
        """Switches for behaviour of the real service that is not documented."""
        return self.metadata.quirks

    def disable_endpoint(self, how: str = "403") -> None:
        """Disable the metadata service (`HttpEndpoint=disabled`).

        Args:
            how: an HTTP status, "refuse" (nothing listens) or "blackhole" (connections are never
                answered). The last two concern the whole port.
        """
        if how in {"refuse", "blackhole"}:
            self._port.switch("refuse" if how == "refuse" else "blackhole")
            return
        if not how.isdecimal() or not 100 <= int(how[:4]) <= 999:
            raise ValueError(f'how must be an HTTP status, "refuse" or "blackhole", not {how!r}.')
        self.quirks.disabled_status = int(how)
        self.metadata.enabled = False

    def enable_endpoint(self) -> None:
        """Enable the metadata service again."""
        self.metadata.enabled = True
        self._port.switch("open")

    def add_instance(self, instance_id: str, *, network_type: str = "vpc") -> Instance:
        """Add an instance for the ECS API; the metadata stays that of the first instance.

        Args:
            instance_id: its id.
            network_type: "vpc", or "classic", where no role can be attached.
        """
        lifetime = self.instance.credential_lifetime
        instance = Instance(self.account, credential_lifetime=lifetime, instance_id=instance_id)
        instance.network_type = network_type
        self.instances[instance_id] = instance
        return instance

    @property
    def items(self) -> dict[str, str | bytes]:
        """The metadata items by their paths below `/latest/meta-data/`; add, change and delete them freely."""
        return self.instance.items

    def set_user_data(self, data: bytes | str | None) -> None:
        """Set the answer of `/latest/user-data`; None for 404."""
        self.instance.user_data = data.encode() if isinstance(data, str) else data

    def add_role(
        self,
        name: str,
        *,
        trust: Document | str | None = None,
        policies: Sequence[str | Document] = ("AdministratorAccess",),
        max_session_seconds: int = 3600,
    ) -> Role:
        """Create a role without attaching it, for AssumeRole; see `Account.add_role`."""
        return self.account.add_role(name, trust=trust, policies=policies, max_session_seconds=max_session_seconds)

    def add_user(self, name: str = "alice", *, policies: Sequence[str | Document] = ("AdministratorAccess",)) -> User:
        """Create a RAM user; see `Account.add_user`."""
        return self.account.add_user(name, policies=policies)

    def access_key(self, user: User | None = None) -> IssuedCredentials:
        """Create a long-term AccessKey of a user; None creates a user named "alice"."""
        return self.account.access_key(self.add_user() if user is None else user, self._clock.time())

    @property
    def oidc(self) -> OidcIssuer:
        """An OpenID Connect issuer that the account trusts: `cloud.oidc.token()`, `cloud.oidc.trust(subject)`."""
        if self._oidc is None:
            from ramrole_creds.testing.account.oidc_issuer import OidcIssuer

            self._oidc = OidcIssuer(self._clock, self.account.account_id)
            self.account.add_oidc_issuer(self._oidc)
        return self._oidc

    def is_valid(self, access_key_id: str, security_token: str | None = None, at: float | None = None) -> bool:
        """True where a call signed with these credentials is accepted now, or at the Unix time `at`."""
        issued = self.credential_store.lookup(access_key_id)
        moment = self._clock.time() if at is None else at
        return issued is not None and issued.security_token == security_token and not issued.is_expired(moment)

    def reset(self) -> None:
        """Remove faults, recorded requests and accesses, metadata session tokens; roles, credentials and time stay."""
        self.faults.clear()
        self.requests.clear()
        self.account.authorizer.forget()
        self.metadata.forget_tokens()
        self.defects.clear()

    @property
    def services(self) -> list[Service]:
        """The endpoints, in the order in which they are tried; add to it before the cloud is started."""
        return self._gateway.services

    @property
    def defects(self) -> list[str]:
        """Tracebacks of errors inside the fake cloud itself."""
        return self._gateway.defects

    def _load_services(self) -> list[Service]:
        from ramrole_creds.testing.services.defaults import default_services, role_services

        roles = role_services(self.account, self.instances, self.metadata, lambda: self.propagation_delay)
        return [*roles, *default_services(self.credential_store)]

    def _answer_control(self, request: WireRequest) -> WireResponse:
        from ramrole_creds.testing.server.control import answer_control

        return error_page(404) if self.control_key is None else answer_control(self, request)
