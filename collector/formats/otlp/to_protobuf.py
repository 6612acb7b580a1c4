"""Encodes the span table as protobuf bodies, to send spans on; `from_protobuf` reads back the same spans.

What the table keeps encoded is copied as it is, so nothing that a sender wrote is lost, however deeply nested
it is. Protobuf allows this: concatenated fields are one message.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from collector.model.spans import ValueType

Row = Mapping[str, Any]

_SPAN = Span.DESCRIPTOR.fields_by_name
_RESOURCE_SPANS, _RESOURCE, _SCOPE_SPANS, _SCOPE, _SPANS = 1, 1, 2, 1, 2
_KEY, _VALUE, _ARRAY, _KVLIST, _LINK_ATTRIBUTES = 1, 2, 5, 6, 4


def body(spans: pa.Table) -> bytes:
    """One ExportTraceServiceRequest with *spans*, grouped by resource and scope."""
    groups: dict[bytes | None, dict[bytes | None, list[bytes]]] = {}
    for row in spans.to_pylist():
        groups.setdefault(row["resource"], {}).setdefault(row["scope"], []).append(_span(row))
    return b"".join(_field(_RESOURCE_SPANS, _by_resource(*group)) for group in groups.items())


def _by_resource(resource: bytes | None, scopes: Mapping[bytes | None, list[bytes]]) -> bytes:
    parts = [] if resource is None else [_field(_RESOURCE, resource)]
    return b"".join([*parts, *(_field(_SCOPE_SPANS, _by_scope(*scope)) for scope in scopes.items())])


def _by_scope(scope: bytes | None, spans: list[bytes]) -> bytes:
    parts = [] if scope is None else [_field(_SCOPE, scope)]
    return b"".join([*parts, *(_field(_SPANS, span) for span in spans)])


def _span(row: Row) -> bytes:
    parent = row["parent_span_id"]
    plain = Span(
        trace_id=row["trace_id"],
        span_id=row["span_id"],
        parent_span_id=parent if any(parent) else b"",
        trace_state=row["trace_state"],
        flags=row["flags"],
        name=row["name"],
        kind=Span.SpanKind.ValueType(row["kind"]),
        start_time_unix_nano=row["start_unix_nano"],
        end_time_unix_nano=row["end_unix_nano"],
        dropped_attributes_count=row["dropped_attributes"],
        dropped_events_count=row["dropped_events"],
        dropped_links_count=row["dropped_links"],
        status=_status(row["status_code"], row["status_message"]),
    )
    parts = {"attributes": _attributes(row), "events": row["events"], "links": _links(row)}
    encoded = (_field(_SPAN[name].number, octets) for name, entries in parts.items() for octets in entries)
    return plain.SerializeToString() + b"".join(encoded)


def _status(code: int, message: str) -> Status | None:
    return Status(code=Status.StatusCode.ValueType(code), message=message) if code or message else None


def _attributes(row: Row) -> Iterator[bytes]:
    columns = (row["attribute_keys"], row["attribute_types"], row["attribute_values"])
    for key, kind, octets in zip(*columns, strict=True):
        yield _field(_KEY, key.encode()) + _field(_VALUE, _value(kind, octets))


def _value(kind: int, octets: bytes) -> bytes:
    match kind:
        case ValueType.STRING:
            return AnyValue(string_value=octets.decode(errors="replace")).SerializeToString()
        case ValueType.BOOL:
            return AnyValue(bool_value=octets == b"true").SerializeToString()
        case ValueType.INT:
            return AnyValue(int_value=int(octets)).SerializeToString()
        case ValueType.DOUBLE:
            return AnyValue(double_value=float(octets)).SerializeToString()
        case ValueType.ARRAY:
            return _field(_ARRAY, octets)
        case ValueType.KVLIST:
            return _field(_KVLIST, octets)
        case ValueType.BYTES:
            return AnyValue(bytes_value=octets).SerializeToString()
    return b""


def _links(row: Row) -> Iterator[bytes]:
    columns = (row["link_trace_ids"], row["link_span_ids"], row["link_attributes"])
    for trace_id, span_id, attributes in zip(*columns, strict=True):
        ids = Span.Link(trace_id=trace_id, span_id=span_id).SerializeToString()
        yield ids + b"".join(_field(_LINK_ATTRIBUTES, pair) for pair in attributes)


def _field(number: int, octets: bytes) -> bytes:
    """A length-delimited field of the wire format: tag, length as a varint, value."""
    length, size = bytearray(), len(octets)
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    length.append(size)
    return bytes([number << 3 | 2, *length]) + octets
