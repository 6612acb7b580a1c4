"""Decodes what the span table keeps encoded, for the one flow on the screen: bytes to JSON values.

Values keep their types: text, booleans, integers, doubles, lists, objects and null. JSON cannot express two
of them: bytes become `{"base64": ...}`, and doubles that are not finite become "NaN", "Infinity" and
"-Infinity", as in protobuf's JSON.
"""

import math
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import pyarrow as pa
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    InstrumentationScope,
    KeyValue,
    KeyValueList,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.formats.otlp import redacting
from collector.model.hiding import Hiding
from collector.model.spans import ValueType

MessageT = TypeVar("MessageT", bound=Message)
Row = Mapping[str, Any]  # a row of the span table as plain values
_RECORDS, _MESSAGE = "records", "exception.message"
Json = Any  # None, bool, int, float, str, list or dict of the same


def rows(spans: pa.Table, hiding: Hiding) -> dict[str, Row]:
    """The rows of a `SPANS` table as plain values without what *hiding* hides, by ref.

    A row knows the rows that log records about it became.
    """
    left = redacting.rows(spans, hiding)
    found = {f"{row['trace_id'].hex()}:{row['span_id'].hex()}": row for row in left}
    for row in left:
        if redacting.BECAME in row["attribute_keys"]:
            span = f"{row['trace_id'].hex()}:{row['parent_span_id'].hex()}"
            if span in found:
                found[span] = {**found[span], _RECORDS: [*found[span].get(_RECORDS, ()), row]}
    return found


def attributes(span: Row) -> dict[str, Json]:
    """The attributes of a span. If a key repeats, the last one counts."""
    parts = (span["attribute_keys"], span["attribute_types"], span["attribute_values"])
    return {key: value(kind, octets) for key, kind, octets in zip(*parts, strict=True)}


def events(span: Row) -> list[dict[str, Json]]:
    """The events of a span: name, time_unix_nano, attributes, dropped_attributes.

    An exception that came both on the span and as a log record is one event.
    """
    own = _own_events(span)
    known = [(event["name"], event["attributes"].get(_MESSAGE)) for event in own]
    told = [event for row in span.get(_RECORDS, ()) if _told(event := _event(row)) not in known]
    return sorted([*own, *told], key=lambda event: event["time_unix_nano"]) if told else own


def _told(event: Mapping[str, Json]) -> tuple[Json, Json]:
    message = event["attributes"].get(_MESSAGE)
    return (event["name"], message) if message is not None else (None, None)


def _event(row: Row) -> dict[str, Json]:
    """The event that a log record told of, which became *row*."""
    return {
        "name": row["name"],
        "time_unix_nano": row["start_unix_nano"],
        "attributes": {key: said for key, said in attributes(row).items() if key != redacting.BECAME},
        "dropped_attributes": row["dropped_attributes"],
    }


def _own_events(span: Row) -> list[dict[str, Json]]:
    return [
        {
            "name": event.name,
            "time_unix_nano": event.time_unix_nano,
            "attributes": _pairs(event.attributes),
            "dropped_attributes": event.dropped_attributes_count,
        }
        for event in (_open(Span.Event(), octets) for octets in span["events"])
        if event is not None
    ]


def links(span: Row) -> list[dict[str, Json]]:
    """The links of a span: ref, attributes."""
    parts = (span["link_trace_ids"], span["link_span_ids"], span["link_attributes"])
    return [
        {
            "ref": f"{trace_id.hex()}:{span_id.hex()}",
            "attributes": _pairs(
                pair for octets in encoded if (pair := _open(KeyValue(), octets)) is not None
            ),
        }
        for trace_id, span_id, encoded in zip(*parts, strict=True)
    ]


def resource(span: Row) -> dict[str, Json]:
    """The attributes of the resource that sent a span."""
    opened = _open(Resource(), span["resource"])
    return {} if opened is None else _pairs(opened.attributes)


def instances(sent_by: pa.Array) -> pa.Array:
    """The service.instance.id of each encoded resource; null if it has none, or none that is text."""
    encoded = sent_by.dictionary_encode()  # one for each process
    resources = [resource({"resource": octets}) for octets in encoded.dictionary.to_pylist()]
    names = [said.get("service.instance.id") for said in resources]
    found = pa.array([name if isinstance(name, str) else None for name in names], pa.string())
    return found.take(encoded.indices)


def scope(span: Row) -> dict[str, Json]:
    """The name, version and attributes of the instrumentation that created a span."""
    opened = _open(InstrumentationScope(), span["scope"]) or InstrumentationScope()
    return {"name": opened.name, "version": opened.version, "attributes": _pairs(opened.attributes)}


def value(kind: int, octets: bytes) -> Json:
    """Decode an entry of `attribute_values`; *kind* is its entry in `attribute_types`."""
    match kind:
        case ValueType.STRING:
            return octets.decode(errors="replace")
        case ValueType.BOOL:
            return octets == b"true"
        case ValueType.INT:
            return int(octets)
        case ValueType.DOUBLE:
            return _double(float(octets))
        case ValueType.ARRAY:
            array = _open(ArrayValue(), octets)
            return _unreadable(octets) if array is None else [_any(entry) for entry in array.values]
        case ValueType.KVLIST:
            pairs = _open(KeyValueList(), octets)
            return _unreadable(octets) if pairs is None else _pairs(pairs.values)
        case ValueType.BYTES:
            return _bytes(octets)
    return None


def _any(found: AnyValue) -> Json:
    match found.WhichOneof("value"):
        case "double_value":
            return _double(found.double_value)
        case "array_value":
            return [_any(entry) for entry in found.array_value.values]
        case "kvlist_value":
            return _pairs(found.kvlist_value.values)
        case "bytes_value":
            return _bytes(found.bytes_value)
        case "string_value" | "bool_value" | "int_value" as field:
            return getattr(found, field)
    return None


def _pairs(pairs: Iterable[KeyValue]) -> dict[str, Json]:
    return {pair.key: _any(pair.value) for pair in pairs}


def _double(number: float) -> Json:
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def _bytes(octets: bytes) -> Json:
    return {"base64": b64encode(octets).decode()}


def _unreadable(octets: bytes) -> Json:
    """The stand-in for a value nested a hundred deep: its bytes are stored, but no screen shows them."""
    return {"unreadable_bytes": len(octets)}


def _open(message: MessageT, octets: bytes) -> MessageT | None:
    try:
        message.ParseFromString(octets)
    except DecodeError:  # nested too deeply, or invalid UTF-8 in it
        return None
    return message
