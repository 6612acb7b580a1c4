"""What must a reader of a broker do, and what may others ask of what it read?

A new broker is a folder beside this file with a class that is a `BrokerReader`. It never writes to the
broker, reads no payload, and survives whatever the broker does: what it cannot read is missing from `Known`,
with a sentence in `Known.gaps`, and never an exception.

`Facts` is what rules and answers ask: a pure view of what all readers know, as of one moment. Whatever is
stale then is left out of it, so that a rule that finds a fact may rest on it. Where nothing was found, it
must ask whether that proves anything: `Held.whole`, `Takers.whole`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple, Protocol

import pyarrow as pa

from collector.model.facts import Connection, Consumer, FactKind, Happening, Stored, Stream
from collector.model.subjects import meets


class Spot(NamedTuple):
    """The place that a broker gave a message, as spans say it."""

    stream: str
    sequence: int

    @classmethod
    def of(cls, record: str | None) -> "Spot | None":
        """From the column `record` of READINGS; None if that names no stream and number."""
        stream, slash, number = (record or "").rpartition("/")
        known = slash and stream and number.isascii() and number.isdecimal() and len(number) < 19
        return cls(stream, int(number)) if known else None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody needs to know now: a reader asks about it first, and more often."""

    destinations: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    spots: frozenset[Spot] = frozenset()  # messages that findings are about
    anything: bool = False  # somebody looks, or flows are under way: know the rest as well, slowly

    def __bool__(self) -> bool:
        return bool(self.destinations or self.groups or self.spots or self.anything)


@dataclass(frozen=True, slots=True)
class Known:
    """What one reader knows: a frozen value that it replaces as a whole."""

    broker: str
    reached: int = 0  # when the broker last answered; 0: never
    streams: tuple[Stream, ...] = ()
    consumers: tuple[Consumer, ...] = ()
    connections: tuple[Connection, ...] = ()  # open ones, and those that closed lately
    stored: tuple[Stored, ...] = ()
    happenings: tuple[Happening, ...] = ()  # oldest first; the newest so many
    # Until when the lists are whole: what is not in them is not there. 0: they are not.
    consumers_whole_until: int = 0
    connections_whole_until: int = 0
    consumers_as_of: int = 0
    connections_as_of: int = 0
    own: frozenset[str] = frozenset()  # ids of the reader's own connections
    listening_since: int = 0  # from when on no happening was missed; 0: it does not listen
    gaps: tuple[str, ...] = ()  # what cannot be known, why, and what to do: one sentence each


class BrokerReader(Protocol):
    """Reads one broker. One task of the event loop; all methods may be called from any thread."""

    @property
    def known(self) -> Known:
        """What it knows now. Cheap."""

    def want(self, wanted: Wanted) -> None:
        """Replace what is wanted. Cheap; nothing is asked before it returns."""

    def taken(self) -> pa.Table:
        """FACTS that are new since the last call, for the store: what happened, and states that changed."""

    async def run(self) -> None:
        """Read until cancelled. It ends with an exception only if it is wrong itself."""


