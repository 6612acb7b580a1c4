"""Do the log records of a real SDK count, and do they outlive a kill?"""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import LogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind, set_span_in_context

from tests.collecting import Collector, until

PAYMENT = Resource.create({"service.name": "payment"})


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    running = Collector(tmp_path).start()
    yield running
    running.stop()


def sends_logs(exporter: LogRecordExporter) -> LoggerProvider:
    """A provider each of whose records has been answered when `emit` returns."""
    provider = LoggerProvider(resource=PAYMENT, shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    return provider


def handled(collector: Collector, key: str) -> Context:
    """Send an event and its handling, which says nothing of how it went; return the handling's context."""
    provider = TracerProvider(resource=PAYMENT, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(f"{collector.otlp}/v1/traces")
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer, said = provider.get_tracer("t"), {"messaging.system": "kafka", "order.id": key}
    said["messaging.destination.name"] = "orders"
    with tracer.start_as_current_span("send orders", kind=SpanKind.PRODUCER, attributes=said) as sent:
        above = set_span_in_context(sent)
    handling = tracer.start_span("process orders", above, SpanKind.CONSUMER, said)
    handling.end()
    provider.shutdown()
    return set_span_in_context(handling)


def test_records_of_all_doors_count_live_and_after_a_kill(collector: Collector) -> None:
    """What was answered is durable, and read again from the store with all that it means."""
    doors: dict[str, LogRecordExporter] = {
        "A-1": GrpcExporter(f"http://127.0.0.1:{collector.grpc_port}", insecure=True),
        "A-2": HttpExporter(f"{collector.otlp}/v1/logs"),
    }
    for key, exporter in doors.items():
        provider = sends_logs(exporter)
        logger = provider.get_logger("t")
        said = {"exception.type": "IOError", "exception.message": f"no connection for {key}"}
        logger.emit(
            context=handled(collector, key),
            severity_number=SeverityNumber.ERROR,
            event_name="messaging.process.exception",
            attributes=said,
        )
        logger.emit(context=Context(), event_name="ParcelWeighed", attributes={"order.id": key})
        logger.emit(context=Context(), body="a line of text")
        provider.shutdown()

    def told(key: str) -> Any:
        found = collector.ask(f"/flows/{key}")
        messages = sorted(one["event_type"] for one in found["messages"])
        (reaction,) = found["reactions"]
        return messages, reaction["status"], [event["name"] for event in reaction["events"]]

    expected = (["ParcelWeighed", "orders"], "error", ["messaging.process.exception"])
    until(lambda: all(collector.get(f"/api/v1/flows/{key}").status_code == 200 for key in doors))
    until(lambda: all(told(key) == expected for key in doors))
    counted = collector.get("/metrics").text
    assert "choreoscope_log_records_received_total 6.0" in counted
    assert "choreoscope_log_records_kept_total 4.0" in counted
    assert 'choreoscope_log_records_refused_total{reason="no_event"} 2.0' in counted

    collector.stop(signal.SIGKILL)
    collector.start()

    until(lambda: all(told(key) == expected for key in doors))
