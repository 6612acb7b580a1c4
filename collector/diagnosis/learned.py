"""What normally happens after an event? Learned from the flows that went well.

A flow teaches once, when it is done and quiet, and only if nothing in it is overdue by what earlier flows
taught. So an outage teaches nothing, and the same flows in the same order always teach the same. What goes on
for long is believed nonetheless: see `habits`.
"""

from collections import Counter
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from collector.columns.joins import Ints, Mask, distinct_pairs, groups, last_of_runs, matches_in_order, once
from collector.diagnosis.expected import Expectation, Expected
from collector.diagnosis.habits import Durations, Habits, Share
from collector.diagnosis.record import OTHER, Emits, Names, Reactions, Record, reactor_of, type_of
from collector.model.wording import MS

_SHIFT = 24  # a code is (service << _SHIFT) + event type


@dataclass
class _Step:
    """What is known about one reactor's handling of one event type."""

    first_seen: int  # earlier messages were not meant for it
    last: int  # when the newest message that it took was published
    reacted: Share
    emitted: Share
    react: Durations
    delay: Durations
    emits: Counter[int] = field(default_factory=Counter)


class _Need:
    """What one service had handled in a flow by the time it published one event type."""

    def __init__(self, window: int) -> None:
        self._window = window
        self.n = 0.0
        self._steps: Counter[int] = Counter()

    def add(self, n: int, steps: dict[int, int]) -> None:
        self.n += n
        self._steps.update(steps)
        if self.n > 2 * self._window:
            keep = self._window / self.n
            self._steps = Counter({step: hits * keep for step, hits in self._steps.items()})
            self.n = float(self._window)

    def always(self, share: float) -> tuple[int, ...]:
        return tuple(sorted(step for step, hits in self._steps.items() if hits >= share * self.n))


@dataclass
class _Join:
    """In how many of the flows in which a service had all it needs did it publish, and how soon?"""

    went_on: Share
    wait: Durations  # the longest pause between its reactions, or after the last, until it published


