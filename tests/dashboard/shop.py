"""A small shop's spans, made by the real SDK and sent by its real exporter, at times that a test chooses."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

MS = 1_000_000
SECOND = 1_000 * MS


@dataclass
class Shop:
    """Publishes and handles events of one order after another; `send` delivers all spans at once."""

    spans: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)
    tracers: dict[str, trace.Tracer] = field(default_factory=dict)

    def tracer(self, service: str) -> trace.Tracer:
        if service not in self.tracers:
            provider = TracerProvider(resource=Resource.create({"service.name": service}))
            provider.add_span_processor(SimpleSpanProcessor(self.spans))
            self.tracers[service] = provider.get_tracer("shop")
        return self.tracers[service]

    def send(self, otlp: str) -> tuple[ReadableSpan, ...]:
        """Export everything made so far to the OTLP/HTTP address *otlp*; return it."""
        made = self.spans.get_finished_spans()
        self.spans.clear()
        exporter: Any = OTLPSpanExporter(endpoint=f"{otlp}/v1/traces")
        assert exporter.export(made) is SpanExportResult.SUCCESS
        exporter.shutdown()
        return made


@dataclass
class Order:
    """One order on its way; `at` is the time (ns) of what happens next."""

    shop: Shop
    key: str
    at: int

    def publish(
        self,
        service: str,
        event: str,
        *,
        within: Span | None = None,
        at: int | None = None,
        **attributes: Any,
    ) -> Span:
        """Publish *event*, as part of the reaction *within*; take 2 ms for it."""
        start = self.at if at is None else at
        span = self._span(
            service,
            f"send {event}",
            SpanKind.PRODUCER,
            trace.set_span_in_context(within) if within else Context(),
            start,
            {
                "messaging.operation.type": "send",
                "messaging.destination.name": f"shop.{event}",
                "cloudevents.event_type": event,
                **attributes,
            },
        )
        span.end(start + 2 * MS)
        return span

    def handle(
        self,
        service: str,
        event: str,
        message: Span,
        *,
        wait: int,
        work: int,
        error: str | None = None,
        then: str | None = None,
        **attributes: Any,
    ) -> Span:
        """Let *service* handle *message* after *wait* ms for *work* ms; return its publish, or itself."""
        start = (message.start_time or 0) + wait * MS
        span = self._span(
            service,
            f"process {event}",
            SpanKind.CONSUMER,
            trace.set_span_in_context(message),
            start,
            {
                "messaging.operation.type": "process",
                "messaging.destination.name": f"shop.{event}",
                "messaging.consumer.group.name": service,
                "messaging.nats.stream": "SHOP",
                "cloudevents.event_type": event,
                **attributes,
            },
            [Link(message.get_span_context())],
        )
        published = self.publish(service, then, within=span, at=start + (work - 3) * MS) if then else None
        if error:
            span.set_status(Status(StatusCode.ERROR, error))
        span.end(start + work * MS)
        return published or span

    def _span(
        self,
        service: str,
        name: str,
        kind: SpanKind,
        context: Context,
        start: int,
        attributes: dict[str, Any],
        links: list[Link] | None = None,
    ) -> Span:
        span = self.shop.tracer(service).start_span(
            name,
            context=context,
            kind=kind,
            start_time=start,
            links=links,
            attributes={"messaging.system": "nats", "order.id": self.key, **attributes},
        )
        assert isinstance(span, Span)
        return span


def opening(order: Order) -> Span:
    """Place the order, with everything that follows at once; return StockReserved."""
    placed = order.publish("order", "OrderPlaced")
    order.handle("analytics", "OrderPlaced", placed, wait=12, work=4)
    order.handle("notification", "OrderPlaced", placed, wait=60, work=30)
    order.handle("fraud", "OrderPlaced", placed, wait=20, work=180, then="OrderCleared")
    return order.handle("inventory", "OrderPlaced", placed, wait=15, work=50, then="StockReserved")


def shipped(order: Order) -> None:
    """Let the order run to its end."""
    reserved = opening(order)
    captured = order.handle("payment", "StockReserved", reserved, wait=80, work=300, then="PaymentCaptured")
    parcel = order.handle("shipping", "PaymentCaptured", captured, wait=25, work=120, then="ParcelPacked")
    order.handle("order", "ParcelPacked", parcel, wait=30, work=20, then="OrderShipped")


def unpaid(order: Order) -> None:
    """Payment does not react."""
    opening(order)


def declined_by_error(order: Order, error: str = "card gateway: 502 Bad Gateway", **attributes: Any) -> None:
    """Payment tries, and fails."""
    reserved = opening(order)
    order.handle("payment", "StockReserved", reserved, wait=80, work=300, error=error, **attributes)


def unanswered(order: Order) -> None:
    """Shipping handles the payment and publishes nothing."""
    reserved = opening(order)
    captured = order.handle("payment", "StockReserved", reserved, wait=80, work=300, then="PaymentCaptured")
    order.handle("shipping", "PaymentCaptured", captured, wait=25, work=120)


def place(shop: Shop, key: str, story: Callable[[Order], None], *, seconds_ago: float) -> None:
    """Let *story* happen to the order *key*, *seconds_ago*."""
    story(Order(shop, key, time.time_ns() - int(seconds_ago * SECOND)))
