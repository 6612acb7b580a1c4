"""Refuses metrics and logs: they are decoded only to count their records.

An SDK with all signals enabled sends them to the same address. An error would fill its log every minute, and
plain success would be a lie. So the answer is OTLP's partial success with every record rejected.
"""

import json
from enum import Enum
from typing import Any

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from collector.formats.otlp import Encoding, OtlpError


class Signal(Enum):
    """OTLP's signals other than traces."""

    METRICS = "metrics"
    LOGS = "logs"


_NOT_KEPT = (
    "Choreoscope keeps traces only."
    " OTEL_METRICS_EXPORTER=none and OTEL_LOGS_EXPORTER=none save the sending of the others."
)


def refusal(signal: Signal, data: bytes, encoding: Encoding) -> Message:
    """The response that rejects every record of *data*; raise `OtlpError` if it cannot be read."""
    try:
        count = _count(signal, data, encoding)
    except (DecodeError, ValueError, TypeError, RecursionError) as error:
        raise OtlpError(f"The body is no request with {signal.value}: {error}.") from error
    if signal is Signal.METRICS:
        metrics = ExportMetricsServiceResponse()
        if count:
            metrics.partial_success.rejected_data_points = count
            metrics.partial_success.error_message = _NOT_KEPT
        return metrics
    logs = ExportLogsServiceResponse()
    if count:
        logs.partial_success.rejected_log_records = count
        logs.partial_success.error_message = _NOT_KEPT
    return logs


def _count(signal: Signal, data: bytes, encoding: Encoding) -> int:
    if encoding is Encoding.JSON:
        request = json.loads(data)
        if not isinstance(request, dict):
            raise TypeError("an object is expected")
        return _entries(request, "dataPoints" if signal is Signal.METRICS else "logRecords")
    if signal is Signal.METRICS:
        by_resource = ExportMetricsServiceRequest.FromString(data).resource_metrics
        metrics = (metric for r in by_resource for scope in r.scope_metrics for metric in scope.metrics)
        return sum(len(getattr(m, kind).data_points) for m in metrics if (kind := m.WhichOneof("data")))
    logs = ExportLogsServiceRequest.FromString(data)
    return sum(len(scope.log_records) for r in logs.resource_logs for scope in r.scope_logs)


def _entries(value: Any, name: str) -> int:
    """The total number of entries in all lists called *name*, at any depth."""
    if isinstance(value, list):
        return sum(_entries(entry, name) for entry in value)
    if not isinstance(value, dict):
        return 0
    return sum(
        len(entry) if key == name and isinstance(entry, list) else _entries(entry, name)
        for key, entry in value.items()
    )