class Fate(StrEnum):
    """How far a message has come with one consumer."""

    WAITING = "waiting"  # it is stored, and was not delivered yet
    OPEN = "open"  # it was delivered and is not settled
    PERHAPS_OPEN = "perhaps_open"  # delivered; settled out of order, or not: the broker does not say which
    ACKNOWLEDGED = "acknowledged"  # the broker reported its acknowledgement
    GIVEN_UP = "given_up"  # deliveries exhausted
    TERMINATED = "terminated"
    PASSED = "passed"  # all before the floor is settled or given up: proves no acknowledgement
    PURGED = "purged"  # it is not stored any more, and was never delivered
    UNMATCHED = "unmatched"  # the consumer does not take its subject


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is known of one message and one consumer."""

    consumer: Consumer
    spot: Spot
    fate: Fate
    as_of: int
    deliveries: int = 0  # as the last happening said; 0: unknown
    happened: Happening | None = None  # the newest that is about this message
    before: int | None = None  # WAITING: how many of the stream lie between the last delivered and this one


@dataclass(frozen=True, slots=True)
class Held:
    """What brokers hold for one group at one destination."""

    streams: tuple[Stream, ...]  # that keep the destination
    consumers: tuple[Consumer, ...]  # of the group, which take the destination
    others: tuple[Consumer, ...]  # which take it too, of other groups
    gone: Happening | None  # the group's consumer was deleted, and is not there again
    whole: bool  # what is not listed here does not exist
    as_of: int


@dataclass(frozen=True, slots=True)
class Takers:
    """Who would be given a message of one subject that is published now, without a stream."""

    connections: tuple[Connection, ...]
    groups: frozenset[str]  # queue groups of their subscriptions to it; empty text: none
    closed: tuple[Connection, ...]  # that would have been, and ended; the latest first
    kept: tuple[Stream, ...]  # streams that store it
    whole: bool  # who is not listed here is not there
    as_of: int


@dataclass(frozen=True)
class Facts:
    """What is known at *now* of all brokers; what is stale then is not in it."""

    known: tuple[Known, ...] = ()
    now: int = 0

    def __bool__(self) -> bool:
        """Whether any broker is read at all."""
        return bool(self.known)

    @property
    def answering(self) -> bool:
        """Whether some broker has said something that is still fresh."""
        return bool(self.consumers or self.streams or self.connections)

    @cached_property
    def streams(self) -> tuple[Stream, ...]:
        """Fresh ones."""
        return tuple(one for known in self.known for one in known.streams if one.valid_until >= self.now)

    @cached_property
    def consumers(self) -> tuple[Consumer, ...]:
        """Fresh ones."""
        return tuple(one for known in self.known for one in known.consumers if one.valid_until >= self.now)

    @cached_property
    def connections(self) -> tuple[Connection, ...]:
        """Fresh ones that are open, without the collector's own."""
        return tuple(
            one for one in self._all_connections if one.closed is None and one.valid_until >= self.now
        )

    @cached_property
    def closed(self) -> tuple[Connection, ...]:
        """Those that ended, the latest first. That they ended stays true."""
        ended = (one for one in self._all_connections if one.closed is not None)
        return tuple(sorted(ended, key=lambda one: -(one.closed or 0)))

    @cached_property
    def happenings(self) -> tuple[Happening, ...]:
        """Oldest first."""
        return tuple(
            sorted((one for known in self.known for one in known.happenings), key=lambda one: one.at)
        )

    def held(self, group: str, destination: str | None, service: str | None = None) -> Held:
        """What is held for *group*; without it, spans of *service* name no group and its name is tried.

        Without a *destination* every stream is looked at.
        """
        names = {name for name in (group, service) if name}
        streams = self.keeping(destination) if destination else self.streams
        kept = {(one.broker, one.name) for one in streams}
        takers = [
            one
            for one in self.consumers
            if (one.broker, one.stream) in kept and (destination is None or _matches(one, destination))
        ]
        ours = [one for one in takers if names.intersection(one.groups)]
        others = tuple(one for one in takers if one not in ours)
        whole = [known for known in self.known if known.consumers_whole_until >= self.now]
        gone = None if ours else self._gone(names, kept, whole)
        return Held(
            streams,
            tuple(ours),
            others,
            gone,
            bool(whole) and len(whole) == len(self.known),
            min((known.consumers_as_of for known in whole), default=0),
        )

    def keeping(self, destination: str) -> tuple[Stream, ...]:
        """The streams that store messages of *destination*."""
        return tuple(one for one in self.streams if any(meets(each, destination) for each in one.subjects))

    def delivery(self, consumer: Consumer, spot: Spot, subject: str | None = None) -> Delivery:
        """How far the message at *spot*, of the *subject* if that is known, has come with *consumer*."""
        about = self.on_message(consumer, spot)
        newest = about[-1] if about else None
        stored = self.stored(spot)
        subject = subject or (stored.subject if stored else None)
        as_of = consumer.as_of
        deliveries = max((one.deliveries for one in about), default=0)

        def found(fate: Fate, before: int | None = None) -> Delivery:
            return Delivery(consumer, spot, fate, as_of, deliveries, newest, before)

        ends = [one for one in about if one.kind in _ENDS]
        if ends:
            # An acknowledgement may still come after the last allowed delivery: the newest counts.
            return found(_ENDS[ends[-1].kind])
        if subject and not _matches(consumer, subject):
            return found(Fate.UNMATCHED)
        if spot.sequence > consumer.delivered:
            missing = (stored is not None and not stored.there) or self._purged(spot)
            if missing:
                return found(Fate.PURGED)
            return found(Fate.WAITING, spot.sequence - consumer.delivered - 1)
        if spot.sequence <= consumer.floor or not consumer.in_flight:
            return found(Fate.PASSED)
        certain = consumer.deliveries_open == consumer.in_flight or (
            consumer.floor + 1 == spot.sequence and not consumer.most_deliveries > 0
        )
        return found(Fate.OPEN if certain else Fate.PERHAPS_OPEN)

    def on_message(self, consumer: Consumer, spot: Spot) -> tuple[Happening, ...]:
        """What happened to the message at *spot* with *consumer*, oldest first."""
        return self._by_message.get((consumer.broker, consumer.stream, consumer.name, spot.sequence), ())

    def stored(self, spot: Spot) -> Stored | None:
        """Whether the message at *spot* is still there; None if nobody asked lately."""
        found = (one for known in self.known for one in known.stored if one.valid_until >= self.now)
        return next((one for one in found if (one.stream, one.sequence) == spot), None)

    def takers(self, subject: str) -> Takers:
        """Who would be given a message of *subject* now; whoever takes everything just listens in."""

        def of(one: Connection) -> list[str]:
            subscribed = one.subscriptions
            return [sub.group for sub in subscribed if not sub.wide and meets(sub.subject, subject)]

        there = [(one, groups) for one in self.connections if (groups := of(one))]
        whole = [known for known in self.known if known.connections_whole_until >= self.now]
        return Takers(
            tuple(one for one, _ in there),
            frozenset(group for _, groups in there for group in groups),
            tuple(one for one in self.closed if of(one)),
            self.keeping(subject),
            bool(whole) and len(whole) == len(self.known),
            min((known.connections_as_of for known in whole), default=0),
        )

    def connection(self, client_id: str) -> Connection | None:
        """The connection that a span names by `messaging.client.id`; None if several have that id."""
        found = [one for one in (*self.connections, *self.closed) if one.id == client_id]
        return found[0] if len(found) == 1 else None

    def connections_of(self, service: str) -> tuple[Connection, ...]:
        """Open and closed connections that call themselves like *service*, or like an instance of it."""
        return tuple(
            one
            for one in (*self.connections, *self.closed)
            if one.name == service or (one.name.startswith(service) and one.name[len(service)] in "-._:/@ ")
        )

    def listened(self, since: int) -> bool:
        """Whether no happening was missed since then, so that not having heard of one proves something."""
        return bool(self.known) and all(0 < known.listening_since <= since for known in self.known)

    @property
    def gaps(self) -> Sequence[str]:
        """What cannot be known, why, and what to do."""
        return [said for known in self.known for said in known.gaps]

    @cached_property
    def _all_connections(self) -> tuple[Connection, ...]:
        return tuple(one for known in self.known for one in known.connections if one.id not in known.own)

    @cached_property
    def _by_message(self) -> dict[tuple[str, str, str, int], tuple[Happening, ...]]:
        found: dict[tuple[str, str, str, int], list[Happening]] = {}
        for one in self.happenings:
            if one.sequence:
                found.setdefault((one.broker, one.stream, one.consumer, one.sequence), []).append(one)
        return {key: tuple(rows) for key, rows in found.items()}

    def _purged(self, spot: Spot) -> bool:
        return any(one.lost(spot.sequence) for one in self.streams if one.name == spot.stream)

    def _gone(self, names: set[str], kept: set[tuple[str, str]], known: Iterable[Known]) -> Happening | None:
        there = {(one.broker, one.stream, one.name) for each in known for one in each.consumers}
        ended = (
            one
            for one in reversed(self.happenings)
            if one.kind is FactKind.DELETED and one.consumer in names and (one.broker, one.stream) in kept
        )
        return next((one for one in ended if (one.broker, one.stream, one.consumer) not in there), None)


_ENDS = {
    FactKind.ACKNOWLEDGED: Fate.ACKNOWLEDGED,
    FactKind.GIVEN_UP: Fate.GIVEN_UP,
    FactKind.TERMINATED: Fate.TERMINATED,
}

NO_FACTS = Facts()


def _matches(consumer: Consumer, subject: str) -> bool:
    """Whether *consumer* takes some message of *subject*, which may itself be a template with wildcards."""
    return not consumer.filters or any(meets(each, subject) for each in consumer.filters)
