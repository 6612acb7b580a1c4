"""When do spans arrive? Each service exports them in batches, and tries again while the collector is away."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random

from benchmarks.silence.faults import ALWAYS, Loss, Stop, Weather
from benchmarks.silence.planned import Claim, Planned

_BATCH = 512
# Seconds after the first attempt of a batch: one SDK gives up after three seconds, another after ten. Spans
# that end meanwhile wait in a queue.
_RETRIES = ((0.0, 1.0, 2.8), (0.0, 1.0, 3.0, 7.0, 10.5))
_KILLED_EVERY = 3.0  # seconds: a service that is killed has something that it had not sent yet


@dataclass(frozen=True)
class Exporter:
    """How one service exports."""

    every: float
    phase: float
    retries: Sequence[float]
    skew: float  # how much its clock is ahead


def exporters(rng: Random, services: Iterable[str], *, skew: float) -> dict[str, Exporter]:
    """An exporter for each of *services*, whose clocks are up to *skew* seconds off."""
    return {
        service: Exporter(
            every := rng.choice([0.2, 0.5, 1.0, 2.0, 5.0]),
            rng.uniform(0, every),
            rng.choice(_RETRIES),
            rng.uniform(-skew, skew),
        )
        for service in sorted(services)
    }


def export(rng: Random, claims: Iterable[Claim], how: dict[str, Exporter], weather: Weather) -> None:
    """Set when each span of *claims* arrives, or that it is lost."""
    by_service: dict[str, list[Planned]] = defaultdict(list)
    for claim in claims:
        for span in claim.spans:
            by_service[span.service].append(span)
    for service, spans in sorted(by_service.items()):
        spans.sort(key=lambda span: span.end)
        killed = min(
            (f.begin for f in weather.faults if f.kind == "killed" and f.service == service),
            default=ALWAYS,
        )
        its = how[service]
        if killed < ALWAYS:
            its = replace(its, every=max(its.every, _KILLED_EVERY))
        _export(rng, spans, its, weather.stops, killed)
        for loss in weather.losses:
            if loss.service in {None, service}:
                _lose(rng, spans, loss)


def _export(
    rng: Random, spans: Sequence[Planned], how: Exporter, stops: Sequence[Stop], killed: float
) -> None:
    first, free = 0, -1e9
    while first < len(spans):
        ready = -(-(spans[first].end - how.phase) // how.every) * how.every + how.phase
        at = max(ready, free)
        last = first
        while last < len(spans) and spans[last].end <= at and last - first < _BATCH:
            last += 1
        last = max(last, first + 1)
        arrives, free = _delivered(rng, at, how, stops)
        for span in spans[first:last]:
            span.arrives, span.missed = arrives or 0.0, arrives is None
            span.lost = span.missed or at > killed
        first = last


def _delivered(rng: Random, at: float, how: Exporter, stops: Sequence[Stop]) -> tuple[float | None, float]:
    """When a batch that is exported *at* that time arrives, and when its exporter is free again."""
    for pause in how.retries:
        attempt = at + pause * rng.uniform(0.8, 1.2)
        arrives = attempt + rng.uniform(0.002, 0.05)
        if not any(stop.begin <= arrives < stop.end for stop in stops):
            return arrives, arrives
    return None, at + how.retries[-1] * 1.4


def _lose(rng: Random, spans: Iterable[Planned], loss: Loss) -> None:
    for span in spans:
        if loss.begin <= span.end < loss.end:
            # The same traces are kept by all services.
            drawn = int.from_bytes(span.trace[:6], "big") / 2**48 if loss.by_trace else rng.random()
            span.lost |= drawn < loss.share
