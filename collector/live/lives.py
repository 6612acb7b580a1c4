"""Which group last handled which event type, and how late do we learn of it?"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from collector.columns.joins import Ints, Mask, find, groups
from collector.diagnosis import Names
from collector.diagnosis.debts import Debt, Owed
from collector.diagnosis.findings import Life
from collector.diagnosis.record import Begun, Reactions, Record, type_of
from collector.diagnosis.vocabulary import Codes
from collector.live.delays import Delays, RecentDelays
from collector.live.seen import Seen

_MOST = 5_000  # steps: more than are learned; the one that took nothing for longest is forgotten first
_DONE = (Debt.REACTION, Debt.MESSAGE)


class Lives:
    """When each group last began to handle each event type, and the usual delays of telemetry."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._delays = Delays(names.services.limit)
        self.seen: dict[int, Seen] = {}  # by step: the messages that it took
        self._published: dict[int, Seen] = {}  # by step: the messages after which it published something
        # By event type and group: the newest of these, and when the last handling of one began.
        self._served: dict[tuple[Debt, int, int], tuple[int, int]] = {}
        self._columns: dict[Debt, _Columns] = {}
        self._pace = RecentDelays(1, 0.95)  # how long after its message a reaction is known

    def see_spans(self, rows: pa.Table) -> None:
        """Learn from the delays of *rows* (READINGS) that arrived."""
        service = self._names.services.codes(rows["service"])
        self._delays.learn(
            service, np.asarray(rows["end"].to_numpy()), np.asarray(rows["received"].to_numpy())
        )

    def see(self, happened: Record) -> None:
        """Learn which steps took which messages: all that were handled, or are being handled."""
        reactions = happened.reactions
        seen = (reactions.message >= 0) & (reactions.step >= 0)
        if seen.any():
            later = np.maximum(reactions.received - reactions.heard, 0)[seen]
            self._pace.add(np.zeros(len(later), np.int64), later, int(reactions.received[seen].max()))
        for taken in (reactions, happened.begun):
            self._see_taken(taken)
        service = self._names.service_of(reactions.step)
        end = self._delays.by_our_clock(reactions.end, service, reactions.received)
        for step, rows in groups(reactions.step, reactions.emitted & seen):
            self._take(Debt.MESSAGE, step, reactions.published[rows], int(end[rows].max()))

    def forget(self, codes: Codes) -> None:
        """Forget what has one of these names."""
        for of in (self.seen, self._published):
            codes.drop_steps(self._names, of)
        types, teams = frozenset(codes.types.tolist()), frozenset(codes.groups.tolist())
        for whose in [one for one in self._served if one[1] in types or one[2] in teams]:
            del self._served[whose]
        self._delays.forget(codes.services)
        self._columns.clear()

    def since(self, owed: Owed) -> Ints:
        """Since when each entry is owed, by our clock."""
        return self._delays.by_our_clock(owed.since, owed.service, owed.received)

    def slack(self, owed: Owed) -> Ints:
        """How long it may take until what is owed is known here, for each entry."""
        return self._delays.slack(self._names.service_of(owed.step))

    def pauses(self, owed: Owed) -> tuple[Ints, Ints]:
        """The typical and the longest of the last pauses in what the step of each entry took, nanoseconds."""
        columns = self._of(Debt.REACTION)
        place = find(columns.step, owed.step)
        return np.append(columns.typical, 0)[place], np.append(columns.longest, 0)[place]

    def known(self) -> dict[int, Life]:
        """The life of each step."""
        return {step: seen.life for step, seen in self.seen.items()}

    def overtaken(self, owed: Owed) -> Mask:
        """For which entries the group has done the same for a message published later."""
        return owed.published < self._newest(owed)[0]

    def passed_over(self, owed: Owed) -> Mask:
        """Which entries were passed over: after they were due, the group did the same for a later message.

        Of messages published at once, one that has to wait is not passed over by a group that is dying.
        """
        served, last = self._newest(owed)
        mask: Mask = (owed.published < served) & (owed.since + owed.due <= last)
        return mask

    def next_taken(self, owed: Owed) -> Ints:
        """When the next message was published that each entry's step did take; 0 for none or unknown."""
        ends = np.zeros(len(owed), np.int64)
        for kind, of in ((Debt.REACTION, self.seen), (Debt.MESSAGE, self._published)):
            for step, rows in groups(owed.step, owed.kind == kind):
                if step in of:
                    ends[rows] = of[step].next_taken(owed.published[rows])
        return ends

    def quiet(self, least: float, most: float, now: int) -> int:
        """How long a flow must be silent to be at rest, between *least* and *most*; all in nanoseconds."""
        usual = max(least, 3 * float(self._pace.usual[0]))
        return int(min(usual + self._delays.slowest(now), most))

    def _see_taken(self, taken: Reactions | Begun) -> None:
        service = self._names.service_of(taken.step)
        start = self._delays.by_our_clock(taken.start, service, taken.received)
        for step, rows in groups(taken.step, taken.message >= 0):
            self._take(Debt.REACTION, step, taken.published[rows], int(start[rows].max()))

    def _take(self, kind: Debt, step: int, published: Ints, started: int) -> None:
        of = self.seen if kind is Debt.REACTION else self._published
        self._columns.pop(kind, None)
        seen = of[step] = of.pop(step) if step in of else Seen()  # the last that took something is the last
        seen.take(published, started)
        whose = self._whose(kind, step)
        served, last = self._served.pop(whose, (0, 0))
        self._served[whose] = max(served, seen.served), max(last, seen.last)
        while len(of) > _MOST:
            del of[next(iter(of))]
        while len(self._served) > 2 * _MOST and whose != (oldest := next(iter(self._served))):
            del self._served[oldest]

    def _whose(self, kind: Debt, step: int) -> tuple[Debt, int, int]:
        """One group takes a message once, whichever services are its members."""
        return kind, type_of(step), self._names.group_of(step)

    def _newest(self, owed: Owed) -> tuple[Ints, Ints]:
        """Of each entry's group: the newest message for which it did the same, and when it began the last."""
        served, last = np.zeros(len(owed), np.int64), np.zeros(len(owed), np.int64)
        for kind in _DONE:
            columns, mine = self._of(kind), np.flatnonzero(owed.kind == kind)
            place = find(columns.step, owed.step[mine])
            served[mine] = np.append(columns.served, 0)[place]
            last[mine] = np.append(columns.last, 0)[place]
        return served, last

    def _of(self, kind: Debt) -> "_Columns":
        """What is known of all steps, as columns; made anew after something was taken."""
        if kind not in self._columns:
            of = self.seen if kind is Debt.REACTION else self._published
            steps = sorted(of)
            whose = [self._served.get(self._whose(kind, step), (0, 0)) for step in steps]
            self._columns[kind] = _Columns(
                step=np.array(steps, np.int64),
                served=np.array([served for served, _ in whose], np.int64),
                last=np.array([last for _, last in whose], np.int64),
                typical=np.array([of[step].typical for step in steps], np.int64),
                longest=np.array([of[step].longest for step in steps], np.int64),
            )
        return self._columns[kind]


@dataclass(frozen=True)
class _Columns:
    """What is known of each step, ascending."""

    step: Ints
    served: Ints
    last: Ints
    typical: Ints
    longest: Ints
