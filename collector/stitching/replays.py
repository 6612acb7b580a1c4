"""Which spans look back at a run without being part of it? They must not extend its duration.

Streams are read again for a new report, dead letters are sent again, and a reply may carry the context of
something stored long ago. Reading last week's order does not make it last a week. But a consumer that was
down and takes a message late does continue the run. What tells the two apart is whether the handling led to
anything.
"""

from dataclasses import dataclass

import numpy as np

from collector.model.notes import NoteKind
from collector.model.readings import Role
from collector.stitching.graph import REPLAY_AFTER, EdgeKind, Graph, Mask, Rows, at, climb, marked


@dataclass(frozen=True)
class Replays:
    """The spans that look back, and when reactions ended without them."""

    aside: Mask  # of each span: it looks back
    end: Rows  # of each reaction's last attempt that is not a replay, nanoseconds


def find_replays(graph: Graph) -> Replays:
    """The replays in *graph*.

    A handling that began an hour or more after all of its messages is a replay if it led to nothing, or if an
    earlier attempt, in time, went well. So is a reply that carries the context of a message that old. So is
    everything that happened inside these, or only because of them.
    """
    aside = _answers_from_the_past(graph)
    late = _late(graph)
    if not late.any() and not aside.any():
        return Replays(aside, graph.end)
    aside |= _handled_again(graph, late)
    _spread(graph, aside)
    return Replays(aside, _ends(graph, aside))


def _late(graph: Graph) -> Mask:
    """Which consumers began at least REPLAY_AFTER later than all of their messages."""
    edges, start = graph.edges, graph.numbers("start")
    late = marked(len(start), graph.notes.row[graph.notes.kind == NoteKind.REPLAY])
    if late.any():
        to_late = edges.of(EdgeKind.DELIVERY) & late[edges.target]
        source, target = edges.source[to_late], edges.target[to_late]
        late[target[(source < 0) | (start[target] - start[source] < REPLAY_AFTER)]] = False
    return late


def _answers_from_the_past(graph: Graph) -> Mask:
    role, start = graph.numbers("role"), graph.numbers("start")
    answered = np.flatnonzero(role == Role.ANSWERED)
    above = graph.parent[answered]
    published = np.isin(at(role, above), (Role.CREATE, Role.SEND))
    return marked(len(role), answered[published & (start[answered] - start[above] >= REPLAY_AFTER)])


def _handled_again(graph: Graph, late: Mask) -> Mask:
    """Spans of late reactions that led to nothing, and late spans of reactions that went well in time."""
    count, edges = len(graph.key), graph.edges
    span, node = graph.folded
    of_reaction = marked(count, graph.reactions)[node]
    span, node = span[of_reaction], node[of_reaction]
    made = edges.of(EdgeKind.CAUSE)
    fruitless = late & ~marked(count, edges.source[made])
    # The receive around a handler is part of its reaction, but not an attempt.
    attempt = (graph.numbers("role")[span] == Role.PROCESS) | (span == node)
    well = attempt & ~late[span] & (graph.numbers("failed")[span] == 0)
    done = marked(count, node[well])
    return marked(count, span[fruitless[node] | (late[span] & done[node])])


def _spread(graph: Graph, aside: Mask) -> None:
    """Mark in *aside* whatever happened inside what it marks, and what only that led to."""
    rows, edges = np.arange(len(aside)), graph.edges
    while True:
        aside |= at(aside.astype(np.int64), climb(np.where(aside, rows, graph.parent))) == 1
        led = (edges.source >= 0) & aside[edges.source]
        led = marked(len(aside), edges.target[led]) & ~marked(len(aside), edges.target[~led]) & ~aside
        if not led.any():
            return
        aside |= led


def _ends(graph: Graph, aside: Mask) -> Rows:
    span, node = graph.folded
    again = marked(len(aside), node[aside[span]])[graph.reactions] & ~aside[graph.reactions]
    if not again.any():
        return graph.end
    last = np.full(len(aside), np.iinfo(np.int64).min)
    counted = ~aside[span]
    np.maximum.at(last, node[counted], graph.numbers("end")[span[counted]])
    return np.where(again, last[graph.reactions], graph.end)
