"""Tracing of one service: the usual OpenTelemetry setup, with one log line when no collector takes the spans.

`NatsInstrumentor` alone instruments the services; nothing here knows who reads
the spans.
"""

import logging
import os
import threading
from collections.abc import Sequence
from typing import Final

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.nats import NatsInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

ORDER_ID: Final = "order.id"
ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
DEFAULT_ENDPOINT: Final = "http://127.0.0.1:4318"
# A stuck order should be seen within seconds, so spans do not wait for the usual five.
SCHEDULE_DELAY_MS: Final = 500
# A few minutes' worth of one service's spans, for when the collector restarts.
QUEUE_SIZE: Final = 8192

log = logging.getLogger("telemetry")


class LogOnceExporter(SpanExporter):
    """Passes spans on; logs once that they are lost, and once that they arrive again."""

    def __init__(self, exporter: SpanExporter, endpoint: str) -> None:
        self._exporter = exporter
        self._endpoint = endpoint
        self._failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export *spans*."""
        result = self._exporter.export(spans)
        failed = result is not SpanExportResult.SUCCESS
        if failed and not self._failing:
            log.warning("no collector takes spans at %s: they are lost until one does", self._endpoint)
        elif self._failing and not failed:
            log.warning("spans arrive at %s again", self._endpoint)
        self._failing = failed
        return result

    def shutdown(self) -> None:
        """Stop without waiting for a retry."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Send everything that is buffered."""
        return self._exporter.force_flush(timeout_millis)


def set_up(service: str, instance: int) -> TracerProvider:
    """Trace this process as *service*, and instrument nats-py in it."""
    endpoint = os.environ.setdefault(ENDPOINT, DEFAULT_ENDPOINT)
    # The exporter logs each attempt with a traceback; LogOnceExporter logs it once.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    resource = Resource.create(
        {
            "service.name": service,
            "service.namespace": "shop",
            "service.instance.id": f"{service}-{instance}",
            "process.pid": os.getpid(),
        }
    )
    provider = TracerProvider(resource=resource)
    delay = None if os.environ.get("OTEL_BSP_SCHEDULE_DELAY") else SCHEDULE_DELAY_MS
    exporter = LogOnceExporter(_otlp_exporter(), endpoint)
    provider.add_span_processor(
        BatchSpanProcessor(exporter, max_queue_size=QUEUE_SIZE, schedule_delay_millis=delay)
    )
    trace.set_tracer_provider(provider)
    # The order's id arrives as baggage and goes on every span; `started` shows handlers that hang or die.
    NatsInstrumentor().instrument(tracer_provider=provider, baggage_keys=(ORDER_ID,), started=True)
    return provider


def _otlp_exporter() -> SpanExporter:
    """The exporter for the protocol that OpenTelemetry's variable names: HTTP, unless it is gRPC."""
    if os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "").strip() != "grpc":
        return OTLPSpanExporter()
    from opentelemetry.exporter.otlp.proto.grpc import trace_exporter  # noqa: PLC0415  # grpc takes 0.2 s to load

    return trace_exporter.OTLPSpanExporter()


def shut_down(provider: TracerProvider, within_s: float) -> None:
    """Send the remaining spans, but give up after *within_s* seconds.

    Without a collector the last export would retry until the exporter's own
    timeout, so it runs in a thread that need not end.
    """
    flushing = threading.Thread(target=provider.shutdown, daemon=True)
    flushing.start()
    flushing.join(within_s)
