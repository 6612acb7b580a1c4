"""What do JetStream's answers say? From the raw JSON: nats-py's objects leave out fields."""

from datetime import UTC, datetime

import msgspec

from collector.brokers.contract import Spot
from collector.model.facts import Consumer, Stored, Stream

BROKER = "nats"
PAGE = 256  # entries of a list that a server gives at most
MOST_DELETED = 20_000  # sequences between the first and the last that a stream is asked for

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Failure(msgspec.Struct):
    """Why the API refuses."""

    code: int = 0
    err_code: int = 0
    description: str = ""


class _Cluster(msgspec.Struct):
    leader: str = ""


class _At(msgspec.Struct):
    consumer_seq: int = 0
    stream_seq: int = 0
    last_active: str = ""


class _ConsumerConfig(msgspec.Struct):
    durable_name: str = ""
    deliver_subject: str = ""
    deliver_group: str = ""
    filter_subject: str = ""
    filter_subjects: list[str] | None = None
    ack_wait: int = 0
    max_deliver: int = -1
    max_ack_pending: int = -1
    sample_freq: str = ""
    pause_until: str = ""


class ConsumerInfo(msgspec.Struct):
    """CONSUMER.INFO, and an entry of CONSUMER.LIST."""

    stream_name: str = ""
    name: str = ""
    created: str = ""
    config: _ConsumerConfig = msgspec.field(default_factory=_ConsumerConfig)
    delivered: _At = msgspec.field(default_factory=_At)
    ack_floor: _At = msgspec.field(default_factory=_At)
    num_ack_pending: int = 0
    num_redelivered: int = 0
    num_waiting: int = 0
    num_pending: int = 0
    push_bound: bool = False
    paused: bool = False
    pause_remaining: int = 0
    cluster: _Cluster | None = None
    error: Failure | None = None


class ConsumerPage(msgspec.Struct):
    """CONSUMER.LIST."""

    total: int = 0
    offset: int = 0
    consumers: list[ConsumerInfo] | None = None
    missing: list[str] | None = None  # whose leaders did not answer
    error: Failure | None = None


class _StreamConfig(msgspec.Struct):
    name: str = ""
    subjects: list[str] | None = None
    retention: str = "limits"


class _StreamState(msgspec.Struct):
    messages: int = 0
    first_seq: int = 0
    first_ts: str = ""
    last_seq: int = 0
    num_deleted: int = 0
    deleted: list[int] | None = None


class StreamInfo(msgspec.Struct):
    """STREAM.INFO, and an entry of STREAM.LIST."""

    config: _StreamConfig = msgspec.field(default_factory=_StreamConfig)
    state: _StreamState = msgspec.field(default_factory=_StreamState)
    cluster: _Cluster | None = None
    mirror: msgspec.Raw | None = None
    error: Failure | None = None


class StreamPage(msgspec.Struct):
    """STREAM.LIST."""

    total: int = 0
    offset: int = 0
    streams: list[StreamInfo] | None = None
    missing: list[str] | None = None
    error: Failure | None = None


def nanoseconds(text: str) -> int | None:
    """The time that Go writes as *text*, since the epoch; None for its zero, and for what is no time."""
    whole, _, rest = text.partition(".")
    digits = ""
    for sign in rest:
        if not sign.isdigit():
            break
        digits += sign
    zone = rest[len(digits) :] if digits else ""
    try:
        at = datetime.fromisoformat((whole + zone) if digits else text)
    except ValueError:
        return None
    if at.tzinfo is None or at.year < 1970:
        return None
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + int(digits[:9].ljust(9, "0"))


def stream_of(info: StreamInfo, as_of: int, valid_until: int) -> Stream:
    """The stream that *info* describes."""
    return Stream(
        BROKER,
        info.config.name,
        tuple(info.config.subjects or ()),
        info.state.first_seq,
        info.state.last_seq,
        info.state.messages,
        as_of,
        valid_until,
        retention=info.config.retention,
        leader=info.cluster.leader if info.cluster else "",
    )


def consumer_of(info: ConsumerInfo, as_of: int, valid_until: int, before: Consumer | None) -> Consumer:
    """The consumer that *info* describes; *before* is what the last look found."""
    config, push = info.config, bool(info.config.deliver_subject)
    filters = config.filter_subjects or ([config.filter_subject] if config.filter_subject else [])
    paused_until = nanoseconds(config.pause_until) if info.paused else None
    if info.paused and paused_until is None and info.pause_remaining:
        paused_until = as_of + info.pause_remaining
    return Consumer(
        BROKER,
        info.stream_name,
        info.name,
        tuple(filters),
        pending=info.num_pending,
        in_flight=info.num_ack_pending,
        redelivered=info.num_redelivered,
        delivered=info.delivered.stream_seq,
        floor=info.ack_floor.stream_seq,
        as_of=as_of,
        valid_until=valid_until,
        deliver_group=config.deliver_group,
        durable=bool(config.durable_name),
        push=push,
        bound=info.push_bound if push else None,
        waiting=info.num_waiting,
        most_in_flight=config.max_ack_pending,
        most_deliveries=config.max_deliver,
        ack_wait=config.ack_wait,
        paused=info.paused,
        paused_until=paused_until,
        last_delivered=nanoseconds(info.delivered.last_active),
        last_settled=nanoseconds(info.ack_floor.last_active),
        deliveries_open=info.delivered.consumer_seq - info.ack_floor.consumer_seq,
        leader=info.cluster.leader if info.cluster else "",
        created=nanoseconds(info.created),
        no_taker_since=_no_taker_since(info, as_of, before),
        sampled=bool(config.sample_freq) and config.sample_freq.rstrip("%") != "0",
    )


def _no_taker_since(info: ConsumerInfo, as_of: int, before: Consumer | None) -> int | None:
    """A short fetch is often missed by a look: what moved since the last one had a taker between them."""
    if info.push_bound if info.config.deliver_subject else info.num_waiting:
        return None
    if before is None:
        return as_of
    moved = (before.delivered, before.floor, before.deliveries_open) != (
        info.delivered.stream_seq,
        info.ack_floor.stream_seq,
        info.delivered.consumer_seq - info.ack_floor.consumer_seq,
    )
    return as_of if moved or before.no_taker_since is None else before.no_taker_since


def stored_of(info: StreamInfo, spots: list[Spot], as_of: int, valid_until: int) -> list[Stored]:
    """Whether the messages at *spots* are there, from the stream's gaps: no message is read for it."""
    state = info.state
    known = not state.num_deleted or state.deleted is not None
    deleted = set(state.deleted or ())
    found = []
    for spot in spots:
        inside = state.first_seq <= spot.sequence <= state.last_seq and state.messages > 0
        if inside and not known:
            continue
        there = inside and spot.sequence not in deleted
        found.append(Stored(BROKER, spot.stream, spot.sequence, there, as_of, valid_until))
    return found
