"""A running service: sockets, a thread with an event loop, and an orderly end."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import uvicorn

from ramrole_creds._checks import is_number, kind_of, lower_names
from ramrole_creds._pickling import BoundToProcess
from ramrole_creds.errors import ConfigurationError, RamRoleError
from ramrole_creds.local_service._admin import admin_app
from ramrole_creds.local_service._app import CredentialApp
from ramrole_creds.local_service._clients import ClientRules
from ramrole_creds.local_service._history import History
from ramrole_creds.local_service._limits import ServiceLimits, within_descriptors
from ramrole_creds.local_service._protocol import protocol_for
from ramrole_creds.local_service._rate import RateLimiter
from ramrole_creds.local_service._sockets import UnixSocket, base_url, bind_tcp
from ramrole_creds.metadata import MetadataClient
from ramrole_creds.metadata.paths import is_item_name
from ramrole_creds.provider import CredentialProvider

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from types import TracebackType

    from typing_extensions import Self

    from ramrole_creds.local_service._protocol import LimitedProtocol

SECRET_BYTES: Final = 24
SOCKET_PATH: Final = "/credentials"
METADATA_ADDRESS: Final = "100.100.100.200"
LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "::1")
START_SECONDS: Final = 10.0
BACKLOG: Final = 512
MAX_PORT: Final = 65535
MAX_MODE: Final = 0o777


class LocalService(BoundToProcess):
    """Serves the credentials of a provider to other programs of this host; a context manager.

    Args:
        provider: whose credentials are served, or `ClientRules` where clients get different ones.
        host: the local address to bind.
        port: 0 for a free one.
        socket_path: listen on this Unix socket instead of TCP.
        socket_mode: its mode; 0600 is for processes of the same user.
        metadata: answer the metadata protocol in hardened mode too.
        items: metadata items that are passed on from the real service, for instance "region-id".
        hosts: more names to accept in the Host header.
        admin_port: port of the status page, probes and metrics on the same host; None for none, 0 for a free one.
        limits: how much a client may ask for.
        history: what the status page and the metrics show; the same object is the providers' `on_event`.

    Raises:
        ConfigurationError: an argument is not valid.
    """

    _instead = "it is a server of this process, and its address is a secret. Send the provider."

    def __init__(  # noqa: PLR0913  # one place to configure everything, by keyword
        self,
        provider: CredentialProvider | ClientRules,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        socket_path: str | os.PathLike[str] | None = None,
        socket_mode: int = 0o600,
        metadata: bool = False,
        items: Collection[str] = (),
        hosts: Collection[str] = (),
        admin_port: int | None = None,
        limits: ServiceLimits | None = None,
        history: History | None = None,
    ) -> None:
        _check_arguments(provider, socket_path, items, hosts, metadata=metadata)
        _check_kinds(socket_path, socket_mode, limits, history)
        _check_address(host, port, admin_port)
        self._host, self._port = host, port
        self._socket_path = None if socket_path is None else Path(socket_path)
        self._socket_mode = socket_mode
        self._admin_port = admin_port
        self._limits = within_descriptors(limits or ServiceLimits())
        self._history = history or History()
        self._path = SOCKET_PATH if self._socket_path else f"/{secrets.token_urlsafe(SECRET_BYTES)}"
        accepted = {host, *LOOPBACK_NAMES, *hosts}
        if metadata:
            accepted.add(METADATA_ADDRESS)
        self._hosts = accepted
        self._app = CredentialApp(
            self._path,
            provider if isinstance(provider, ClientRules) else ClientRules.everybody(provider),
            hosts=accepted,
            limits=self._limits,
            rate=RateLimiter(self._limits.requests_per_second, self._limits.burst, time.monotonic),
            history=self._history,
            metadata=metadata,
            items=items,
            read_item=_ItemReader() if items else None,
        )
        self._servers: list[_Server] = []
        self._unix_socket: UnixSocket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._admin_url: str | None = None
        self._pid = 0

    @property
    def uri(self) -> str:
        """The credentials URI: what ALIBABA_CLOUD_CREDENTIALS_URI must be. It is a secret on TCP."""
        if self._socket_path is not None:
            return f"http+unix://{quote(str(self._socket_path), safe='')}{self._path}"
        return f"{self.url}{self._path}"

    @property
    def url(self) -> str:
        """Base URL, which is also the endpoint of the metadata protocol."""
        return base_url(self._host, self._port)

    @property
    def admin_url(self) -> str | None:
        """Base URL of the status page, probes and metrics; None where there are none."""
        return self._admin_url

    def start(self) -> Self:
        """Listen and answer from now on.

        Raises:
            OSError: the address is taken or not local.
            ConfigurationError: another process listens at `socket_path`, or something else than a socket is there.
        """
        if self._thread is not None:
            return self
        sockets = [self._listen()]
        try:
            self._servers = [_Server(self._config(self._app))]
            if self._admin_port is not None:
                sockets.append(bind_tcp(self._host, self._admin_port))
                self._admin_url = base_url(self._host, sockets[1].getsockname()[1])
                admin = admin_app(lambda: self._app.rules, self._history, self._hosts)
                self._servers.append(_Server(self._config(admin)))
        except BaseException:
            for one in sockets:
                one.close()
            self._remove_socket()
            raise
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._run, args=(sockets,), name="ramrole-creds-service", daemon=True)
        self._thread.start()
        for server in self._servers:
            if not server.is_up.wait(START_SECONDS):
                self.close()
                raise RuntimeError("The service did not start in time.")
        return self

    def replace_rules(self, rules: ClientRules) -> None:
        """Use other providers from the next request on."""
        self._app.rules = rules

    def close(self) -> None:
        """Accept no more connections, finish the requests that are being answered, and stop.

        In a forked child it does nothing: the service is its parent's.
        """
        thread, self._thread = self._thread, None
        if thread is None or self._pid != os.getpid():
            return
        for server in self._servers:
            server.should_exit = True
        thread.join(self._limits.drain_seconds + START_SECONDS)
        self._remove_socket()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _listen(self) -> socket.socket:
        if self._socket_path is not None:
            self._unix_socket = UnixSocket(self._socket_path, self._socket_mode)
            return self._unix_socket.listening
        listening = bind_tcp(self._host, self._port)
        self._port = listening.getsockname()[1]
        return listening

    def _remove_socket(self) -> None:
        unix_socket, self._unix_socket = self._unix_socket, None
        if unix_socket is not None:
            unix_socket.remove()

    def _config(self, app: Any) -> uvicorn.Config:  # noqa: ANN401  # an ASGI application
        """The configuration of a server; each server counts its own connections."""
        return _config(app, self._limits, protocol_for(self._limits, self._history))

    def _run(self, sockets: list[socket.socket]) -> None:
        if hasattr(signal, "pthread_sigmask"):  # signals are for the main thread, which may be waiting for them
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        loop = _new_event_loop()
        self._loop = loop
        try:
            loop.run_until_complete(self._serve(sockets))
        finally:
            loop.close()

    async def _serve(self, sockets: list[socket.socket]) -> None:
        warming = asyncio.create_task(self._warm_up())
        await asyncio.gather(*(server.serve([one]) for server, one in zip(self._servers, sockets, strict=True)))
        warming.cancel()
        with suppress(asyncio.CancelledError):
            await warming

    async def _warm_up(self) -> None:
        """Fetch before the first request; a failure is in the log, and the first client tries again."""
        for provider in self._app.rules.providers:
            with suppress(RamRoleError):
                await provider.get_credentials_async()


def _check_arguments(
    provider: object, socket_path: object, items: Collection[str], hosts: Collection[str], *, metadata: bool
) -> None:
    if not isinstance(provider, (CredentialProvider, ClientRules)):
        raise ConfigurationError(
            f"LocalService takes a CredentialProvider object or ClientRules, not {kind_of(provider)}."
        )
    lower_names("hosts", hosts)
    if isinstance(items, str):
        raise ConfigurationError(f"items must be a list of names, not {items!r:.60}.")
    for item in items:
        if not is_item_name(item):
            raise ConfigurationError(
                f"items: {item!r} is not the name of a metadata item. Give names of items, such as 'region-id' "
                "(--allow-item region-id)."
            )
    if socket_path is not None and not hasattr(socket, "AF_UNIX"):
        raise ConfigurationError("This system has no Unix sockets. Use host and port instead.")
    if items and not metadata:
        raise ConfigurationError("items are passed on by the metadata protocol: set metadata=True (--metadata).")


def _check_kinds(socket_path: object, socket_mode: object, limits: object, history: object) -> None:
    if socket_path is not None and not isinstance(socket_path, (str, os.PathLike)):
        raise ConfigurationError(f"socket_path must be the path of a Unix socket, not {kind_of(socket_path)}.")
    if not isinstance(socket_mode, int) or not 0 <= socket_mode <= MAX_MODE:
        raise ConfigurationError(f"socket_mode must be the mode of a file, such as 0o600, not {socket_mode!r:.60}.")
    for name, given, cls in (("limits", limits, ServiceLimits), ("history", history, History)):
        if given is not None and not isinstance(given, cls):
            raise ConfigurationError(f"{name} must be {cls.__name__} or None, not {kind_of(given)}.")


def _check_address(host: object, port: object, admin_port: object) -> None:
    if not isinstance(host, str) or not host.strip():
        raise ConfigurationError(f"host must be an address of this machine, such as 127.0.0.1, not {host!r}.")
    for name, value in (("port", port), ("admin_port", 0 if admin_port is None else admin_port)):
        if not is_number(value) or not isinstance(value, int) or not 0 <= value <= MAX_PORT:
            raise ConfigurationError(f"{name} must be 0 (any free port) to {MAX_PORT}, not {value!r}.")


class _Server(uvicorn.Server):
    """uvicorn's server without its signal handlers: signals belong to the program."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = threading.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and report that it is up."""
        await super().startup(sockets)
        self.is_up.set()


def _config(app: Any, limits: ServiceLimits, protocol: type[LimitedProtocol]) -> uvicorn.Config:  # noqa: ANN401  # an ASGI application
    return uvicorn.Config(
        app,
        http=protocol,  # type: ignore[arg-type]  # a class is accepted too
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=True,  # False would silence the access log of a program that runs uvicorn itself
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=int(limits.idle_seconds) or 1,
        timeout_graceful_shutdown=int(limits.drain_seconds) or 1,
    )


def _new_event_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ModuleNotFoundError:  # not on Windows
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


class _ItemReader:
    """Reads items of the instance; one client, so that all requests share its session token."""

    def __init__(self) -> None:
        self._client = MetadataClient()

    async def __call__(self, item: str) -> str:
        return await asyncio.to_thread(self._client.get, item)
