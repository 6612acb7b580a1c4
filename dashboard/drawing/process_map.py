"""The process map: which event type (or service) leads to which, and through which service?

Each event type is a box, and each service that reacted to one by publishing another
is an arrow. A service that reacts and publishes nothing is named in the event's box,
because "one service takes it" and "none does" are different answers. It gets a small
box of its own if it is slow, fails, or flows are waiting for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from dashboard.total_shapes import Map, MapEmit, MapReaction, MapStuck

Level = Literal["event", "service"]

# From this p95 on, a step is worth a colour of its own: see `palette.latency_step`.
SLOW_MS = 800.0


@dataclass(frozen=True)
class Place:
    """One box of the map; `kind` is event, service or taker (reacts, publishes nothing)."""

    id: str
    kind: str
    title: str
    service: str
    count: int
    terminal: bool = False
    takers: tuple[Way, ...] = ()  # services that react and need no box of their own


@dataclass(frozen=True)
class Way:
    """One arrow of the map. Durations are p95 in milliseconds, None if unknown."""

    source: str
    target: str
    service: str
    count: int
    wait_ms: float | None = None
    work_ms: float | None = None
    errors: int = 0
    stuck: int = 0

    @property
    def total_ms(self) -> float | None:
        """Return wait plus work: the sum of the two p95s."""
        if self.wait_ms is None and self.work_ms is None:
            return None
        return (self.wait_ms or 0.0) + (self.work_ms or 0.0)


@dataclass(frozen=True)
class Picture:
    """Boxes in order of first appearance, and arrows."""

    places: tuple[Place, ...]
    ways: tuple[Way, ...]


def picture(found: Map, level: Level = "event") -> Picture:
    """Turn the API's map into boxes and arrows."""
    events = _events(found)
    return _services(events) if level == "service" else _quiet(events)


def _quiet(events: Picture) -> Picture:
    """Fold takers that are fast and healthy into the boxes of the events they take."""
    takers = {place.id for place in events.places if place.kind == "taker"}
    named: dict[str, list[Way]] = {}
    for way in events.ways:
        calm = way.count and not way.stuck and not way.errors and (way.total_ms or 0.0) < SLOW_MS
        if way.target in takers and calm:
            named.setdefault(way.source, []).append(way)
    folded = {way.target for ways in named.values() for way in ways}
    places = [
        replace(place, takers=tuple(named.get(place.id, ())))
        for place in events.places
        if place.id not in folded
    ]
    return Picture(tuple(places), tuple(way for way in events.ways if way.target not in folded))


def _events(found: Map) -> Picture:
    # The order of events in the most frequent variant puts what happens first on the left.
    sequence = [event for variant in found.variants for event in variant.events]
    first = {event: place for place, event in reversed(list(enumerate(sequence)))}
    publisher = {emit.emits: emit.service for emit in reversed(found.emits)}
    publisher |= {event.event_type: event.services[0] for event in found.events if event.services}
    places = {
        event.event_type: Place(
            event.event_type,
            "event",
            event.event_type,
            publisher.get(event.event_type, ""),
            event.count,
            event.terminal,
        )
        for event in sorted(found.events, key=lambda event: first.get(event.event_type, len(first)))
    }
    reactions = {
        (reaction.event_type, reaction.service): reaction
        for reaction in found.reactions
        if reaction.event_type in places
    }
    owed = {(stuck.event_type, stuck.missing_service): stuck for stuck in found.stuck}
    ways = []
    answered = set()
    for emit in found.emits:
        if emit.event_type not in places or emit.emits not in places:
            continue
        asked = (emit.event_type, emit.service)
        answered.add(asked)
        debt = owed.get(asked)
        # Show "3 stuck" on one arrow only, not on each event that might have followed.
        if debt and debt.next_event_type in {None, emit.emits}:
            del owed[asked]
        else:
            debt = None
        ways.append(_way(emit, emit.emits, reactions.get(asked), debt))
    for asked, reaction in reactions.items():
        if asked not in answered:
            taker = _taker(reaction.event_type, reaction.service, reaction.count)
            places[taker.id] = taker
            ways.append(_way(reaction, taker.id, reaction, owed.pop(asked, None)))
    for debt in owed.values():
        # Owed, but never seen in the window: only the debt can be drawn.
        if debt.event_type in places and debt.missing_service:
            taker = _taker(debt.event_type, debt.missing_service, 0)
            places.setdefault(taker.id, taker)
            ways.append(Way(debt.event_type, taker.id, debt.missing_service, 0, stuck=debt.flows))
    return Picture(tuple(places.values()), tuple(ways))


def _taker(event_type: str, service: str, count: int) -> Place:
    return Place(f"{event_type}\n{service}", "taker", service, service, count)


def _way(
    seen: MapEmit | MapReaction, target: str, reaction: MapReaction | None, debt: MapStuck | None
) -> Way:
    return Way(
        seen.event_type,
        target,
        seen.service,
        seen.count,
        reaction.wait_ms.p95 if reaction else None,
        reaction.work_ms.p95 if reaction else None,
        reaction.errors if reaction else 0,
        debt.flows if debt else 0,
    )


def _services(events: Picture) -> Picture:
    """Fold the map's events into the services that publish them."""
    kind = {place.id: place for place in events.places}
    counts: dict[str, int] = {}
    folded: dict[tuple[str, str], Way] = {}
    for way in events.ways:
        publisher = kind[way.source].service or "unknown"
        counts.setdefault(publisher, 0)
        counts[way.service] = counts.get(way.service, 0) + way.count
        if publisher == way.service:
            continue
        before = folded.get((publisher, way.service))
        folded[publisher, way.service] = _joined(before, way, publisher)
    for place in events.places:
        if place.kind == "event":
            counts.setdefault(place.service or "unknown", 0)
    places = tuple(Place(name, "service", name, name, count) for name, count in counts.items())
    return Picture(places, tuple(folded.values()))


def _joined(before: Way | None, way: Way, publisher: str) -> Way:
    if before is None:
        return Way(
            publisher, way.service, way.service, way.count, way.wait_ms, way.work_ms, way.errors, way.stuck
        )
    return Way(
        publisher,
        way.service,
        way.service,
        before.count + way.count,
        _most([before.wait_ms, way.wait_ms]),
        _most([before.work_ms, way.work_ms]),
        before.errors + way.errors,
        before.stuck + way.stuck,
    )


def _most(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)
