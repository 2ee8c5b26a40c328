"""What OpenTelemetry exports of a provider: metrics with units, and a span for each fetch."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NoOpTracerProvider, StatusCode

from ramrole_creds import EcsRamRoleProvider, RamRoleError
from ramrole_creds.clock import SYSTEM_CLOCK
from ramrole_creds.integrations.opentelemetry import OpenTelemetryMetrics
from ramrole_creds.testing import FakeCloud


def exported(reader: InMemoryMetricReader) -> dict[str, Any]:
    data = reader.get_metrics_data()
    assert data is not None
    return {
        one.name: one for resource in data.resource_metrics for scope in resource.scope_metrics for one in scope.metrics
    }


def test_metrics_and_spans_of_a_fetch_and_a_failure() -> None:
    reader, spans = InMemoryMetricReader(), InMemorySpanExporter()
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    meter = MeterProvider(metric_readers=[reader]).get_meter("test")
    listener = OpenTelemetryMetrics(meter, tracers.get_tracer("test"))
    with FakeCloud(clock=SYSTEM_CLOCK) as cloud, EcsRamRoleProvider(endpoint=cloud.url, on_event=listener) as provider:
        held = provider.get_credentials()
        cloud.faults.add("*", 503)
        with pytest.raises(RamRoleError):
            provider.refresh()
        found = exported(reader)

    duration = found["ramrole_creds.fetch.duration"]
    assert duration.unit == "s"
    assert duration.data.data_points[0].explicit_bounds[:3] == (0.01, 0.025, 0.05)
    assert {name: found[name].unit for name in UNITS} == UNITS
    counts = {
        point.attributes["ramrole_creds.outcome"]: point.value
        for point in found["ramrole_creds.fetches"].data.data_points
    }
    assert counts == {"replaced": 1, "failed": 1}
    waiters = sum(point.value for point in found["ramrole_creds.waiters"].data.data_points)
    assert waiters == 2
    (remaining,) = found["ramrole_creds.remaining"].data.data_points
    assert 0 < remaining.value <= 6 * 3600 + 1  # an expiry has whole seconds
    (state,) = found["ramrole_creds.state"].data.data_points
    assert state.attributes["ramrole_creds.state"] == "fresh"
    good, bad = spans.get_finished_spans()
    assert good.name == bad.name == "ramrole_creds.fetch"
    assert good.status.is_unset
    assert bad.attributes is not None
    assert bad.attributes["error.type"] == "MetadataError"
    assert good.end_time is not None
    assert good.start_time is not None
    assert good.end_time >= good.start_time
    text = str([span.to_json() for span in spans.get_finished_spans()])
    assert held.access_key_secret not in text


UNITS = {
    "ramrole_creds.fetches": "{fetch}",
    "ramrole_creds.fetch.duration": "s",
    "ramrole_creds.remaining": "s",
    "ramrole_creds.state": "{provider}",
    "ramrole_creds.waiters": "{call}",
    "ramrole_creds.forced_refreshes": "{call}",
}


def test_without_an_sdk_the_listener_does_nothing_and_harms_nothing() -> None:
    """Only the API is installed then: its meters and tracers do nothing."""
    listener = OpenTelemetryMetrics(NoOpMeterProvider().get_meter("test"), NoOpTracerProvider().get_tracer("test"))
    with FakeCloud() as cloud, EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock, on_event=listener) as provider:
        assert provider.get_credentials().security_token


class Traced:
    """A provider whose fetches are spans, on a clock that the test moves."""

    def __init__(self, cloud: FakeCloud) -> None:
        self.spans = InMemorySpanExporter()
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(self.spans))
        self.tracer = tracers.get_tracer("test")
        listener = OpenTelemetryMetrics(NoOpMeterProvider().get_meter("test"), self.tracer)
        self.provider = EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock, on_event=listener)

    def fetches(self) -> list[Any]:
        return [span for span in self.spans.get_finished_spans() if span.name == "ramrole_creds.fetch"]


def test_a_fetch_that_a_call_waits_for_is_a_span_below_the_span_of_that_call() -> None:
    with FakeCloud() as cloud:
        traced = Traced(cloud)
        with traced.tracer.start_as_current_span("request") as request, traced.provider:
            traced.provider.get_credentials()
        (fetch,) = traced.fetches()
        assert fetch.parent is not None
        assert fetch.parent.span_id == request.get_span_context().span_id


def test_a_fetch_that_a_coroutine_waits_for_is_a_span_below_the_span_of_that_coroutine() -> None:
    async def request(traced: Traced) -> int:
        with traced.tracer.start_as_current_span("request") as span:
            await traced.provider.get_credentials_async()
            return int(span.get_span_context().span_id)

    with FakeCloud() as cloud:
        traced = Traced(cloud)
        with traced.provider:
            caller = asyncio.run(request(traced))
        (fetch,) = traced.fetches()
        assert fetch.parent is not None
        assert fetch.parent.span_id == caller


def test_a_fetch_in_the_background_belongs_to_no_call() -> None:
    """Not to the call that was the first of all either, during which the refresher was started."""
    with FakeCloud() as cloud:
        traced = Traced(cloud)
        with traced.tracer.start_as_current_span("request"), traced.provider:
            traced.provider.get_credentials()
            cloud.clock.advance(hours=5, minutes=45)
        first, *later = traced.fetches()
        assert first.parent is not None
        assert later


def test_the_span_of_a_failed_fetch_has_an_error_without_a_text() -> None:
    with FakeCloud(role="web-of-the-shop") as cloud:
        traced = Traced(cloud)
        cloud.faults.add("*", 503)
        with traced.provider, pytest.raises(RamRoleError):
            traced.provider.get_credentials()
        (fetch,) = traced.fetches()
        assert fetch.status.status_code is StatusCode.ERROR
        assert fetch.status.description is None
        assert fetch.attributes["error.type"] == "MetadataError"
        assert "shop" not in fetch.to_json()
        assert cloud.url not in fetch.to_json()
