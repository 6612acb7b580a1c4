"""What should stitching say? The same rules one span at a time, with sets and loops, however slow.

The columnar code has to agree, edge for edge and flow for flow.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from collector.stitching import BELIEVED, Keying
from collector.stitching.clocks import PLAUSIBLE
from collector.stitching.parts import MOST_SHARED
from tests.reference.clocks import Bounds, clocks_of
from tests.reference.edges import Stitcher
from tests.reference.flows import flows_of
from tests.reference.handlings import Ref, Row
from tests.reference.keyed import causes_by_key
from tests.reference.replays import HOUR, aside
from tests.reference.settles import settles_of

__all__ = ["Reaction", "Ref", "Row", "Story", "stitch"]


@dataclass
class Reaction:
    spans: set[Ref]
    attempts: int
    start: int
    end: int
    failed: bool
    settled: int = 0
    acked: int = 0
    nacked: int = 0
    terminated: int = 0
    deliveries: int = 0


@dataclass
class Story:
    """Everything that a set of spans says."""

    messages: dict[Ref, set[Ref]] = field(default_factory=dict)
    reactions: dict[Ref, Reaction] = field(default_factory=dict)
    edges: dict[tuple[str, Ref, Ref], str] = field(default_factory=dict)  # kind, from, to: because
    flows: list[tuple[str | None, set[Ref]]] = field(default_factory=list)
    notes: set[tuple[str, Ref]] = field(default_factory=set)
    aside: set[Ref] = field(default_factory=set)
    clocks: dict[tuple[str, str], Bounds] = field(default_factory=dict)
    requests: set[Ref] = field(default_factory=set)


def stitch(rows: Sequence[Row], most_shared: int = MOST_SHARED, keying: Keying = BELIEVED) -> Story:
    """The story of *rows* (READINGS)."""
    told = Stitcher(rows, keying)
    reactions = {}
    for attempts in told.attempts:
        first, last = told.spans[attempts[0]], told.spans[attempts[-1]]
        spans = told.spans_of(attempts[0])
        settles = settles_of(told, attempts[0])
        reactions[attempts[0]] = Reaction(
            spans, len(attempts), first["start"], last["end"], last["failed"], **settles
        )
    for ref, row in told.spans.items():
        if row["end"] < row["start"]:
            told.notes.add(("end_before_start", ref))
        if row["dropped_links"]:
            told.notes.add(("dropped_links", ref))
    for kind, source, target in told.edges:
        if kind == "delivery" and source in told.spans:
            times = told.spans[target]["start"], told.spans[source]["start"]
            if told.had_after(source, target) < -PLAUSIBLE and min(times) > 0:
                told.notes.add(("clock_skew", target))
    for ref, delivered in told.handled.items():
        if any(message in told.spans and told.after(message, ref) >= HOUR for message in delivered):
            told.notes.add(("replay", ref))
    messages = {message: told.spans_of(message) for message in told.messages}
    flows = flows_of(told, most_shared)
    told.edges |= causes_by_key(told, flows)
    told_aside, clocks = aside(told), clocks_of(told)
    return Story(messages, reactions, told.edges, flows, told.notes, told_aside, clocks, told.requests())
