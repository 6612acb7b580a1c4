"""When each step of a flow waited and worked: rows, and an axis that skips idle stretches.

Positions on the axis are fractions of its width, 0.0 to 1.0. A stretch in which nothing
happened is drawn short and labelled with its true length, so that a day's wait
does not squeeze the second in which everything happened.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from dashboard.drawing.steps import Step, Steps
from dashboard.words import duration, tick

MILLISECOND = 1_000_000
IDLE_FROM_MS = 2_000.0  # shorter stretches without work are drawn to scale
IDLE_SHARE = 0.12  # width of an idle stretch, as a share of what is drawn to scale
LONG_TIMES = 6.0  # a busy stretch this many times as long as the rest is shortened too
TICKS = 5


@dataclass(frozen=True)
class Stretch:
    """A piece of the axis: its two ends in ms after the start, and where they are drawn."""

    t0: float
    t1: float
    x0: float
    x1: float
    idle: bool


@dataclass(frozen=True)
class Bar:
    """One row: hatched from `wait`, solid from `work` to `end`, all on the axis."""

    step: Step
    depth: int
    wait: float
    work: float
    end: float


@dataclass(frozen=True)
class Timeline:
    """Rows in the order in which they began, the axis, and its labels."""

    bars: tuple[Bar, ...]
    stretches: tuple[Stretch, ...]
    ticks: tuple[tuple[float, str], ...]
    length_ms: float


def timeline(steps: Steps, now_unix_nano: int) -> Timeline:
    """Lay out *steps*; what is still owed extends to *now_unix_nano*."""
    shown = [step for step in steps.steps if step.kind != "blocked"]
    if not shown:
        return Timeline((), (), (), 0.0)
    spans = {step.id: _span(step, now_unix_nano) for step in shown}
    start = min(span[0] for span in spans.values())
    ms = {step: tuple((moment - start) / MILLISECOND for moment in span) for step, span in spans.items()}
    stretches = _axis(
        [moment for span in ms.values() for moment in span],
        [(ms[step.id][0], ms[step.id][2]) for step in shown if step.kind != "ghost"],
    )
    shown.sort(key=lambda step: (step.kind == "ghost", spans[step.id][1], step.at, steps.depth[step.id]))
    bars = tuple(
        Bar(step, steps.depth[step.id], *(_at(stretches, moment) for moment in ms[step.id])) for step in shown
    )
    return Timeline(bars, tuple(stretches), tuple(_ticks(stretches)), stretches[-1].t1)


def _span(step: Step, now: int) -> tuple[int, int, int]:
    """Return when *step* began to wait, began to work and ended (ns)."""
    if step.kind == "ghost":
        return step.at, step.at, max(now, step.at)
    if step.began is None:
        ended = step.message.end_unix_nano if step.message else None
        return step.at, step.at, max(ended or step.at, step.at)
    waited = step.began - round((step.wait_ms or 0.0) * MILLISECOND)
    return waited, step.began, step.began + round((step.work_ms or 0.0) * MILLISECOND)


def _axis(moments: Iterable[float], busy: Sequence[tuple[float, float]]) -> list[Stretch]:
    edges = sorted(set(moments))
    if len(edges) < 2:
        return [Stretch(edges[0], edges[0] + 1.0, 0.0, 1.0, idle=False)]
    pieces = list(pairwise(edges))
    # After the last activity only the ghosts grow. They get little room, even while they are short.
    ended = max((end for _, end in busy), default=edges[-1])
    idle = [
        not _busy(piece, busy) and (length(piece) > IDLE_FROM_MS or piece[0] >= ended) for piece in pieces
    ]
    scale = [0.0 if quiet else length(piece) for piece, quiet in zip(pieces, idle, strict=True)]
    drawn = sum(scale) or 1.0
    for place, width in enumerate(scale):
        rest = drawn - width
        if rest > 0 and width > LONG_TIMES * rest and width > IDLE_FROM_MS:
            idle[place], scale[place] = True, 0.0
            drawn = rest
    widths = [IDLE_SHARE * drawn if quiet else width for quiet, width in zip(idle, scale, strict=True)]
    total = sum(widths)
    stretches: list[Stretch] = []
    x = 0.0
    for (t0, t1), width, quiet in zip(pieces, widths, idle, strict=True):
        before = stretches[-1] if stretches else None
        if before and not quiet and not before.idle:
            stretches[-1] = Stretch(before.t0, t1, before.x0, x + width / total, idle=False)
        else:
            stretches.append(Stretch(t0, t1, x, x + width / total, quiet))
        x += width / total
    return stretches


def length(piece: tuple[float, float]) -> float:
    """Return how long a piece of time is."""
    return piece[1] - piece[0]


def _busy(piece: tuple[float, float], busy: Iterable[tuple[float, float]]) -> bool:
    return any(began < piece[1] and ended > piece[0] for began, ended in busy)


def _at(stretches: Sequence[Stretch], moment: float) -> float:
    place = max(bisect_right([stretch.t0 for stretch in stretches], moment) - 1, 0)
    stretch = stretches[place]
    if stretch.t1 <= stretch.t0:
        return stretch.x0
    inside = min((moment - stretch.t0) / (stretch.t1 - stretch.t0), 1.0)
    return min(stretch.x0 + inside * (stretch.x1 - stretch.x0), 1.0)


def _ticks(stretches: Sequence[Stretch]) -> Iterable[tuple[float, str]]:
    """Label round times on the parts drawn to scale, and the end of the axis if it is idle."""
    scaled = sum(length((s.t0, s.t1)) for s in stretches if not s.idle)
    steps = (step * 10**power for power in range(-3, 10) for step in (1, 2, 5))
    pace = next((step for step in steps if scaled / step <= TICKS), scaled or 1.0)
    last = -1.0
    for stretch in stretches:
        if stretch.idle:
            continue
        moment = -(-stretch.t0 // pace) * pace
        while moment <= stretch.t1:
            at = _at(stretches, moment)
            if at - last > 0.06 or last < 0:
                yield at, tick(moment, pace)
                last = at
            moment += pace
    if stretches[-1].idle and 1.0 - last > 0.06:
        yield 1.0, duration(stretches[-1].t1)
