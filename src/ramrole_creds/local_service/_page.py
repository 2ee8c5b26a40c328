"""The status page: one HTML document without secrets, without script and without anything from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime, timedelta, timezone
from html import escape
from typing import TYPE_CHECKING, Final

from ramrole_creds.local_service._plot import draw_timeline
from ramrole_creds.local_service.summary import describe_event, window_starts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ramrole_creds._cache.status import ProviderStatus
    from ramrole_creds.events import Event

MAX_SHOWN_EVENTS: Final = 20
REFRESH_SECONDS: Final = 10

STYLE: Final = """
:root { color-scheme: light dark; --line: #8888; --ok: #2f9e63; --wait: #d99b2b; --bad: #d0453e; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.3rem; } h2 { font-size: 1.05rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; padding: .25rem .75rem .25rem 0; vertical-align: top; }
tr + tr td, tr + tr th { border-top: 1px solid var(--line); }
th { font-weight: 600; white-space: nowrap; width: 10rem; }
.state { padding: .1rem .5rem; border-radius: .3rem; color: #fff; background: var(--bad); }
.fresh { background: var(--ok); } .advisory, .mandatory { background: var(--wait); }
svg { width: 100%; height: auto; font: 12px system-ui, sans-serif; }
svg text { fill: currentColor; } svg .axis, svg .now { stroke: currentColor; } svg .axis { opacity: .4; }
svg .held { fill: var(--ok); } svg .advisory { fill: var(--wait); } svg .mandatory { fill: var(--bad); }
svg .failed { fill: var(--bad); } svg .next { fill: currentColor; }
.key { font-size: .85rem; opacity: .8; } code { overflow-wrap: anywhere; }
"""
STYLE_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode("ascii")
CONTENT_SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def render_page(
    statuses: Sequence[tuple[str, ProviderStatus]], events: Sequence[Event], requests: dict[str, int], now: float
) -> str:
    """The page.

    Args:
        statuses: for each provider the name by which its events call it, and its status.
        events: of all providers, oldest first.
        requests: number of requests by outcome.
        now: Unix seconds.
    """
    sections = "".join(_section(name, status, events, now) for name, status in statuses)
    rows = "".join(_row(name.replace("_", " "), str(count)) for name, count in sorted(requests.items()))
    names = {name: status.provider_name for name, status in statuses}
    happened = "".join(
        f"<tr><td>{_time(event.at)}</td><td>{escape(describe_event(event, names.get(event.provider)))}</td></tr>"
        for event in reversed(events[-MAX_SHOWN_EVENTS:])
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><meta http-equiv="refresh" content="{REFRESH_SECONDS}">'
        f"<title>ramrole-creds</title><style>{STYLE}</style></head><body>"
        f"<h1>Local credential service</h1>{sections}"
        f"<h2>Requests</h2><table>{rows or '<tr><td>none yet</td></tr>'}</table>"
        f"<h2>Last events</h2><table>{happened or '<tr><td>none yet</td></tr>'}</table>"
        f'<p class="key">At {_time(now)} UTC. This page holds no secrets and reloads every {REFRESH_SECONDS} s.</p>'
        "</body></html>"
    )


def _section(name: str, status: ProviderStatus, events: Sequence[Event], now: float) -> str:
    own = [event for event in events if event.provider == name]
    next_attempt = None if status.next_attempt is None else status.next_attempt.timestamp()
    plot = draw_timeline(own, now=now, next_attempt=next_attempt, windows=window_starts(status))
    return (
        f"<h2>{escape(status.provider_name)}</h2>{plot}"
        '<p class="key">green: held, yellow: advisory window, red: mandatory window; dots: failed fetches, triangle: '
        "next fetch</p><table>"
        f'<tr><th>State</th><td><span class="state {escape(status.state)}">{escape(status.state)}</span></td></tr>'
        + _row("Identity", status.identity or "unknown")
        + _row("AccessKey ID", status.access_key_id or "none")
        + _row("Ends", _end(status.expiration, now))
        + _row("Fetches", f"{status.fetches}, {status.failures} failed in a row")
        + _row("Last error", status.last_error or "none")
        + "</table>"
    )


def _row(name: str, value: str) -> str:
    return f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>"


def _end(expiration: datetime | None, now: float) -> str:
    if expiration is None:
        return "unknown"
    left = int(expiration.timestamp() - now)
    when = f"{expiration:%Y-%m-%d %H:%M:%S} UTC"
    return f"{when} (in {timedelta(seconds=left)})" if left > 0 else f"{when} (over)"


def _time(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, timezone.utc):%H:%M:%S}"
