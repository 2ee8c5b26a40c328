"""A provider watched live: a panel on a terminal, one line per event in a pipe."""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final

import click
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ramrole_creds import RamRoleError, default_provider
from ramrole_creds.cli.life_plot import draw_row
from ramrole_creds.events import Fetched, FetchFailed
from ramrole_creds.local_service import History
from ramrole_creds.local_service.summary import describe_event, window_starts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ramrole_creds import CredentialProvider, ProviderStatus
    from ramrole_creds.events import Event

BAR_WIDTH: Final = 48
TIMELINE_SECONDS: Final = 600.0
SHOWN_EVENTS: Final = 8
STYLES: Final = {"fresh": "green", "advisory": "yellow", "mandatory": "dark_orange", "expired": "red", "empty": "red"}


def watch(only: Sequence[str], *, interval: float, seconds: float | None, as_json: bool = False) -> int:
    """Keep a provider and show what it does.

    Args:
        only: sources to use, all where empty.
        interval: seconds between two looks.
        seconds: when to end, None for never.
        as_json: print each event as a JSON object, on a terminal too.

    Returns:
        The exit status.
    """
    history = History()
    console = Console(highlight=False)
    try:
        provider = default_provider(only=list(only) or None, on_event=history)
    except RamRoleError as error:
        raise click.ClickException(str(error)) from None
    deadline = None if seconds is None else time.monotonic() + seconds
    with provider, suppress(KeyboardInterrupt):
        threading.Thread(target=_keep_asking, args=(provider,), daemon=True).start()
        if console.is_terminal and not as_json:
            _show_panel(console, provider, history, interval, deadline)
        else:
            _print_lines(provider, history, interval, deadline, as_json=as_json)
    return 0


def render_panel(status: ProviderStatus, events: Sequence[Event], now: float) -> Panel:
    """The panel: what is held, its life as a bar, and what happened lately.

    Args:
        status: of the provider.
        events: oldest first.
        now: Unix seconds.
    """
    table = Table.grid(padding=(0, 2))
    table.add_row("state", Text(status.state, style=f"bold {STYLES.get(status.state, '')}"))
    table.add_row("identity", status.identity or "unknown")
    table.add_row("key", status.access_key_id or "none")
    table.add_row("life left", life_bar(status, now))
    if status.expiration is not None and status.last_fetch is not None:
        advisory, mandatory = (_span(seconds) for seconds in window_starts(status))
        table.add_row("windows", f"refreshed from {advisory} left on (yellow), urgently from {mandatory} on (red)")
    table.add_row("fetches", f"{status.fetches} started, {status.failures} failed in a row")
    if status.next_attempt is not None:
        table.add_row("next fetch", f"in {_span(status.next_attempt.timestamp() - now)}")
    if status.last_error:
        table.add_row("last error", Text(status.last_error, style="red"))
    table.add_row("last 10 min", Text(timeline(events, now)))
    rows = [
        Text(f"{_clock(event.at)}  {describe_event(event, '')}", style="dim", overflow="fold")
        for event in reversed(events[-SHOWN_EVENTS:])
    ]
    return Panel(Group(table, Text(), *rows), title=f"[bold]{status.provider_name}[/bold]", title_align="left")


def life_bar(status: ProviderStatus, now: float) -> Text:
    """The life as a bar: what is over, what is left, and the two windows at its end."""
    if status.expiration is None or status.last_fetch is None:
        return Text("unknown" if status.access_key_id else "no credentials")
    begin, end = status.last_fetch.timestamp(), status.expiration.timestamp()
    advisory, mandatory = window_starts(status)
    bar = Text()
    for column in range(BAR_WIDTH):
        moment = begin + (column + 0.5) * (end - begin) / BAR_WIDTH
        left = end - moment
        style = "red" if left <= mandatory else "yellow" if left <= advisory else "green"
        bar.append("░" if moment < now else "█", style=style)
    bar.append(f" {_span(end - now)}")
    return bar


def timeline(events: Sequence[Event], now: float) -> str:
    """Fetches (N) and failures (x) of the last minutes, the newest on the right."""
    begin = now - TIMELINE_SECONDS
    marks = [
        (event.at, event.at, "N" if isinstance(event, Fetched) else "x")
        for event in events
        if isinstance(event, (Fetched, FetchFailed)) and event.at >= begin
    ]
    return draw_row("", begin=begin, end=now, spans=marks, blank="·").strip()


def _keep_asking(provider: CredentialProvider) -> None:
    """Ask as a program does; failures are events. Ends with the process."""
    while True:
        pause = 5.0
        try:
            provider.get_credentials()
        except RamRoleError:
            pause = 1.0  # the provider's own back-off decides whether a fetch is made
        time.sleep(pause)


def _show_panel(
    console: Console, provider: CredentialProvider, history: History, interval: float, deadline: float | None
) -> None:
    with Live(console=console, auto_refresh=False, screen=False) as live:
        while True:
            live.update(render_panel(provider.status(), history.events(), time.time()), refresh=True)
            if _over(deadline):
                return
            time.sleep(interval)


def event_as_json(event: Event, status: ProviderStatus) -> str:
    """An event as a JSON object: its kind, the state of what is held, and its own fields."""
    fields: dict[str, object] = {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(event).items()
    }
    fields["at"] = _stamp(event.at)
    return json.dumps({"event": type(event).__name__, "state": status.state, **fields})


def _print_lines(
    provider: CredentialProvider, history: History, interval: float, deadline: float | None, *, as_json: bool
) -> None:
    shown = 0
    while True:
        over = _over(deadline)
        total, events = history.total(), history.events()
        for event in events[len(events) - min(len(events), total - shown) :]:
            status = provider.status()
            line = f"{_stamp(event.at)} {status.state} {describe_event(event, status.provider_name)}"
            click.echo(event_as_json(event, status) if as_json else line)
        shown = total
        if over:
            return
        time.sleep(interval)


def _over(deadline: float | None) -> bool:
    return deadline is not None and time.monotonic() >= deadline


def _span(seconds: float) -> str:
    return str(timedelta(seconds=int(seconds))) if seconds > 0 else "0:00:00"


def _clock(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, timezone.utc):%H:%M:%S}"


def _stamp(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
