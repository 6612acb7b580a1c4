"""FastStream with and without its own telemetry: one span per operation either way."""

import asyncio
from collections import Counter

import pytest
from faststream.nats import JStream, NatsBroker, PullSub
from faststream.nats.opentelemetry import NatsTelemetryMiddleware
from nats.aio.client import Client
from opentelemetry.trace import SpanKind

from .support import Spans, id_of, parent_of, trace_of, until


@pytest.mark.parametrize("own_telemetry", [True, False])
async def test_no_span_is_made_twice(nats_url: str, spans: Spans, own_telemetry: bool) -> None:
    middlewares = [NatsTelemetryMiddleware(tracer_provider=spans.provider)] if own_telemetry else []
    broker = NatsBroker(nats_url, middlewares=middlewares)
    stream = JStream("FAST", subjects=["fast.>"])
    done: list[str] = []

    @broker.subscriber("plain.fast")
    async def by_callback(text: str) -> None:
        await broker.publish("2", "fast.pushed", stream="FAST")

    @broker.subscriber("fast.pushed", "pushed", stream=stream)
    async def pushed(text: str) -> None:
        await broker.publish("3", "fast.pulled", stream="FAST")

    @broker.subscriber("fast.pulled", stream=stream, durable="pulled", pull_sub=PullSub())
    async def pulled(text: str) -> None:
        await broker.publish("4", "plain.last")

    @broker.subscriber("plain.last", max_workers=2)
    async def concurrent(text: str) -> None:
        done.append(text)

    await broker.start()
    try:
        for _ in range(3):
            await broker.publish("1", "plain.fast")
        await until(lambda: len(done) == 3, 15)
        await asyncio.sleep(0.2)
    finally:
        client: Client = broker._connection  # type: ignore[assignment]
        await client.jetstream().delete_stream("FAST")
        await broker.stop()

    handled = Counter(
        (span.attributes or {}).get("messaging.destination_publish.name")
        or (span.attributes or {})["messaging.destination.name"]
        for span in spans.handled
    )
    assert handled == {"plain.fast": 3, "fast.pushed": 3, "fast.pulled": 3, "plain.last": 3}
    ours = [span for span in spans.sent if span.name.startswith("send ")]
    assert len(ours) == (0 if own_telemetry else 12)
    assert len({trace_of(span) for span in spans.handled}) == 3
    by_id = {id_of(span): span for span in spans.all}
    for span in spans.handled:
        assert by_id[parent_of(span) or 0].kind is SpanKind.PRODUCER
