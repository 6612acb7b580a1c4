"""Refuses metrics: they are decoded only to count their data points.

An SDK with all signals enabled sends them to the same address. An error would fill its log every minute, and
plain success would be a lie. So the answer is OTLP's partial success with every data point rejected.
"""

import json
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from collector.formats.otlp import Encoding, OtlpError

_NOT_KEPT = "Choreoscope keeps no metrics. OTEL_METRICS_EXPORTER=none saves the sending of them."


def refused_metrics(data: bytes, encoding: Encoding) -> ExportMetricsServiceResponse:
    """The response that rejects every data point of *data*; raise `OtlpError` if it cannot be read."""
    try:
        count = _count(data, encoding)
    except (DecodeError, ValueError, TypeError, RecursionError) as error:
        raise OtlpError(f"The body is no request with metrics: {error}.") from error
    answer = ExportMetricsServiceResponse()
    if count:
        answer.partial_success.rejected_data_points = count
        answer.partial_success.error_message = _NOT_KEPT
    return answer


def _count(data: bytes, encoding: Encoding) -> int:
    if encoding is Encoding.JSON:
        request = json.loads(data)
        if not isinstance(request, dict):
            raise TypeError("an object is expected")
        return _entries(request, "dataPoints")
    by_resource = ExportMetricsServiceRequest.FromString(data).resource_metrics
    metrics = (metric for r in by_resource for scope in r.scope_metrics for metric in scope.metrics)
    return sum(len(getattr(m, kind).data_points) for m in metrics if (kind := m.WhichOneof("data")))


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
