"""What is a fact: something that a broker said, at a time, about one of its parts?

A fact ages. What a broker said of a state (a consumer, a stream, a connection) holds until `valid_until`,
which its reader sets from the pace at which it asks: past it, the fact proves nothing. What happened (a
message was given up, a consumer was deleted) stays true.

All times are nanoseconds since the epoch. Those of events are the broker's; `as_of` is the collector's time
at which the broker was asked, so that an answer that took long is not taken for fresh.
"""

from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa

FOREVER = 2**63 - 1  # `valid_until` of what happened


class FactKind(StrEnum):
    """What a fact is about. The first four are states, the others are events."""

    CONSUMER = "consumer"
    STREAM = "stream"
    CONNECTION = "connection"
    MESSAGE = "message"  # whether it is still stored
    CREATED = "created"  # a consumer, as the rest
    DELETED = "deleted"
    PAUSED = "paused"
    RESUMED = "resumed"
    QUORUM_LOST = "quorum_lost"
    LEADER_ELECTED = "leader_elected"
    GIVEN_UP = "given_up"  # a message's deliveries are exhausted
    TERMINATED = "terminated"  # a consumer said that a message shall not be delivered again
    REFUSED = "refused"  # a consumer gave a message back: it is delivered again
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"  # a connection ended


# A row of the table `facts`. Empty text and 0 stand for what the fact does not name.
FACTS = pa.schema(
    [
        ("at", pa.int64()),  # when it happened, or when the broker was asked
        ("broker", pa.string()),  # nats, kafka, rabbitmq
        ("kind", pa.string()),  # FactKind
        ("stream", pa.string()),  # stream, topic, queue
        ("consumer", pa.string()),  # consumer, group
        ("subject", pa.string()),
        ("sequence", pa.int64()),  # sequence, offset
        ("connection", pa.string()),  # its id, as the broker gives it
        ("said", pa.string()),  # all else, as a JSON object of numbers and short texts
        ("valid_from", pa.int64()),
        ("valid_until", pa.int64()),
    ]
)


@dataclass(frozen=True, slots=True)
class Stream:
    """Where messages are kept: a stream; a topic or a queue of other brokers."""

    broker: str
    name: str
    subjects: tuple[str, ...]  # filters, which may have wildcards
    first: int  # sequence of the oldest message
    last: int
    messages: int
    as_of: int
    valid_until: int
    retention: str = "limits"  # limits, interest, workqueue
    leader: str = ""  # empty where there is no cluster, or none is elected

    def lost(self, sequence: int) -> bool:
        """Whether a message that had this sequence is certainly not there any more."""
        return sequence < self.first


@dataclass(frozen=True, slots=True)
class Consumer:
    """A group's place in a stream. What a broker does not say is None, or 0 where 0 is what it would mean."""

    broker: str
    stream: str
    name: str
    filters: tuple[str, ...]  # empty: all subjects of the stream
    pending: int  # messages that match and were never delivered
    in_flight: int  # delivered, and not settled
    redelivered: int  # of those in flight, delivered more than once
    delivered: int  # sequence of the last message that was delivered; 0: none
    floor: int  # all messages up to this sequence are settled, or given up
    as_of: int
    valid_until: int
    deliver_group: str = ""  # the queue group of a push consumer
    durable: bool = True
    push: bool = False
    bound: bool | None = None  # push: whether somebody subscribes to it; None: it is pulled
    waiting: int = 0  # pull: open requests
    most_in_flight: int = -1  # max_ack_pending; -1: no limit
    most_deliveries: int = -1  # max_deliver; -1: no limit
    ack_wait: int = 0  # nanoseconds until a message is delivered again
    paused: bool = False
    paused_until: int | None = None
    last_delivered: int | None = None  # when
    last_settled: int | None = None  # when
    deliveries_open: int | None = (
        None  # deliveries above the floor: equal to in_flight if all of these are open
    )
    leader: str = ""
    created: int | None = None
    no_taker_since: int | None = (
        None  # since when each look found no puller and no subscriber; None: some did
    )
    sampled: bool = False  # whether its acknowledgements are reported
    members: tuple[str, ...] = ()  # Kafka: client ids of the group's members

    @property
    def full(self) -> bool:
        """Whether nothing more is delivered until something is settled."""
        return 0 < self.most_in_flight <= self.in_flight

    @property
    def groups(self) -> tuple[str, ...]:
        """The names under which spans may know its group."""
        return (self.deliver_group, self.name) if self.deliver_group else (self.name,)


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who would be given messages of a subject now."""

    subject: str  # a filter, which may have wildcards
    group: str  # queue group; empty: none
    connection: str

    @property
    def wide(self) -> bool:
        """Whether it takes everything: somebody listens in, which is no reaction."""
        return self.subject in {">", "*.>"}


@dataclass(frozen=True, slots=True)
class Connection:
    """A client of the broker. Its id is `messaging.client.id` of spans."""

    broker: str
    id: str
    name: str  # as the client calls itself; empty: it does not
    as_of: int
    valid_until: int
    opened: int | None = None
    closed: int | None = None
    reason: str = ""  # why it was closed, in the broker's words
    subscriptions: tuple[Subscription, ...] = ()
    server: str = ""  # the id is one of this server's
    pending_bytes: int = 0  # that it has not read


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened to a consumer, or to a message on its way through it."""

    broker: str
    kind: FactKind
    at: int
    stream: str
    consumer: str = ""
    sequence: int = 0  # of the message; 0: it is about the consumer
    deliveries: int = 0
    reason: str = ""  # in the broker's or the consumer's words
    until: int | None = None  # paused until
    seen: bool = True  # False: concluded from two lists, of which only the earlier has the consumer


@dataclass(frozen=True, slots=True)
class Stored:
    """Whether one message is still in its stream."""

    broker: str
    stream: str
    sequence: int
    there: bool
    as_of: int
    valid_until: int
    subject: str = ""
    at: int | None = None  # when it was stored
    message_id: str = ""
