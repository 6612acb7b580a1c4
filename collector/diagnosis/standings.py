"""What does the learner know, as it is shown?"""

from collections.abc import Callable, Iterator
from typing import TypeAlias

from collector.diagnosis.evidence import Habit
from collector.diagnosis.expected import Expected
from collector.diagnosis.forming import Known
from collector.diagnosis.histories import STATES, History
from collector.diagnosis.needs import Input, Join
from collector.diagnosis.record import reactor_of, type_of
from collector.diagnosis.standing import (
    Change,
    Drop,
    DropKind,
    Standing,
    StandingKind,
    Standings,
    StandingState,
)
from collector.diagnosis.step_habits import StepHabits
from collector.model.wording import MS

_MOST_DROPS = 100

# (kind, step, event type, missing, since) to (examples, hits), of flows that have not taught yet.
Others: TypeAlias = Callable[[DropKind, int | None, int, int | None, int], tuple[int, int]]


def _nothing(*_: object) -> tuple[int, int]:
    return 0, 0


def standings(known: Known, expected: Expected, now: int, others: Others = _nothing) -> Standings:
    """All that is known at *now* of what is *expected*, and what has dropped.

    *others* counts in flows that have not taught yet: see `Others`.
    """
    learned = [*_of_steps(known, expected, now), *_of_joins(known)]
    found = _with_declared(learned, expected)
    found.sort(key=lambda one: (one.service, one.triggers, one.kind, one.event_type or ""))
    return Standings(tuple(found), tuple(_drops(known, expected, now, others))[:_MOST_DROPS])


def _with_declared(learned: list[Standing], expected: Expected) -> list[Standing]:
    """*learned*, with what is declared of it, and what is declared and was never seen."""
    found: dict[tuple[StandingKind, tuple[str, ...], str, str], Standing]
    found = {(one.kind, one.triggers, one.service, one.group): one for one in learned if one.kind != "event"}
    for expectation in (*expected.steps.values(), *(join for _, join in expected.joins)):
        if expectation.source != "declared":
            continue
        kind: StandingKind = "join" if len(expectation.triggers) > 1 else "reaction"
        place = kind, expectation.triggers, expectation.service, expectation.group
        seen = found.get(place)
        history = seen.history if seen else ()
        found[place] = Standing(
            kind=kind,
            triggers=expectation.triggers,
            service=expectation.service,
            group=expectation.group,
            event_type=expectation.next_event_type if kind == "join" else None,
            state="declared",
            share=seen.share if seen else 0.0,
            n=seen.n if seen else 0,
            needed=seen.needed if seen else 0,
            pace=expectation.react if expectation.react.n else None,
            deadline_ms=expectation.deadline_ms if expectation.until else None,
            since=seen.since if seen else 0,
            kept=seen.kept if seen else 0,
            missed=seen.missed if seen else 0,
            recent=seen.recent if seen else 0,
            disused=seen.disused if seen else False,
            history=history,
        )
    return [*found.values(), *(one for one in learned if one.kind == "event")]


def _of_steps(known: Known, expected: Expected, now: int) -> Iterator[Standing]:
    for step, seen in known.steps.items():
        expectation = expected.steps.get(step)
        # A flow does not wait for a step that only ends a branch: its share is watched.
        waits = expectation is not None and expectation.progresses
        yield _reaction(known, step, seen, now, waits=waits)
        # What also needs other steps is shown as a join.
        if seen.emits and not known.needs.is_joined(step, set(seen.emits)):
            yield from _events(known, step, seen)


def _reaction(known: Known, step: int, seen: StepHabits, now: int, *, waits: bool) -> Standing:
    service, group = known.names.of_reactor(reactor_of(step))
    state, since, history = _said(known, step, seen.reaction)
    missed, recent = seen.reacted.recent
    return Standing(
        kind="reaction",
        triggers=(_type(known, type_of(step)),),
        service=service,
        group=group,
        event_type=None,
        state=state,
        share=seen.reacted.share,
        n=round(seen.reacted.n),
        needed=known.habits.flows,
        pace=seen.react.pace if seen.react.pace.n else None,
        deadline_ms=seen.react.deadline_ms if waits and state == "always" else None,
        since=since,
        kept=seen.last,
        missed=missed,
        recent=recent,
        disused=state in {"always", "sometimes"} and seen.is_disused(now),
        history=history,
    )


def _events(known: Known, step: int, seen: StepHabits) -> Iterator[Standing]:
    """What it publishes: one entry if that is one event type, else one for each choice."""
    service, group = known.names.of_reactor(reactor_of(step))
    state, since, history = _said(known, step, seen.publication)
    for code, _ in seen.emits.most_common():
        habit = seen.kinds.get(code, seen.emitted)
        alone = len(seen.emits) == 1
        missed, recent = habit.recent
        own: StandingState = state if alone or state == "forgotten" else STATES[habit.regularity]
        yield Standing(
            kind="event",
            triggers=(_type(known, type_of(step)),),
            service=service,
            group=group,
            event_type=_type(known, code),
            state=own,
            share=habit.share,
            n=round(habit.n),
            needed=known.habits.flows,
            pace=seen.delay.pace if seen.delay.pace.n else None,
            deadline_ms=seen.delay.deadline_ms if own == "always" else None,
            since=since,
            kept=habit.last,
            missed=missed,
            recent=recent,
            disused=False,
            history=history if alone else (),  # that of all it publishes is no history of one of them
        )


