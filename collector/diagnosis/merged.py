"""What is expected if people also wrote some of it down? What is declared wins over what is learned."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from collector.columns.joins import Ints
from collector.diagnosis.declared import Declared
from collector.diagnosis.expected import Expectation, Expected
from collector.diagnosis.overlay import Overlay, overlay
from collector.diagnosis.record import OTHER, Vocabulary, type_of

_NOBODY: Mapping[int, int] = MappingProxyType({})


def merged(learned: Expected, declared: Declared, seen: Mapping[int, int] = _NOBODY) -> Expected:
    """*learned*, with all that is *declared* in force from the first flow.

    It is *learned* itself if nothing is declared. *seen* has the steps that took messages, learned or not,
    and when each last did: of a service that is declared without its group, it tells the group.
    """
    if declared == Declared(services=declared.services):
        return learned
    rest = _without_ignored(learned, declared)
    expected = _overlaid(rest, overlay(rest, declared, seen), declared)
    # A join does not wait for an event that nobody is expected to publish any more.
    given_up = _published(learned) - _published(expected)
    gathers = tuple(one for one in expected.gathers if type_of(one.step) not in given_up)
    return replace(expected, gathers=gathers)


def _published(expected: Expected) -> frozenset[int]:
    """The event types that some step is expected to publish."""
    emits = {name for one in expected.steps.values() for name, _ in one.emits}
    return frozenset(map(expected.names.event_types.code, emits))


def _without_ignored(learned: Expected, declared: Declared) -> Expected:
    """*learned* without what is ignored; and after events that end flows, nothing learned is owed."""
    names = learned.names
    types = _codes(names.event_types, declared.ignored_events)
    services = _codes(names.services, declared.ignored_services)
    ends = _codes(names.event_types, declared.ends)

    def ignored(step: int) -> bool:
        return type_of(step) in types or names.service_of(step) in services

    def over(needed: Iterable[int]) -> bool:
        return any(ignored(step) or type_of(step) in ends for step in needed)

    steps = {
        step: _not_owed(one) if type_of(step) in ends else one
        for step, one in learned.steps.items()
        if not ignored(step)
    }
    return replace(
        learned,
        steps=MappingProxyType(steps),
        joins=tuple(join for join in learned.joins if not over(join[0])),
        gathers=tuple(
            replace(gather, elsewhere=gather.elsewhere | ends)
            for gather in learned.gathers
            if not over(gather.steps)
        ),
        joined=frozenset(step for step in learned.joined if step in steps),
        sources=frozenset(source for source in learned.sources if source[0] in steps),
        ignored_types=types,
        ignored_services=services,
        declared_ends=ends,
    )


def _overlaid(learned: Expected, over: Overlay, declared: Declared) -> Expected:
    steps = {**learned.steps, **over.steps}
    told = _told(over)
    needed = {step for one in over.joins for step in one}
    alone = {step for step, one in over.steps.items() if one.always_emits}
    joins = {needed: one for needed, one in learned.joins if _agrees(one, told)} | dict(over.joins)
    gathers = [one for one in learned.gathers if _agrees(one.expectation, told)]
    ending = {*learned.ending_types.tolist()}
    ending -= {type_of(step) for step, one in over.steps.items() if one.until and one.emits}
    types = learned.names.event_types
    return replace(
        learned,
        steps=MappingProxyType(steps),
        joins=tuple(sorted(joins.items())),
        gathers=(*gathers, *over.gathers),
        first_seen=MappingProxyType(
            {step: 0 if step in over.steps else learned.first_seen[step] for step in steps}
        ),
        joined=(learned.joined - alone) | needed,
        known_types=_ascending({*learned.known_types.tolist()} | _codes(types, _named(declared))),
        ending_types=_ascending(ending | _codes(types, declared.ends)),
    )


def _told(over: Overlay) -> dict[str, set[str]]:
    """By service: what it is declared to publish, once or for each message."""
    told: dict[str, set[str]] = {}
    for one in (*over.joins.values(), *(one for one in over.steps.values() if one.always_emits)):
        told.setdefault(one.service, set()).update(name for name, _ in one.emits)
    return told


def _agrees(join: Expectation, told: Mapping[str, set[str]]) -> bool:
    """Whether nothing else is declared of what a learned *join* publishes."""
    return told.get(join.service, set()).isdisjoint(name for name, _ in join.emits)


def _not_owed(learned: Expectation) -> Expectation:
    return replace(learned, until=0, emits_until=0, progresses=False, always_emits=False)


def _named(declared: Declared) -> set[str]:
    """Every event type that is declared in any way."""
    named = {*declared.ends, *declared.ignored_events}
    for reaction in declared.reactions:
        named |= {reaction.event_type, *(reaction.publishes or ())}
    for join in declared.joins:
        named |= {*join.needs, *join.publishes}
    return named


def _codes(vocabulary: Vocabulary, names: Iterable[str]) -> frozenset[int]:
    # Beyond the limit all names share a code: what is declared of one would count for all of them.
    return frozenset(map(vocabulary.code, names)) - {OTHER}


def _ascending(codes: Iterable[int]) -> Ints:
    return np.array(sorted(codes), np.int64)
