"""What do OTLP log records tell of spans and events? Those that do become spans; the others are refused.

OpenTelemetry is moving what spans call events (exceptions, settles) to log records. A record that names a
span becomes a span of no length below it, so it is stored, found again and stitched like any late span, and
one that is sent twice has the same id twice. A business event becomes a message. Lines of text are refused.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import msgspec
from google.protobuf.json_format import Error as ProtobufError
from google.protobuf.json_format import ParseDict
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from collector.formats.otlp.bounds import LOGS, NO_JSON_LOGS, NO_LOGS, require_filled, require_framed
from collector.formats.otlp.errors import OtlpError
from collector.formats.otlp.from_json import entries_of, mended
from collector.formats.otlp.redacting import BECAME

# Attributes of the span that is made of a record, besides what it became.
EVENT_NAME, BODY = "choreoscope.event_name", "log.body"
OF_SPAN, IN_SPAN, ALONE = "span_event", "event_in_span", "event_without_span"
_OWN = {BECAME, EVENT_NAME, BODY}

_EXCEPTION = ("exception.type", "exception.message")
_ESCAPED, _TYPE, _NAME = "exception.escaped", "cloudevents.event_type", "event.name"
_WANTED = {*_EXCEPTION, _TYPE, _NAME}
_ERROR = 17  # of OTLP's severities, the first that is an error
_OPERATIONS = tuple(
    f"messaging.{name}.exception" for name in ("create", "send", "receive", "process", "settle")
)
_LOCAL_PARENT = 0x100  # of a span's flags: it is known that its parent is no remote one

_NO_EVENT, _INVALID = "no_event", "invalid"
_KEPT = (
    "Kept are events of spans (an event name or an exception, and a span id) and business events"
    " (cloudevents.event_type, or an event name and one of {keys})."
    " OTEL_LOGS_EXPORTER=none saves the sending of others."
)


@dataclass
class Converted:
    """The spans that log records became (an encoded request), and how many were refused, by reason."""

    data: bytes = b""
    refused: dict[str, int] = field(default_factory=dict)
    first: str = ""  # why the first of them was

    def refuse(self, reason: str, why: str) -> None:
        """Count a record that is refused."""
        self.refused[reason] = self.refused.get(reason, 0) + 1
        self.first = self.first or why

    def message(self, flow_keys: Sequence[str]) -> str:
        """What to tell the sender; empty if nothing was refused."""
        if not self.refused:
            return ""
        kept = _KEPT.format(keys=", ".join(flow_keys[:4]) or "no flow keys: none is set")
        return f"{sum(self.refused.values())} log record(s) refused. The first {self.first}. {kept}"


def converted(data: bytes, *, is_json: bool, received_unix_nano: int, flow_keys: Sequence[str]) -> Converted:
    """The spans of a request with log records; raise `OtlpError` if it is none."""
    found = Converted()
    request = _of_json(data, found) if is_json else _of_protobuf(data)
    spans = ExportTraceServiceRequest()
    for by_resource in request.resource_logs:
        sender = by_resource.resource.SerializeToString(deterministic=True)
        resource = spans.resource_spans.add(resource=by_resource.resource)
        for by_scope in by_resource.scope_logs:
            made = (
                _span(record, sender, received_unix_nano, flow_keys, found) for record in by_scope.log_records
            )
            kept = [span for span in made if span is not None]
            if kept:
                resource.scope_spans.add(scope=by_scope.scope, spans=kept)
    found.data = spans.SerializeToString()
    return found


def _of_protobuf(data: bytes) -> ExportLogsServiceRequest:
    require_framed(data, LOGS)
    try:
        return ExportLogsServiceRequest.FromString(data)
    except DecodeError as error:  # text that is not UTF-8
        raise OtlpError(f"{NO_LOGS}: {error}.") from error


def _of_json(data: bytes, found: Converted) -> ExportLogsServiceRequest:
    """The records that may be kept; the others are refused at once."""
    require_filled(data, NO_JSON_LOGS)
    request = ExportLogsServiceRequest()
    try:
        for by_resource in entries_of(_load(data), "resourceLogs"):
            resource = request.resource_logs.add()
            ParseDict(_part(by_resource, "resource"), resource.resource, ignore_unknown_fields=True)
            for by_scope in entries_of(by_resource, "scopeLogs"):
                scope = resource.scope_logs.add()
                ParseDict(_part(by_scope, "scope"), scope.scope, ignore_unknown_fields=True)
                scope.log_records.extend(_records(entries_of(by_scope, "logRecords"), found))
    except (ValueError, TypeError, RecursionError, ProtobufError) as error:
        raise OtlpError(f"{NO_JSON_LOGS}: {str(error)[-200:]}.") from error
    return request


def _load(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (ValueError, RecursionError):  # lone surrogates or NaN, which other parsers accept
        return mended(json.loads(data))


def _part(holder: Any, name: str) -> Any:
    part = holder.get(name)
    if not isinstance(part, dict | None):
        raise TypeError(f"{name}: expected an object, got {str(part)[:40]!r}")
    return part or {}


def _records(entries: Sequence[Any], found: Converted) -> Iterator[LogRecord]:
    for entry in entries:
        if not isinstance(entry, dict):
            found.refuse(_INVALID, f"is {str(entry)[:40]!r}, which is no object")
        elif not (entry.get("eventName") or _WANTED & _keys(entry)):
            found.refuse(_NO_EVENT, _LINE)
        else:
            try:
                record = _record(entry)
            except (ValueError, TypeError, OverflowError, RecursionError, ProtobufError) as error:
                found.refuse(_INVALID, f"cannot be read: {str(error)[-120:]}")
            else:
                yield record


def _record(entry: Mapping[str, Any]) -> LogRecord:
    """One record. What is as exporters write it is read here: protobuf's own reader is slower."""
    said = {name: value for name, value in entry.items() if name not in _READ_HERE}
    record = ParseDict(said, LogRecord(), ignore_unknown_fields=True) if said else LogRecord()
    record.trace_id, record.span_id = _unhex(entry, "traceId"), _unhex(entry, "spanId")
    record.event_name = entry.get("eventName") or ""
    record.time_unix_nano = int(entry.get("timeUnixNano") or 0)
    record.observed_time_unix_nano = int(entry.get("observedTimeUnixNano") or 0)
    record.severity_text = entry.get("severityText") or ""
    for pair in entries_of(entry, "attributes"):
        value = pair.get("value") if isinstance(pair, dict) else None
        text = value.get("stringValue") if isinstance(value, dict) and len(value) == 1 else None
        if isinstance(text, str):
            record.attributes.add(key=pair.get("key") or "").value.string_value = text
        else:
            ParseDict(pair, record.attributes.add(), ignore_unknown_fields=True)
    return record


