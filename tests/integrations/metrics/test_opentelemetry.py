"""What OpenTelemetry exports of a provider: metrics with units, and a span for each fetch."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NoOpTracerProvider

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
    assert found["ramrole_creds.fetch.duration"].unit == "s"
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


def test_without_an_sdk_the_listener_does_nothing_and_harms_nothing() -> None:
    """Only the API is installed then: its meters and tracers do nothing."""
    listener = OpenTelemetryMetrics(NoOpMeterProvider().get_meter("test"), NoOpTracerProvider().get_tracer("test"))
    with FakeCloud() as cloud, EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock, on_event=listener) as provider:
        assert provider.get_credentials().security_token
