"""The spans that tests produce, and how tests look at them."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext, SpanKind, Tracer


class Spans:
    """The spans that have ended so far, by kind."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    @property
    def tracer(self) -> Tracer:
        return self.provider.get_tracer("host")

    @property
    def all(self) -> Sequence[ReadableSpan]:
        return self.exporter.get_finished_spans()

    def kind(self, kind: SpanKind) -> list[ReadableSpan]:
        return [span for span in self.all if span.kind is kind]

    @property
    def sent(self) -> list[ReadableSpan]:
        return self.kind(SpanKind.PRODUCER)

    @property
    def handled(self) -> list[ReadableSpan]:
        return self.kind(SpanKind.CONSUMER)


async def until(condition: Callable[[], object], within: float = 5.0) -> None:
    """Wait until *condition* is true, up to *within* seconds; then fail."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while not condition():
        assert loop.time() < deadline, "did not happen in time"
        await asyncio.sleep(0.01)


async def arrived(client: Client) -> None:
    """Wait until the server has all that *client* wrote: other connections then find its subscriptions.

    nats-py writes the PING of a flush ahead of commands that it still keeps, such as a new
    subscription; only a second PING follows them.
    """
    await client.flush()
    await client.flush()


def parent_of(span: ReadableSpan) -> int | None:
    """The span id of *span*'s parent."""
    return span.parent.span_id if span.parent else None


def context_of(span: ReadableSpan) -> SpanContext:
    """The context of *span*."""
    context = span.get_span_context()
    assert context is not None
    return context


def id_of(span: ReadableSpan) -> int:
    """The span id of *span*."""
    return context_of(span).span_id


def trace_of(span: ReadableSpan) -> int:
    """The trace id of *span*."""
    return context_of(span).trace_id


def links_of(span: ReadableSpan) -> list[int]:
    """The span ids that *span* links to."""
    return [link.context.span_id for link in span.links]


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


async def take(message: Msg) -> None:
    """Handle nothing."""
