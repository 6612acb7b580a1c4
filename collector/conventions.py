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

from collector.attributes import Said, numbers, read_attributes
from collector.joins import alike
from collector.keys import whole
from collector.settlements import DELIVERY_COUNTS, Settled, deliveries_in, deliveries_of, settled_by
from collector.spans import Kind, Status
from collector.words import WORD, Codes, Words

Ints: TypeAlias = npt.NDArray[np.int64]

Mask: TypeAlias = npt.NDArray[np.bool_]

# What one span of each way of saying something has: words, a kind, flags, whether it failed.
Told: TypeAlias = Mapping[str, npt.NDArray[Any]]

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
        ("service", WORD),
        ("group", WORD),  # consumer group, or the service without one; null on what consumes nothing
        ("handler", WORD),  # the name of a consumer that is in no group: it tells it from others
        ("event_type", WORD),  # null on what is no messaging span
        ("destination", WORD),
        ("system", WORD),
        ("message_id", pa.string()),  # its sender's; null on what is of several messages, and of most
        ("event_id", pa.string()),  # of the event in the message, where that has one of its own
        ("conversation", pa.string()),  # what messages have in common that were caused by one another
        ("causation", pa.string()),  # the id of the message, or of the event, that caused this one
        ("flow_key", WORD),
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


_LAST = 2**63 - 1  # nanosecond

# Bits of OTLP's Span.flags.
_REMOTE_IS_KNOWN, _REMOTE = 0x100, 0x200

