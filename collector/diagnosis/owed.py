"""What does a flow still owe? The reactions and messages that normally follow and have not been seen.

Each entry says since when it is owed and when it is due, so that any later moment can be judged by comparing
numbers, without reading the flow again.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from enum import IntEnum

import networkx as nx
import numpy as np

from collector.columns.joins import (
    Ints,
    Mask,
    among,
    distinct_pairs,
    find,
    last_of_runs,
    matches_in_order,
    once,
)
from collector.diagnosis.expected import Expectation, Expected
from collector.diagnosis.record import Record, type_of
from collector.model.wording import MS


class Debt(IntEnum):
    """What kind of thing is owed."""

    REACTION = 0  # no reaction to the message was seen
    SUCCESS = 1  # the handling failed
    MESSAGE = 2  # the handling went well and published nothing
    JOIN = 3  # all that the join needs has happened, and nothing was published


@dataclass(frozen=True)
class Owed:
    """One entry per debt; all columns have the same length."""

    flow: Ints
    kind: Ints  # Debt
    step: Ints  # the reactor that owes it, and the event type; for a join, its last step
    join: Ints  # place of the join in `Expected.joins`; -1 for none
    row: Ints  # the span that it follows from: the message, or the reaction
    # A span that says more about it: the announcement that the handling began, or a request of the reaction
    # that got no reply; -1 for none.
    witness: Ints
    service: Ints  # the service whose clock `since` is by
    received: Ints  # when the span that determines `since` was received, nanoseconds
    since: Ints  # nanoseconds, by that service's clock
    due: Ints  # nanoseconds after `since`: later is late
    deadline: Ints  # nanoseconds after `since`: later is stuck
    final: Mask  # it will not be retried

    def where(self, mask: Mask) -> "Owed":
        """The entries that *mask* marks."""
        return Owed(**{name.name: getattr(self, name.name)[mask] for name in fields(self)})

    def __len__(self) -> int:
        return len(self.flow)


_NONE = np.empty(0, np.int64)
NOTHING = Owed(*(_NONE,) * 11, final=np.empty(0, np.bool_))


def together(*parts: Owed) -> Owed:
    """All entries of *parts*."""
    return Owed(
        **{name.name: np.concatenate([getattr(part, name.name) for part in parts]) for name in fields(Owed)}
    )


class Demands:
    """*expected*, as columns to join with records."""

    def __init__(self, expected: Expected) -> None:
        self.expected = expected
        self.names, self.joins = expected.names, expected.joins
        steps = expected.steps
        self._joins_of: dict[int, list[Expectation]] = {}
        for needed, expectation in self.joins:
            for step in needed:
                self._joins_of.setdefault(step, []).append(expectation)
        going = self._one_of_each_group(step for step, e in steps.items() if e.progresses)
        self._by_type = np.array(sorted(going, key=lambda step: (type_of(step), step)), np.int64)
        self._types = np.array([type_of(step) for step in self._by_type.tolist()], np.int64)
        self._first = np.array([expected.first_seen[step] for step in self._by_type.tolist()], np.int64)
        self._ascending = np.array(sorted(steps), np.int64)
        ranked = [steps[step] for step in self._ascending.tolist()]
        self._pace = _pace([(e.react.p99_ms, e.deadline_ms) for e in ranked], expected.floor)
        published = [(e.publish.p99_ms, e.publish_deadline_ms) for e in ranked]
        self._publish_pace = _pace(published, expected.floor)
        self._ends = np.array([step for step, e in steps.items() if not e.progresses], np.int64)
        emitting = [step for step, e in steps.items() if e.always_emits and step not in expected.joined]
        self._emitting = np.array(sorted(emitting), np.int64)
        self._feeding = self._what_feeds_joins()

    def same_as(self, other: "Demands") -> bool:
        """Whether both demand the same things of the same steps and joins, at whatever pace."""
        return (
            np.array_equal(self._by_type, other._by_type)
            and np.array_equal(self._emitting, other._emitting)
            and [steps for steps, _ in self.joins] == [steps for steps, _ in other.joins]
        )

    def owed(self, record: Record) -> tuple[Owed, Mask]:
        """What the flows of *record* owe, and which of them lost telemetry of a step that happened."""
        entries = together(
            self._reactions(record), self._failures(record), self._messages(record), self._joined(record)
        )
        entries = entries.where(~self._waiting_for_other(entries))
        lost, replaced = self._happened(record, entries)
        gaps = np.zeros(record.flows, np.bool_)
        # A handling that began and has not ended is not lost, even if it has already published.
        begun = (entries.kind == Debt.REACTION) & (entries.witness >= 0)
        gaps[entries.flow[lost & ~begun]] = True
        return entries.where(~lost & ~replaced), gaps

    def _one_of_each_group(self, steps: Iterable[int]) -> list[int]:
        """One step per group, which takes a message once: that of the service that took the newest."""
        newest: dict[tuple[int, int], int] = {}
        for step in sorted(steps, key=lambda step: (self.expected.steps[step].last, step)):
            newest[type_of(step), self.names.group_of(step)] = step
        return list(newest.values())

    def _what_feeds_joins(self) -> list[Ints]:
        """For each join, the steps that lead to one of its triggers, and its own steps."""
        if not self.joins:
            return []
        leads: nx.DiGraph[int] = nx.DiGraph()
        code = self.names.event_types.code
        emitted = {step: {code(name) for name, _ in e.emits} for step, e in self.expected.steps.items()}
        for step, types in emitted.items():
            leads.add_edges_from((type_of(step), event_type) for event_type in types)
        found = []
        for steps, _ in self.joins:
            triggers = {type_of(step) for step in steps}
            before = set().union(triggers, *(nx.ancestors(leads, t) for t in triggers if t in leads))
            feeding = [step for step, types in emitted.items() if not before.isdisjoint(types)]
            found.append(np.array([*feeding, *steps], np.int64))
        return found

    def _reactions(self, record: Record) -> Owed:
        messages, names = record.messages, self.names
        place, which = matches_in_order(self._types, messages.type)
        step, since = self._by_type[which], messages.time[place]
        wanted = messages.row[place] * names.groups.limit + names.group_of(step)
        missing = ~among(wanted, record.reactions.handling(names)) & (since >= self._first[which])
        place, step, wanted = place[missing], step[missing], wanted[missing]
        begun = record.begun
        # Of several, the first: a handler that dies every time should not look new every time.
        word = _first_of(begun.handling(names), begun.start, wanted)
        # A request with a reply was taken by some service, whether that was seen or not.
        kept = (word >= 0) | ~messages.answered[place]
        place, step, word = place[kept], step[kept], word[kept]

        def since_then(of_message: Ints, of_word: Ints) -> Ints:
            return np.where(word >= 0, np.append(of_word, -1)[word], of_message[place])

        return self._entries(
            Debt.REACTION,
            messages.flow[place],
            step,
            row=messages.row[place],
            witness=np.append(begun.row, -1)[word],
            service=since_then(messages.service, begun.service),
            received=since_then(messages.received, begun.received),
            since=since_then(messages.time, begun.start),
        )

    def _failures(self, record: Record) -> Owed:
        reactions = record.reactions
        failed = reactions.stopped & ~np.isin(reactions.step, self._ends) & (reactions.step >= 0)
        # A message of a batch that failed may have been redelivered in another batch.
        failed = _but_for(failed, reactions.handling(self.names), ~reactions.stopped)
        return self._of_reactions(
            Debt.SUCCESS, record, failed, reactions.published, final=reactions.final[failed]
        )

    def _messages(self, record: Record) -> Owed:
        reactions = record.reactions
        silent = ~reactions.failed & ~reactions.emitted & np.isin(reactions.step, self._emitting)
        silent = _but_for(silent, reactions.handling(self.names), reactions.emitted)
        return self._of_reactions(Debt.MESSAGE, record, silent, reactions.end)

    def _joined(self, record: Record) -> Owed:
        reactions = record.reactions
        found = [NOTHING]
        for place, (steps, expectation) in enumerate(self.joins):
            taken = np.flatnonzero(np.isin(reactions.step, steps) & ~reactions.stopped)
            flow, _ = distinct_pairs(reactions.flow[taken], reactions.step[taken])
            flow, times = np.unique(flow, return_counts=True)
            published = once(reactions.flow[taken[reactions.emitted[taken]]])
            waiting = flow[(times == len(steps)) & ~np.isin(flow, published)]
            rows = taken[np.isin(reactions.flow[taken], waiting)]
            rows = rows[np.lexsort((reactions.end[rows], reactions.flow[rows]))]
            last = rows[last_of_runs(reactions.flow[rows])]
            entries = self._of_reactions(Debt.JOIN, record, last, reactions.end)
            entries.join[:] = place
            entries.due[:] = int(expectation.react.p99_ms * MS)
            entries.deadline[:] = int(expectation.deadline_ms * MS)
            found.append(entries)
        return together(*found)

    def _of_reactions(
        self, kind: Debt, record: Record, which: Ints | Mask, since: Ints, *, final: Mask | None = None
    ) -> Owed:
        reactions, asked = record.reactions, record.unanswered
        row, flow = reactions.row[which], reactions.flow[which]
        return self._entries(
            kind,
            flow,
            reactions.step[which],
            row=row,
            witness=np.append(asked.row, -1)[
                _first_of(asked.reaction * record.flows + asked.flow, asked.row, row * record.flows + flow)
            ],
            service=self.names.service_of(reactions.step[which]),
            received=reactions.received[which],
            since=since[which],
            final=final,
        )

    def _entries(
        self,
        kind: Debt,
        flow: Ints,
        step: Ints,
        *,
        row: Ints,
        witness: Ints,
        service: Ints,
        received: Ints,
        since: Ints,
        final: Mask | None = None,
    ) -> Owed:
        place = np.searchsorted(self._ascending, step)
        place = np.where(np.isin(step, self._ascending), place, len(self._ascending))
        due, deadline = (self._publish_pace if kind == Debt.MESSAGE else self._pace)[:, place]
        return Owed(
            flow=flow,
            kind=np.full(len(flow), int(kind)),
            step=step,
            join=np.full(len(flow), -1),
            row=row,
            witness=witness,
            service=service,
            received=received,
            since=since,
            due=due,
            deadline=deadline,
            final=np.zeros(len(flow), np.bool_) if final is None else final,
        )

    def _waiting_for_other(self, entries: Owed) -> Mask:
        """Joins that something owed leads to: the last of three order lines may still be on its way."""
        waiting = np.zeros(len(entries), np.bool_)
        for place in np.unique(entries.join[entries.join >= 0]).tolist():
            mine = entries.join == place
            feeding = ~(entries.kind == Debt.JOIN) & np.isin(entries.step, self._feeding[place])
            waiting |= mine & np.isin(entries.flow, entries.flow[feeding])
        return waiting

    def _happened(self, record: Record, entries: Owed) -> tuple[Mask, Mask]:
        """Which entries are paid although their own spans were lost, and which another service has paid.

        Lost: the event that normally follows is here without a known cause, from the service that should have
        published it; or something reacted to it. An event published by a join shows that it had all it needs.
        Paid by another: normally this step alone leads to that event, but in this flow another service
        published it, because the service was renamed or replaced.
        """
        lost = np.zeros(len(entries), np.bool_)
        replaced = np.zeros(len(entries), np.bool_)
        for step in np.unique(entries.step).tolist():
            for join in np.unique(entries.join[entries.step == step]).tolist():
                mine = (entries.step == step) & (entries.join == join)
                told = [self.expected.of(step, join)]
                told += self._joins_of.get(step, [])
                for rank, expectation in enumerate(told):
                    if expectation is not None:
                        seen = self._flows_beyond(record, expectation, whatever_cause=rank > 0)
                        lost |= mine & np.isin(entries.flow, seen)
                if (expectation := told[0]) is not None:
                    by_others = self._published_by_others(record, step, expectation)
                    replaced |= mine & np.isin(entries.flow, by_others)
        open_kinds = entries.kind != Debt.SUCCESS
        return lost & open_kinds, replaced & open_kinds

    def _flows_beyond(self, record: Record, expectation: Expectation, *, whatever_cause: bool) -> Ints:
        """The flows in which an event that *expectation* leads to was seen published, or reacted to.

        Unless *whatever_cause*, published events only count if their cause is unknown.
        """
        messages, reactions = record.messages, record.reactions
        emits = np.array([self.names.event_types.code(name) for name, _ in expectation.emits], np.int64)
        service = self.names.services.code(expectation.service)
        published = np.isin(messages.type, emits) & (messages.service == service)
        if not whatever_cause:
            published &= ~messages.caused
        dangling = (reactions.message < 0) & (reactions.step >= 0)
        reacted = dangling & np.isin(type_of(reactions.step), emits)
        return np.union1d(messages.flow[published], reactions.flow[reacted])

    def _published_by_others(self, record: Record, step: int, expectation: Expectation) -> Ints:
        messages = record.messages
        emits = [self.names.event_types.code(name) for name, _ in expectation.emits]
        own = np.array([code for code in emits if (step, code) in self.expected.sources], np.int64)
        service = self.names.services.code(expectation.service)
        return once(messages.flow[np.isin(messages.type, own) & (messages.service != service)])


def _but_for(chosen: Mask, handling: Ints, settled: Mask) -> Mask:
    """*chosen* without those whose handling is also that of a *settled* one; few are ever looked up."""
    place = np.flatnonzero(chosen & (handling >= 0))
    left = chosen.copy()
    if len(place):
        left[place[among(handling[place], handling[settled])]] = False
    return left


def _first_of(keys: Ints, rank: Ints, wanted: Ints) -> Ints:
    """The place of each of *wanted* in *keys*, the one of lowest *rank* if several; -1 if absent."""
    order = np.lexsort((rank, keys))
    return np.append(order, -1)[find(keys[order], wanted)]


def _pace(paces: list[tuple[float, float]], floor: int) -> Ints:
    """(2, n + 1): due and deadline of each, in nanoseconds; the last column is for unknown steps."""
    known = [(int(due * MS), int(deadline * MS)) for due, deadline in paces]
    return np.array([*known, (floor, floor)], np.int64).T
