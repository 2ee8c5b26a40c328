"""Prometheus: metrics of providers, counted from their events.

    provider = default_provider(on_event=PrometheusMetrics())

The metrics are counters, gauges and a histogram of the client library, so they also work in its multiprocess mode.
"""

from __future__ import annotations

import math
import os

from ramrole_creds import events
from ramrole_creds.integrations._sdk import load_sdk
from ramrole_creds.integrations._shared_listener import BUCKETS_SECONDS, SharedListener, require_method

load_sdk("prometheus_client", "prometheus")

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram  # noqa: E402  # after the check

__all__ = ["PrometheusMetrics"]

STATES = ("empty", "fresh", "advisory", "mandatory", "expired")
MULTIPROCESS = ("PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir")


class PrometheusMetrics(SharedListener):
    """An event listener. Create one per registry, and give it to every provider.

    With the default registry it is sent with a pickled provider and arrives as the one of the receiving process.

    Args:
        registry: where the metrics are registered.

    Raises:
        ValueError: the registry has these metrics already.
    """

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        require_method("registry", registry, "register", "a CollectorRegistry of prometheus_client")
        super().__init__(default=registry is REGISTRY)
        one, prefix, end = ["provider"], "ramrole_creds_", "When the first held credentials expire, Unix time"
        outcome, state, states = [*one, "outcome"], [*one, "state"], "Providers in this state"
        self._fetches = Counter(prefix + "fetches", "Fetches by outcome", outcome, registry=registry)
        self._seconds = Histogram(
            prefix + "fetch_duration_seconds", "Time of a fetch", one, buckets=BUCKETS_SECONDS, registry=registry
        )
        self._end = Gauge(
            prefix + "expiration_timestamp_seconds", end, one, multiprocess_mode="livemin", registry=registry
        )
        self._state = Gauge(prefix + "state", states, state, multiprocess_mode="livesum", registry=registry)
        self._waiters = Counter(prefix + "waiters", "Calls that waited for a fetch", one, registry=registry)
        self._changes = Counter(prefix + "identity_changes", "Changes of the identity", one, registry=registry)
        self._forced = Counter(prefix + "forced_refreshes", "Calls of refresh()", one, registry=registry)

    def _record(self, event: events.Event) -> None:
        name = event.provider
        for counter in (self._waiters, self._changes, self._forced):
            counter.labels(name)  # `increase()` sees the first step only of a counter that was 0 before
        for outcome in events.FETCH_OUTCOMES.values():
            self._fetches.labels(name, outcome)
        if isinstance(event, (events.Fetched, events.FetchedUnchanged, events.FetchFailed)):
            self._fetches.labels(name, events.FETCH_OUTCOMES[type(event)]).inc()
            self._seconds.labels(name).observe(event.seconds)
            self._waiters.labels(name).inc(event.waiters)
        elif isinstance(event, (events.IdentityChanged, events.RefreshForced)):
            (self._changes if isinstance(event, events.IdentityChanged) else self._forced).labels(name).inc()

    def _show(self, name: str) -> None:
        end, states = self._earliest_end(name), self._states(name)
        for state in STATES:
            self._state.labels(name, state).set(states[state])
        self._end.labels(name).set(end)
        if any(variable in os.environ for variable in MULTIPROCESS):
            return  # where no series can be removed
        if end == math.inf:
            self._end.remove(name)
        for state in STATES if not states else ():
            self._state.remove(name, state)
