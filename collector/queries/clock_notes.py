"""What do messages reveal about the clocks of services? Estimates, and notes on impossible times."""

from collections.abc import Mapping, Sequence

from collector.model.answers import Clocks, Note
from collector.model.notes import NoteKind
from collector.stitching import Stitched
from collector.stitching.clocks import Apart, Pair, early, had_by
from collector.stitching.graph import Rows


def clock_answers(between: Mapping[Pair, Apart]) -> list[Clocks]:
    """How far the clock of `other` is ahead of the clock of `service`, as far as that is known."""
    return [
        Clocks(
            service=service,
            other=other,
            ahead_ms=_ms(apart.about),
            at_least_ms=_ms(apart.at_least),
            at_most_ms=_ms(apart.at_most),
            edges=apart.edges,
        )
        for (service, other), apart in sorted(between.items())
    ]


def _ms(nanoseconds: float | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / 1e6


def skew_notes(
    stitched: Stitched, edges: Rows, refs: Sequence[str], between: Mapping[Pair, Apart]
) -> list[Note]:
    """A note for each reaction and publishing service, if it seems to begin before its message was published.

    *edges* are the edges that are shown, *refs* the refs of all spans.
    """
    graph = stitched.graph
    start, had = graph.numbers("start"), had_by(graph.spans)
    rows = edges[early(graph.edges, graph.spans)[edges]]
    if not len(rows):
        return []
    services = graph.spans["service"].to_pylist()
    found: dict[tuple[int, str, str], int] = {}
    sides = graph.edges.source[rows].tolist(), graph.edges.target[rows].tolist()
    for source, target in zip(*sides, strict=True):
        what = target, str(services[source]), str(services[target])
        found[what] = max(found.get(what, 0), int(start[source] - had[target]))
    return [
        Note(
            kind=NoteKind.CLOCK_SKEW.word,
            ref=refs[row],
            text=f"it seems to have begun {_time(by)} before its message was published: "
            f"{_behind(service, reactor, between)}",
        )
        for (row, service, reactor), by in found.items()
    ]


def _behind(service: str, other: str, between: Mapping[Pair, Apart]) -> str:
    """That the clock of *other* is behind the clock of *service*, and by how much."""
    if service == other:
        return f"the hosts of {service} have clocks that differ"
    both = " and ".join(sorted((service, other)))
    apart, swapped = between.get((service, other)), between.get((other, service))
    low, high = (apart.at_least, apart.at_most) if apart else (None, None)
    about = apart.about if apart else None
    if swapped:
        low, high = (None if bound is None else -bound for bound in (swapped.at_most, swapped.at_least))
        about = None if swapped.about is None else -swapped.about
    if high is None or high >= 0:  # only inferred edges say so
        return f"the clocks of {both} differ, or it is another message"
    if low is None:
        return f"the clock of {other} is at least {_time(-high)} behind that of {service}"
    if about is None:
        return f"the clocks of {both} differ, and not by the same all the time"
    return (
        f"the clock of {other} is about {_time(-about)} behind that of {service} "
        f"(at least {_time(-high)}, at most {_time(-low)})"
    )


def _time(nanoseconds: float) -> str:
    return f"{nanoseconds / 1e6:,.1f} ms" if nanoseconds < 1e9 else f"{nanoseconds / 1e9:,.1f} s"
