"""What normally happens after an event, learned from the flows that went well.

A flow teaches once, when it has come to rest, and only if nothing in it is overdue by what the
flows before it taught. So an outage teaches nothing, however long it lasts, and the same flows in
the same order teach the same.
"""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from collector.diagnosis.record import Emits, Ints, Mask, Names, Reactions, Record, reactor_of, type_of

MS = 1_000_000


@dataclass(frozen=True)
class Habits:
    """When a habit is one. The defaults suit flows of seconds as well as of hours."""

    flows: int = 20  # fewer examples prove nothing
    share: float = 0.9  # what fewer do is a choice, not a rule
    rare: float = 0.02  # what fewer do is an accident
    deadline_factor: float = 3.0  # times the p99: most that are merely slow come before it
    deadline_floor_ms: float = 5_000.0  # p99 of a few milliseconds says nothing of a pause of the machine
    window: int = 1_000  # examples that percentiles and shares are taken of: the newest


@dataclass(frozen=True)
class Pace:
    """How long something took, in milliseconds, in the newest of *n* examples."""

    n: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Expectation:
    """After *event_type*, *group* of *service* reacts; and then publishes one of *emits*.

    With several `triggers` it needs them all (a join): what it publishes comes after the last.
    """

    triggers: tuple[str, ...]
    service: str
    group: str
    share: float  # of the messages that it reacted to
    react: Pace  # from the publish to the end of the handling
    deadline_ms: float
    emits: tuple[
        tuple[str, float], ...
    ]  # what it publishes and the share of its reactions, most frequent first
    always_emits: bool
    progresses: (
        bool  # flows go on through it: one that never publishes ends a branch, and nobody waits for it
    )

    @property
    def next_event_type(self) -> str | None:
        """What it publishes most often."""
        return self.emits[0][0] if self.emits else None


class _Ring:
    """The newest examples of a duration, in nanoseconds."""

    def __init__(self, size: int) -> None:
        self._values = np.zeros(size, np.int64)
        self._count = 0

    def add(self, values: Ints) -> None:
        size = len(self._values)
        newest = values[-size:]
        place = (self._count + len(values) - len(newest) + np.arange(len(newest))) % size
        self._values[place] = newest
        self._count += len(values)

    def pace(self) -> Pace:
        held = self._values[: min(self._count, len(self._values))]
        if not len(held):
            return Pace(0, 0.0, 0.0, 0.0)
        p50, p95, p99 = (np.percentile(held, (50, 95, 99)) / MS).round(3).tolist()
        return Pace(self._count, p50, p95, p99)


class _Share:
    """How often something happened of the times it could, the old slowly forgotten."""

    def __init__(self, window: int) -> None:
        self._window = window
        self.n = 0.0
        self.hits = 0.0

    def add(self, n: int, hits: int) -> None:
        self.n += n
        self.hits += hits
        if self.n > 2 * self._window:
            self.hits *= self._window / self.n
            self.n = float(self._window)

    @property
    def value(self) -> float:
        return self.hits / self.n if self.n else 0.0


@dataclass
class _Step:
    """What is known of one reactor's handling of one event type."""

    first_seen: int  # messages before that were not meant for it
    reacted: _Share
    emitted: _Share
    react: _Ring
    delay: _Ring
    emits: Counter[int] = field(default_factory=Counter)


class _Need:
    """What one reactor had handled in a flow by the time it published one event type."""

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


