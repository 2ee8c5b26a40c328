"""The service as a process: its configuration, its signals, its one line of output."""

from __future__ import annotations

import json
import signal
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ramrole_creds import RamRoleArnProvider, RamRoleError, default_provider, provider_from_url
from ramrole_creds._files import read_regular_file
from ramrole_creds.cli.input_output import write_output
from ramrole_creds.cli.named_role import ROLE_NAME, NamedRoleProvider
from ramrole_creds.errors import ConfigurationError
from ramrole_creds.events import FetchFailed, IdentityChanged, StateChanged
from ramrole_creds.local_service import ClientRules, History, LocalService, ServiceLimits, parse_rule
from ramrole_creds.local_service.summary import describe_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ramrole_creds import CredentialProvider
    from ramrole_creds.events import Event
    from ramrole_creds.local_service import ClientRule

SELF = "self"
URGENT_STATES = frozenset({"mandatory", "expired"})
MAX_CONFIG_BYTES = 1024 * 1024
POLL_SECONDS = 1.0  # a wait without end cannot be interrupted on Windows


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """The options of `serve`; see its help."""

    host: str = "127.0.0.1"
    port: int = 0
    socket_path: str | None = None
    socket_mode: str = "0600"
    metadata: bool = False
    allow_item: tuple[str, ...] = ()
    allow_host: tuple[str, ...] = ()
    maps: tuple[str, ...] = ()
    config: str | None = None
    only: tuple[str, ...] = ()
    admin_port: int | None = None
    rate: float = 200.0
    env_file: str | None = None


class Journal(History):
    """A history that also prints what an operator must know, for the journal of systemd."""

    def __init__(self) -> None:
        super().__init__()
        self.providers: Callable[[], Iterable[CredentialProvider]] = tuple

    def __call__(self, event: Event) -> None:
        """Take an event; the first failure in a row is printed, the following ones are not."""
        super().__call__(event)
        first_failure = isinstance(event, FetchFailed) and event.failures == 1
        near_its_end = isinstance(event, StateChanged) and event.new in URGENT_STATES
        if first_failure or near_its_end or isinstance(event, IdentityChanged):
            click.echo(describe_event(event, self._source(event)), err=True)

    def _source(self, event: Event) -> str:
        """Where the provider's credentials come from, as `whoami` shows it; its own name until that is known."""
        names = [one.status().provider_name for one in self.providers() if one.get_provider_name() == event.provider]
        return names[0] if names else event.provider


@dataclass(slots=True)
class Sources:
    """The providers of a service, made from options and the configuration file.

    Args:
        options: the options.
        history: takes the providers' events.
        opened: the providers in use, by the target of their rules.
        retired: those that were in use before the last reload.
        only: the sources that `opened` was made for.
    """

    options: ServeOptions
    history: Journal
    opened: dict[str, CredentialProvider] = field(default_factory=dict)
    retired: list[CredentialProvider] = field(default_factory=list)
    only: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.history.providers = lambda: tuple(self.opened.values())

    def rules(self) -> ClientRules:
        """Read the configuration and make the providers; those that were made for the same are kept with all they hold.

        Raises:
            ConfigurationError: an option or the file is not valid.
        """
        maps, only = self._settings()
        clients = [(self._rule(client), target) for client, target in maps]
        found = self._providers(dict.fromkeys([SELF, *(target for _, target in clients)]), only)
        self.retired += [provider for target, provider in self.opened.items() if found.get(target) is not provider]
        self.opened, self.only = found, only
        if not clients:
            return ClientRules.everybody(found[SELF])
        return ClientRules([(rule, found[target]) for rule, target in clients])

    def reload(self, service: LocalService) -> None:
        """Read the configuration again; what is not valid changes nothing."""
        # Requests in progress may still use those that are replaced now; the ones before them are free.
        free, self.retired = self.retired, []
        try:
            rules = self.rules()
        except RamRoleError as error:
            self.retired += free
            click.echo(f"The new configuration is not valid, and the old one stays in use: {error}", err=True)
            return
        service.replace_rules(rules)
        for provider in free:
            provider.close()
        click.echo("The configuration was read again.", err=True)

    def _providers(self, targets: Iterable[str], only: list[str]) -> dict[str, CredentialProvider]:
        """A provider for each target, `SELF` first."""
        kept = self.opened if only == self.only else {}
        found: dict[str, CredentialProvider] = {}
        try:
            for target in targets:
                if target in kept:
                    found[target] = kept[target]
                elif target == SELF:
                    found[target] = default_provider(only=only or None, on_event=self.history)
                else:
                    found[target] = self._provider(found[SELF], target)
        except BaseException:
            for target in found.keys() - kept.keys():
                found[target].close()
            raise
        return found

    def _rule(self, text: str) -> ClientRule:
        rule = parse_rule(text)
        on_socket = self.options.socket_path is not None
        if rule.uid is not None and not on_socket:
            raise ConfigurationError(f"{text}: the user of a client is known on a Unix socket only. Add --socket PATH.")
        if rule.network is not None and on_socket:
            raise ConfigurationError(
                f"{text}: a client of a Unix socket has no address. Write uid:NUMBER or user:NAME."
            )
        return rule

    def _settings(self) -> tuple[list[tuple[str, str]], list[str]]:
        maps = [_split(text) for text in self.options.maps]
        only = list(self.options.only)
        if self.options.config is not None:
            document = _read_config(Path(self.options.config))
            table, names = document.get("map", {}), document.get("only", only)
            if not isinstance(table, dict) or not isinstance(names, list) or not set(document) <= {"map", "only"}:
                raise ConfigurationError(
                    f'{self.options.config} must hold an object with "map" (an object) and "only" (a list) at most.'
                )
            maps += [(str(client), str(target)) for client, target in table.items()]
            only = [str(name) for name in names]
        return maps, only

    def _provider(self, base: CredentialProvider, target: str) -> CredentialProvider:
        if target.startswith("acs:ram::"):
            return RamRoleArnProvider(base, target, on_event=self.history)
        if "://" in target:
            return provider_from_url(target)
        if ROLE_NAME.fullmatch(target):
            return NamedRoleProvider(base, target, on_event=self.history)
        raise ConfigurationError(
            f"{target!r} is not a role. Write {SELF}, a role's name, its ARN (acs:ram::ACCOUNT:role/NAME) or a "
            "provider URL (ecs-ram-role://NAME)."
        )


