"""Which span is a message, a reaction, a settle, and what does it say of itself?

Services follow the messaging conventions of many years at once, so a span is classified by its
attributes first, then by its kind, and by its name only where these leave it open. The result is a
table with one row a span that holds what stitching reads and nothing else.

Source: OpenTelemetry semantic conventions, messaging spans, 1.11 to 1.44.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.keys import codes_of, whole
from collector.settlements import DELIVERY_COUNTS, Settled, deliveries_of, settled_by
from collector.spans import Kind, Status, ValueType

Ints: TypeAlias = npt.NDArray[np.int64]

Mask: TypeAlias = npt.NDArray[np.bool_]

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
        ("request", pa.bool_()),  # it publishes, and waits for an answer
        ("service", pa.string()),
        ("group", pa.string()),  # consumer group, or the service without one; null on what consumes nothing
        ("handler", pa.string()),  # the name of a consumer that is in no group: it tells it from others
        ("event_type", pa.string()),  # null on what is no messaging span
        ("destination", pa.string()),
        ("system", pa.string()),
        ("message_id", pa.string()),  # its sender's; null on what is of several messages, and of most
        ("event_id", pa.string()),  # of the event in the message, where that has one of its own
        ("conversation", pa.string()),  # what messages have in common that were caused by one another
        ("causation", pa.string()),  # the id of the message, or of the event, that caused this one
        ("flow_key", pa.string()),
        ("settled", pa.uint8()),  # Settled: what a settle says, or a handling of itself
        ("instance", pa.string()),  # of the service, on the word that a handling began; filled in by who asks
        ("deliveries", pa.uint16()),  # which delivery of its message it is about; 0: that is not said
        ("link_trace_ids", pa.list_(pa.binary(16))),
        ("link_span_ids", pa.list_(pa.binary(8))),
        ("dropped_links", pa.uint32()),
    ]
)


@dataclass(frozen=True)
class Naming:
    """Which attributes hold what ties spans together; of those that a span has, the first counts.

    What one library calls the correlation id is the conversation, what another calls so is the cause.
    """

    flow_key: Sequence[str] = ("order.id", "order_id", "app.order.id", "flow.key")
    correlation: Sequence[str] = ("messaging.message.conversation_id", "messaging.conversation_id")
    causation: Sequence[str] = ("messaging.message.causation_id",)


DEFAULT_NAMING = Naming()


class Role(IntEnum):
    """What a span does with messages."""

    NONE = 0
    CREATE = 1
    SEND = 2
    RECEIVE = 3
    PROCESS = 4
    SETTLE = 5
    REPLY = 6  # answers a request, to an inbox that only the asker listens to
    ANSWERED = 7  # gets such an answer
    STARTED = (
        8  # announces a handling that has begun; its span, which this one links to, tells of the handling
    )
    FETCH = (
        9  # gets messages whose handlings tell of themselves: no handling, and none of them are its children
    )


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
        "messaging.nats.message.subject",
        "messaging.rabbitmq.destination.routing_key",
        "messaging.rabbitmq.routing_key",
        "messaging.url",
        # What Brave writes, of Zipkin's services.
        "kafka.topic",
        "rabbit.routing_key",
        "rabbit.queue",
        "jms.queue",
        "jms.topic",
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
    "event_type": ("cloudevents.event_type", "celery.task_name"),
    "message_id": ("messaging.message.id", "messaging.message_id", "messaging.id"),
    "event_id": ("cloudevents.event_id",),
    "stream": ("messaging.nats.stream",),
    "settled": ("messaging.nats.outcome",),
    "deliveries": DELIVERY_COUNTS,
}

_NOTHING = pa.scalar(None, pa.string())

# The words that operations had in all those years.
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
    "complete": Role.SETTLE,
    "abandon": Role.SETTLE,
    "reject": Role.SETTLE,
}

# Verbs that say more than the type of operation does, because only our own instrumentation of NATS has them.
_OWN_VERBS = {"started": Role.STARTED, "fetch": Role.FETCH}

# Where NATS itself is spoken to: settling has a subject, its API has no business in a flow.
_SETTLES, _BROKER, _INBOX = "$JS.ACK.", ("$JS.", "$SYS.", "$SRV."), "_INBOX."


def read(spans: pa.Table, naming: Naming = DEFAULT_NAMING) -> pa.Table:
    """READINGS, one row for each row of *spans* (SPANS), in the same order."""
    tying = {
        "flow_key": naming.flow_key,
        "conversation": naming.correlation,
        "causation": naming.causation,
    }
    said = _said(spans, {**_NAMES, **tying})
    service, name, system = whole(spans["service"]), whole(spans["name"]), said.texts(said["system"])
    role = _roles(spans, said)
    place = _either(said["destination"], said["template"])
    by_name = _destinations_in(name, np.where(place < 0, role, int(Role.NONE)))
    destination = said.texts(place, role != Role.NONE, by_name)
    role = _with_a_business(role, destination)
    consumes = (role == Role.RECEIVE) | (role == Role.PROCESS) | (role == Role.STARTED) | (role == Role.FETCH)
    messaging = role != Role.NONE
    # A subscription's template names what it listens to ("shop.>"), a publisher's what it says.
    subject = np.where(consumes, place, _either(said["template"], place))
    failed = pc.equal(whole(spans["status_code"]), int(Status.ERROR))
    nats = pc.fill_null(pc.equal(system, "nats"), fill_value=False)
    columns = {
        "trace_id": whole(spans["trace_id"]),
        "span_id": whole(spans["span_id"]),
        "parent_span_id": whole(spans["parent_span_id"]),
        "role": pa.array(role.astype(np.uint8)),
        "start": _times(spans["start_unix_nano"]),
        "end": _times(spans["end_unix_nano"]),
        "received": _times(spans["received_unix_nano"]),
        "remote": pa.array(_remote(spans)),
        "failed": failed,
        "error": pc.if_else(failed, whole(spans["status_message"]), _NOTHING),
        "final": pc.and_(nats, pa.array(said["stream"] < 0)),
        "request": pa.array(_requests(said, name, role)),
        "service": service,
        "group": said.texts(said["group"], consumes, service),
        "handler": pc.if_else(pa.array(consumes & (said["group"] < 0)), name, _NOTHING),
        "event_type": said.texts(_either(said["event_type"], subject), messaging, pc.coalesce(by_name, name)),
        "destination": pc.if_else(pa.array(messaging), destination, _NOTHING),
        "system": system,
        "message_id": said.texts(said["message_id"]),
        "event_id": said.texts(said["event_id"]),
        "conversation": said.texts(said["conversation"]),
        "causation": said.texts(said["causation"]),
        "flow_key": said.texts(said["flow_key"]),
        "settled": pa.array(_settled(said, name, role, whole(failed)).astype(np.uint8)),
        "instance": pa.nulls(spans.num_rows, pa.string()),
        "deliveries": pa.array(
            deliveries_of(said.texts(said["deliveries"]), destination, role == Role.SETTLE).astype(np.uint16)
        ),
        "link_trace_ids": _links(spans["link_trace_ids"], role),
        "link_span_ids": _links(spans["link_span_ids"], role),
        "dropped_links": whole(spans["dropped_links"]),
    }
    return pa.table(columns, schema=READINGS)


def _roles(spans: pa.Table, said: "_Said") -> Ints:
    """By attributes, then by kind; the name tells a create from a send, and a receive from a process."""
    kind = _numbers(spans["kind"])
    nats = pc.fill_null(pc.equal(said.texts(said["system"]), "nats"), fill_value=False)
    role = np.where(_mask(nats), _meaning(said.texts(said["verb"]), _meaning_of_own_verb), int(Role.NONE))
    role = np.where(role == Role.NONE, _meaning(said.texts(said["operation"]), _meaning_of), role)
    role = np.where(role == Role.NONE, _meaning(said.texts(said["verb"]), _meaning_of), role)
    by_kind = np.select(
        [kind == Kind.PRODUCER, kind == Kind.CONSUMER], [int(Role.SEND), int(Role.PROCESS)], int(Role.NONE)
    )
    messaging = (by_kind != Role.NONE) | (said["system"] >= 0) | (said["destination"] >= 0)
    unsaid = np.flatnonzero((role == Role.NONE) & messaging)
    if len(unsaid):
        names = whole(spans["name"]).take(pa.array(unsaid))
        by_name, plain = _meaning(names, _meaning_of_name), by_kind[unsaid]
        fits = (by_name != Role.NONE) & _FITS[plain, by_name]
        role[unsaid] = np.where(fits, by_name, plain)
    # FastStream opens the span around a batch as "create" on the consumer's side.
    return np.where((role == Role.CREATE) & (kind == Kind.CONSUMER), int(Role.RECEIVE), role)


def _settled(said: "_Said", name: pa.Array, role: Ints, failed: pa.Array) -> Ints:
    """`Settled` of each span: what a settle that went well says, or a handling says of itself."""
    found = settled_by(said.texts(said["settled"]))
    rows = np.flatnonzero((role == Role.SETTLE) & ~np.asarray(failed.to_numpy(zero_copy_only=False)))
    if len(rows):
        for places in (said["verb"], said["operation"]):
            rows_left = rows[found[rows] == Settled.UNSAID]
            found[rows_left] = settled_by(said.texts(places[rows_left]))
        rows_left = rows[found[rows] == Settled.UNSAID]
        found[rows_left] = settled_by(name.take(pa.array(rows_left)))
    return found


def _requests(said: "_Said", name: pa.Array, role: Ints) -> Mask:
    """Which spans send a request: by the verb or, of senders that knew none yet, by the name."""
    found = np.zeros(len(role), np.bool_)
    rows = np.flatnonzero(role == Role.SEND)
    if len(rows):
        words = pc.coalesce(said.texts(said["verb"][rows]), name.take(pa.array(rows)))
        found[rows] = _meaning(words, _asking) != Role.NONE
    return found


def _asking(words: str) -> Role:
    """SEND for `request`, `request prices` and `prices request`; not for `publish request`."""
    first, *_, last = words.split(" ") * 2
    asks = first == "request" or (last == "request" and _meaning_of(first) is Role.NONE)
    return Role.SEND if asks else Role.NONE


# Which roles (columns) a name may give to a span whose kind alone would make it that role (rows).
_FITS = np.zeros((len(Role), len(Role)), np.bool_)
_FITS[Role.NONE] = True
_FITS[Role.SEND, [Role.CREATE, Role.SEND]] = True
_FITS[Role.PROCESS, [Role.CREATE, Role.RECEIVE, Role.PROCESS]] = True


def _remote(spans: pa.Table) -> Mask:
    """As the sender's flags say; of senders that do not know them, as a consumer's parent should be."""
    flags, kind = _numbers(spans["flags"]), _numbers(spans["kind"])
    known = flags & _REMOTE_IS_KNOWN != 0
    return np.asarray(np.where(known, flags & _REMOTE != 0, kind == Kind.CONSUMER), dtype=np.bool_)


def _meaning(texts: pa.Array, of: Callable[[str], Role]) -> Ints:
    """The role that each text means; asked once for each different one."""
    encoded = texts.dictionary_encode()
    roles = [int(of(text)) for text in encoded.dictionary.to_pylist()]
    return np.array([*roles, int(Role.NONE)], np.int64)[codes_of(encoded)]


def _meaning_of(word: str) -> Role:
    return _OPERATIONS.get(word.lower(), Role.NONE)


def _meaning_of_own_verb(word: str) -> Role:
    return _OWN_VERBS.get(word, Role.NONE)


def _meaning_of_name(name: str) -> Role:
    return _parted(name)[0]


def _parted(name: str) -> tuple[Role, str]:
    """The role that a name says, and of what: `publish orders` (since 1.27), or `orders publish`."""
    first, _, rest = name.partition(" ")
    if (role := _meaning_of(first)) is not Role.NONE:
        return role, rest.strip()
    rest, _, last = name.rpartition(" ")
    return _meaning_of(last), rest.strip()


def _destinations_in(names: pa.Array, role: Ints) -> pa.Array:
    """What the names of spans with a *role* say of their destinations; null where they say nothing."""
    asked = role != Role.NONE
    if not asked.any():
        return pa.nulls(len(names), pa.string())
    encoded = names.filter(pa.array(asked)).dictionary_encode()
    parted = [_parted(name) for name in encoded.dictionary.to_pylist()]
    code = codes_of(encoded)
    says = np.array([int(part[0]) for part in parted], np.int64)[code] == role[asked]
    found = pa.array([part[1] or None for part in parted], pa.string()).take(pa.array(code, mask=~says))
    return pc.replace_with_mask(pa.nulls(len(names), pa.string()), pa.array(asked), found)


def _with_a_business(role: Ints, destination: pa.Array) -> Ints:
    """*role*, but for what is said to NATS itself, and for answers to inboxes: they are no messages."""

    def to(*prefixes: str) -> Mask:
        begun = [pc.fill_null(pc.starts_with(destination, prefix), fill_value=False) for prefix in prefixes]
        mask: Mask = np.logical_or.reduce([_numbers(which) != 0 for which in begun])
        return mask

    publishes, inbox = (role == Role.CREATE) | (role == Role.SEND), to(_INBOX)
    return np.select(
        [to(_SETTLES), to(*_BROKER), inbox & publishes, inbox & (role != Role.NONE)],
        [int(Role.SETTLE), int(Role.NONE), int(Role.REPLY), int(Role.ANSWERED)],
        role,
    )


@dataclass(frozen=True)
class _Said:
    """Where among all attribute values the one is that each span has for each wanted column."""

    values: pa.Array
    places: Mapping[str, Ints]  # by column: of each span; -1 where it has none

    def __getitem__(self, column: str) -> Ints:
        return self.places[column]

    def texts(self, places: Ints, of: Mask | None = None, otherwise: pa.Array | None = None) -> pa.Array:
        """The values at *places*, as text; null where a place is -1, unless *otherwise* has a text.

        With *of*, null but for those spans.
        """
        places = places if of is None else np.where(of, places, -1)
        said = places >= 0
        texts = pa.nulls(len(places), pa.string())
        if said.any():
            texts = self.values.take(pa.array(places, mask=~said)).cast(pa.string())
        lacking = ~said if of is None else of & ~said
        return texts if otherwise is None else pc.if_else(pa.array(lacking), otherwise, texts)


def _said(spans: pa.Table, wanted: Mapping[str, Sequence[str]]) -> _Said:
    """For each wanted column the value of the first of its attribute names that a span has.

    Numbers and booleans come as text; arrays, maps and bytes are no names of anything and are
    passed over, as are empty strings.
    """
    lists, values = whole(spans["attribute_keys"]), whole(spans["attribute_values"]).flatten()
    types = _numbers(whole(spans["attribute_types"]).flatten(), np.uint8)
    readable = (types >= ValueType.STRING) & (types <= ValueType.DOUBLE)
    readable &= _numbers(pc.binary_length(values), np.int32) > 0
    row_of = np.repeat(np.arange(spans.num_rows, dtype=np.int32), _numbers(pc.list_value_length(lists)))
    # One pass over all names finds the few that anybody asks for, and one sort puts each name's together.
    names = list(dict.fromkeys(name for column in wanted.values() for name in column))
    found = pc.index_in(lists.flatten(), value_set=pa.array(names, pa.string()))
    code = np.where(readable, _numbers(pc.fill_null(found, -1), np.int16), np.int16(-1))
    asked = np.flatnonzero(code >= 0)
    order = asked[np.argsort(code[asked], kind="stable")]
    begin = np.append(0, np.cumsum(np.bincount(code[asked], minlength=len(names))))
    places = {}
    for column, trusted in wanted.items():
        place = np.full(spans.num_rows, -1)
        for name in reversed(trusted):  # the most trusted is written last, and of one name the last value
            number = names.index(name)
            here = order[begin[number] : begin[number + 1]]
            place[row_of[here]] = here
        places[column] = place
    return _Said(values, places)


def _either(first: Ints, second: Ints) -> Ints:
    return np.where(first >= 0, first, second)


def _links(column: pa.ChunkedArray, role: Ints) -> pa.Array:
    """Links, but for those of a fetch: what came together by chance has nothing to do with each other."""
    lists, fetch = whole(column), role == Role.FETCH
    if not fetch.any():
        return lists
    return pc.if_else(pa.array(fetch), pa.scalar([], lists.type), lists)


def _times(column: pa.ChunkedArray) -> pa.Array:
    """Times as signed integers: what lies beyond the year 2262 is its last nanosecond."""
    times = np.minimum(_numbers(column, np.uint64), np.uint64(2**63 - 1))
    return pa.array(times.astype(np.int64))


def _mask(column: Any) -> Mask:
    return np.asarray(whole(column).to_numpy(zero_copy_only=False), dtype=np.bool_)


def _numbers(column: Any, kind: type[np.integer[Any]] = np.int64) -> npt.NDArray[Any]:
    return np.asarray(whole(column).to_numpy(zero_copy_only=False), dtype=kind)