class Learner:
    """Learns from records; says what it expects. Holds counters and rings, a few kilobytes a step."""

    def __init__(self, names: Names, habits: Habits | None = None) -> None:
        self.names = names
        self.habits = habits or Habits()
        self.flows = 0  # that it learned from
        self.version = 0  # grows with all that changes what is expected
        self._steps: dict[int, _Step] = {}
        self._types: Counter[int] = Counter()  # messages of each type
        self._followed: dict[int, _Share] = {}  # by type: messages after which something was published
        self._needs: dict[tuple[int, int], _Need] = {}  # by reactor and what it publishes
        self._joins: dict[tuple[int, ...], _Share] = {}  # by steps: flows with all of them that went on

    def learn(self, record: Record, flows: Mask) -> None:
        """Let the flows of *record* that *flows* marks teach."""
        if not flows.any():
            return
        self.flows += int(flows.sum())
        self.version += 1
        self._learn_reactions(record, flows)
        self._learn_messages(record, flows)
        self._learn_emits(record.emits, flows)
        self._learn_needs(record, flows)
        self._learn_joins(record.reactions, flows)

    def known(self, event_type: Ints) -> Mask:
        """Which of the event types were seen often enough to know what follows them."""
        enough = [code for code, n in self._types.items() if n >= self.habits.flows]
        return np.isin(event_type, np.array(enough, np.int64))

    def ending(self) -> Mask:
        """Of each event type: does it normally end its branch, with nothing published because of it?"""
        ending = np.zeros(len(self.names.event_types.names), np.bool_)
        ending[
            [code for code, followed in self._followed.items() if followed.value <= 1 - self.habits.share]
        ] = True
        ending[[type_of(step) for step in self._needed()]] = False
        return ending

    def steps(self) -> dict[int, Expectation]:
        """What is expected, by step."""
        needed = self._needed()
        known = {step: self._expectation(step, seen, step in needed) for step, seen in self._steps.items()}
        return {step: expectation for step, expectation in known.items() if expectation is not None}

    def first_seen(self, step: int) -> int:
        """When the first message was published that *step* took."""
        return self._steps[step].first_seen

    def joins(self) -> dict[tuple[int, ...], Expectation]:
        """What is expected once all of several steps were taken, by those steps."""
        return {
            steps: self._joined(steps, types)
            for steps, types in self._decisions().items()
            if len(steps) > 1
            and (went_on := self._joins.get(steps)) is not None
            and went_on.n >= self.habits.flows
            and went_on.value >= self.habits.share
        }

    def _learn_reactions(self, record: Record, flows: Mask) -> None:
        reactions = record.reactions
        taken = flows[reactions.flow] & (reactions.message >= 0) & ~reactions.failed
        for step, rows in _by(reactions.step, taken):
            seen = self._steps.get(step)
            if seen is None:
                window = self.habits.window
                first = int(reactions.published[rows].min())
                seen = _Step(first, _Share(window), _Share(window), _Ring(window), _Ring(window))
                self._steps[step] = seen
            by_end = rows[np.argsort(reactions.end[rows], kind="stable")]
            seen.react.add(np.maximum(reactions.end[by_end] - reactions.published[by_end], 0))
            seen.emitted.add(len(rows), int(reactions.emitted[rows].sum()))

    def _learn_messages(self, record: Record, flows: Mask) -> None:
        messages, reactions = record.messages, record.reactions
        width = len(record.started)
        reacted = dict(_by(reactions.step, flows[reactions.flow] & (reactions.message >= 0)))
        for event_type, rows in _by(messages.type, flows[messages.flow]):
            self._types[event_type] += len(rows)
            followed = self._followed.setdefault(event_type, _Share(self.habits.window))
            followed.add(len(rows), int(messages.followed[rows].sum()))
            pairs = messages.row[rows] * width + messages.flow[rows]
            for step, seen in self._steps.items():
                if type_of(step) != event_type:
                    continue
                meant = messages.time[rows] >= seen.first_seen
                by = reacted.get(step, np.empty(0, np.int64))
                hits = np.isin(pairs[meant], reactions.message[by] * width + reactions.flow[by])
                seen.reacted.add(int(meant.sum()), int(hits.sum()))

    def _learn_emits(self, emits: Emits, flows: Mask) -> None:
        for step, rows in _by(emits.step, flows[emits.flow]):
            seen = self._steps.get(step)
            if seen is None:
                continue
            seen.delay.add(emits.delay[rows])
            types, times = np.unique(emits.type[rows], return_counts=True)
            seen.emits.update(dict(zip(types.tolist(), times.tolist(), strict=True)))

    def _learn_needs(self, record: Record, flows: Mask) -> None:
        """What a reactor had always handled before it published: of a join that is more than one thing."""
        reactions, emits = record.reactions, record.emits
        taken = np.flatnonzero(flows[reactions.flow] & (reactions.step >= 0))
        width = len(record.started)
        pair = reactor_of(reactions.step[taken]) * width + reactions.flow[taken]
        order = np.argsort(pair, kind="stable")
        taken, pair = taken[order], pair[order]
        by_row = np.argsort(reactions.row, kind="stable")
        published = np.flatnonzero(flows[emits.flow] & (emits.step >= 0))
        what = reactor_of(emits.step[published]) * (1 << 24) + emits.type[published]
        for code, rows in _by(what, np.ones(len(what), np.bool_)):
            entries = published[rows]
            reactor, event_type = code >> 24, code & ((1 << 24) - 1)
            flow, first = np.unique(emits.flow[entries], return_index=True)
            place = by_row[np.searchsorted(reactions.row[by_row], emits.reaction[entries[first]])]
            until = reactions.end[place]
            left = np.searchsorted(pair, reactor * width + flow, "left")
            count = np.searchsorted(pair, reactor * width + flow, "right") - left
            which = np.repeat(np.arange(len(flow)), count)
            entry = taken[left[which] + np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)]
            before = reactions.start[entry] <= until[which]
            seen = np.unique(np.stack([reactions.step[entry[before]], which[before]]), axis=1)
            steps, times = np.unique(seen[0], return_counts=True)
            need = self._needs.setdefault((reactor, event_type), _Need(self.habits.window))
            need.add(len(flow), dict(zip(steps.tolist(), times.tolist(), strict=True)))

    def _learn_joins(self, reactions: Reactions, flows: Mask) -> None:
        """Of the flows in which a reactor had all that it needs: in how many did it publish?"""
        rows_of = dict(_by(reactions.step, flows[reactions.flow]))
        for steps in self._decisions():
            if len(steps) < 2:
                continue
            here = [rows_of.get(step, np.empty(0, np.int64)) for step in steps]
            reached = [np.unique(reactions.flow[rows]) for rows in here]
            each, times = np.unique(np.concatenate(reached), return_counts=True)
            published = np.unique(
                np.concatenate([reactions.flow[rows][reactions.emitted[rows]] for rows in here])
            )
            complete = each[times == len(steps)]
            went_on = self._joins.setdefault(steps, _Share(self.habits.window))
            went_on.add(len(complete), int(np.isin(complete, published).sum()))

    def _decisions(self) -> dict[tuple[int, ...], set[int]]:
        """What is published once all of these steps were taken: alternatives have the same steps."""
        found: dict[tuple[int, ...], set[int]] = {}
        for (_, event_type), need in self._needs.items():
            if need.n >= self.habits.flows and (steps := need.always(self.habits.share)):
                found.setdefault(steps, set()).add(event_type)
        return found

    def _needed(self) -> set[int]:
        """All steps without which something is not published."""
        return {step for steps in self._decisions() for step in steps}

    def _expectation(self, step: int, seen: _Step, needed: bool) -> Expectation | None:
        if seen.reacted.n < self.habits.flows or seen.reacted.value < self.habits.share:
            return None
        service, group = self.names.of_reactor(reactor_of(step))
        react = seen.react.pace()
        return Expectation(
            triggers=(self.names.event_types.names[type_of(step)],),
            service=service,
            group=group,
            share=round(seen.reacted.value, 4),
            react=react,
            deadline_ms=self._deadline(react),
            emits=self._emits(seen.emits),
            always_emits=seen.emitted.value >= self.habits.share and seen.emitted.n >= self.habits.flows,
            progresses=needed or seen.emitted.value > self.habits.rare,
        )

    def _joined(self, steps: tuple[int, ...], types: set[int]) -> Expectation:
        service, group = self.names.of_reactor(reactor_of(steps[0]))
        delay = max((self._steps[step].delay.pace() for step in steps), key=lambda pace: pace.p99_ms)
        emits: Counter[int] = Counter()
        for step in steps:
            emits.update({code: n for code, n in self._steps[step].emits.items() if code in types})
        return Expectation(
            triggers=tuple(self.names.event_types.names[type_of(step)] for step in steps),
            service=service,
            group=group,
            share=round(self._joins[steps].value, 4),
            react=delay,
            deadline_ms=self._deadline(delay),
            emits=self._emits(emits),
            always_emits=True,
            progresses=True,
        )

    def _deadline(self, pace: Pace) -> float:
        return max(self.habits.deadline_floor_ms, round(self.habits.deadline_factor * pace.p99_ms, 3))

    def _emits(self, emits: Counter[int]) -> tuple[tuple[str, float], ...]:
        total = max(sum(emits.values()), 1)
        names = self.names.event_types.names
        ranked = sorted(((names[code], n) for code, n in emits.items()), key=lambda pair: (-pair[1], pair[0]))
        return tuple((name, round(n / total, 4)) for name, n in ranked)


def _by(groups: Ints, taken: Mask) -> list[tuple[int, Ints]]:
    """(group, its rows in order) for each group of the rows that *taken* marks; a group below 0 is none."""
    rows = np.flatnonzero(taken & (groups >= 0))
    rows = rows[np.argsort(groups[rows], kind="stable")]
    if not len(rows):
        return []
    first = np.flatnonzero(np.append(True, groups[rows][1:] != groups[rows][:-1]))
    return [(int(groups[part[0]]), part) for part in np.split(rows, first[1:])]
