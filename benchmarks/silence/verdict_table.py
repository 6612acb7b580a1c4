"""The tables that are printed."""

from collections.abc import Iterable, Mapping, Sequence

from benchmarks.silence.scoring import Score
from benchmarks.silence.staging import Scene

FOUND, RIGHT = 0.999, 0.95  # the goals


def printed(scores: Mapping[Scene, Score]) -> Iterable[str]:
    """Both tables, line by line, with totals."""
    healthy = {scene: one for scene, one in scores.items() if not scene.faulty}
    faulty = {scene: one for scene, one in scores.items() if scene.faulty}
    if healthy:
        head: Sequence[str] = ("healthy", "runs", "flows", "ever stuck", "excused", "late", "drops", "flips")
        yield from _table(
            head,
            [
                *(_healthy(s.name, one) for s, one in healthy.items()),
                _healthy("total", _sum(healthy.values())),
            ],
        )
    if healthy and faulty:
        yield ""
    if faulty:
        head = (
            "faults", "runs", "faults", "found", "ever", "right cause", "called done", "p95 s", "flips",
            "healthy", "ever stuck", "excused", "drops",
        )  # fmt: skip
        yield from _table(
            head,
            [*(_faulty(s.name, one) for s, one in faulty.items()), _faulty("total", _sum(faulty.values()))],
        )


def missed(scores: Mapping[Scene, Score]) -> Sequence[str]:
    """What goals are missed, one line for each."""
    lines = []
    for scene, one in scores.items():
        if one.unable:
            continue
        if one.false:
            lines.append(f"{scene.name}: {one.false} healthy flows were stuck")
        if one.false_drops:
            lines.append(f"{scene.name}: {one.false_drops} shares fell without a reason")
    faulty = _sum(one for scene, one in scores.items() if scene.faulty)
    if faulty.faults and faulty.found < FOUND * faulty.faults:
        lines.append(f"found {_share(faulty.found, faulty.faults)} of the faults, not {FOUND:.1%}")
    if faulty.found and faulty.right < RIGHT * faulty.found:
        lines.append(f"the cause is right for {_share(faulty.right, faulty.found)}, not {RIGHT:.0%}")
    return lines


def _healthy(name: str, one: Score) -> Sequence[str]:
    if one.unable:
        return name, str(one.runs), one.unable, *[""] * 5
    return (
        name,
        *map(str, (one.runs, one.healthy, one.false, one.excused, one.late, one.false_drops, one.flips)),
    )


def _faulty(name: str, one: Score) -> Sequence[str]:
    if one.unable:
        return name, str(one.runs), one.unable, *[""] * 10
    return (
        name,
        str(one.runs),
        str(one.faults),
        _share(one.found, one.faults),
        _share(one.ever, one.faults),
        _share(one.right, one.found),
        str(one.done),
        f"{one.slow:.1f}",
        *map(str, (one.flips, one.healthy, one.false, one.excused, one.false_drops)),
    )


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def _sum(scores: Iterable[Score]) -> Score:
    total = Score()
    for one in scores:
        if not one.unable:
            total.add(one)
    return total


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        cells = (
            f"{cell:<{width}}" if not place else f"{cell:>{width}}"
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(cells).rstrip()
