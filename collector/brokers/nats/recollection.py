"""What does the reader of NATS remember? One owner of its state, who gives out frozen values.

It belongs to the reader's event loop; `known` may be asked from any thread.
"""

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pyarrow as pa

from collector.brokers.contract import Known
from collector.brokers.fact_rows import rows_of
from collector.brokers.nats.jetstream import BROKER
from collector.model.facts import Connection, Consumer, FactKind, Happening, Stored, Stream

# How many of each sort are remembered: what comes often must not make the rest forgotten.
_ACKNOWLEDGED, _REFUSED, _ENDED, _OTHERS = 20_000, 5_000, 20_000, 5_000
_STORED, _CLOSED, _UNWRITTEN = 5_000, 2_000, 20_000
_STATES = {FactKind.PAUSED, FactKind.RESUMED, FactKind.DELETED}


class Recollection:
    """All that is known of one NATS."""

    def __init__(self) -> None:
        self._known = Known(BROKER)
        self._happened = {
            FactKind.ACKNOWLEDGED: deque[Happening](maxlen=_ACKNOWLEDGED),
            FactKind.REFUSED: deque[Happening](maxlen=_REFUSED),
            FactKind.GIVEN_UP: deque[Happening](maxlen=_ENDED),
            FactKind.TERMINATED: deque[Happening](maxlen=_ENDED),
        }
        self._others: deque[Happening] = deque(maxlen=_OTHERS)
        self._told = 0  # happenings that `_known` has already
        self._count = 0
        self._lock = threading.Lock()
        self._unwritten: deque[Happening | Consumer | Connection] = deque(maxlen=_UNWRITTEN)

    @property
    def known(self) -> Known:
        """Frozen. What happened since it was last asked is put in now."""
        if self._told != self._count:
            with self._lock:
                every = [one for kept in (*self._happened.values(), self._others) for one in kept]
                self._told = self._count
                every.sort(key=lambda one: one.at)
                self._known = replace(self._known, happenings=tuple(every))
        return self._known

    def taken(self) -> pa.Table:
        """FACTS that are new since the last call."""
        with self._lock:
            new = list(self._unwritten)
            self._unwritten.clear()
        return rows_of(new)

    def happen(self, one: Happening) -> None:
        """Remember what a server, or the difference of two lists, reports."""
        with self._lock:
            self._happened.get(one.kind, self._others).append(one)
            self._count += 1
            self._unwritten.append(one)
        if one.kind in _STATES and not one.sequence:
            self._correct(one)

    def heard(self, at: int) -> None:
        """Something was answered."""
        self._set(reached=at)

    def listens(self, since: int) -> None:
        """From when on advisories were heard without a gap; 0: they are not."""
        self._set(listening_since=since)

    def gaps(self, said: Sequence[str]) -> None:
        """What cannot be known now."""
        if tuple(said) != self._known.gaps:
            self._set(gaps=tuple(said))

    def own(self, connection: str) -> None:
        """The id of the connection that is in use."""
        self._set(own=frozenset({connection}))

    def streams(self, found: Iterable[Stream], *, whole: bool) -> None:
        """What the list of streams says; if it is not *whole*, the others stay."""
        new = {one.name: one for one in found}
        if not whole:
            new = {one.name: one for one in self._known.streams} | new
        consumers = tuple(one for one in self._known.consumers if not whole or one.stream in new)
        self._set(streams=tuple(new.values()), consumers=consumers)

    def consumers(self, stream: str, found: Sequence[Consumer], now: int, *, whole: bool) -> None:
        """What the list of a stream's consumers says. Of a whole list, who is missing was deleted."""
        names = {one.name for one in found}
        mine = [one for one in self._known.consumers if one.stream == stream]
        if whole:
            for one in mine:
                # A consumer of one run, such as that of a person who looks, comes and goes.
                if one.name not in names and one.durable:
                    self.happen(Happening(BROKER, FactKind.DELETED, now, stream, one.name, seen=False))
        before = {one.name: one for one in mine}
        changed = [one for one in found if _sign(one) != _sign(before.get(one.name))]
        with self._lock:
            self._unwritten.extend(changed)
        stay = (
            one
            for one in self._known.consumers
            if one.stream != stream or (not whole and one.name not in names)
        )
        self._set(consumers=(*stay, *found))

    def consumer(self, one: Consumer) -> None:
        """What one consumer says of itself."""
        self.consumers(one.stream, [one], one.as_of, whole=False)

    def without(self, stream: str, name: str, now: int) -> None:
        """The server says that there is no such consumer."""
        if any((one.stream, one.name) == (stream, name) for one in self._known.consumers):
            self.happen(Happening(BROKER, FactKind.DELETED, now, stream, name, seen=False))

    def whole(self, consumers_until: int, as_of: int) -> None:
        """Until when the lists of streams and consumers are whole."""
        self._set(consumers_whole_until=consumers_until, consumers_as_of=as_of)

    def connections(self, found: Sequence[Connection], as_of: int, whole_until: int) -> None:
        """Who is connected. Those that closed earlier are remembered, the latest so many."""
        there = {(one.server, one.id): one for one in found}
        ended = [one for one in self._known.connections if one.closed and (one.server, one.id) not in there]
        known = {(one.server, one.id) for one in self._known.connections if one.closed}
        new = [one for one in found if one.closed and (one.server, one.id) not in known]
        with self._lock:
            self._unwritten.extend(new)
        every = sorted((one for one in (*ended, *found) if one.closed), key=lambda one: one.closed or 0)
        opened = tuple(one for one in found if one.closed is None)
        self._set(
            connections=(*opened, *every[-_CLOSED:]),
            connections_whole_until=whole_until,
            connections_as_of=as_of,
        )

    def stored(self, found: Sequence[Stored]) -> None:
        """Which messages are there."""
        new = {(one.stream, one.sequence): one for one in self._known.stored}
        new |= {(one.stream, one.sequence): one for one in found}
        self._set(stored=tuple(new.values())[-_STORED:])

    def _correct(self, said: Happening) -> None:
        """What was just reported counts at once, and not only at the next look."""

        def corrected(one: Consumer) -> Consumer | None:
            if (one.stream, one.name) != (said.stream, said.consumer):
                return one
            if said.kind is FactKind.DELETED:
                return None
            return replace(one, paused=said.kind is FactKind.PAUSED, paused_until=said.until)

        changed = (corrected(one) for one in self._known.consumers)
        self._set(consumers=tuple(one for one in changed if one is not None))

    def _set(self, **changes: object) -> None:
        with self._lock:
            self._known = replace(self._known, **changes)  # type: ignore[arg-type]


def _sign(one: Consumer | None) -> tuple[object, ...] | None:
    """What of a consumer is worth a row when it changes: not each message that passes."""
    if one is None:
        return None
    return one.paused, one.bound, one.full, one.most_deliveries, one.most_in_flight, one.filters, one.leader
