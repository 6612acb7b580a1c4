"""A scene becomes a run: claims are filed at some rate, good ones first, and then the weather changes."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

import pyarrow as pa

from benchmarks.silence.claims import CLAIMS, Step
from benchmarks.silence.exporting import export, exporters
from benchmarks.silence.faults import Weather
from benchmarks.silence.happening import Outside, Steps, Taken, World
from benchmarks.silence.planned import Claim
from benchmarks.silence.playing import Player, Timing, Unable
from benchmarks.silence.scoring import Score, score
from benchmarks.silence.tabled import table
from collector.model.decisions import Decision

_SKEW, _TWICE = 0.05, 0.05  # clocks are 50 ms off, 5 % of the spans come twice
LASTS = 12.0  # seconds that a run goes on after the last deadline: for slow exporters


@dataclass
class Run:
    """All that a player needs, and the truth."""

    claims: Sequence[Claim]
    spans: pa.Table
    weather: Weather
    timing: Timing
    paces: dict[Taken, float]  # 99th percentiles, seconds
    decisions: Sequence[tuple[float, Decision]] = ()


@dataclass(frozen=True)
class Stage:
    """What a scene is built with: chance, and how large it is to be."""

    rng: Random
    scale: float = 1.0

    def some(self, low: int, high: int) -> int:
        """A number from *low* to *high*, of claims."""
        return max(round(self.scale * self.rng.randint(low, high)), 1)


@dataclass(frozen=True)
class Scene:
    """One kind of behaviour. It is built from a seeded generator, so that a seed names a run."""

    name: str
    title: str
    build: Callable[[Stage], Run]
    faulty: bool
    # For so many claims after spans began to get lost, a verdict that only these could prevent is excused.
    excuses: float = math.inf


def play(scene: Scene, seed: int, scale: float = 1.0, least: float = 1.0) -> Score:
    """Build and play *scene*, and compare the verdicts with the truth. Ticks are *least* seconds apart."""
    run = scene.build(Stage(Random(f"{scene.name} {seed}"), scale))
    player = Player(run.spans, run.weather.stops, run.decisions, replace(run.timing, least=least))
    try:
        seen = player.play()
    except Unable as error:
        return Score(runs=1, unable=str(error))
    return score(run.claims, seen, run.paces, run.weather, scene.excuses)


def poisson(rng: Random, begin: float, count: int, rate: float) -> list[float]:
    """*count* times from *begin* on, *rate* a second on average."""
    times, at = [], begin
    for _ in range(count):
        at += rng.expovariate(rate)
        times.append(at)
    return times


def poisson_until(rng: Random, begin: float, end: float, rate: float) -> list[float]:
    """Times from *begin* to *end*, *rate* a second on average."""
    times, at = [], begin + rng.expovariate(rate)
    while at < end:
        times.append(at)
        at += rng.expovariate(rate)
    return times


def staged(
    stage: Stage,
    weather: Callable[[float], Weather] | None = None,
    *,
    good: int | None = None,
    then: int | None = None,
    rate: float | None = None,
    then_rate: float | None = None,
    then_for: float | None = None,
    steps: Sequence[Step] = CLAIMS,
    later: Callable[[float], Steps] | None = None,
    decisions: Callable[[float], Sequence[tuple[float, Decision]]] | None = None,
    keyed: bool | None = None,
    announced: bool = False,
    outside: Callable[[], Sequence[Outside]] = tuple,
    timing: Callable[[float, float], Timing] | None = None,
    lasts: float = LASTS,
) -> Run:
    """*good* claims, at some *rate* a second, and then more in the *weather* that begins then.

    *then* says how many, or *then_for* for how many seconds.
    """
    rng = stage.rng
    rate = rng.uniform(4, 12) if rate is None else rate
    first = poisson(rng, 2.0, good or max(stage.some(120, 300), 60), rate)
    begin = first[-1] + 1.0
    second = (
        poisson_until(rng, begin, begin + then_for, then_rate or rate)
        if then_for
        else poisson(rng, begin, then or stage.some(30, 80), then_rate or rate)
    )
    now = weather(begin) if weather else Weather()
    how = later(begin) if later else lambda _: steps
    keyed = rng.random() < 0.7 if keyed is None else keyed
    world = World(rng, how, now, keyed=keyed, announced=announced)
    for at in [*first, *second]:
        world.file(at, *outside())
    said = decisions(begin) if decisions else ()
    return finished(rng, world, now, begin, decisions=said, timing=timing, lasts=lasts)


def finished(
    rng: Random,
    world: World,
    weather: Weather,
    begin: float,
    *,
    decisions: Sequence[tuple[float, Decision]] = (),
    timing: Callable[[float, float], Timing] | None = None,
    lasts: float = LASTS,
) -> Run:
    """The run of *world*: something changes at *begin*, and it *lasts* so long after the last deadline."""
    world.run()
    services = {span.service for claim in world.claims for span in claim.spans}
    how = exporters(rng, services, skew=_SKEW)
    export(rng, world.claims, how, weather)
    spans = table(
        rng, (span for claim in world.claims for span in claim.spans), how, weather.stops, twice=_TWICE
    )
    paces = {taken: _p99(samples, begin) for taken, samples in world.paces.items()}
    arrived = max((span.arrives for claim in world.claims for span in claim.spans), default=0.0)
    due = [one.deadline(paces) for claim in world.claims for one in claim.wrong]
    coarse = min(due) - 5 if due else 0.0
    when = timing or (lambda coarse, ends: Timing(ends=ends, coarse_until=coarse))
    times = replace(when(coarse, max([arrived, *due]) + lasts), due=due)
    return Run(world.claims, spans, weather, times, paces, decisions)


def _p99(samples: Sequence[tuple[float, float]], begin: float) -> float:
    """The 99th percentile of what was good."""
    chosen = sorted(seconds for at, seconds in samples if at < begin) or sorted(
        seconds for _, seconds in samples
    )
    return chosen[int(0.99 * (len(chosen) - 1))]
