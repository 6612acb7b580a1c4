"""Which message made this consumer run, and which reaction made this message?

The answer may not depend on the order in which spans arrived, nor on how often an exporter sent
them, so everything here is a function of a set of spans.
"""

import numpy as np
import pyarrow as pa

from collector.joins import once
from collector.stitching.clocks import early
from collector.stitching.deliveries import Deliveries, find_consumers
from collector.stitching.distinct import Spans, distinct
from collector.stitching.graph import EdgeKind, Edges, Graph, NoteKind, Notes, numbers
from collector.stitching.messages import find_messages
from collector.stitching.reactions import Causes, find_causes, find_reactions, find_replies
from collector.stitching.settles import find_settles

# Nanoseconds. A message that was handled so long after its time was published again by somebody, read again
# from a stream, or lay in a queue that nobody read: each of them is worth a word.
REPLAY_AFTER = 3_600 * 10**9


def stitch_edges(readings: pa.Table) -> Graph:
    """The graph of *readings* (READINGS, in any order, with any repeats)."""
    spans = distinct(readings)
    messages = find_messages(spans)
    consumers = find_consumers(spans, messages)
    reactions = find_reactions(spans, consumers)
    replies = find_replies(spans, consumers, reactions)
    found = consumers.deliveries
    # Later attempts repeat the first one's delivery.
    deliveries = found.where(reactions.of[found.target] == found.target)
    edges = _edges(deliveries, find_causes(spans, messages, reactions))
    abroad = (found.source >= 0) & (spans.trace[found.source] != spans.trace[found.target])
    return Graph(
        spans=spans.table,
        key=spans.key,
        trace=spans.trace,
        parent=spans.parent,
        links=(spans.links.trace_id, spans.links.span_id),
        messages=messages.rows,
        reactions=reactions.rows,
        folded=(
            np.concatenate([messages.folded[0], reactions.folded[0], replies[0]]),
            np.concatenate([messages.folded[1], reactions.folded[1], replies[1]]),
        ),
        abroad=once(found.target[abroad]),
        attempts=reactions.attempts,
        start=numbers(spans.table, "start")[reactions.rows],
        end=numbers(spans.table, "end")[reactions.last],
        failed=numbers(spans.table, "failed")[reactions.last] != 0,
        settles=find_settles(spans, messages, found, reactions),
        edges=edges,
        notes=_notes(spans, edges),
    )


def _edges(deliveries: Deliveries, causes: Causes) -> Edges:
    kinds, counts = (
        [int(EdgeKind.DELIVERY), int(EdgeKind.CAUSE)],
        [len(deliveries.source), len(causes.reaction)],
    )
    return Edges(
        kind=np.repeat(kinds, counts).astype(np.int8),
        because=np.concatenate([deliveries.because, causes.because]).astype(np.int8),
        source=np.concatenate([deliveries.source, causes.reaction]),
        target=np.concatenate([deliveries.target, causes.message]),
        told_by=np.concatenate([deliveries.told_by, np.full(len(causes.reaction), -1)]),
    )


def _notes(spans: Spans, edges: Edges) -> Notes:
    start, end = numbers(spans.table, "start"), numbers(spans.table, "end")
    here = edges.of(EdgeKind.DELIVERY) & (edges.source >= 0)
    late = here & (start[edges.target] - start[edges.source] >= REPLAY_AFTER)
    found = [
        *spans.notes,
        (NoteKind.MISSING_PARENT, np.flatnonzero(spans.lost_parent)),
        (NoteKind.MISSING_LINK_TARGET, once(spans.links.owner[spans.links.target < 0])),
        (NoteKind.DROPPED_LINKS, np.flatnonzero(numbers(spans.table, "dropped_links"))),
        (NoteKind.CLOCK_SKEW, once(edges.target[early(edges, start)])),
        (NoteKind.REPLAY, once(edges.target[late])),
        (NoteKind.END_BEFORE_START, np.flatnonzero(end < start)),
    ]
    kind = np.repeat([int(kind) for kind, _ in found], [len(rows) for _, rows in found]).astype(np.int8)
    return Notes(kind=kind, row=np.concatenate([rows for _, rows in found]).astype(np.int64))
