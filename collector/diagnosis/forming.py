"""What is expected, by what was learned and by what people said?"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from collector.columns.joins import Ints
from collector.diagnosis.endings import Endings
from collector.diagnosis.evidence import Habit
from collector.diagnosis.expected import FOREVER, Expectation, Expected, Gather
from collector.diagnosis.habits import Habits, Regularity
from collector.diagnosis.needs import Join, Needs, Steps
from collector.diagnosis.step_habits import StepHabits
from collector.diagnosis.vocabulary import OTHER, Names, reactor_of, type_of
from collector.model.decisions import Decision, Word
from collector.model.wording import MS

_PUBLISHERS = 8  # services that publish one event type


@dataclass
class Known:
    """What was learned so far, and what people said of it. The learner fills it."""

    names: Names
    habits: Habits
    needs: Needs
    endings: Endings
    steps: dict[int, StepHabits] = field(default_factory=dict)
    types: Counter[int] = field(default_factory=Counter)  # messages of each event type
    followed: dict[int, Habit] = field(default_factory=dict)  # by type: whether anything was published after
    publishers: dict[int, Counter[int]] = field(default_factory=dict)  # services, by the type they publish
    words: dict[tuple[str, str], Decision] = field(default_factory=dict)  # by event type and service

    def word_on(self, step: int) -> Word | None:
        """What a person said about *step*."""
        decision = self.decision_on(step)
        return decision.word if decision else None

    def decision_on(self, step: int) -> Decision | None:
        """The newest decision about *step*."""
        service, _ = self.names.of_reactor(reactor_of(step))
        return self.words.get((self.names.event_types.names[type_of(step)], service))

    def publisher(self, event_type: int) -> str | None:
        """The service that normally publishes *event_type*; None if nobody was seen to."""
        found = self.publishers.get(event_type)
        return self.names.services.names[found.most_common(1)[0][0]] if found else None

    def see_publishers(self, event_type: int, services: Ints) -> None:
        """Count which *services* published messages of *event_type*."""
        found = self.publishers.setdefault(event_type, Counter())
        codes, times = np.unique(services[services > OTHER], return_counts=True)
        found.update(dict(zip(codes.tolist(), times.tolist(), strict=True)))
        if len(found) > _PUBLISHERS:
            self.publishers[event_type] = Counter(dict(found.most_common(_PUBLISHERS // 2)))


class Forming:
    """Makes expectations of what is known; those of steps about which nothing new was learned are kept."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._made: dict[int, Expectation | None] = {}
        self._needed: frozenset[int] = frozenset()

    def renew(self, *steps: int) -> None:
        """Make the expectations of *steps* anew; without any, all."""
        if not steps:
            self._made.clear()
        for step in steps:
            self._made.pop(step, None)

    def expected(self, version: int) -> Expected:
        """What is expected now."""
        known, habits = self._known, self._known.habits
        needed = known.needs.needed()
        self.renew_all(needed ^ self._needed)
        self._needed = needed
        steps: dict[int, Expectation] = {}
        for step, seen in known.steps.items():
            if step not in self._made:
                self._made[step] = self._expectation(step, seen)
            if (expectation := self._made[step]) is not None:
                steps[step] = expectation
        joins, ending = self._joins(), self.ending_types()
        return Expected(
            version=version,
            names=known.names,
            floor=int(habits.deadline_floor_ms * MS),
            run=habits.run,
            steps=MappingProxyType(steps),
            joins=tuple(sorted(joins.items())),
            gathers=tuple(self._gathers(joins)),
            first_seen=MappingProxyType({step: known.steps[step].first_seen for step in steps}),
            joined=frozenset(s for s in steps if known.needs.is_joined(s, set(known.steps[s].emits))),
            sources=frozenset((step, code) for step, seen in known.steps.items() for code in seen.sources),
            known_types=np.array(sorted(c for c, n in known.types.items() if n >= habits.flows), np.int64),
            ending_types=ending,
            endings=known.endings.known(ending),
        )

    def renew_all(self, steps: frozenset[int]) -> None:
        """Make the expectations of *steps*, if there are any, anew."""
        for step in steps:
            self._made.pop(step, None)

    def ending_types(self) -> Ints:
        """The event types that normally end their branch: nothing is published because of them."""
        share, needed = 1 - self._known.habits.sources, self._known.needs.needed()
        ending = {code for code, followed in self._known.followed.items() if followed.share <= share}
        return np.array(sorted(ending - {type_of(step) for step in needed}), np.int64)

    def _joins(self) -> dict[Steps, Expectation]:
        """What is expected once all of several steps have happened, by those steps.

        A single step is included if it publishes once per flow, not for each of its messages: it collects.
        """
        known = self._known
        return {
            steps: self._joined(steps, types, join)
            for steps, types in known.needs.decisions().items()
            if (join := known.needs.joins.get(steps)) is not None
            # The messages of an input from outside may never be seen, only that they are taken.
            and any(step in known.steps for step in steps)
            and join.went_on.regularity is Regularity.ALWAYS
            and (len(steps) > 1 or known.steps[steps[0]].emitted.regularity is not Regularity.ALWAYS)
            and "forget" not in {known.word_on(step) for step in steps}
        }

    def _gathers(self, joins: Mapping[Steps, Expectation]) -> list[Gather]:
        """The inputs that come, in nearly all flows, once a service has taken another one that it needs."""
        known, ended = self._known, self._ended()
        return [
            Gather(
                steps=steps,
                step=step,
                expectation=joins[steps],
                publisher=known.publisher(type_of(step)),
                elsewhere=frozenset(),
                usual=one.usual(),
                pace=one.wait.pace,
                deadline_ms=one.wait.deadline_ms,
            )
            for (steps, step), one in sorted(known.needs.inputs.items())
            if steps in joins and one.regularity is Regularity.ALWAYS and type_of(step) not in ended
        ]

    def _ended(self) -> set[int]:
        """The event types that nobody publishes any more: all that led to them is forgotten."""
        alive: set[int] = set()
        gone: set[int] = set()
        for step, seen in self._known.steps.items():
            forgotten = seen.dismissed or self._known.word_on(step) == "forget"
            (gone if forgotten else alive).update(seen.emits)
        return gone - alive

    def _expectation(self, step: int, seen: StepHabits) -> Expectation | None:
        known = self._known
        kept = (word := known.word_on(step)) == "keep"
        unsure = seen.reacted.regularity is Regularity.LEARNING or seen.dismissed
        if word == "forget" or (unsure and not kept):
            return None
        service, group = known.names.of_reactor(reactor_of(step))
        return Expectation(
            triggers=(known.names.event_types.names[type_of(step)],),
            service=service,
            group=group,
            share=round(seen.reacted.share, 4),
            react=seen.react.pace,
            deadline_ms=seen.react.deadline_ms,
            publish=seen.delay.pace,
            publish_deadline_ms=seen.delay.deadline_ms,
            emits=self._emits(seen.emits),
            always_emits=seen.publication.until > 0,
            progresses=kept or step in self._needed or seen.emitted.share > known.habits.rare,
            last=seen.last,
            until=FOREVER if kept else seen.reaction.until,
            emits_until=seen.publication.until,
            reacts_firmly=seen.reacted.firm or kept,
            emits_firmly=seen.emitted.firm,
        )

    def _joined(self, steps: Steps, types: set[int], join: Join) -> Expectation:
        known = self._known
        service, group = known.names.of_reactor(reactor_of(steps[0]))
        emits: Counter[int] = Counter()
        for step in steps:
            if (seen := known.steps.get(step)) is not None:
                emits.update({code: n for code, n in seen.emits.items() if code in types})
        emits = emits or Counter(types)
        return Expectation(
            triggers=tuple(known.names.event_types.names[type_of(step)] for step in steps),
            service=service,
            group=group,
            share=round(join.went_on.share, 4),
            react=join.wait.pace,
            deadline_ms=join.wait.deadline_ms,
            publish=join.wait.pace,
            publish_deadline_ms=join.wait.deadline_ms,
            emits=self._emits(emits),
            always_emits=True,
            progresses=True,
            reacts_firmly=join.went_on.firm,
            emits_firmly=join.went_on.firm,
        )

    def _emits(self, emits: Counter[int]) -> tuple[tuple[str, float], ...]:
        total = max(sum(emits.values()), 1)
        names = self._known.names.event_types.names
        ranked = sorted(((names[code], n) for code, n in emits.items()), key=lambda pair: (-pair[1], pair[0]))
        return tuple((name, round(n / total, 4)) for name, n in ranked)