# Today's name of each attribute first, then those it had before, in the order of trust.
_WORDS: Mapping[str, Sequence[str]] = {
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
    # The routing key, where there is one, says what happened; the exchange, only where that was said.
    "event_type": (
        "cloudevents.event_type",
        "celery.task_name",
        "nservicebus.enclosed_message_types",
        "messaging.rabbitmq.destination.routing_key",
        "messaging.rabbitmq.routing_key",
        "rabbit.routing_key",
    ),
    "settled": ("messaging.nats.outcome",),
}
_IDS: Mapping[str, Sequence[str]] = {
    "message_id": ("messaging.message.id", "messaging.message_id", "messaging.id"),
    "event_id": ("cloudevents.event_id",),
    "stream": ("messaging.nats.stream",),
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
    "recv": Role.RECEIVE,
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
_SETTLES, _BROKER = "$JS.ACK.", ("$JS.", "$SYS.", "$SRV.")

# Where answers go: an inbox of NATS, and the queue that RabbitMQ has for each asker.
_INBOXES = ("_INBOX.", "amq.rabbitmq.reply-to")


def read(spans: pa.Table, naming: Naming = DEFAULT_NAMING) -> pa.Table:
    """READINGS, one row for each row of *spans* (SPANS), in the same order."""
    ids = {
        "flow_key": naming.flow_key,
        "conversation": naming.correlation,
        "causation": naming.causation,
    }
    said = read_attributes(spans, _WORDS, {**_IDS, **ids})
    words = said.words
    failed = pc.equal(whole(spans["status_code"]), int(Status.ERROR))
    told = {
        **{column: said[column] for column in _WORDS},
        "service": words.add(whole(spans["service"])),
        "name": words.add(whole(spans["name"])),
        "kind": numbers(spans["kind"], np.uint8),
        "flags": numbers(spans["flags"], np.uint32) & np.uint32(_REMOTE_IS_KNOWN | _REMOTE),
        "failed": _mask(failed),
        "stored": said["stream"] >= 0,
    }
    # There are few ways of saying something: each is understood once, however many spans have it.
    way, example = alike(list(told.values()))
    meant = {
        column: values[way]
        for column, values in _meant(words, {name: values[example] for name, values in told.items()}).items()
    }
    columns = {
        "trace_id": whole(spans["trace_id"]),
        "span_id": whole(spans["span_id"]),
        "parent_span_id": whole(spans["parent_span_id"]),
        "role": pa.array(meant["role"].astype(np.uint8)),
        "start": _times(spans["start_unix_nano"]),
        "end": _times(spans["end_unix_nano"]),
        "received": _times(spans["received_unix_nano"]),
        "remote": pa.array(meant["remote"]),
        "failed": failed,
        "error": pc.if_else(failed, whole(spans["status_message"]), _NOTHING),
        "final": pa.array(meant["final"]),
        "request": pa.array(meant["request"]),
        "service": words.column(told["service"]),
        "group": words.column(meant["group"]),
        "handler": words.column(meant["handler"]),
        "event_type": words.column(meant["event_type"]),
        "destination": words.column(meant["destination"]),
        "system": words.column(told["system"]),
        "message_id": said.texts("message_id"),
        "event_id": said.texts("event_id"),
        "conversation": said.texts("conversation"),
        "causation": said.texts("causation"),
        "flow_key": said.texts("flow_key").dictionary_encode(),
        "settled": pa.array(meant["settled"].astype(np.uint8)),
        "instance": pa.nulls(spans.num_rows, pa.string()),
        "deliveries": pa.array(_deliveries(said, meant["deliveries"])),
        "link_trace_ids": _links(spans["link_trace_ids"], meant["role"]),
        "link_span_ids": _links(spans["link_span_ids"], meant["role"]),
        "dropped_links": whole(spans["dropped_links"]),
    }
    return pa.table(columns, schema=READINGS)


def _meant(words: Words, told: Told) -> Mapping[str, npt.NDArray[Any]]:
    """What each way of saying something means, by the column of READINGS."""
    service, name, system = told["service"], told["name"], told["system"]
    nats = words.meanings(system, lambda texts: pc.equal(texts, "nats"), 0) == 1
    role = _roles(words, told, nats)
    place = _either(told["destination"], told["template"])
    by_name = _destinations_in(words, name, np.where(place < 0, role, int(Role.NONE)))
    destination = np.where(role == Role.NONE, -1, _either(place, by_name))
    role = _with_a_business(role, words, destination)
    consumes = (role == Role.RECEIVE) | (role == Role.PROCESS) | (role == Role.STARTED) | (role == Role.FETCH)
    messaging = role != Role.NONE
    # A subscription's template names what it listens to ("shop.>"), a publisher's what it says.
    subject = np.where(consumes, place, _either(told["template"], place))
    event_type = _briefly(words, _either(_either(told["event_type"], subject), _either(by_name, name)))
    return {
        "role": role,
        "remote": _remote(told),
        "final": nats & ~told["stored"],
        "request": _requests(words, told, role),
        "group": np.where(consumes, _either(told["group"], service), -1),
        "handler": np.where(consumes & (told["group"] < 0), name, -1),
        "event_type": np.where(messaging, event_type, -1),
        "destination": np.where(messaging, destination, -1),
        "settled": _settled(words, told, role),
        "deliveries": words.meanings(np.where(role == Role.SETTLE, destination, -1), deliveries_in, 0),
    }


def _roles(words: Words, told: Told, nats: Mask) -> Ints:
    """By attributes, then by kind; the name tells a create from a send, and a receive from a process."""
    kind, verb, none = told["kind"], told["verb"], int(Role.NONE)
    role = words.meanings(np.where(nats, verb, -1), _each(_meaning_of_own_verb), none)
    role = np.where(role == none, words.meanings(told["operation"], _each(_meaning_of), none), role)
    role = np.where(role == none, words.meanings(verb, _each(_meaning_of), none), role)
    by_kind = np.select([kind == Kind.PRODUCER, kind == Kind.CONSUMER], [Role.SEND, Role.PROCESS], none)
    messaging = (by_kind != none) | (told["system"] >= 0) | (told["destination"] >= 0)
    unsaid = np.flatnonzero((role == none) & messaging)
    if len(unsaid):
        name, plain = told["name"][unsaid], by_kind[unsaid]
        by_name = words.meanings(name, _each(_meaning_of_name), none)
        azure = words.meanings(np.where(plain == Role.SEND, name, -1), _each(_meaning_in_azure), none)
        by_name = np.where(azure == none, by_name, azure)
        fits = (by_name != none) & _FITS[plain, by_name]
        role[unsaid] = np.where(fits, by_name, plain)
    # FastStream opens the span around a batch as "create" on the consumer's side.
    return np.where((role == Role.CREATE) & (kind == Kind.CONSUMER), int(Role.RECEIVE), role)


def _settled(words: Words, told: Told, role: Ints) -> Ints:
    """`Settled` of each: what a settle that went well says, or a handling says of itself."""
    nothing = int(Settled.UNSAID)
    found = words.meanings(told["settled"], settled_by, nothing)
    rows = np.flatnonzero((role == Role.SETTLE) & ~told["failed"])
    for column in ("verb", "operation", "name"):
        rows = rows[found[rows] == nothing]
        found[rows] = words.meanings(told[column][rows], settled_by, nothing)
    return found


def _requests(words: Words, told: Told, role: Ints) -> Mask:
    """Which send a request: by the verb or, of senders that knew none yet, by the name."""
    sending = np.where(role == Role.SEND, _either(told["verb"], told["name"]), -1)
    return np.asarray(words.meanings(sending, _each(_asking), int(Role.NONE)) != Role.NONE)


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


def _remote(told: Told) -> Mask:
    """As the sender's flags say; of senders that do not know them, as a consumer's parent should be."""
    flags = told["flags"]
    known = flags & _REMOTE_IS_KNOWN != 0
    return np.asarray(np.where(known, flags & _REMOTE != 0, told["kind"] == Kind.CONSUMER), dtype=np.bool_)


def _deliveries(said: Said, settled: Ints) -> Ints:
    """Which delivery of its message a span is about: it says so, or the subject that it *settled* on does."""
    counts = said.texts("deliveries")
    found = settled if counts.null_count == len(counts) else np.maximum(deliveries_of(counts), settled)
    return found.astype(np.uint16)


def _each(of: Callable[[str], Role]) -> Callable[[pa.Array], Sequence[Role]]:
    return lambda texts: [of(text) for text in texts.to_pylist()]


def _meaning_of(word: str) -> Role:
    return _OPERATIONS.get(word.lower(), Role.NONE)


def _meaning_of_own_verb(word: str) -> Role:
    return _OWN_VERBS.get(word, Role.NONE)


def _meaning_of_name(name: str) -> Role:
    return _parted(name)[0]


def _meaning_in_azure(name: str) -> Role:
    """CREATE for `Message` and `ServiceBus.message`: a CLIENT span sends them, several at a time."""
    return Role.CREATE if name.lower().rpartition(".")[2] == "message" else Role.NONE


def _parted(name: str) -> tuple[Role, str]:
    """The role that a name says, and of what: `publish orders` (since 1.27), or `orders publish`."""
    first, _, rest = name.partition(" ")
    if (role := _meaning_of(first)) is not Role.NONE:
        return role, rest.strip()
    rest, _, last = name.rpartition(" ")
    return _meaning_of(last), rest.strip()


def _destinations_in(words: Words, name: Codes, role: Ints) -> Codes:
    """What the names of spans with a *role* say of their destinations; -1 where they say nothing."""
    named = np.where(role == Role.NONE, -1, name)
    says = words.meanings(named, _each(_meaning_of_name), -1) == role

    def destinations(texts: pa.Array) -> Codes:
        return words.add(pa.array([_parted(text)[1] or None for text in texts.to_pylist()], pa.string()))

    return words.meanings(np.where(says, named, -1), destinations, -1).astype(np.int32)


def _briefly(words: Words, event_type: Codes) -> Codes:
    """Without what says where a name is from.

    Of `Shop.OrderPlaced, Shop, Version=1.0.0.0;Shop.IEvent, ...`, as .NET has it, the first type alone; of
    `arn:aws:sns:eu-west-1:1234:orders` the topic.
    """

    def brief(texts: pa.Array) -> Codes:
        first = pc.replace_substring_regex(texts, r"(?s), [^;]*, Version=.*", "")
        return words.add(pc.replace_substring_regex(first, r"^arn:(?:[^:]*:){4}([^:]+)$", r"\1"))

    return words.meanings(event_type, brief, -1).astype(np.int32)


def _with_a_business(role: Ints, words: Words, destination: Codes) -> Ints:
    """*role*, but for what is said to NATS itself, and for answers to inboxes: they are no messages."""

    def to(*prefixes: str) -> Mask:
        def begins(texts: pa.Array) -> Mask:
            begun: Mask = np.logical_or.reduce([_mask(pc.starts_with(texts, prefix)) for prefix in prefixes])
            return begun

        return np.asarray(words.meanings(destination, begins, 0) == 1)

    publishes, inbox = (role == Role.CREATE) | (role == Role.SEND), to(*_INBOXES)
    return np.select(
        [to(_SETTLES), to(*_BROKER), inbox & publishes, inbox & (role != Role.NONE)],
        [int(Role.SETTLE), int(Role.NONE), int(Role.REPLY), int(Role.ANSWERED)],
        role,
    )


def _either(first: Codes, second: Codes) -> Codes:
    return np.where(first >= 0, first, second)


def _links(column: pa.ChunkedArray, role: Ints) -> pa.Array:
    """Links, but for those of a fetch: what came together by chance has nothing to do with each other."""
    lists, fetch = whole(column), role == Role.FETCH
    if not fetch.any():
        return lists
    return pc.if_else(pa.array(fetch), pa.scalar([], lists.type), lists)


def _times(column: pa.ChunkedArray) -> pa.Array:
    """Times as signed integers: what lies beyond the year 2262 is its last nanosecond."""
    times = whole(column)
    if (pc.max(times).as_py() or 0) > _LAST:
        times = pc.min_element_wise(times, pa.scalar(_LAST, times.type))
    return times.view(pa.int64())


def _mask(column: Any) -> Mask:
    return np.asarray(whole(column).to_numpy(zero_copy_only=False), dtype=np.bool_)
