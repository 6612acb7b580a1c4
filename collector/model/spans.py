"""The span table: one row a span, one Arrow column a field. Every stage speaks it.

A span keeps all that its sender wrote. What stitching reads is a column of its own; what only one
flow on a screen needs (resource, scope, events, attributes of links) stays in the sender's protobuf
encoding and is opened by `collector.formats.otlp.opened` when somebody looks.
"""

from enum import IntEnum

import pyarrow as pa

SPANS = pa.schema(
    [
        ("trace_id", pa.binary(16)),
        ("span_id", pa.binary(8)),
        ("parent_span_id", pa.binary(8)),  # eight zero bytes: a root
        ("name", pa.string()),
        ("kind", pa.uint8()),  # Kind; a number that OTLP does not name yet survives
        ("start_unix_nano", pa.uint64()),
        ("end_unix_nano", pa.uint64()),
        ("status_code", pa.uint8()),  # Status
        ("status_message", pa.string()),
        ("service", pa.string()),  # the resource's service.name; "unknown_service" without one
        # Three parallel lists: one entry an attribute, in the sender's order.
        ("attribute_keys", pa.list_(pa.string())),
        ("attribute_types", pa.list_(pa.uint8())),  # ValueType
        ("attribute_values", pa.list_(pa.binary())),  # see ValueType
        # Three parallel lists: one entry a link whose ids are valid.
        ("link_trace_ids", pa.list_(pa.binary(16))),
        ("link_span_ids", pa.list_(pa.binary(8))),
        ("link_attributes", pa.list_(pa.list_(pa.binary()))),  # each a protobuf KeyValue
        ("events", pa.list_(pa.binary())),  # each a protobuf Span.Event
        ("dropped_attributes", pa.uint32()),
        ("dropped_events", pa.uint32()),
        ("dropped_links", pa.uint32()),  # by the sender's limits, and those whose ids were invalid
        ("trace_state", pa.string()),
        ("flags", pa.uint32()),
        ("resource", pa.binary()),  # a protobuf Resource
        ("scope", pa.binary()),  # a protobuf InstrumentationScope
        ("received_unix_nano", pa.uint64()),  # by the collector's clock
    ]
)


class Kind(IntEnum):
    """OTLP's `SpanKind`."""

    UNSPECIFIED = 0
    INTERNAL = 1
    SERVER = 2
    CLIENT = 3
    PRODUCER = 4
    CONSUMER = 5


class Status(IntEnum):
    """OTLP's `Status.StatusCode`."""

    UNSET = 0
    OK = 1
    ERROR = 2


class ValueType(IntEnum):
    """What an attribute's value was, and so how `attribute_values` holds it."""

    EMPTY = 0  # no bytes
    STRING = 1  # UTF-8
    BOOL = 2  # b"true" or b"false"
    INT = 3  # decimal
    DOUBLE = 4  # the shortest decimal that reads back as the same double
    ARRAY = 5  # a protobuf ArrayValue
    KVLIST = 6  # a protobuf KeyValueList
    BYTES = 7  # as they are
