"""How do senders write log records? Factories as in `factories`, for the requests of `/v1/logs`."""

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, SeverityNumber

from tests.factories import NOW, Value, any_value, pairs, span_id, trace_id

ERROR, WARN = SeverityNumber.SEVERITY_NUMBER_ERROR, SeverityNumber.SEVERITY_NUMBER_WARN


def record(
    name: str = "",
    *,
    of: tuple[str | bytes, str | bytes] | None = None,
    at: int = NOW,
    severity: int = 0,
    body: Value = None,
    attributes: Mapping[str, Value] = {},
) -> LogRecord:
    """One log record; *of* is the trace and the span that it names, by the names of their ids."""
    made = LogRecord(
        event_name=name,
        time_unix_nano=at,
        observed_time_unix_nano=at + 1,
        severity_number=SeverityNumber.ValueType(severity),
        attributes=pairs(attributes),
    )
    if body is not None:
        made.body.CopyFrom(any_value(body))
    if of is not None:
        made.trace_id, made.span_id = trace_id(of[0]), span_id(of[1])
    return made


def exception(of: tuple[str, str], text: str = "no connection", **said: Any) -> LogRecord:
    """The exception that ended the work of a span."""
    attributes = {"exception.type": "IOError", "exception.message": text}
    return record("exception", of=of, attributes=attributes, **{"severity": ERROR, **said})


def log_request(*records: LogRecord, service: str = "shop") -> ExportLogsServiceRequest:
    """A request with the records of one service."""
    sent = ExportLogsServiceRequest()
    by_resource = sent.resource_logs.add()
    by_resource.resource.attributes.extend(pairs({"service.name": service}))
    by_scope = by_resource.scope_logs.add()
    by_scope.scope.name = "tests"
    by_scope.log_records.extend(records)
    return sent


def log_json(sent: ExportLogsServiceRequest) -> bytes:
    """A request in OTLP's JSON form: ids in hex, enums as numbers."""
    written = MessageToDict(sent, use_integers_for_enums=True)
    for one in _records(written):
        for name in ("traceId", "spanId"):
            if name in one:
                one[name] = base64.b64decode(one[name]).hex()
    return json.dumps(written).encode()


def _records(written: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    for by_resource in written.get("resourceLogs", ()):
        for by_scope in by_resource.get("scopeLogs", ()):
            yield from by_scope.get("logRecords", ())
