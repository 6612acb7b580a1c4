"""Decodes protobuf bodies to rows, in compiled code and many bodies at once.

`ptars` converts messages to Arrow, given their descriptor. The descriptor is OTLP's own, with two changes.
What is needed only to show one flow is declared as bytes, so it stays encoded, and deep nesting cannot
exhaust the stack; so are attributes, which `pairs` decodes. Text is declared as bytes, too, so that a string
that is not UTF-8 is repaired later and does not cost the whole request.
"""

from collections.abc import Sequence
from functools import cache
from typing import Protocol

import pyarrow as pa
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2
from ptars import HandlerPool

from collector.formats.otlp.bounds import FEW, NO_REQUEST, SMALLEST_ATTRIBUTE, SMALLEST_LINK, hollow
from collector.formats.otlp.errors import OtlpError, panics_as_otlp_errors
from collector.formats.otlp.pairs import of_pairs
from collector.formats.otlp.rows import Refusal, Rows, repeat, with_entries, with_fields

_ATTRIBUTES = "Span.attributes"
LEFT_ENCODED = frozenset(
    {
        _ATTRIBUTES,
        "AnyValue.array_value",
        "AnyValue.kvlist_value",
        "ResourceSpans.resource",
        "ScopeSpans.scope",
        "Span.events",
        "Span.Link.attributes",
    }
)
NOT_READ = {
    "AnyValue.string_value_strindex",  # profiles only
    "KeyValue.key_strindex",  # profiles only
    "ResourceSpans.schema_url",
    "ScopeSpans.schema_url",
}


class _Handler(Protocol):
    def list_to_record_batch(self, messages: list[bytes]) -> pa.RecordBatch: ...

    def schema(self) -> pa.Schema: ...


def read(bodies: Sequence[bytes]) -> tuple[Rows, dict[int, Refusal]]:
    """All spans of *bodies*, `Rows.body` counting from 0; raise `OtlpError` if a body cannot be read.

    `bounds.require_framed` has found nothing wrong with them.
    Nothing is refused here: whatever protobuf can parse has the right types.
    """
    try:
        with panics_as_otlp_errors():  # none is known, as bodies were checked
            batch = _handler(LEFT_ENCODED).list_to_record_batch(list(bodies))
    except ValueError as error:
        raise OtlpError(f"{NO_REQUEST}: {error}.") from error
    by_body = batch.column(0)
    by_resource = by_body.flatten()
    by_scope = by_resource.field("scope_spans").flatten()
    body = repeat(range(len(by_body)), by_body)
    body = repeat(body, by_resource.field("scope_spans"))
    resource = repeat(range(len(by_resource)), by_resource.field("scope_spans"))
    spans = by_scope.field("spans")
    each = spans.flatten()
    _require_filled(each, sum(map(len, bodies)))
    rows = Rows(
        spans=with_fields(each, {"attributes": lambda lists: with_entries(lists, of_pairs)}),
        body=repeat(body, spans),
        resources=by_resource.field("resource"),
        resource=repeat(resource, spans),
        scopes=by_scope.field("scope"),
        scope=repeat(range(len(by_scope)), spans),
    )
    return rows, {}


def _require_filled(spans: pa.StructArray, size: int) -> None:
    """Raise `OtlpError` if bodies of *size* bytes have more attributes or links than can mean anything."""
    for name, smallest in (("attributes", SMALLEST_ATTRIBUTE), ("links", SMALLEST_LINK)):
        found = len(spans.field(name).flatten())
        if found > max(FEW, size // smallest):
            raise hollow(found, name, size)


def span_type() -> pa.StructType:
    """The type of spans whose attributes are decoded: a value has one column for each possible field."""
    by_body = _handler(LEFT_ENCODED - {_ATTRIBUTES}).schema().field("resource_spans").type
    by_resource = by_body.value_type.field("scope_spans").type
    return by_resource.value_type.field("spans").type.value_type


@cache
def _handler(left_encoded: frozenset[str]) -> _Handler:
    pool = descriptor_pool.DescriptorPool()
    for module in (common_pb2, resource_pb2, trace_pb2, trace_service_pb2):
        file = FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        for message in file.message_type:
            _flatten(message, message.name, left_encoded)
        pool.Add(file)
    request = pool.FindMessageTypeByName("opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest")
    handler: _Handler = HandlerPool([request.file]).get_for_message(request)
    return handler


def _flatten(message: DescriptorProto, path: str, left_encoded: frozenset[str]) -> None:
    kept = [field for field in message.field if f"{path}.{field.name}" not in NOT_READ]
    for field in kept:
        if f"{path}.{field.name}" in left_encoded or field.type == FieldDescriptorProto.TYPE_STRING:
            field.type = FieldDescriptorProto.TYPE_BYTES
            field.ClearField("type_name")
    del message.field[len(kept) :]
    for place, field in enumerate(kept):
        message.field[place].CopyFrom(field)
    for nested in message.nested_type:
        _flatten(nested, f"{path}.{nested.name}", left_encoded)
