"""What does an end exclude? Learned from flows at rest that ended in it: what else happened in them."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from collector.columns.joins import Ints, distinct_pairs, groups
from collector.diagnosis.habits import Habits
from collector.diagnosis.lesson import Lesson
from collector.diagnosis.record import OTHER

_KEPT = 200  # flows that ended in a type: the newest ones
_MOST_ENDS = 100  # event types that end flows; the one that nothing ended in for longest is forgotten first
_MOST_TYPES = 200  # of one flow: more cannot be compared

_Ended: TypeAlias = tuple[int, frozenset[int]]  # when a flow began, and the event types in it


@dataclass(frozen=True, eq=False)
class Ending:
    """The newest flows that ended in one event type, and what else happened in them."""

    times: Ints  # when each began, nanoseconds since the epoch, ascending
    counts: Mapping[int, int]  # by event type: in how many of them it occurred
    begun: Mapping[int, int]  # by event type: when the first flow began in which it was seen at all
    habits: Habits

    def since(self, event_type: int) -> int:
        """How many of the flows began after *event_type* had first been seen."""
        begun = self.begun.get(event_type)
        return 0 if begun is None else len(self.times) - int(np.searchsorted(self.times, begun))

    def known(self, event_type: int) -> bool:
        """Whether there are enough examples to say whether *event_type* occurs in such flows."""
        return self.since(event_type) >= self.habits.flows

    def often(self, event_type: int) -> bool:
        """Whether enough of the flows have *event_type* to speak of such flows."""
        return self.counts.get(event_type, 0) >= self.habits.flows

    def excludes(self, event_type: int) -> bool:
        """Whether *event_type* is known not to occur in such flows."""
        most = self.habits.missed_share * self.since(event_type)
        return self.known(event_type) and self.counts.get(event_type, 0) <= most

    @cached_property
    def usual(self) -> Ints:
        """The event types that such flows have, without what is an accident."""
        least = self.habits.missed_share * len(self.times)
        return np.array(sorted(code for code, n in self.counts.items() if n > least), np.int64)


class Endings:
    """For each event type that ends flows: the event types of the newest flows that ended in it."""

    def __init__(self, habits: Habits) -> None:
        self._habits = habits
        self._flows: dict[int, dict[str, _Ended]] = {}  # by end, and by the flow's id
        self._begun: dict[int, int] = {}
        self._made: dict[int, Ending] = {}
        self._shown: Mapping[int, int] = MappingProxyType({})

    def learn(self, lesson: Lesson, ending_types: Ints) -> None:
        """Learn from the flows of *lesson* that lost nothing: what they have, and in what they ended."""
        record, messages = lesson.record, lesson.messages
        event = lesson.flows[messages.flow] & ~messages.request & (messages.type >= 0)
        self._note_begun(messages.type[event], record.started[messages.flow[event]])
        whole = event & ~lesson.lost[messages.flow]
        last = whole & ~messages.followed & np.isin(messages.type, ending_types)
        if not last.any():
            return
        flow, kind = distinct_pairs(messages.flow[whole], messages.type[whole])
        ended, end = distinct_pairs(messages.flow[last], messages.type[last])
        for code, rows in groups(end, end != OTHER):
            kept = self._flows[code] = self._flows.pop(code, {})  # the last that was ended in is the last
            self._made.pop(code, None)
            newest = ended[rows[-_KEPT:]]
            for name, one in zip(lesson.names_of(newest), newest.tolist(), strict=True):
                types = kind[np.searchsorted(flow, one) : np.searchsorted(flow, one, "right")]
                if len(types) <= _MOST_TYPES:
                    # A flow that went on teaches again, with all that it has by then.
                    kept[name] = int(record.started[one]), frozenset(types.tolist())
            for name in sorted(kept, key=lambda name: kept[name][0])[:-_KEPT]:
                del kept[name]
        while len(self._flows) > _MOST_ENDS:
            self._drop(next(iter(self._flows)))

    def known(self, ending_types: Ints) -> Mapping[int, Ending]:
        """What is known of those of *ending_types* in which enough flows ended."""
        found = {}
        for code in ending_types.tolist():
            kept = self._flows.get(code, {})
            if len(kept) >= self._habits.flows:
                if code not in self._made:
                    self._made[code] = self._ending(kept.values())
                found[code] = self._made[code]
        return MappingProxyType(found)

    def forget(self, types: frozenset[int]) -> None:
        """Forget these event types, and the flows in which they were: others may get their numbers."""
        for code in types & self._flows.keys():
            self._drop(code)
        for code, kept in self._flows.items():
            for name in [name for name, (_, some) in kept.items() if not types.isdisjoint(some)]:
                del kept[name]
                self._made.pop(code, None)
        self._begun = {code: at for code, at in self._begun.items() if code not in types}
        self._show()

    def _note_begun(self, types: Ints, started: Ints) -> None:
        changed = False
        for code in np.unique(types).tolist():
            at = int(started[types == code].min())
            if at < self._begun.get(code, at + 1):
                self._begun[code] = at
                changed = True
        if changed:
            self._show()

    def _show(self) -> None:
        self._shown = MappingProxyType(dict(self._begun))
        self._made.clear()

    def _drop(self, code: int) -> None:
        del self._flows[code]
        self._made.pop(code, None)

    def _ending(self, flows: Collection[_Ended]) -> Ending:
        counts = Counter(code for _, types in flows for code in types)
        times = np.array(sorted(began for began, _ in flows), np.int64)
        return Ending(times, MappingProxyType(counts), self._shown, self._habits)
