"""Probes, metrics and the status page, on a port apart from the credentials."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from ramrole_creds.local_service._page import CONTENT_SECURITY_POLICY, render_page

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from starlette.requests import Request

    from ramrole_creds._cache.status import ProviderStatus
    from ramrole_creds.local_service._clients import ClientRules
    from ramrole_creds.local_service._history import History

STATES: Final = ("empty", "fresh", "advisory", "mandatory", "expired")
USABLE: Final = frozenset({"fresh", "advisory", "mandatory"})
PAGE_HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def admin_app(rules: Callable[[], ClientRules], history: History, hosts: Collection[str]) -> Starlette:
    """The application.

    Args:
        rules: gives the providers that are shown.
        history: events and counts.
        hosts: names that are accepted in the Host header.
    """

    def statuses() -> list[ProviderStatus]:
        return [provider.status() for provider in rules().providers]

    async def page(_: Request) -> Response:
        shown = [(provider.get_provider_name(), provider.status()) for provider in rules().providers]
        text = render_page(shown, history.events(), history.requests(), time.time())
        return HTMLResponse(text, headers=PAGE_HEADERS)

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        waiting = [one.provider_name for one in statuses() if one.state not in USABLE]
        if waiting:
            return PlainTextResponse(f"no credentials: {', '.join(waiting)}\n", status_code=503)
        return PlainTextResponse("ok\n")

    async def metrics(_: Request) -> Response:
        text = render_metrics(statuses(), history.requests(), time.time())
        return Response(text, media_type=METRICS_TYPE)

    app = Starlette(
        routes=[
            Route("/", page),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)],
    )
    app.router.redirect_slashes = False
    return app


def render_metrics(statuses: Iterable[ProviderStatus], requests: dict[str, int], now: float) -> str:
    """The metrics in the text format of Prometheus."""
    return "\n".join([*_metric_lines(list(statuses), requests, now), ""])


def _metric_lines(statuses: list[ProviderStatus], requests: dict[str, int], now: float) -> Iterator[str]:
    prefix = "ramrole_creds_local_service"
    yield f"# HELP {prefix}_requests_total Requests by outcome."
    yield f"# TYPE {prefix}_requests_total counter"
    for outcome, count in sorted(requests.items()):
        yield f'{prefix}_requests_total{{outcome="{outcome}"}} {count}'
    for name, kind, text, value in (
        ("fetches_total", "counter", "Fetches that were started.", lambda one: one.fetches),
        ("consecutive_failures", "gauge", "Fetches that failed in a row.", lambda one: one.failures),
        ("remaining_seconds", "gauge", "Life left of the credentials held.", lambda one: _remaining(one, now)),
    ):
        yield f"# HELP {prefix}_{name} {text}"
        yield f"# TYPE {prefix}_{name} {kind}"
        for number, status in enumerate(statuses):
            yield f"{prefix}_{name}{{{_labels(number, status)}}} {value(status)}"
    yield f"# HELP {prefix}_state 1 for the state of the credentials held."
    yield f"# TYPE {prefix}_state gauge"
    for number, status in enumerate(statuses):
        for state in STATES:
            yield f'{prefix}_state{{{_labels(number, status)},state="{state}"}} {int(status.state == state)}'


def _labels(number: int, status: ProviderStatus) -> str:
    return f'provider="{_escaped(status.provider_name)}",number="{number}"'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _remaining(status: ProviderStatus, now: float) -> str:
    return "NaN" if status.expiration is None else f"{max(0.0, status.expiration.timestamp() - now):.0f}"
