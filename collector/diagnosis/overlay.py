"""Which expectations are declared? As steps and joins, at the learned pace where there is one."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from collector.diagnosis.declared import Declared, DeclaredJoin, DeclaredReaction
from collector.diagnosis.elsewhere import Elsewhere
from collector.diagnosis.expected import FOREVER, Expectation, Expected, Gather
from collector.diagnosis.paces import Pace
from collector.diagnosis.record import OTHER, Names, step_of, type_of
from collector.model.wording import MS


@dataclass(frozen=True)
class Overlay:
    """What is declared, in the numbers of `Expected`."""

    steps: Mapping[int, Expectation]  # reactions, also those that joins need
    joins: Mapping[tuple[int, ...], Expectation]  # by the steps that are needed, ascending
    gathers: tuple[Gather, ...]  # what joins wait for


def overlay(learned: Expected, declared: Declared, seen: Mapping[int, int]) -> Overlay:
    """All that is *declared*; *seen*: see `merged`."""
    making = _Making(learned, seen)
    steps = {step: its for reaction in declared.reactions for step, its in making.reactions(reaction)}
    reacting = by_type_and_service(steps, learned.names)
    joins: dict[tuple[int, ...], Expectation] = {}
    gathers: list[Gather] = []
    elsewhere = Elsewhere(declared, learned.names)
    for join in declared.joins:
        needs = making.needs(join, reacting)
        if len(needs) == len(join.needs):  # else a name is beyond the limit
            joins[needs] = making.join(join, needs)
            steps |= {step: making.need(join, step, steps.get(step)) for step in needs}
            gathers += making.gathers(join, needs, joins[needs], elsewhere)
    return Overlay(steps, joins, tuple(gathers))


class _Making:
    def __init__(self, learned: Expected, seen: Mapping[int, int]) -> None:
        self._names, self._steps, self._seen = learned.names, learned.steps, seen
        self._joins = dict(learned.joins)
        self._gathers = {(one.steps, one.step): one for one in learned.gathers}
        self._floor_ms = learned.floor / MS
        self._learned_of = by_type_and_service(learned.steps, learned.names)
        self._seen_of = by_type_and_service(seen, learned.names)

    def reactions(self, declared: DeclaredReaction) -> Iterator[tuple[int, Expectation]]:
        """What is expected of each group that *declared* is about."""
        emits = declared.publishes
        for step in self._steps_of(declared.event_type, declared.service, declared.group, emits or ()):
            made, known = self._reaction(step, declared.within_ms), self._steps.get(step)
            if emits is not None:
                made = replace(made, emits=_equal(emits), always_emits=bool(emits))
            elif known is not None:
                made = replace(
                    made,
                    emits=known.emits,
                    always_emits=known.always_emits,
                    emits_until=known.emits_until,
                    emits_firmly=known.emits_firmly,
                )
            if declared.optional:
                made = replace(made, until=0, progresses=bool(made.emits))
            yield step, made

    def needs(self, join: DeclaredJoin, declared: Mapping[tuple[int, int], list[int]]) -> tuple[int, ...]:
        """The steps that *join* needs: of each event the declared reaction, or the one that is known."""
        found = []
        for event_type in join.needs:
            steps = declared.get(self._place(event_type, join.service), [])
            steps = steps or self._steps_of(event_type, join.service, None, join.publishes)
            found += [max(steps, key=self._newest)] if steps else []
        return tuple(sorted(found))

    def need(self, join: DeclaredJoin, step: int, declared: Expectation | None) -> Expectation:
        """The reaction at *step*, which *join* needs: it is owed, but publishes nothing by itself."""
        reaction = declared
        if reaction is None:
            reaction = self._reaction(step, None if step in self._steps else join.within_ms)
        emits = dict(reaction.emits) or dict(_equal(join.publishes))
        return replace(reaction, emits=tuple(emits.items()), always_emits=False)

    def join(self, join: DeclaredJoin, steps: tuple[int, ...]) -> Expectation:
        """What is expected once all *steps* were taken."""
        known = self._joins.get(steps)
        deadline = join.within_ms or (known.deadline_ms if known else self._floor_ms)
        pace = known.react if known else _unseen(deadline)
        return replace(
            self._reaction(steps[0], deadline),
            triggers=tuple(self._names.event_types.names[type_of(step)] for step in steps),
            share=known.share if known else 1.0,
            react=pace,
            publish=pace,
            emits=_equal(join.publishes),
            always_emits=True,
            last=known.last if known else 0,
        )

    def gathers(
        self, join: DeclaredJoin, steps: tuple[int, ...], expectation: Expectation, elsewhere: Elsewhere
    ) -> Iterator[Gather]:
        """That each of *steps* gets its event once another one had its own."""
        for step in steps:
            event_type, known = type_of(step), self._gathers.get((steps, step))
            deadline = join.within_ms or (known.deadline_ms if known else self._floor_ms)
            yield Gather(
                steps,
                step,
                expectation,
                publisher=elsewhere.publisher(event_type) or (known.publisher if known else None),
                elsewhere=elsewhere.of(event_type),
                usual=known.usual if known else frozenset(),
                pace=known.pace if known else _unseen(deadline),
                deadline_ms=deadline,
            )

    def _reaction(self, step: int, within_ms: float | None) -> Expectation:
        """A reaction that is owed and publishes nothing."""
        names, known = self._names, self._steps.get(step)
        deadline = within_ms or (known.deadline_ms if known else self._floor_ms)
        to_publish = within_ms or (known.publish_deadline_ms if known else self._floor_ms)
        return Expectation(
            triggers=(names.event_types.names[type_of(step)],),
            service=names.services.names[names.service_of(step)],
            group=names.groups.names[names.group_of(step)],
            share=known.share if known else 1.0,
            react=known.react if known else _unseen(deadline),
            deadline_ms=deadline,
            publish=known.publish if known else _unseen(to_publish),
            publish_deadline_ms=to_publish,
            emits=(),
            always_emits=False,
            progresses=True,
            last=known.last if known else 0,
            until=FOREVER,
            emits_until=FOREVER,
            reacts_firmly=True,
            emits_firmly=True,
            source="declared",
        )

    def _steps_of(
        self, event_type: str, service: str, group: str | None, emits: Collection[str]
    ) -> list[int]:
        """The steps that a declaration is about: that of its group, or those that are known."""
        place = self._place(event_type, service)
        if OTHER in place:
            return []
        if group is None:
            learned = self._learned_of.get(place, [])
            reacting = [step for step in learned if self._steps[step].until > 0] or learned
            # A service may have one group that works and another that only counts.
            emitting = [
                step for step in reacting if any(name in emits for name, _ in self._steps[step].emits)
            ]
            if reacting:
                return emitting or reacting
            if place in self._seen_of:
                return [max(self._seen_of[place], key=self._newest)]
        code = self._names.groups.code(service if group is None else group)
        return [] if code == OTHER else [_step(self._names, *place, code)]

    def _place(self, event_type: str, service: str) -> tuple[int, int]:
        return self._names.event_types.code(event_type), self._names.services.code(service)

    def _newest(self, step: int) -> tuple[int, int]:
        known = self._steps.get(step)
        return max(self._seen.get(step, 0), known.last if known else 0), step


def by_type_and_service(steps: Iterable[int], names: Names) -> dict[tuple[int, int], list[int]]:
    """*steps*, ascending, by event type and service."""
    found: dict[tuple[int, int], list[int]] = {}
    for step in sorted(steps):
        found.setdefault((type_of(step), names.service_of(step)), []).append(step)
    return found


def _step(names: Names, event_type: int, service: int, group: int) -> int:
    reactor = names.reactor(np.array([service]), np.array([group]))
    return int(step_of(np.array([event_type]), reactor)[0])


def _equal(names: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    return tuple((name, round(1 / len(names), 4)) for name in names)


def _unseen(deadline_ms: float) -> Pace:
    """The pace of what was never seen: it is late at its deadline, and not before."""
    return Pace(0, deadline_ms, deadline_ms, deadline_ms)