_READ_HERE = {
    "traceId",
    "spanId",
    "eventName",
    "timeUnixNano",
    "observedTimeUnixNano",
    "severityText",
    "attributes",
}


def _keys(entry: Mapping[str, Any]) -> set[str]:
    attributes = entry.get("attributes")
    if not isinstance(attributes, list):
        return set()
    keys = (pair.get("key") for pair in attributes if isinstance(pair, dict))
    return {key for key in keys if isinstance(key, str)}


def _unhex(entry: Mapping[str, Any], name: str) -> bytes:
    text = entry.get(name) or ""
    try:
        return bytes.fromhex(text)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name} is {str(text)[:40]!r}: expected hex digits") from error


_LINE = "is a line of text: it has no event name, no exception and no CloudEvents type"


def _span(
    record: LogRecord, sender: bytes, received_unix_nano: int, flow_keys: Sequence[str], found: Converted
) -> Span | None:
    """The span of *record*, whose resource is *sender*; None if it is refused."""
    said = {pair.key: pair.value for pair in record.attributes}
    name = record.event_name or _text(said.get(_NAME))
    trace, parent = record.trace_id, record.span_id
    for field_name, octets, size in (("trace_id", trace, 16), ("span_id", parent, 8)):
        if len(octets) not in {0, size}:
            wrong = f"has {field_name} '{octets.hex()[:80]}': expected {size} bytes ({2 * size} hex digits)"
            found.refuse(_INVALID, wrong)
            return None
    trace = trace if any(trace) else b""
    parent = parent if any(parent) and trace else b""
    exception = any(key in said for key in _EXCEPTION) or _of_exception(name)
    if exception and parent:
        became = OF_SPAN
    elif exception or name.startswith("messaging."):
        became = OF_SPAN if parent else ""
    elif _text(said.get(_TYPE)):
        became = IN_SPAN if parent else ALONE
    elif name and parent:
        became = OF_SPAN
    else:
        became = ALONE if name and any(_text(said.get(key)) for key in flow_keys) else ""
    if not became:
        why = f"is called '{name[:80]}', and has no span id and no flow key" if name else _LINE
        found.refuse(_NO_EVENT, f"{why}, no span id" if exception and not name else why)
        return None
    digest = blake2b(record.SerializeToString(deterministic=True) + sender, digest_size=24).digest()
    time = record.time_unix_nano or record.observed_time_unix_nano or received_unix_nano
    span = Span(
        trace_id=trace or digest[:16],
        span_id=digest[16:],
        parent_span_id=parent,
        name=name or _text(said.get(_TYPE)) or "exception",
        kind=Span.SPAN_KIND_INTERNAL if became == OF_SPAN else Span.SPAN_KIND_PRODUCER,
        start_time_unix_nano=time,
        end_time_unix_nano=time,
        dropped_attributes_count=record.dropped_attributes_count,
        flags=(record.flags & 0xFF) | _LOCAL_PARENT,
    )
    # First, because the last attributes are left out if there are too many.
    span.attributes.add(key=BECAME).value.string_value = became
    if became == ALONE:
        span.attributes.add(key=EVENT_NAME).value.string_value = name
    if record.HasField("body"):
        span.attributes.add(key=BODY, value=record.body)
    span.attributes.extend(pair for pair in record.attributes if pair.key not in _OWN)
    if became == OF_SPAN and exception and _says_failed(record, name, said):
        span.status.code = Status.STATUS_CODE_ERROR
        span.status.message = ": ".join(filter(None, (_text(said.get(key)) for key in _EXCEPTION)))
    return span


def _of_exception(name: str) -> bool:
    return name == "exception" or name.endswith(".exception")


def _says_failed(record: LogRecord, name: str, said: Mapping[str, AnyValue]) -> bool:
    """Whether an exception ended the work of its span. One that was only logged may have been dealt with."""
    if _ESCAPED in said:
        return _text(said[_ESCAPED]).lower() == "true"
    if name in _OPERATIONS:
        return True
    return _of_exception(name) and record.severity_number >= _ERROR


def _text(value: AnyValue | None) -> str:
    """A scalar as text; empty for anything else."""
    match None if value is None else value.WhichOneof("value"):
        case "string_value" | "int_value" | "double_value" as kind:
            return str(getattr(value, kind))
        case "bool_value":
            return "true" if value is not None and value.bool_value else "false"
    return ""
