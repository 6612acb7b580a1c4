"""Which span is a message, a reaction, a settle, and what does it say of itself?

Services follow the messaging conventions of many years at once, so a span is classified by its
attributes first, then by its kind, and by its name only as a last resort. The result is a table
with one row a span that holds what stitching reads and nothing else.

Source: OpenTelemetry semantic conventions, messaging spans, 1.11 to 1.44.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.keys import codes_of, whole
from collector.spans import Kind, Status, ValueType

Ints: TypeAlias = npt.NDArray[np.int64]

READINGS = pa.schema(
    [
        ("trace_id", pa.binary(16)),
        ("span_id", pa.binary(8)),
        ("parent_span_id", pa.binary(8)),
        ("role", pa.uint8()),  # Role
        ("start", pa.int64()),  # nanoseconds since the epoch, as its sender's clock had it
        ("end", pa.int64()),
        ("received", pa.int64()),  # by the collector's clock
        ("remote", pa.bool_()),  # its parent is in another process
        ("failed", pa.bool_()),  # its status is ERROR
        ("error", pa.string()),  # what its status says of the failure; null without one
        ("final", pa.bool_()),  # its broker does not deliver again: a failure is the last word
        ("service", pa.string()),
        ("group", pa.string()),  # consumer group; null on what consumes nothing
        ("event_type", pa.string()),  # null on what is no messaging span
        ("destination", pa.string()),
        ("system", pa.string()),
        ("flow_key", pa.string()),
        ("link_trace_ids", pa.list_(pa.binary(16))),
        ("link_span_ids", pa.list_(pa.binary(8))),
        ("dropped_links", pa.uint32()),
    ]
)

DEFAULT_FLOW_KEYS = ("order.id", "order_id", "app.order.id", "flow.key")


class Role(IntEnum):
    """What a span does with messages."""

    NONE = 0
    CREATE = 1
    SEND = 2
    RECEIVE = 3
    PROCESS = 4
    SETTLE = 5


# Bits of OTLP's Span.flags.
_REMOTE_IS_KNOWN, _REMOTE = 0x100, 0x200

# Today's name of each attribute first, then those it had before, in the order of trust.
_NAMES: Mapping[str, Sequence[str]] = {
    "operation": ("messaging.operation.type", "messaging.operation"),
    "verb": ("messaging.operation.name",),
    "system": ("messaging.system",),
    "template": ("messaging.destination.template",),
    "destination": (
        "messaging.destination.name",
        "messaging.destination",
        "messaging.destination_publish.name",
        "messaging.source.name",
        "messaging.url",
    ),
    "group": (
        "messaging.consumer.group.name",
        "messaging.kafka.consumer.group",
        "messaging.kafka.consumer_group",
        "messaging.rocketmq.client_group",
        "messaging.eventhubs.consumer.group",
        "messaging.nats.consumer.group",
        "messaging.destination.subscription.name",
        "messaging.servicebus.destination.subscription_name",
    ),
    "event_type": ("cloudevents.event_type",),
    "stream": ("messaging.nats.stream",),
}

_OPERATIONS = {
    "create": Role.CREATE,
    "send": Role.SEND,
    "publish": Role.SEND,
    "receive": Role.RECEIVE,
    "poll": Role.RECEIVE,
    "process": Role.PROCESS,
    "deliver": Role.PROCESS,
    "consume": Role.PROCESS,
    "settle": Role.SETTLE,
    "ack": Role.SETTLE,
    "nack": Role.SETTLE,
    "nak": Role.SETTLE,
    "term": Role.SETTLE,
    "commit": Role.SETTLE,
}


def read(spans: pa.Table, flow_keys: Sequence[str] = DEFAULT_FLOW_KEYS) -> pa.Table:
    """READINGS, one row for each row of *spans* (SPANS), in the same order.

    *flow_keys* names the attributes that may carry the business identity; the first that a span has
    is its flow key.
    """
    said = _pick(spans, {**_NAMES, "flow_key": flow_keys})
    kind = _numbers(spans["kind"])
    role = _roles(spans, said, kind)
    consumes = (role == Role.RECEIVE) | (role == Role.PROCESS)
    messaging = pa.array(role != Role.NONE)
    destination = pc.coalesce(said["destination"], said["template"])
    # A subscription's template names what it listens to ("shop.>"), a publisher's what it says.
    name = pc.if_else(pa.array(consumes), destination, pc.coalesce(said["template"], destination))
    nats = pc.fill_null(pc.equal(said["system"], "nats"), fill_value=False)
    empty = pa.nulls(spans.num_rows, pa.string())
    failed = pc.equal(whole(spans["status_code"]), int(Status.ERROR))
    columns = {
        "trace_id": whole(spans["trace_id"]),
        "span_id": whole(spans["span_id"]),
        "parent_span_id": whole(spans["parent_span_id"]),
        "role": pa.array(role.astype(np.uint8)),
        "start": _times(spans["start_unix_nano"]),
        "end": _times(spans["end_unix_nano"]),
        "received": _times(spans["received_unix_nano"]),
        "remote": pa.array(_remote(spans, kind)),
        "failed": failed,
        "error": pc.if_else(failed, whole(spans["status_message"]), empty),
        "final": pc.and_(nats, pc.is_null(said["stream"])),
        "service": whole(spans["service"]),
        "group": pc.if_else(pa.array(consumes), pc.coalesce(said["group"], whole(spans["service"])), empty),
        "event_type": pc.if_else(
            messaging, pc.coalesce(said["event_type"], name, whole(spans["name"])), empty
        ),
        "destination": pc.if_else(messaging, destination, empty),
        "system": said["system"],
        "flow_key": said["flow_key"],
        "link_trace_ids": whole(spans["link_trace_ids"]),
        "link_span_ids": whole(spans["link_span_ids"]),
        "dropped_links": whole(spans["dropped_links"]),
    }
    return pa.table(columns, schema=READINGS)


def _roles(spans: pa.Table, said: Mapping[str, pa.Array], kind: Ints) -> Ints:
    """By attributes, then by kind, then (for what is messaging at all) by name."""
    role = _meaning(said["operation"])
    role = np.where(role == Role.NONE, _meaning(said["verb"]), role)
    by_kind = np.select(
        [kind == Kind.PRODUCER, kind == Kind.CONSUMER], [int(Role.SEND), int(Role.PROCESS)], int(Role.NONE)
    )
    role = np.where(role == Role.NONE, by_kind, role)
    messaging = pc.or_(pc.is_valid(said["system"]), pc.is_valid(said["destination"]))
    nameless = (role == Role.NONE) & messaging.to_numpy(zero_copy_only=False)
    if nameless.any():
        role = np.where(nameless, _meaning_of_names(whole(spans["name"])), role)
    # FastStream opens the span around a batch as "create" on the consumer's side.
    return np.where((role == Role.CREATE) & (kind == Kind.CONSUMER), int(Role.RECEIVE), role)


def _remote(spans: pa.Table, kind: Ints) -> npt.NDArray[np.bool_]:
    """As the sender's flags say; of senders that do not know them, as a consumer's parent should be."""
    flags = _numbers(spans["flags"])
    known = flags & _REMOTE_IS_KNOWN != 0
    return np.asarray(np.where(known, flags & _REMOTE != 0, kind == Kind.CONSUMER), dtype=np.bool_)


def _meaning(words: pa.Array) -> Ints:
    encoded = words.dictionary_encode()
    roles = [int(_OPERATIONS.get(str(word).lower(), Role.NONE)) for word in encoded.dictionary.to_pylist()]
    return np.array([*roles, int(Role.NONE)], np.int64)[codes_of(encoded)]


def _meaning_of_names(names: pa.Array) -> Ints:
    """Both word orders: `publish orders` (since 1.27) and `orders publish`."""
    encoded = names.dictionary_encode()
    roles = []
    for name in encoded.dictionary.to_pylist():
        words = name.lower().split()
        ends = (words[0], words[-1]) if words else ()
        roles.append(next((int(_OPERATIONS[word]) for word in ends if word in _OPERATIONS), int(Role.NONE)))
    return np.array([*roles, int(Role.NONE)], np.int64)[codes_of(encoded)]


def _pick(spans: pa.Table, wanted: Mapping[str, Sequence[str]]) -> dict[str, pa.Array]:
    """For each wanted column the value of the first of its attribute names that a span has.

    Numbers and booleans come as text; arrays, maps and bytes are no names of anything and are
    passed over, as are empty strings.
    """
    keys = whole(spans["attribute_keys"])
    types = _numbers(whole(spans["attribute_types"]).flatten())
    values = whole(spans["attribute_values"]).flatten()
    row_of = np.repeat(np.arange(spans.num_rows), _numbers(pc.list_value_length(keys)))
    encoded = keys.flatten().dictionary_encode()
    codes = codes_of(encoded)
    code_of = {name: code for code, name in enumerate(encoded.dictionary.to_pylist())}
    readable = (types >= ValueType.STRING) & (types <= ValueType.DOUBLE)
    readable &= _numbers(pc.binary_length(values)) > 0
    # One pass over all attributes keeps the few that anybody asks for.
    asked = np.zeros(len(encoded.dictionary) + 1, bool)
    asked[[code_of[name] for names in wanted.values() for name in names if name in code_of]] = True
    places = np.flatnonzero(asked[codes] & readable)
    codes = codes[places]
    found: dict[str, pa.Array] = {}
    for column, names in wanted.items():
        place = np.full(spans.num_rows, -1)
        for name in reversed(names):  # the most trusted is written last
            if name in code_of:
                here = places[codes == code_of[name]]
                place[row_of[here]] = here
        found[column] = values.take(pa.array(place, mask=place < 0)).cast(pa.string())
    return found


def _times(column: pa.ChunkedArray) -> pa.Array:
    """Times as signed integers: what lies beyond the year 2262 is its last nanosecond."""
    return pa.array(
        np.minimum(whole(column).to_numpy(zero_copy_only=False), np.uint64(2**63 - 1)).astype(np.int64)
    )


def _numbers(column: Any) -> Ints:
    return np.asarray(whole(column).to_numpy(zero_copy_only=False), dtype=np.int64)