def _of_joins(known: Known) -> Iterator[Standing]:
    for steps, types in known.needs.decisions().items():
        join = known.needs.joins.get(steps)
        if join is None or len(steps) < 2 or any(step not in known.steps for step in steps):
            continue
        yield _join(known, steps, types, join)
        for step in steps:
            if (one := known.needs.inputs.get((steps, step))) is not None:
                yield _input(known, steps, step, one)


def _join(known: Known, steps: tuple[int, ...], types: set[int], join: Join) -> Standing:
    service, group = known.names.of_reactor(reactor_of(steps[0]))
    state, since, history = _said(known, steps[0], join.history)
    state = state if state == "forgotten" else STATES[join.went_on.regularity]
    missed, recent = join.went_on.recent
    return Standing(
        kind="join",
        triggers=tuple(_type(known, type_of(step)) for step in steps),
        service=service,
        group=group,
        event_type=_type(known, min(types)),
        state=state,
        share=join.went_on.share,
        n=round(join.went_on.n),
        needed=known.habits.flows,
        pace=join.wait.pace if join.wait.pace.n else None,
        deadline_ms=join.wait.deadline_ms if state == "always" else None,
        since=since,
        kept=join.went_on.last,
        missed=missed,
        recent=recent,
        disused=False,
        history=history,
    )


def _input(known: Known, steps: tuple[int, ...], step: int, one: Input) -> Standing:
    service, group = known.names.of_reactor(reactor_of(step))
    state, since, history = _said(known, step, one.history)
    state = state if state == "forgotten" else STATES[one.regularity]
    return Standing(
        kind="input",
        triggers=tuple(_type(known, type_of(other)) for other in steps if other != step),
        service=service,
        group=group,
        event_type=_type(known, type_of(step)),
        state=state,
        share=one.share,
        n=round(one.n),
        needed=known.habits.flows,
        pace=one.wait.pace if one.wait.pace.n else None,
        deadline_ms=one.wait.deadline_ms if state == "always" else None,
        since=since,
        kept=one.last,
        missed=0,
        recent=0,
        disused=False,
        history=history,
    )


def _drops(known: Known, expected: Expected, now: int, others: Others) -> Iterator[Drop]:
    ignored = expected.ignored_types
    for step, seen in known.steps.items():
        if known.word_on(step) == "forget" or seen.dismissed or type_of(step) in ignored:
            continue
        if known.names.service_of(step) in expected.ignored_services:
            continue
        event_type = type_of(step)
        taken_by = now - int(seen.react.deadline_ms * MS)
        published_by = now - int(seen.delay.deadline_ms * MS)
        yield from _drop(known, others, "take", seen.reacted, event_type, step, None, taken_by)
        if known.needs.is_joined(step, set(seen.emits)):
            continue  # alone it does not publish
        yield from _drop(known, others, "publish", seen.emitted, event_type, step, None, published_by)
        for code, habit in seen.kinds.items():
            yield from _drop(known, others, "publish", habit, event_type, step, code)
    for event_type, habit in known.followed.items():
        if event_type in ignored:
            continue
        yield from _drop(known, others, "follow", habit, event_type, None, None)


def _drop(
    known: Known,
    others: Others,
    kind: DropKind,
    habit: Habit,
    event_type: int,
    step: int | None,
    missing: int | None,
    due: int | None = None,
) -> Iterator[Drop]:
    fall = habit.fall(due, lambda since: others(kind, step, event_type, missing, since))
    if fall is None:
        return
    service, group = known.names.of_reactor(reactor_of(step)) if step is not None else (None, None)
    yield Drop(
        kind=kind,
        event_type=_type(known, event_type),
        service=service,
        group=group,
        missing=_type(known, missing) if missing is not None else None,
        share=fall.share,
        n=fall.n,
        hits=fall.hits,
        window=fall.window,
        since=fall.since,
        flows=tuple(reversed(habit.missed)),
    )


def _said(known: Known, step: int, history: History) -> tuple[StandingState, int, tuple[Change, ...]]:
    """The state, since when, and the history, of which a person's word is a part."""
    decision = known.decision_on(step)
    changes = list(history.changes)
    if decision is None:
        return history.state, history.since, tuple(changes)
    state: StandingState = "forgotten" if decision.word == "forget" else "always"
    changes.append(Change(decision.at, state, "somebody said so", decision.author))
    changes.sort(key=lambda one: one.at)
    return state, decision.at, tuple(changes)


def _type(known: Known, code: int) -> str:
    return known.names.event_types.names[code]
