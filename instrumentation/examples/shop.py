"""Two services in one program: one places an order, the other reserves stock for it.

Run it with a NATS server with JetStream (`nats-server -js`):

    python shop.py                                   # spans on the terminal
    OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 python shop.py

`trace_this_program` sets up OpenTelemetry; apart from `process`, the rest is plain nats-py.
"""

import asyncio
import os

import nats
from nats.aio.msg import Msg
from nats.js.client import JetStreamContext
from opentelemetry import trace
from opentelemetry.instrumentation.nats import NatsInstrumentor, process
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor, SpanExporter


def trace_this_program() -> None:
    """Send spans to the collector that the environment names, else print them to the terminal."""
    exporter: SpanExporter = ConsoleSpanExporter()
    if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

        exporter = OTLPSpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    NatsInstrumentor().instrument()


async def reserve_stock(js: JetStreamContext) -> None:
    """Pull one placed order and react to it."""
    orders = await js.pull_subscribe("example.order.placed", durable="inventory")
    for message in await orders.fetch(1):
        async with process(message):
            await js.publish("example.stock.reserved", message.data)
            await message.ack()


async def main() -> None:
    """Place an order, and wait until stock is reserved for it."""
    nc = await nats.connect(os.environ.get("NATS_URL", "nats://127.0.0.1:4222"))
    js = nc.jetstream()
    await js.add_stream(name="EXAMPLE", subjects=["example.>"])
    reserved = asyncio.Event()

    async def pack(message: Msg) -> None:
        reserved.set()

    await nc.subscribe("example.stock.reserved", queue="packing", cb=pack)
    await js.publish("example.order.placed", b"A-17", headers={"ce-id": "e-1", "ce-type": "OrderPlaced"})
    await reserve_stock(js)
    await asyncio.wait_for(reserved.wait(), 5)
    await js.delete_stream("EXAMPLE")
    await nc.close()


if __name__ == "__main__":
    trace_this_program()
    asyncio.run(main())