class Learner:
    """Learns from records what to expect. Holds a few kilobytes per step."""

    def __init__(self, names: Names, habits: Habits | None = None) -> None:
        self.names = names
        self.habits = habits or Habits()
        self.flows = 0  # how many it has learned from
        self.version = 0  # grows with every change of what is expected
        self._steps: dict[int, _Step] = {}
        self._of_type: dict[int, list[int]] = {}  # steps by event type
        self._types: Counter[int] = Counter()  # messages of each type
        self._followed: dict[int, Share] = {}  # by type: messages after which something was published
        self._needs: dict[tuple[int, int], _Need] = {}  # by service and what it publishes
        self._joins: dict[tuple[int, ...], _Join] = {}  # by steps
        self._expectations: dict[int, Expectation | None] = {}  # by step; only those that are up to date
        self._decided: dict[tuple[int, ...], set[int]] | None = None
        self._decided_before: dict[tuple[int, ...], set[int]] = {}
        self._given: Expected | None = None

    def learn(self, record: Record, flows: Mask) -> None:
        """Learn from the flows of *record* that *flows* marks: they are done, and nothing was overdue."""
        if not flows.any():
            return
        self._changed()
        self._learn_reactions(record, flows, late=False)
        self._learn_messages(record, flows)
        self._learn_emits(record.emits, flows)
        self._learn_needs(record, flows)
        self._decided = None
        self._learn_joins(record, flows)
        self._forget_the_rarest()
        self.flows += int(flows.sum())

    def doubt(self, record: Record, flows: Mask) -> None:
        """Take note of the flows of *record* that *flows* marks: done, but something in them was overdue."""
        if flows.any():
            self._changed()
            self._learn_reactions(record, flows, late=True)

    def miss(self, step: Ints, since: Ints, *, published: bool) -> None:
        """Take note of what became stuck: the reaction of a step or, if *published*, what it publishes."""
        for code, rows in groups(step, np.ones(len(step), np.bool_)):
            if (seen := self._steps.get(code)) is not None:
                (seen.emitted if published else seen.reacted).miss(since[rows])
                self._changed(code)

    def miss_join(self, steps: tuple[int, ...], since: Ints) -> None:
        """Take note of what became stuck because the join of *steps* published nothing."""
        if (join := self._joins.get(steps)) is not None and len(since):
            join.went_on.miss(since)
            self._changed()

    def expected(self) -> Expected:
        """What is expected now; the same object until something is learned that may change it."""
        if self._given is None or self._given.version != self.version:
            self._given = self._expected()
        return self._given

    def _expected(self) -> Expected:
        needed, steps = self._needed(), {}
        for step, seen in self._steps.items():
            if step not in self._expectations:
                self._expectations[step] = self._expectation(step, seen, step in needed)
            if (expectation := self._expectations[step]) is not None:
                steps[step] = expectation
        known = [code for code, n in self._types.items() if n >= self.habits.flows]
        return Expected(
            version=self.version,
            names=self.names,
            floor=int(self.habits.deadline_floor_ms * MS),
            steps=MappingProxyType(steps),
            joins=tuple(sorted(self._joins_expected().items())),
            first_seen=MappingProxyType({step: self._steps[step].first_seen for step in steps}),
            joined=frozenset(step for step in steps if self._is_joined(step)),
            sources=self._sources(),
            known_types=np.array(sorted(known), np.int64),
            ending_types=self._ending(),
        )

    def _ending(self) -> Ints:
        """The event types that normally end their branch: nothing is published because of them."""
        share = 1 - self.habits.share
        ending = {code for code, followed in self._followed.items() if followed.value <= share}
        return np.array(sorted(ending - {type_of(step) for step in self._needed()}), np.int64)

    def _sources(self) -> frozenset[tuple[int, int]]:
        """(step, event type) where nearly all messages of the type are published because of the step."""
        return frozenset(
            (step, code)
            for step, seen in self._steps.items()
            for code, published in seen.emits.items()
            if published >= self.habits.share * self._types[code] > 0
        )

    def _is_joined(self, step: int) -> bool:
        """Whether what *step* publishes also needs other steps: then *step* alone owes nothing."""
        published = set(self._steps[step].emits)
        return any(
            len(steps) > 1 and step in steps and not types.isdisjoint(published)
            for steps, types in self._decisions().items()
        )

    def _joins_expected(self) -> dict[tuple[int, ...], Expectation]:
        """What is expected once all of several steps have happened, by those steps.

        A single step is included if it publishes once per flow, not for each of its messages: it collects.
        """
        return {
            steps: self._joined(steps, types, join)
            for steps, types in self._decisions().items()
            if (join := self._joins.get(steps)) is not None
            and join.went_on.is_habit
            and (len(steps) > 1 or not self._steps[steps[0]].emitted.is_habit)
        }

    def _changed(self, step: int | None = None) -> None:
        self.version += 1
        if step is not None:
            self._expectations.pop(step, None)

    def _learn_reactions(self, record: Record, flows: Mask, *, late: bool) -> None:
        reactions = record.reactions
        taken = flows[reactions.flow] & (reactions.message >= 0) & ~reactions.stopped
        taken &= type_of(reactions.step) != OTHER
        for step, places in groups(reactions.step, taken):
            rows = places[np.argsort(reactions.end[places], kind="stable")]
            end, published = reactions.end[rows], reactions.published[rows]
            self._expectations.pop(step, None)
            if late:
                if step in self._steps:
                    self._steps[step].react.doubt(np.maximum(end - published, 0), end)
            else:
                seen = self._step(step, int(published.min()))
                seen.last = max(seen.last, int(published.max()))
                seen.react.add(np.maximum(end - published, 0), end)
                seen.emitted.add(reactions.emitted[rows], end)

    def _step(self, step: int, first_seen: int) -> _Step:
        if step not in self._steps:
            habits = self.habits
            self._steps[step] = _Step(
                first_seen, 0, Share(habits), Share(habits), Durations(habits), Durations(habits)
            )
            self._of_type.setdefault(type_of(step), []).append(step)
        return self._steps[step]

    def _learn_messages(self, record: Record, flows: Mask) -> None:
        messages, reactions, names = record.messages, record.reactions, self.names
        # A group took a message if any of its services did.
        handled = once(reactions.handling(names)[flows[reactions.flow]])
        for event_type, rows in groups(messages.type, flows[messages.flow] & (messages.type != OTHER)):
            self._types[event_type] += len(rows)
            followed = self._followed.setdefault(event_type, Share(self.habits))
            followed.add(messages.followed[rows], messages.time[rows])
            for step in self._of_type.get(event_type, ()):
                seen = self._steps[step]
                meant = rows[messages.time[rows] >= seen.first_seen]
                wanted = messages.row[meant] * names.groups.limit + names.group_of(step)
                seen.reacted.add(np.isin(wanted, handled), messages.time[meant])
                self._expectations.pop(step, None)

    def _learn_emits(self, emits: Emits, flows: Mask) -> None:
        for step, rows in groups(emits.step, flows[emits.flow]):
            if (seen := self._steps.get(step)) is not None:
                seen.delay.add(emits.delay[rows])
                types, times = np.unique(emits.type[rows], return_counts=True)
                seen.emits.update(dict(zip(types.tolist(), times.tolist(), strict=True)))

    def _learn_needs(self, record: Record, flows: Mask) -> None:
        """Learn what a service has always handled before it publishes: for a join, more than one thing."""
        reactions, emits, names = record.reactions, record.emits, self.names
        # Handled requests do not count: a service that answers its own request already waits for the reply.
        taken = np.flatnonzero(flows[reactions.flow] & (reactions.step >= 0) & ~reactions.answers)
        width = len(record.started)
        pair = names.service_of(reactions.step[taken]) * width + reactions.flow[taken]
        order = np.argsort(pair, kind="stable")
        taken, pair = taken[order], pair[order]
        by_row = np.argsort(reactions.row, kind="stable")
        published = np.flatnonzero(flows[emits.flow] & (emits.step >= 0) & (emits.type != OTHER))
        what = (names.service_of(emits.step[published]) << _SHIFT) + emits.type[published]
        for code, rows in groups(what, np.ones(len(what), np.bool_)):
            entries = published[rows]
            service, event_type = code >> _SHIFT, code & ((1 << _SHIFT) - 1)
            flow, first = np.unique(emits.flow[entries], return_index=True)
            place = by_row[np.searchsorted(reactions.row[by_row], emits.reaction[entries[first]])]
            which, found = matches_in_order(pair, service * width + flow)
            entry = taken[found]
            before = reactions.start[entry] <= reactions.end[place][which]
            steps, _ = distinct_pairs(reactions.step[entry[before]], which[before])
            steps, times = np.unique(steps, return_counts=True)
            need = self._needs.setdefault((service, event_type), _Need(self.habits.window))
            need.add(len(flow), dict(zip(steps.tolist(), times.tolist(), strict=True)))

    def _learn_joins(self, record: Record, flows: Mask) -> None:
        reactions, emits = record.reactions, record.emits
        rows_of = dict(groups(reactions.step, flows[reactions.flow] & ~reactions.stopped))
        none = np.empty(0, np.int64)
        for steps in self._decisions():
            here = [rows_of.get(step, none) for step in steps]
            if not all(len(rows) for rows in here) or any(step not in self._steps for step in steps):
                continue
            complete = np.zeros(record.flows, np.int64)  # when each flow first had all steps
            for rows in here:
                first = np.full(record.flows, np.iinfo(np.int64).max)
                np.minimum.at(first, reactions.flow[rows], reactions.end[rows])
                np.maximum(complete, first, out=complete)
            rows = np.concatenate(here)
            pause, published = _pauses(reactions, rows, complete)
            delay = np.zeros(record.flows, np.int64)
            mine = np.isin(emits.step, steps)
            np.maximum.at(delay, emits.flow[mine], emits.delay[mine])
            all_taken = np.flatnonzero(complete < np.iinfo(np.int64).max)
            at = complete[all_taken]
            went_on = published[all_taken]
            if steps not in self._joins:
                self._joins[steps] = _Join(Share(self.habits), Durations(self.habits))
            join = self._joins[steps]
            join.went_on.add(went_on, at)
            join.wait.add(np.maximum(pause, delay)[all_taken[went_on]], at[went_on])

    def _decisions(self) -> dict[tuple[int, ...], set[int]]:
        """What is published once all of some steps have happened, by these steps; alternatives share them."""
        if self._decided is None:
            found: dict[tuple[int, ...], set[int]] = {}
            for (_, event_type), need in self._needs.items():
                if need.n >= self.habits.flows and (steps := need.always(self.habits.share)):
                    found.setdefault(steps, set()).add(event_type)
            before = self._needed_of(self._decided_before)
            self._decided_before = self._decided = found
            for step in before ^ self._needed_of(found):
                self._expectations.pop(step, None)
        return self._decided

    @staticmethod
    def _needed_of(decisions: dict[tuple[int, ...], set[int]]) -> set[int]:
        return {step for steps in decisions for step in steps}

    def _needed(self) -> set[int]:
        """All steps without which something is not published."""
        return self._needed_of(self._decisions())

    def _forget_the_rarest(self) -> None:
        if len(self._steps) <= self.habits.most_steps:
            return
        by_use = sorted(self._steps, key=lambda step: (self._steps[step].reacted.n, step))
        for step in by_use[: len(by_use) // 2]:
            del self._steps[step]
            self._expectations.pop(step, None)
            self._of_type[type_of(step)].remove(step)
        self._of_type = {code: steps for code, steps in self._of_type.items() if steps}
        self._joins = {
            steps: join for steps, join in self._joins.items() if all(step in self._steps for step in steps)
        }
        types = set(self._of_type)
        self._needs = {what: need for what, need in self._needs.items() if what[1] in types}
        self._decided = None

    def _expectation(self, step: int, seen: _Step, needed: bool) -> Expectation | None:
        if not seen.reacted.is_habit:
            return None
        service, group = self.names.of_reactor(reactor_of(step))
        return Expectation(
            triggers=(self.names.event_types.names[type_of(step)],),
            service=service,
            group=group,
            share=round(seen.reacted.value, 4),
            react=seen.react.pace,
            deadline_ms=seen.react.deadline_ms,
            publish=seen.delay.pace,
            publish_deadline_ms=seen.delay.deadline_ms,
            emits=self._emits(seen.emits),
            always_emits=seen.emitted.is_habit,
            progresses=needed or seen.emitted.value > self.habits.rare,
            last=seen.last,
        )

    def _joined(self, steps: tuple[int, ...], types: set[int], join: _Join) -> Expectation:
        service, group = self.names.of_reactor(reactor_of(steps[0]))
        emits: Counter[int] = Counter()
        for step in steps:
            emits.update({code: n for code, n in self._steps[step].emits.items() if code in types})
        return Expectation(
            triggers=tuple(self.names.event_types.names[type_of(step)] for step in steps),
            service=service,
            group=group,
            share=round(join.went_on.value, 4),
            react=join.wait.pace,
            deadline_ms=join.wait.deadline_ms,
            publish=join.wait.pace,
            publish_deadline_ms=join.wait.deadline_ms,
            emits=self._emits(emits),
            always_emits=True,
            progresses=True,
        )

    def _emits(self, emits: Counter[int]) -> tuple[tuple[str, float], ...]:
        total = max(sum(emits.values()), 1)
        names = self.names.event_types.names
        ranked = sorted(((names[code], n) for code, n in emits.items()), key=lambda pair: (-pair[1], pair[0]))
        return tuple((name, round(n / total, 4)) for name, n in ranked)


def _pauses(reactions: Reactions, rows: Ints, complete: Ints) -> tuple[Ints, Mask]:
    """The longest pause of each flow from *complete* until it published, and whether it did."""
    count = len(complete)
    until = np.full(count, -1)
    emitting = rows[reactions.emitted[rows]]
    np.maximum.at(until, reactions.flow[emitting], reactions.end[emitting])
    rows = rows[np.lexsort((reactions.end[rows], reactions.flow[rows]))]
    flow, end = reactions.flow[rows], reactions.end[rows]
    kept = (end >= complete[flow]) & (end <= until[flow])
    flow, end = flow[kept], end[kept]
    pause = np.zeros(count, np.int64)
    inside = ~last_of_runs(flow)
    np.maximum.at(pause, flow[inside], np.append(end[1:] - end[:-1], 0)[: len(end)][inside])
    return pause, until >= 0
