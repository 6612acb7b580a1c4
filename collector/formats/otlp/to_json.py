"""Writes the span table as an OTLP request in JSON, to export one flow.

The inverse of `from_json`: what it writes reads back as the same table, except for the times of arrival.
Values nested a hundred deep cannot be decoded; they are counted as dropped, as OTLP asks of senders.
"""

import math
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import pyarrow as pa
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.common.v1.common_pb2 import ArrayValue, InstrumentationScope, KeyValue, KeyValueList
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.formats.otlp import redacting
from collector.model.hiding import Hiding
from collector.model.spans import ValueType

Json: TypeAlias = dict[str, Any]
Row: TypeAlias = Mapping[str, Any]  # a row of the span table as plain values

_MOST = 2**32 - 1  # the highest count of dropped things in OTLP


def to_json(spans: pa.Table, hiding: Hiding) -> Json:
    """The request that *spans* (SPANS) could have come in, without what *hiding* hides.

    Equal sets of spans give equal requests.
    """
    rows = sorted(
        redacting.rows(spans, hiding),
        key=lambda row: (row["start_unix_nano"], row["trace_id"], row["span_id"]),
    )
    senders: dict[bytes, dict[bytes, list[Json]]] = {}
    for row in rows:
        senders.setdefault(row["resource"], {}).setdefault(row["scope"], []).append(_span(row))
    return {
        "resourceSpans": [
            {
                "resource": _opened(Resource, resource) or {},
                "scopeSpans": [
                    {"scope": _opened(InstrumentationScope, scope) or {}, "spans": sent}
                    for scope, sent in by_scope.items()
                ],
            }
            for resource, by_scope in senders.items()
        ]
    }


def _span(row: Row) -> Json:
    parts = (row["attribute_keys"], row["attribute_types"], row["attribute_values"])
    values = [(key, _value(kind, octets)) for key, kind, octets in zip(*parts, strict=True)]
    attributes = [{"key": key, "value": value} for key, value in values if value is not None]
    events = _all_opened(Span.Event, row["events"])
    return {
        "traceId": row["trace_id"].hex(),
        "spanId": row["span_id"].hex(),
        "parentSpanId": row["parent_span_id"].hex() if any(row["parent_span_id"]) else "",
        "traceState": row["trace_state"],
        "flags": row["flags"],
        "name": row["name"],
        "kind": row["kind"],
        "startTimeUnixNano": str(row["start_unix_nano"]),
        "endTimeUnixNano": str(row["end_unix_nano"]),
        "attributes": attributes,
        "droppedAttributesCount": _count(row["dropped_attributes"], len(values) - len(attributes)),
        "events": events,
        "droppedEventsCount": _count(row["dropped_events"], len(row["events"]) - len(events)),
        "links": _links(row),
        "droppedLinksCount": row["dropped_links"],
        "status": {"code": row["status_code"], "message": row["status_message"]},
    }


def _links(row: Row) -> list[Json]:
    links = []
    parts = (row["link_trace_ids"], row["link_span_ids"], row["link_attributes"])
    for trace_id, span_id, encoded in zip(*parts, strict=True):
        link: Json = {"traceId": trace_id.hex(), "spanId": span_id.hex()}
        link["attributes"] = _all_opened(KeyValue, encoded)
        link["droppedAttributesCount"] = len(encoded) - len(link["attributes"])
        links.append(link)
    return links


def _value(kind: int, octets: bytes) -> Json | None:
    """One entry of `attribute_values` as OTLP's AnyValue; None if it cannot be decoded."""
    match kind:
        case ValueType.STRING:
            return {"stringValue": octets.decode(errors="replace")}
        case ValueType.BOOL:
            return {"boolValue": octets == b"true"}
        case ValueType.INT:
            return {"intValue": octets.decode()}
        case ValueType.DOUBLE:
            return {"doubleValue": _double(float(octets))}
        case ValueType.ARRAY:
            return _named("arrayValue", _opened(ArrayValue, octets))
        case ValueType.KVLIST:
            return _named("kvlistValue", _opened(KeyValueList, octets))
        case ValueType.BYTES:
            return {"bytesValue": b64encode(octets).decode()}
    return {}


def _named(name: str, part: Json | None) -> Json | None:
    return None if part is None else {name: part}


def _double(number: float) -> float | str:
    """*number*, or protobuf's name for it if JSON cannot express it."""
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def _opened(kind: Callable[[], Message], octets: bytes) -> Json | None:
    message = kind()
    try:
        message.ParseFromString(octets)
    except DecodeError:  # nested too deeply, or invalid UTF-8 in it
        return None
    opened: Json = MessageToDict(message, use_integers_for_enums=True)
    return opened


def _all_opened(kind: Callable[[], Message], encoded: Iterable[bytes]) -> list[Json]:
    return [part for octets in encoded if (part := _opened(kind, octets)) is not None]


def _count(dropped: int, more: int) -> int:
    return min(dropped + more, _MOST)
