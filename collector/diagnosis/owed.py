"""What does a flow still owe? The reactions and messages that normally follow and have not been seen.

Each entry says since when it is owed and when it is due, so that any later moment can be judged by comparing
numbers, without reading the flow again.
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property

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
from collector.columns.keys import pair_keys
from collector.diagnosis.debts import NOTHING, Debt, Owed, together
from collector.diagnosis.ended import Ends
from collector.diagnosis.expected import Expectation, Expected
from collector.diagnosis.record import Names, Reactions, Record, type_of
from collector.diagnosis.unseen import flows_beyond, handled_by_others, published_by_others
from collector.model.wording import MS

_PAUSES = 3  # times the last pause between two attempts


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
        going = self._one_of_each_group(step for step, e in steps.items() if e.progresses and e.until > 0)
        self._by_type = np.array(sorted(going, key=lambda step: (type_of(step), step)), np.int64)
        self._types = np.array([type_of(step) for step in self._by_type.tolist()], np.int64)
        self._first = np.array([expected.first_seen[step] for step in self._by_type.tolist()], np.int64)
        self._until = np.array([steps[step].until for step in self._by_type.tolist()], np.int64)
        self._ascending = np.array(sorted(steps), np.int64)
        ranked = [steps[step] for step in self._ascending.tolist()]
        self._pace = _pace([(e.react.p99_ms, e.deadline_ms) for e in ranked], expected.floor)
        published = [(e.publish.p99_ms, e.publish_deadline_ms) for e in ranked]
        self._publish_pace = _pace(published, expected.floor)
        self._ends = np.array([step for step, e in steps.items() if not e.progresses], np.int64)
        emitting = [step for step, e in steps.items() if e.always_emits and step not in expected.joined]
        self._emitting = np.array(sorted(emitting), np.int64)
        self._emits_until = np.array([steps[step].emits_until for step in sorted(emitting)], np.int64)
        shaky = [step for step, e in steps.items() if not e.reacts_firmly]
        silent = [step for step, e in steps.items() if not e.emits_firmly]
        self._shaky = {
            Debt.REACTION: np.array(sorted(shaky), np.int64),
            Debt.MESSAGE: np.array(sorted(silent), np.int64),
        }
        self._feeding = self._what_feeds([({*map(type_of, needed)}, needed) for needed, _ in self.joins])
        self._leading = self._what_feeds([({type_of(one.step)}, one.steps) for one in expected.gathers])

    def same_as(self, other: "Demands") -> bool:
        """Whether both demand the same things of the same steps and joins, at whatever pace."""
        return (
            np.array_equal(self._by_type, other._by_type)
            and np.array_equal(self._first, other._first)
            and np.array_equal(self._emitting, other._emitting)
            and np.array_equal(self._until, other._until)
            and np.array_equal(self._emits_until, other._emits_until)
            and [steps for steps, _ in self.joins] == [steps for steps, _ in other.joins]
            and self._gathering() == other._gathering()
        )

    def _gathering(self) -> list[tuple[object, ...]]:
        return [(one.steps, one.step, one.elsewhere, one.usual) for one in self.expected.gathers]

    def may_be_choice(self, owed: Owed) -> Mask:
        """Which entries may be owed by choice, if their messages were passed over: too little is known."""
        mask = np.zeros(len(owed), np.bool_)
        for kind, steps in self._shaky.items():
            mask |= (owed.kind == kind) & (find(steps, owed.step) >= 0)
        return mask & ~owed.sure

    def owed(self, record: Record) -> tuple[Owed, Mask]:
        """What the flows of *record* owe, and which of them lost telemetry of a step that happened."""
        entries = together(
            self._reactions(record), self._failures(record), self._messages(record), self._joined(record)
        )
        entries = entries.where(~self._waiting_for_other(entries))
        others = self._not_gathered(record, entries)
        lost, replaced = self._happened(record, entries)
        gaps = np.zeros(record.flows, np.bool_)
        # A handling that began and has not ended is not lost, even if it has already published.
        begun = (entries.kind == Debt.REACTION) & (entries.witness >= 0)
        gaps[entries.flow[lost & ~begun]] = True
        return together(entries.where(~lost & ~replaced), others.where(~gaps[others.flow])), gaps

    def _one_of_each_group(self, steps: Iterable[int]) -> list[int]:
        """One step per group, which takes a message once: that of the service that took the newest."""
        newest: dict[tuple[int, int], int] = {}
        for step in sorted(steps, key=lambda step: (self.expected.steps[step].last, step)):
            newest[type_of(step), self.names.group_of(step)] = step
        return list(newest.values())

    def _what_feeds(self, wanted: Iterable[tuple[Iterable[int], Iterable[int]]]) -> list[Ints]:
        """For each (event types, steps) of *wanted*: the steps that lead to such a type, and *steps*."""
        code, leads = self.names.event_types.code, self._leads
        emitted = {step: {code(name) for name, _ in e.emits} for step, e in self.expected.steps.items()}
        found = []
        for triggers, steps in wanted:
            before = set(triggers).union(*(nx.ancestors(leads, t) for t in triggers if t in leads))
            feeding = [step for step, types in emitted.items() if not before.isdisjoint(types)]
            found.append(np.array([*feeding, *steps], np.int64))
        return found

    @cached_property
    def _leads(self) -> "nx.DiGraph[int]":
        """Which event type leads to which."""
        leads: nx.DiGraph[int] = nx.DiGraph()
        for step, expectation in self.expected.steps.items():
            types = (self.names.event_types.code(name) for name, _ in expectation.emits)
            leads.add_edges_from((type_of(step), event_type) for event_type in types)
        return leads

    @cached_property
    def ends(self) -> Ends:
        """What is known of ends."""
        return Ends(self.expected)

    def _following(self, types: Iterable[int]) -> Ints:
        """The event types that follow from *types*, at any distance."""
        found = set().union(*(nx.descendants(self._leads, code) for code in types if code in self._leads))
        return np.array(sorted(found), np.int64)

    def _reactions(self, record: Record) -> Owed:
        messages, names = record.messages, self.names
        place, which = matches_in_order(self._types, messages.type)
        step, since = self._by_type[which], messages.time[place]
        wanted = messages.row[place] * names.groups.limit + names.group_of(step)
        missing = ~among(wanted, record.reactions.handling(names))
        missing &= (since >= self._first[which]) & (since < self._until[which])
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
            published=messages.time[place],
        )

    def _failures(self, record: Record) -> Owed:
        reactions = record.reactions
        failed = reactions.stopped & ~np.isin(reactions.step, self._ends) & (reactions.step >= 0)
        failed &= ~np.isin(type_of(reactions.step), sorted(self.expected.ignored_types))
        failed &= ~np.isin(self.names.service_of(reactions.step), sorted(self.expected.ignored_services))
        # A message of a batch that failed may have been redelivered in another batch.
        failed = _but_for(failed, reactions, self.names, ~reactions.stopped)
        entries = self._of_reactions(
            Debt.SUCCESS, record, failed, reactions.published, final=reactions.final[failed]
        )
        # The pauses between attempts may grow: the next one is not late before three times the last.
        tried = np.maximum(reactions.end - reactions.published, 0)[failed]
        another = tried + np.maximum(_PAUSES * reactions.pause[failed], self.expected.floor)
        return replace(
            entries, due=np.maximum(entries.due, another), deadline=np.maximum(entries.deadline, another)
        )

    def _messages(self, record: Record) -> Owed:
        reactions = record.reactions
        silent = ~reactions.failed & ~reactions.emitted & np.isin(reactions.step, self._emitting)
        if silent.any():
            rank = np.searchsorted(self._emitting, reactions.step[silent])
            silent[silent] = reactions.published[silent] < self._emits_until[rank]
        silent = _but_for(silent, reactions, self.names, reactions.emitted)
        entries = self._of_reactions(Debt.MESSAGE, record, silent, reactions.end)
        return replace(entries, sure=reactions.final[silent])

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

    def _not_gathered(self, record: Record, entries: Owed) -> Owed:
        """What joins wait for that nobody else owes: one input was taken, another one was not published."""
        reactions, messages = record.reactions, record.messages
        found = [NOTHING]
        for place, gather in enumerate(self.expected.gathers):
            others = [step for step in gather.steps if step != gather.step]
            taken = np.flatnonzero(np.isin(reactions.step, others) & ~reactions.stopped)
            if not len(taken):
                continue
            # The input is here; or the flow took another way; or what the join publishes is here already.
            output = [self.names.event_types.code(name) for name, _ in gather.expectation.emits]
            settled = [type_of(gather.step), *output, *gather.elsewhere]
            there = np.isin(messages.type, settled)
            if gather.usual:
                there |= ~np.isin(messages.type, sorted(gather.usual))
            dangling = (reactions.message < 0) & np.isin(type_of(reactions.step), settled)
            owing = self._leading[place]
            waiting = np.isin(entries.step, owing) | (entries.kind == Debt.SUCCESS)
            spared = np.concatenate([messages.flow[there], reactions.flow[dangling], entries.flow[waiting]])
            rows = taken[~np.isin(reactions.flow[taken], spared)]
            rows = rows[np.lexsort((reactions.end[rows], reactions.flow[rows]))]
            first = rows[np.append(True, reactions.flow[rows][1:] != reactions.flow[rows][:-1])[: len(rows)]]
            made = self._of_reactions(Debt.OTHER, record, first, reactions.end)
            made.join[:] = place
            made.step[:] = gather.step
            made.due[:] = int(gather.pace.p99_ms * MS)
            made.deadline[:] = int(gather.deadline_ms * MS)
            found.append(made)
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
            published=reactions.published[which],
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
        published: Ints,
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
            published=published,
            due=due,
            deadline=deadline,
            final=np.zeros(len(flow), np.bool_) if final is None else final,
            sure=witness >= 0 if kind is Debt.REACTION else np.ones(len(flow), np.bool_),
        )

    def _waiting_for_other(self, entries: Owed) -> Mask:
        """Joins to which something else leads that is owed: the last order line may be on its way."""
        waiting = np.zeros(len(entries), np.bool_)
        for place in np.unique(entries.join[entries.kind == Debt.JOIN]).tolist():
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
                        emits = [self.names.event_types.code(name) for name, _ in expectation.emits]
                        service = self.names.services.code(expectation.service)
                        further = self._following(emits)
                        seen = flows_beyond(
                            record, np.array(emits, np.int64), service, further, whatever_cause=rank > 0
                        )
                        lost |= mine & np.isin(entries.flow, seen)
                if (expectation := told[0]) is not None:
                    replaced |= mine & self._replaced(record, step, expectation, entries)
        open_kinds = entries.kind != Debt.SUCCESS
        return lost & open_kinds, replaced & open_kinds

    def _replaced(self, record: Record, step: int, expectation: Expectation, entries: Owed) -> Mask:
        emits = np.array([self.names.event_types.code(name) for name, _ in expectation.emits], np.int64)
        own = np.array([code for code in emits if (step, code) in self.expected.sources], np.int64)
        service = self.names.services.code(expectation.service)
        mask = np.isin(entries.flow, published_by_others(record, step, own, service))
        taken = np.isin(entries.row, handled_by_others(record, step, emits))
        paid: Mask = mask | (taken & (entries.kind == Debt.REACTION))
        return paid


def _but_for(chosen: Mask, reactions: Reactions, names: Names, settled: Mask) -> Mask:
    """*chosen* without those whose handling is also that of a *settled* one; few are ever looked up.

    One record of a batch is not settled by another one.
    """
    handling, record = reactions.handling(names), reactions.record
    place = np.flatnonzero(chosen & (handling >= 0))
    left = chosen.copy()
    if len(place):
        whole = handling[settled & (record < 0)]
        each = pair_keys(handling[settled], record[settled])
        done = among(handling[place], whole) | among(pair_keys(handling[place], record[place]), each)
        left[place[done]] = False
    return left


def _first_of(keys: Ints, rank: Ints, wanted: Ints) -> Ints:
    """The place of each of *wanted* in *keys*, the one of lowest *rank* if several; -1 if absent."""
    order = np.lexsort((rank, keys))
    return np.append(order, -1)[find(keys[order], wanted)]


def _pace(paces: list[tuple[float, float]], floor: int) -> Ints:
    """(2, n + 1): due and deadline of each, in nanoseconds; the last column is for unknown steps."""
    known = [(int(due * MS), int(deadline * MS)) for due, deadline in paces]
    return np.array([*known, (floor, floor)], np.int64).T
