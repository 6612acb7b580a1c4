"""What does a service need before it publishes? Joins, and the inputs that they wait for."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from collector.columns.joins import Ints, Mask, distinct_pairs, groups, last_of_runs, matches_in_order
from collector.diagnosis.evidence import Habit
from collector.diagnosis.habits import Habits, Regularity
from collector.diagnosis.histories import History
from collector.diagnosis.lesson import Lesson
from collector.diagnosis.paces import Durations
from collector.diagnosis.record import OTHER, Names, Reactions, type_of

_SHIFT = 24  # a code is (service << _SHIFT) + event type
_SIGNATURES = 64  # kinds of flows in which an input was missing
_SAMPLED = 200  # flows without it, in one lesson, whose kind is looked at

Steps = tuple[int, ...]


class Need:
    """What one service had handled in a flow by the time it published one event type."""

    def __init__(self, window: int) -> None:
        self._window = window
        self.n = 0.0
        self._steps: Counter[int] = Counter()

    def add(self, n: int, steps: dict[int, int]) -> None:
        """Add *n* flows, in which so many had handled each of *steps*."""
        self.n += n
        self._steps.update(steps)
        if self.n > 2 * self._window:
            keep = self._window / self.n
            self._steps = Counter({step: hits * keep for step, hits in self._steps.items()})
            self.n = float(self._window)

    def rests_on(self, steps: Mapping[int, object]) -> bool:
        """Whether one of *steps* had been handled."""
        return not self._steps.keys().isdisjoint(steps)

    def always(self, share: float) -> Steps:
        """The steps that it had handled in nearly all flows."""
        return tuple(sorted(step for step, hits in self._steps.items() if hits >= share * self.n))


@dataclass
class Join:
    """In how many of the flows in which a service had all it needs did it publish, and how soon?"""

    went_on: Habit
    wait: Durations  # the longest pause between its reactions, or after the last, until it published
    history: History


class Input:
    """In how many of the flows in which a service took something else it needs did this input come, too?

    Flows that took another way (a claim was rejected, so nothing is paid) do not count: they have an event
    that does not occur in flows in which the input comes.
    """

    def __init__(self, habits: Habits, at: int) -> None:
        self._habits = habits
        self.came = 0.0
        self.wait = Durations(habits)
        self.history = History(at)
        self.last = 0
        self._with: Counter[int] = Counter()  # event types of flows in which it came
        self._without: Counter[Steps] = Counter()  # the event types of flows in which it did not

    def add(self, came: int, types: dict[int, int], without: Counter[Steps]) -> None:
        """Add flows in which it came, by the event types in them, and those in which it did not."""
        self.came += came
        self._with.update(types)
        self._without.update(without)
        if len(self._without) > _SIGNATURES:
            self._without = Counter(dict(self._without.most_common(_SIGNATURES // 2)))

    def late(self, flows: int, types: dict[int, int]) -> None:
        """Note that it came after all, in so many flows that had come to rest without it."""
        self.came += flows
        self._with.update(types)
        usual = self.usual()
        for kind in [kind for kind in self._without if usual.issuperset(kind)]:
            taken = min(flows, self._without[kind])
            self._without[kind] -= taken
            flows -= taken
        self._without = +self._without

    def forget(self, types: frozenset[int]) -> None:
        """Forget flows in which these event types were."""
        for code in types & self._with.keys():
            del self._with[code]
        for kind in [kind for kind in self._without if not types.isdisjoint(kind)]:
            del self._without[kind]

    def usual(self) -> frozenset[int]:
        """The event types of flows in which it comes; any other means that a flow took another way."""
        rare = self._habits.missed_share * self.came
        return frozenset(code for code, n in self._with.items() if n > rare)

    @property
    def missed(self) -> int:
        """In how many flows it did not come, and nothing tells why."""
        usual = self.usual()
        return sum(n for types, n in self._without.items() if usual.issuperset(types))

    @property
    def n(self) -> float:
        """How many examples there are."""
        return self.came + self.missed

    @property
    def regularity(self) -> Regularity:
        """Whether a miss means something."""
        if self.n < self._habits.flows:
            return Regularity.LEARNING
        few = self.missed <= self._habits.missed_share * self.n
        # What comes in few flows only is a way of its own: nobody waits for a refusal.
        return Regularity.ALWAYS if few and self.share >= 0.5 else Regularity.SOMETIMES

    @property
    def share(self) -> float:
        """In how many of all flows it came, whichever way they took; 0 without any."""
        every = self.came + sum(self._without.values())
        return self.came / every if every else 0.0


@dataclass
class Needs:
    """All that services need, learned from lessons."""

    names: Names
    habits: Habits
    joins: dict[Steps, Join] = field(default_factory=dict)  # by the steps that are needed
    inputs: dict[tuple[Steps, int], Input] = field(default_factory=dict)  # by those, and which of them
    _needs: dict[tuple[int, int], Need] = field(default_factory=dict)  # by service and what it publishes
    _decided: Mapping[Steps, set[int]] | None = None
    _joint: Mapping[int, set[int]] = field(default_factory=dict)  # by step: what it publishes with others

    def learn(self, lesson: Lesson) -> None:
        """Learn what a service has always handled before it publishes: for a join, more than one thing."""
        self._learn_needs(lesson)
        self._decided = None
        rows_of = dict(groups(lesson.reactions.step, lesson.taught & ~lesson.reactions.stopped))
        for steps in self.decisions():
            self._learn_join(steps, rows_of, lesson)
            if len(steps) > 1:
                self._learn_inputs(steps, rows_of, lesson)

    def decisions(self) -> Mapping[Steps, set[int]]:
        """What is published once all of some steps have happened, by these steps; alternatives share them."""
        if self._decided is None:
            found: dict[Steps, set[int]] = {}
            for (_, event_type), need in self._needs.items():
                if need.n >= self.habits.flows and (steps := need.always(self.habits.sources)):
                    found.setdefault(steps, set()).add(event_type)
            joint: dict[int, set[int]] = {}
            for steps, types in found.items():
                for step in steps if len(steps) > 1 else ():
                    joint.setdefault(step, set()).update(types)
            self._decided, self._joint = found, joint
        return self._decided

    def needed(self) -> frozenset[int]:
        """All steps without which something is not published."""
        return frozenset(step for steps in self.decisions() for step in steps)

    def joined_types(self) -> frozenset[int]:
        """The event types of which a service needs several: alone none of them is followed by anything."""
        return frozenset(type_of(step) for steps in self.decisions() if len(steps) > 1 for step in steps)

    def is_joined(self, step: int, published: set[int]) -> bool:
        """Whether some of what *step* published also needs other steps: then *step* alone owes nothing."""
        self.decisions()
        return not self._joint.get(step, _NO_TYPES).isdisjoint(published)

    def keep_only(self, steps: Mapping[int, object]) -> None:
        """Forget what refers to other steps than *steps*."""
        kept = [(need.n, what) for what, need in self._needs.items() if need.rests_on(steps)]
        most = sorted(kept, reverse=True)[: self.habits.most_steps]
        self._needs = {what: self._needs[what] for _, what in most}
        self.joins = {needed: join for needed, join in self.joins.items() if set(needed) <= steps.keys()}
        self.inputs = {what: one for what, one in self.inputs.items() if set(what[0]) <= steps.keys()}
        self._decided = None

    def types_in_use(self) -> frozenset[int]:
        """The event types that decisions and their inputs rest on."""
        published = {code for types in self.decisions().values() for code in types}
        return frozenset(published.union(*(one.usual() for one in self.inputs.values())))

    def forget(self, types: frozenset[int], services: frozenset[int]) -> None:
        """Forget what refers to these event types and services, none of which is in use."""
        self._needs = {
            (service, code): need
            for (service, code), need in self._needs.items()
            if service not in services and code not in types
        }
        for one in self.inputs.values():
            one.forget(types)
        self._decided = None

    def _learn_needs(self, lesson: Lesson) -> None:
        record, names = lesson.record, self.names
        reactions, emits = record.reactions, record.emits
        # Handled requests do not count: a service that answers its own request already waits for the reply.
        taken = np.flatnonzero(lesson.taught & (reactions.step >= 0) & ~reactions.answers)
        width = len(record.started)
        pair = names.service_of(reactions.step[taken]) * width + reactions.flow[taken]
        order = np.argsort(pair, kind="stable")
        taken, pair = taken[order], pair[order]
        by_row = np.argsort(reactions.row, kind="stable")
        published = np.flatnonzero(lesson.new_emits & (emits.step >= 0) & (emits.type != OTHER))
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
            # Where telemetry was lost, what is missing may have been handled.
            whole = int((~lesson.lost[flow]).sum())
            need = self._needs.setdefault((service, event_type), Need(self.habits.window))
            if whole == len(flow):
                need.add(whole, dict(zip(steps.tolist(), times.tolist(), strict=True)))

    def _learn_join(self, steps: Steps, rows_of: Mapping[int, Ints], lesson: Lesson) -> None:
        record = lesson.record
        reactions, emits = record.reactions, record.emits
        here = [rows_of.get(step, _NONE) for step in steps]
        if not all(len(rows) for rows in here):
            return
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
        fresh = np.zeros(record.flows, np.bool_)
        fresh[reactions.flow[rows][lesson.new_reactions[rows]]] = True
        anew = np.zeros(record.flows, np.bool_)  # flows in which it was published since they last taught
        anew[emits.flow[mine & lesson.new_emits]] = True
        complete_there = complete < np.iinfo(np.int64).max
        known = complete_there & fresh & (published | ~lesson.lost)
        late = complete_there & ~fresh & anew & published
        if steps not in self.joins:
            at = int(complete[complete_there].min(initial=0))
            self.joins[steps] = Join(Habit(self.habits), Durations(self.habits), History(at))
        join = self.joins[steps]
        join.went_on.add_settled(complete[known], published[known])
        join.went_on.came(complete[late])
        went = np.flatnonzero((known | late) & published)
        join.wait.add(np.maximum(pause, delay)[went], complete[went])

    def _learn_inputs(self, steps: Steps, rows_of: Mapping[int, Ints], lesson: Lesson) -> None:
        record = lesson.record
        reactions, messages = record.reactions, record.messages
        for step in steps:
            others = np.concatenate([rows_of.get(other, _NONE) for other in steps if other != step])
            if not len(others):
                continue
            since = np.full(record.flows, np.iinfo(np.int64).max)  # when another input was taken first
            np.minimum.at(since, reactions.flow[others], reactions.end[others])
            fresh = np.zeros(record.flows, np.bool_)
            fresh[reactions.flow[others][lesson.new_reactions[others]]] = True
            mine = messages.type == type_of(step)
            at = np.zeros(record.flows, np.int64)
            np.maximum.at(at, messages.flow[mine], messages.time[mine])
            # What comes from outside may be seen only as it is taken.
            taken = rows_of.get(step, _NONE)
            taken = taken[reactions.message[taken] < 0]
            np.maximum.at(at, reactions.flow[taken], reactions.start[taken])
            there = (since < np.iinfo(np.int64).max) & fresh
            came, gone = there & (at > 0), there & (at == 0) & ~lesson.lost
            if (steps, step) not in self.inputs:
                begin = int(since[there].min(initial=0))
                self.inputs[steps, step] = Input(self.habits, begin)
            one = self.inputs[steps, step]
            one.add(int(came.sum()), _types_in(lesson, came), _kinds(lesson, np.flatnonzero(gone)))
            one.last = max(one.last, int(at[came].max(initial=0)))
            anew = np.zeros(record.flows, np.bool_)
            anew[messages.flow[mine & lesson.new_messages]] = True
            anew[reactions.flow[taken[lesson.new_reactions[taken]]]] = True
            late = (since < np.iinfo(np.int64).max) & ~fresh & anew
            one.late(int(late.sum()), _types_in(lesson, late))
            one.wait.add(np.maximum(at - since, 0)[came | late])


_NONE = np.empty(0, np.int64)
_NO_TYPES: set[int] = set()


def _types_in(lesson: Lesson, flows: Mask) -> dict[int, int]:
    """In how many of *flows* each event type occurs."""
    messages = lesson.record.messages
    inside = flows[messages.flow]
    types, _ = distinct_pairs(messages.type[inside], messages.flow[inside])
    codes, times = np.unique(types, return_counts=True)
    return dict(zip(codes.tolist(), times.tolist(), strict=True))


def _kinds(lesson: Lesson, flows: Ints) -> Counter[Steps]:
    """The sets of event types of *flows*, and how many have each."""
    messages, found = lesson.record.messages, Counter[Steps]()
    sampled = flows[:_SAMPLED]
    inside = np.flatnonzero(np.isin(messages.flow, sampled))
    flow, types = distinct_pairs(messages.flow[inside], messages.type[inside])
    for _, rows in groups(flow, np.ones(len(flow), np.bool_)):
        found[tuple(sorted(types[rows].tolist()))] += 1
    return found


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
