"""Which debts are none of the flow's any more, because it ended another way?

A cancelled order to which fraud never answered is not stuck: nobody waits for the answer. But an event that
nothing follows may be the end of a branch, and say nothing of the rest. So an end counts only for a debt of
which it is known that it takes the place of what the debt leads to.
"""

from collections.abc import Iterable

import networkx as nx
import numpy as np

from collector.columns.joins import Ints, Mask, alike, groups
from collector.diagnosis.debts import Debt, Owed
from collector.diagnosis.endings import Ending
from collector.diagnosis.expected import Expected
from collector.diagnosis.record import OTHER, Record, type_of

_Kind = tuple[int, int, int]  # debt, step, join


class Ends:
    """What is known of ends, to be asked of records."""

    def __init__(self, expected: Expected) -> None:
        self._expected = expected
        self._leads = self._always_leads()
        self._answers: dict[tuple[int, _Kind], frozenset[int] | None] = {}

    def excusing(self, record: Record, owed: Owed) -> Ints:
        """For each entry, the event type that ended its flow in such a way that the flow does not wait.

        It is -1 if there is none. A flow always waits for what follows the end, and what began after it.
        """
        expected, messages = self._expected, record.messages
        found = np.full(len(owed), -1)
        concerned = np.zeros(record.flows, np.bool_)
        concerned[owed.flow] = True
        last = concerned[messages.flow] & ~messages.followed & ~messages.request
        last &= np.isin(messages.type, expected.ending_types)
        for end, rows in groups(messages.type, last):
            ending = expected.endings.get(end)
            if ending is None and end not in expected.declared_ends:
                continue
            at = np.zeros(record.flows, np.int64)
            np.maximum.at(at, messages.flow[rows], messages.time[rows])
            mine = (found < 0) & (owed.published < at[owed.flow])
            if end not in expected.declared_ends and ending is not None:
                mine &= ~_odd(record, ending)[owed.flow]
            place = np.flatnonzero(mine)
            for kind, these in self._by_kind(owed, place):
                needed = self._needed(end, kind)
                if needed is not None:
                    found[these[_having(record, needed)[owed.flow[these]]]] = end
        return found

    def _by_kind(self, owed: Owed, place: Ints) -> Iterable[tuple[_Kind, Ints]]:
        if not len(place):
            return
        which, example = alike([owed.kind[place], owed.step[place], owed.join[place]])
        for number, one in enumerate(example.tolist()):
            kind = int(owed.kind[place[one]]), int(owed.step[place[one]]), int(owed.join[place[one]])
            yield kind, place[which == number]

    def _needed(self, end: int, kind: _Kind) -> frozenset[int] | None:
        """The event types that a flow must have for *end* to excuse such a debt; None: it never does."""
        if (end, kind) not in self._answers:
            self._answers[end, kind] = self._judged(end, kind)
        return self._answers[end, kind]

    def _judged(self, end: int, kind: _Kind) -> frozenset[int] | None:
        debt, step, join = kind
        expectation, code = self._expected.of(step, join), self._expected.names.event_types.code
        # What else a join waits for is not owed in flows that went another way.
        if debt == Debt.OTHER or expectation is None:
            return None
        # What only a join publishes may never have followed from this step alone.
        joined = [one.emits for needed, one in self._expected.joins if step in needed]
        published = {code(name) for emits in (expectation.emits, *joined) for name, _ in emits}
        if not published:
            return None
        triggers = {type_of(step), *map(code, expectation.triggers)}
        if end in triggers or OTHER in published | triggers:
            return None
        ending, declared = self._expected.endings.get(end), end in self._expected.declared_ends
        if not declared and (ending is None or not all(map(ending.often, triggers))):
            return None
        needed: set[int] = set()
        replaced = False
        for one in published:
            then = self._following(one)
            # Of what leads to nothing, a person who declared the end knows that it does not matter.
            if not then and (not declared or one in self._expected.declared_ends):
                then = {one}
            then -= {end}
            gone = {its for its in then if _excluded(ending, its, declared=declared)}
            needed |= then - gone
            replaced |= bool(gone)
        return frozenset(needed) if replaced or declared else None

    def _always_leads(self) -> "nx.DiGraph[int]":
        """Which event type always leads to one of which: what only some flows do proves nothing."""
        code = self._expected.names.event_types.code
        leads: nx.DiGraph[int] = nx.DiGraph()
        always = [e for e in self._expected.steps.values() if e.until and e.always_emits]
        for expectation in (*always, *(one for _, one in self._expected.joins)):
            for name, _ in expectation.emits:
                leads.add_edges_from((code(trigger), code(name)) for trigger in expectation.triggers)
        return leads

    def _following(self, event_type: int) -> set[int]:
        return set(nx.descendants(self._leads, event_type)) if event_type in self._leads else set()


def _excluded(ending: Ending | None, event_type: int, *, declared: bool) -> bool:
    """Whether flows that end so do not have *event_type*; of what was seen too seldom, a declaration says."""
    if ending is None or not ending.known(event_type):
        return declared
    return ending.excludes(event_type)


def _odd(record: Record, ending: Ending) -> Mask:
    """The flows that have something which flows with this end do not have: it may not be their end."""
    messages = record.messages
    odd = ~messages.request & (messages.type >= 0) & ~np.isin(messages.type, ending.usual)
    mask = np.zeros(record.flows, np.bool_)
    mask[messages.flow[odd]] = True
    return mask


def _having(record: Record, types: Iterable[int]) -> Mask:
    """The flows in which all of *types* occur."""
    messages = record.messages
    mask = np.ones(record.flows, np.bool_)
    for one in types:
        here = np.zeros(record.flows, np.bool_)
        here[messages.flow[(messages.type == one) & ~messages.request]] = True
        mask &= here
    return mask
