"""The process map: event types (or services) as boxes, and who leads from one to the next.

A box per event type; an arrow for each service that reacted to one with another.
A service that reacts and publishes nothing is a small box of its own, because
"somebody takes it" and "nobody does" are different answers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from dashboard.answers import Map, MapReaction

Level = Literal["event", "service"]


@dataclass(frozen=True)
class Place:
    """One box of the map; `kind` is event, service or taker (reacts, publishes nothing)."""

    id: str
    kind: str
    title: str
    service: str
    count: int
    terminal: bool = False


@dataclass(frozen=True)
class Way:
    """One arrow of the map. Durations are p95 in milliseconds, None when not known."""

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
        """Return wait and work together: how long the step takes at p95, at most."""
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
    return _services(events) if level == "service" else events


def _events(found: Map) -> Picture:
    reactions = {(reaction.event_type, reaction.service): reaction for reaction in found.reactions}
    publisher = {emit.emits: emit.service for emit in reversed(found.emits)}
    publisher |= {event.event_type: event.services[0] for event in found.events if event.services}
    owed = {(stuck.event_type, stuck.missing_service): stuck for stuck in found.stuck}
    places = {
        event.event_type: Place(
            event.event_type,
            "event",
            event.event_type,
            publisher.get(event.event_type, ""),
            event.count,
            event.terminal,
        )
        for event in found.events
    }
    ways = []
    told: set[tuple[str | None, str | None]] = set()
    for emit in found.emits:
        if emit.event_type not in places or emit.emits not in places:
            continue
        stuck = owed.get((emit.event_type, emit.service))
        here = stuck is not None and stuck.next_event_type in {None, emit.emits}
        # A pill says "3 stuck" once, not on each of the answers that could have come.
        here = here and (emit.event_type, emit.service) not in told
        if here:
            told.add((emit.event_type, emit.service))
        reaction = reactions.get((emit.event_type, emit.service))
        ways.append(
            _way(
                emit.event_type,
                emit.emits,
                emit.service,
                emit.count,
                reaction,
                stuck.flows if here and stuck else 0,
            )
        )
    answering = {(emit.event_type, emit.service) for emit in found.emits}
    for reaction in found.reactions:
        asked = (reaction.event_type, reaction.service)
        if asked in answering or reaction.event_type not in places:
            continue
        taker = f"{reaction.event_type}\n{reaction.service}"
        places[taker] = Place(taker, "taker", reaction.service, reaction.service, reaction.count)
        stuck = owed.get(asked)
        ways.append(
            _way(
                reaction.event_type,
                taker,
                reaction.service,
                reaction.count,
                reaction,
                stuck.flows if stuck else 0,
            )
        )
        told.add(asked)
    for asked, stuck in owed.items():
        event, service = asked
        if asked in told or event not in places or service is None:
            continue
        # Owed, and not seen once in the window: only the debt is left to draw.
        taker = f"{event}\n{service}"
        places[taker] = Place(taker, "taker", service, service, 0)
        ways.append(Way(event, taker, service, 0, stuck=stuck.flows))
    return Picture(tuple(places.values()), tuple(ways))


def _way(source: str, target: str, service: str, count: int, reaction: MapReaction | None, stuck: int) -> Way:
    return Way(
        source,
        target,
        service,
        count,
        reaction.wait_ms.p95 if reaction else None,
        reaction.work_ms.p95 if reaction else None,
        reaction.errors if reaction else 0,
        stuck,
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