def run_service(options: ServeOptions) -> int:
    """Serve until SIGTERM or SIGINT.

    Returns:
        The exit status.
    """
    history = Journal()
    sources = Sources(options, history)
    try:
        service = LocalService(
            sources.rules(),
            host=options.host,
            port=options.port,
            socket_path=options.socket_path,
            socket_mode=_mode(options.socket_mode),
            metadata=options.metadata,
            items=options.allow_item,
            hosts=options.allow_host,
            admin_port=options.admin_port,
            limits=ServiceLimits(requests_per_second=options.rate, burst=max(1.0, 2 * options.rate)),
            history=history,
        )
        service.start()
    except RamRoleError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(_why_not_listening(options, error)) from error
    try:
        _run_until_signal(service, sources)
    finally:
        service.close()
    return 0


def _why_not_listening(options: ServeOptions, error: OSError) -> str:
    problem = error.strerror or error
    if options.socket_path is not None and options.admin_port is None:
        return (
            f"Cannot listen on {options.socket_path}: {problem}. Choose with --socket a path in a directory that "
            "exists and that this user may write to."
        )
    ports = [
        f"--{name} {port}"
        for name, port in (("port", options.port), ("admin-port", options.admin_port))
        if port is not None and not (name == "port" and options.socket_path)
    ]
    return (
        f"Cannot listen on {options.host} ({', '.join(ports)}): {problem}. Choose an address of this machine with "
        "--host, and ports that are free (0 takes one)."
    )


def _run_until_signal(service: LocalService, sources: Sources) -> None:
    signals = _Signals()
    env_file = None if sources.options.env_file is None else Path(sources.options.env_file)
    if env_file is not None:
        write_env_file(env_file, service.uri)
    click.echo(service.uri)
    if service.admin_url is not None:
        click.echo(f"status page: {service.admin_url}/", err=True)
    while not signals.must_end():
        if signals.must_reload():
            sources.reload(service)
        signals.wait()
    service.close()  # before the file goes: a client that reads it is answered
    if env_file is not None:
        env_file.unlink(missing_ok=True)


class _Signals:
    """The signals that came: SIGTERM and SIGINT end, SIGHUP reads the configuration again."""

    def __init__(self) -> None:
        self._ending = self._reloading = False
        self._waking = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        if hasattr(signal, "SIGHUP"):  # not on Windows
            signal.signal(signal.SIGHUP, self._reload)

    def wait(self) -> None:
        """Wait for a signal, or a second."""
        self._waking.wait(POLL_SECONDS)
        self._waking.clear()

    def must_end(self) -> bool:
        """True after SIGTERM or SIGINT."""
        return self._ending

    def must_reload(self) -> bool:
        """True once after SIGHUP."""
        asked, self._reloading = self._reloading, False
        return asked

    def _end(self, *_: object) -> None:
        self._ending = True
        self._waking.set()

    def _reload(self, *_: object) -> None:
        self._reloading = True
        self._waking.set()


def write_env_file(path: Path, uri: str) -> None:
    """The variables that point a program at the service, in a file of mode 0600 that appears as a whole.

    Raises:
        ClickException: it cannot be written.
    """
    text = f"ALIBABA_CLOUD_CREDENTIALS_URI={uri}\nALIBABA_CLOUD_ECS_METADATA_DISABLED=true\n"
    write_output(path, text, mode=0o600)


def _split(text: str) -> tuple[str, str]:
    client, separator, target = text.rpartition("=") if "://" not in text else text.partition("=")
    if not separator or not client or not target:
        raise ConfigurationError(f"{text!r} is not a map. Write CLIENT=ROLE, for instance uid:1000={SELF}.")
    return client, target


def _mode(text: str) -> int:
    try:
        mode = int(text, 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o777:
        raise ConfigurationError(f"--socket-mode must be an octal mode such as 0600, not {text!r}.")
    return mode


def _read_config(path: Path) -> dict[str, object]:
    try:
        document = json.loads(read_regular_file(path, MAX_CONFIG_BYTES))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}. Check its path and mode.") from error
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise ConfigurationError(f"{path} is not valid JSON{where}. Correct it.") from None
    if not isinstance(document, dict):
        raise ConfigurationError(f'{path} must hold a JSON object, such as {{"map": {{"uid:1000": "{SELF}"}}}}.')
    return document
