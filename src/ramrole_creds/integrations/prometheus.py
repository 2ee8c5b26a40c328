"""Prometheus: metrics of providers, counted from their events.

    provider = default_provider(on_event=PrometheusMetrics())

The metrics are counters, gauges and a histogram of the client library, so they also work in its multiprocess mode.
"""

from __future__ import annotations

from ramrole_creds import events
from ramrole_creds.integrations._sdk import load_sdk

load_sdk("prometheus_client", "prometheus")

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram  # noqa: E402  # after the check

__all__ = ["PrometheusMetrics"]

STATES = ("empty", "fresh", "advisory", "mandatory", "expired")
BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0)
OUTCOMES: dict[type[events.Event], str] = {
    events.Fetched: "replaced",
    events.FetchedUnchanged: "unchanged",
    events.FetchFailed: "failed",
}


class PrometheusMetrics:
    """An event listener. Create one per registry, and give it to every provider.

    Args:
        registry: where the metrics are registered.

    Raises:
        ValueError: the registry has these metrics already.
    """

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        def name(text: str) -> str:
            return f"ramrole_creds_{text}"

        one, end = ["provider"], "When the held credentials expire, Unix time"
        self.fetches: Counter = Counter(name("fetches"), "Fetches by outcome", [*one, "outcome"], registry=registry)
        self.duration: Histogram = Histogram(
            name("fetch_duration_seconds"), "Time of a fetch", one, buckets=BUCKETS, registry=registry
        )
        self.expiration: Gauge = Gauge(
            name("expiration_timestamp_seconds"), end, one, multiprocess_mode="livemin", registry=registry
        )
        self.state: Gauge = Gauge(
            name("state"), "1 for the state", [*one, "state"], multiprocess_mode="livesum", registry=registry
        )
        self.identity_changes: Counter = Counter(
            name("identity_changes"), "Changes of the identity", one, registry=registry
        )
        self.forced_refreshes: Counter = Counter(name("forced_refreshes"), "Calls of refresh()", one, registry=registry)

    def __call__(self, event: events.Event, /) -> None:
        """Count an event."""
        if isinstance(event, (events.Fetched, events.FetchedUnchanged, events.FetchFailed)):
            self.fetches.labels(event.provider, OUTCOMES[type(event)]).inc()
            self.duration.labels(event.provider).observe(event.seconds)
        if isinstance(event, events.Fetched) and event.expiration is not None:
            self.expiration.labels(event.provider).set(event.expiration.timestamp())
        elif isinstance(event, events.StateChanged):
            for state in STATES:
                self.state.labels(event.provider, state).set(state == event.new)
        elif isinstance(event, events.IdentityChanged):
            self.identity_changes.labels(event.provider).inc()
        elif isinstance(event, events.RefreshForced):
            self.forced_refreshes.labels(event.provider).inc()
