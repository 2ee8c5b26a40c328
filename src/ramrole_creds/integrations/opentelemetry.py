"""OpenTelemetry: metrics of providers and a span for each fetch, recorded from their events.

provider = default_provider(on_event=OpenTelemetryMetrics())
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ramrole_creds import events
from ramrole_creds.integrations._sdk import load_sdk
from ramrole_creds.integrations._shared_listener import SharedListener

if TYPE_CHECKING:
    from collections.abc import Iterator

load_sdk("opentelemetry", "opentelemetry")

from opentelemetry import metrics, trace  # noqa: E402  # after the check that says what to install

__all__ = ["OpenTelemetryMetrics"]

PROVIDER, OUTCOME, STATE = "ramrole_creds.provider", "ramrole_creds.outcome", "ramrole_creds.state"


class OpenTelemetryMetrics(SharedListener):
    """An event listener. Create one, and give it to every provider.

    Made without arguments, it travels with a pickled provider and arrives as the one of the receiving process.

    Args:
        meter: creates the instruments; None takes that of the global meter provider.
        tracer: creates the spans; None takes that of the global tracer provider.
    """

    def __init__(self, meter: metrics.Meter | None = None, tracer: trace.Tracer | None = None) -> None:
        self._share(default=meter is None and tracer is None)
        meter = metrics.get_meter("ramrole_creds") if meter is None else meter
        self._tracer = trace.get_tracer("ramrole_creds") if tracer is None else tracer
        self._fetches = meter.create_counter("ramrole_creds.fetches", "{fetch}", "Fetches by outcome")
        self._seconds = meter.create_histogram("ramrole_creds.fetch.duration", "s", "Time of a fetch")
        self._waiters = meter.create_counter("ramrole_creds.waiters", "{call}", "Calls that waited for a fetch")
        self._changes = meter.create_counter("ramrole_creds.identity_changes", "{change}", "Changes of the identity")
        self._forced = meter.create_counter("ramrole_creds.forced_refreshes", "{call}", "Calls of refresh()")
        self._ends, self._states = dict[str, float](), dict[str, str]()
        meter.create_observable_gauge("ramrole_creds.remaining", [self._left], "s", "Life left of the credentials")
        meter.create_observable_gauge("ramrole_creds.state", [self._state], "1", "1 for the state of the cache")

    def __call__(self, event: events.Event, /) -> None:
        """Record an event."""
        attributes = {PROVIDER: event.provider}
        if isinstance(event, (events.Fetched, events.FetchedUnchanged, events.FetchFailed)):
            self._waiters.add(event.waiters, attributes)
            error = {"error.type": event.error} if isinstance(event, events.FetchFailed) else {}
            fetch = attributes | error | {OUTCOME: events.FETCH_OUTCOMES[type(event)]}
            self._fetches.add(1, fetch)
            self._seconds.record(event.seconds, fetch)
            start, end = int((event.at - event.seconds) * 1e9), int(event.at * 1e9)
            span = self._tracer.start_span("ramrole_creds.fetch", start_time=start, attributes=fetch)
            span.set_status(trace.StatusCode.ERROR if error else trace.StatusCode.UNSET)
            span.end(end)
        if isinstance(event, events.Fetched) and event.expiration is not None:
            self._ends[event.provider] = event.expiration.timestamp()
        elif isinstance(event, events.StateChanged):
            self._states[event.provider] = event.new
        elif isinstance(event, (events.IdentityChanged, events.RefreshForced)):
            (self._changes if isinstance(event, events.IdentityChanged) else self._forced).add(1, attributes)

    def _left(self, _: metrics.CallbackOptions) -> Iterator[metrics.Observation]:
        for provider, end in list(self._ends.items()):
            yield metrics.Observation(max(0.0, end - time.time()), {PROVIDER: provider})

    def _state(self, _: metrics.CallbackOptions) -> Iterator[metrics.Observation]:
        for provider, state in list(self._states.items()):
            yield metrics.Observation(1, {PROVIDER: provider, STATE: state})
