"""What metrics show of providers that are closed, collected or forked, and of several with one name."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry

from ramrole_creds import ConfigurationError, Credentials, FunctionProvider, ProviderChain, events
from ramrole_creds.integrations.opentelemetry import OpenTelemetryMetrics
from ramrole_creds.integrations.prometheus import PrometheusMetrics
from tests.eventually import REAL_PATIENCE_SECONDS, eventually

Shown = dict[Any, float]
"""Seconds left by provider, and the number of providers by provider and state."""


class Prometheus:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.listener = PrometheusMetrics(self.registry)

    def shown(self) -> Shown:
        found: Shown = {}
        for metric in self.registry.collect():
            for sample in metric.samples:
                provider, state = sample.labels["provider"], sample.labels.get("state")
                if metric.name == "ramrole_creds_expiration_timestamp_seconds":
                    found[provider] = sample.value - time.time()
                elif state is not None and sample.value:
                    found[provider, state] = sample.value
        return found


class OpenTelemetry:
    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self.listener = OpenTelemetryMetrics(MeterProvider(metric_readers=[self.reader]).get_meter("test"))

    def shown(self) -> Shown:
        found: Shown = {}
        data = self.reader.get_metrics_data()
        scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics] if data else []
        for metric in [metric for scope in scopes for metric in scope.metrics]:
            for point in metric.data.data_points:
                attributes: Any = point.attributes
                provider = attributes["ramrole_creds.provider"]
                if metric.name == "ramrole_creds.remaining":
                    found[provider] = getattr(point, "value", 0.0)
                elif metric.name == "ramrole_creds.state":
                    found[provider, attributes["ramrole_creds.state"]] = getattr(point, "value", 0.0)
        return found


@pytest.fixture(params=[Prometheus, OpenTelemetry], ids=["prometheus", "opentelemetry"])
def metrics(request: pytest.FixtureRequest) -> Prometheus | OpenTelemetry:
    made: Prometheus | OpenTelemetry = request.param()
    return made


def ends_in(hours: float) -> datetime:
    return datetime.now(timezone.utc) + timedelta(hours=hours)


def provider_of(
    metrics: Prometheus | OpenTelemetry, hours: float | None = 6, name: str = "web", listener: Any = None
) -> FunctionProvider:
    """A provider that has fetched credentials with this much life."""
    end = None if hours is None else ends_in(hours)
    provider = FunctionProvider(
        lambda: Credentials("id", "secret", None if end is None else "token", end),
        name=name,
        on_event=listener or metrics.listener,
    )
    provider.get_credentials()
    return provider


def test_a_closed_provider_is_shown_no_longer(metrics: Prometheus | OpenTelemetry) -> None:
    provider = provider_of(metrics)
    assert eventually(lambda: metrics.shown() == {"web": pytest.approx(6 * 3600, abs=60), ("web", "fresh"): 1})
    provider.close()
    assert eventually(lambda: metrics.shown() == {})


def test_a_provider_is_shown_no_longer_after_its_with_block(metrics: Prometheus | OpenTelemetry) -> None:
    with provider_of(metrics):
        assert eventually(lambda: bool(metrics.shown()))
    assert eventually(lambda: metrics.shown() == {})


def test_a_provider_that_a_coroutine_closes_is_shown_no_longer(metrics: Prometheus | OpenTelemetry) -> None:
    async def live() -> None:
        provider = FunctionProvider(lambda: Credentials("id", "secret", "token", ends_in(1)), on_event=metrics.listener)
        await provider.get_credentials_async()
        provider.close()

    asyncio.run(live())
    assert eventually(lambda: not metrics.shown())


def test_a_chain_that_is_closed_is_shown_no_longer(metrics: Prometheus | OpenTelemetry) -> None:
    inner = FunctionProvider(lambda: Credentials("id", "secret", "token", ends_in(1)))
    chain = ProviderChain(inner, on_event=metrics.listener)
    chain.get_credentials()
    assert metrics.shown()
    chain.close()
    assert metrics.shown() == {}


def test_a_provider_that_nobody_holds_any_more_is_shown_no_longer(metrics: Prometheus | OpenTelemetry) -> None:
    provider_of(metrics)
    assert eventually(lambda: not metrics.shown())


class Program:
    """Holds its provider, and listens to it: a cycle that only the garbage collector finds."""

    def __init__(self, metrics: Prometheus | OpenTelemetry) -> None:
        self.metrics = metrics
        self.provider = provider_of(metrics, listener=self.listen)

    def listen(self, event: events.Event) -> None:
        self.metrics.listener(event)


def test_a_provider_in_a_cycle_is_shown_until_the_cycle_is_collected(metrics: Prometheus | OpenTelemetry) -> None:
    gc.disable()
    try:
        Program(metrics)
        assert metrics.shown()
        gc.collect()
        assert eventually(lambda: not metrics.shown())
    finally:
        gc.enable()


def test_of_providers_with_one_name_the_first_to_expire_is_shown(metrics: Prometheus | OpenTelemetry) -> None:
    later, first = provider_of(metrics, 6), provider_of(metrics, 2)
    assert metrics.shown() == {"web": pytest.approx(2 * 3600, abs=60), ("web", "fresh"): 2}
    first.close()
    assert metrics.shown() == {"web": pytest.approx(6 * 3600, abs=60), ("web", "fresh"): 1}
    again = provider_of(metrics, 1)
    assert metrics.shown() == {"web": pytest.approx(3600, abs=60), ("web", "fresh"): 2}
    again.close()
    later.close()
    assert metrics.shown() == {}


def test_a_new_provider_is_shown_in_place_of_a_closed_one(metrics: Prometheus | OpenTelemetry) -> None:
    old = provider_of(metrics, 6)
    new = provider_of(metrics, 2)
    old.close()
    del old
    gc.collect()
    assert metrics.shown() == {"web": pytest.approx(2 * 3600, abs=60), ("web", "fresh"): 1}
    new.close()


def test_what_never_expires_has_no_seconds_left(metrics: Prometheus | OpenTelemetry) -> None:
    held = [Credentials("id", "secret", "token", ends_in(1)), Credentials("key", "secret")]
    provider = FunctionProvider(lambda: held.pop(0), name="web", on_event=metrics.listener)
    provider.get_credentials()
    assert metrics.shown()["web"] > 0
    provider.refresh(rejected=provider.get_credentials())
    assert eventually(lambda: metrics.shown() == {("web", "fresh"): 1})
    provider.close()


def test_a_provider_that_held_nothing_is_closed_in_silence(metrics: Prometheus | OpenTelemetry) -> None:
    FunctionProvider(lambda: Credentials("id", "secret"), on_event=metrics.listener).close()
    assert metrics.shown() == {}


def test_two_registries_show_the_same_and_forget_the_same() -> None:
    one, two, third = Prometheus(), Prometheus(), OpenTelemetry()

    def listen(event: events.Event) -> None:
        for each in (one, two, third):
            each.listener(event)

    provider = provider_of(one, listener=listen)
    expected = {"web": pytest.approx(6 * 3600, abs=60), ("web", "fresh"): 1}
    assert eventually(lambda: [each.shown() for each in (one, two, third)] == [expected] * 3)
    provider.close()
    assert eventually(lambda: [each.shown() for each in (one, two, third)] == [{}] * 3)


def test_a_listener_that_gets_each_event_twice_shows_one_provider(metrics: Prometheus | OpenTelemetry) -> None:
    def listen(event: events.Event) -> None:
        metrics.listener(event)
        metrics.listener(event)

    with provider_of(metrics, listener=listen):
        assert metrics.shown()["web", "fresh"] == 1


def test_many_threads_that_open_and_close_leave_nothing(metrics: Prometheus | OpenTelemetry) -> None:
    def work() -> None:
        for _ in range(10):
            with provider_of(metrics):
                pass

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(REAL_PATIENCE_SECONDS)
    assert eventually(lambda: not metrics.shown())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_shows_a_provider_from_its_first_own_fetch_until_it_closes_it(
    metrics: Prometheus | OpenTelemetry,
) -> None:
    provider = provider_of(metrics)
    child = os.fork()
    if not child:
        try:
            idle = metrics.shown() == {}  # nobody refreshes it here, so its end says nothing
            provider.refresh()
            used = eventually(lambda: metrics.shown().get(("web", "fresh")) == 1)
            provider.close()
            os._exit(0 if idle and used and eventually(lambda: not metrics.shown()) else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert metrics.shown()["web", "fresh"] == 1
    provider.close()


@pytest.mark.parametrize("given", [5, "ecs-ram-role://", FunctionProvider, CollectorRegistry], ids=str)
def test_metrics_are_written_to_nothing_else_than_their_library(given: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"meter must be a Meter .* takes the metrics object as on_event\."):
        OpenTelemetryMetrics(given)
    with pytest.raises(ConfigurationError, match=r"tracer must be a Tracer .* takes the metrics object as on_event\."):
        OpenTelemetryMetrics(tracer=given)
    with pytest.raises(ConfigurationError, match=r"registry must be a CollectorRegistry .* as on_event\."):
        PrometheusMetrics(given)
