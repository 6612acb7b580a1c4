"""The metrics of the messaging conventions, as an SDK's metric reader sees them."""

from collections.abc import Iterator
from typing import Any

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import NoRespondersError
from nats.js.client import JetStreamContext
from opentelemetry.instrumentation.nats import NatsInstrumentor, process, process_batch
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from .support import Spans, until


class Measured:
    def __init__(self, reader: InMemoryMetricReader) -> None:
        self._reader = reader

    def points(self, name: str) -> list[tuple[dict[str, Any], Any]]:
        """(attributes, data point) of one metric."""
        data = self._reader.get_metrics_data()
        if data is None:
            return []
        return [
            (dict(point.attributes or {}), point)
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]

    def counted(self, name: str) -> dict[Any, float]:
        return {
            said.get("messaging.destination.template", said.get("messaging.destination.name")): point.value
            for said, point in self.points(name)
        }


@pytest.fixture
def measured(spans: Spans) -> Iterator[Measured]:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    NatsInstrumentor().uninstrument()
    NatsInstrumentor().instrument(tracer_provider=spans.provider, meter_provider=provider)
    yield Measured(reader)
    provider.shutdown()


async def test_sends_and_failed_sends_are_counted_and_timed(nc: Client, measured: Measured) -> None:
    for number in range(3):
        await nc.publish(f"plain.{number}", b"")
    with pytest.raises(NoRespondersError):
        await nc.request("plain.nobody", b"")
    assert measured.counted("messaging.client.sent.messages") == {"plain.*": 3, "plain.nobody": 1}
    by_name = {
        said["messaging.operation.name"]: (said, point)
        for said, point in measured.points("messaging.client.operation.duration")
    }
    said, point = by_name["send"]
    assert point.count == 3
    assert said["messaging.system"] == "nats"
    assert said["messaging.operation.type"] == "send"
    assert said["server.address"] == "127.0.0.1"
    assert "messaging.message.id" not in said
    said, point = by_name["request"]
    assert said["error.type"] == "nats.errors.NoRespondersError"
    assert point.explicit_bounds[0] == 0.005


async def test_each_way_of_taking_counts_a_message_once(
    nc: Client, js: JetStreamContext, measured: Measured, spans: Spans
) -> None:
    async def handle(message: Msg) -> None:
        """Handle nothing."""

    await nc.subscribe("by.callback", cb=handle)
    asked, iterated = await nc.subscribe("by.next"), await nc.subscribe("by.iterator")
    for subject in ("by.callback", "by.next", "by.iterator"):
        await nc.publish(subject, b"")
    async with process(await asked.next_msg()):
        pass
    async for message in iterated.messages:
        async with process(message):
            break
    pull = await js.pull_subscribe("orders.placed", durable="stock")
    for _ in range(4):
        await js.publish("orders.placed", b"")
    async with process((await pull.fetch())[0]) as span:
        span.set_attribute("host.own", 1)
    async with process_batch(await pull.fetch(3)):
        pass
    await until(lambda: len(spans.handled) == 5)
    assert measured.counted("messaging.client.consumed.messages") == {
        "by.callback": 1,
        "by.next": 1,
        "by.iterator": 1,
        "orders.placed": 4,
    }
    durations = {
        said["messaging.destination.template"]: (said, point.count)
        for said, point in measured.points("messaging.process.duration")
    }
    assert {template: count for template, (_, count) in durations.items()} == {
        "by.callback": 1,
        "by.next": 1,
        "by.iterator": 1,
        "orders.placed": 2,
    }
    assert durations["orders.placed"][0]["messaging.consumer.group.name"] == "stock"
