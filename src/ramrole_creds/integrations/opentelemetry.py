"""OpenTelemetry: metrics of providers and a span for each fetch, recorded from their events.

provider = default_provider(on_event=OpenTelemetryMetrics())
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from ramrole_creds import __version__, events
from ramrole_creds.integrations._sdk import load_sdk
from ramrole_creds.integrations._shared_listener import BUCKETS_SECONDS, SharedListener, require_method

if TYPE_CHECKING:
    from collections.abc import Iterator

load_sdk("opentelemetry", "opentelemetry")

from opentelemetry import metrics, trace  # noqa: E402  # after the check that says what to install

__all__ = ["OpenTelemetryMetrics"]

PROVIDER, OUTCOME, STATE = "ramrole_creds.provider", "ramrole_creds.outcome", "ramrole_creds.state"


class OpenTelemetryMetrics(SharedListener):
    """An event listener. Create one, and give it to every provider.

    Made without arguments, it is sent with a pickled provider and arrives as the one of the receiving process.

    Args:
        meter: creates the instruments; None takes that of the global meter provider.
        tracer: creates the spans; None takes that of the global tracer provider.
    """

    def __init__(self, meter: metrics.Meter | None = None, tracer: trace.Tracer | None = None) -> None:
        require_method("meter", meter, "create_counter", "a Meter of OpenTelemetry or None")
        require_method("tracer", tracer, "start_span", "a Tracer of OpenTelemetry or None")
        super().__init__(default=meter is None and tracer is None)
        meter = metrics.get_meter("ramrole_creds", __version__) if meter is None else meter
        self._tracer = trace.get_tracer("ramrole_creds", __version__) if tracer is None else tracer
        self._fetches = meter.create_counter("ramrole_creds.fetches", "{fetch}", "Fetches by outcome")
        self._seconds = meter.create_histogram(
            "ramrole_creds.fetch.duration",
            "s",
            "Time of a fetch",
            explicit_bucket_boundaries_advisory=BUCKETS_SECONDS,
        )
        self._waiters = meter.create_counter("ramrole_creds.waiters", "{call}", "Calls that waited for a fetch")
        self._changes = meter.create_counter("ramrole_creds.identity_changes", "{change}", "Changes of the identity")
        self._forced = meter.create_counter("ramrole_creds.forced_refreshes", "{call}", "Calls of refresh()")
        left, states = "Life left of the first credentials to expire", "Providers in this state"
        meter.create_observable_gauge("ramrole_creds.remaining", [self._observe_left], "s", left)
        meter.create_observable_up_down_counter("ramrole_creds.state", [self._observe_state], "{provider}", states)

    def _record(self, event: events.Event) -> None:
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
        elif isinstance(event, (events.IdentityChanged, events.RefreshForced)):
            (self._changes if isinstance(event, events.IdentityChanged) else self._forced).add(1, attributes)

    def _observe_left(self, _: metrics.CallbackOptions) -> Iterator[metrics.Observation]:
        for provider in list(self._held):
            if (end := self._earliest_end(provider)) < math.inf:
                yield metrics.Observation(max(0.0, end - time.time()), {PROVIDER: provider})

    def _observe_state(self, _: metrics.CallbackOptions) -> Iterator[metrics.Observation]:
        for provider in list(self._held):
            for state, count in self._states(provider).items():
                yield metrics.Observation(count, {PROVIDER: provider, STATE: state})
