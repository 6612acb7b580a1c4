"""The span table that all stages share: one row per span, one Arrow column per field.

A span keeps everything its sender wrote. What stitching reads has its own column. What is only needed to show
a single flow (resource, scope, events, link attributes) stays in the sender's protobuf encoding until
`collector.formats.otlp.opened` decodes it on demand.
"""

from enum import IntEnum

import pyarrow as pa

SPANS = pa.schema(
    [
        ("trace_id", pa.binary(16)),
        ("span_id", pa.binary(8)),
        ("parent_span_id", pa.binary(8)),  # eight zero bytes on a root
        ("name", pa.string()),
        ("kind", pa.uint8()),  # Kind; numbers that OTLP does not define yet are kept
        ("start_unix_nano", pa.uint64()),
        ("end_unix_nano", pa.uint64()),
        ("status_code", pa.uint8()),  # Status
        ("status_message", pa.string()),
        ("service", pa.string()),  # the resource's service.name; "unknown_service" without one
        # Three parallel lists, one entry per attribute, in the sender's order.
        ("attribute_keys", pa.list_(pa.string())),
        ("attribute_types", pa.list_(pa.uint8())),  # ValueType
        ("attribute_values", pa.list_(pa.binary())),  # see ValueType
        # Three parallel lists, one entry per link with valid ids.
        ("link_trace_ids", pa.list_(pa.binary(16))),
        ("link_span_ids", pa.list_(pa.binary(8))),
        ("link_attributes", pa.list_(pa.list_(pa.binary()))),  # each a protobuf KeyValue
        ("events", pa.list_(pa.binary())),  # each a protobuf Span.Event
        ("dropped_attributes", pa.uint32()),
        ("dropped_events", pa.uint32()),
        ("dropped_links", pa.uint32()),  # dropped by the sender's limits, or for invalid ids
        ("trace_state", pa.string()),
        ("flags", pa.uint32()),
        ("resource", pa.binary()),  # a protobuf Resource
        ("scope", pa.binary()),  # a protobuf InstrumentationScope
        ("received_unix_nano", pa.uint64()),  # by the collector's clock
    ]
)

# Made once: a schema takes a millisecond to make an empty table.
NO_SPANS = SPANS.empty_table()


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
    """The type of an attribute's value, and how `attribute_values` encodes it."""

    EMPTY = 0  # no bytes
    STRING = 1  # UTF-8
    BOOL = 2  # b"true" or b"false"
    INT = 3  # decimal
    DOUBLE = 4  # the shortest decimal that reads back as the same double
    ARRAY = 5  # a protobuf ArrayValue
    KVLIST = 6  # a protobuf KeyValueList
    BYTES = 7  # as is
