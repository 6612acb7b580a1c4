"""Which message made this consumer run, and which reaction made this message?

The answer must not depend on the order in which spans arrived, or on how often an exporter sent them, so
everything here is a function of a set of spans.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.columns.joins import among, once
from collector.model.notes import NoteKind
from collector.model.readings import Role
from collector.stitching.announced import find_announced
from collector.stitching.causation import Claims, find_claims
from collector.stitching.clocks import early
from collector.stitching.deliveries import Deliveries, find_consumers
from collector.stitching.distinct import Spans, distinct
from collector.stitching.graph import (
    REPLAY_AFTER,
    Because,
    EdgeKind,
    Edges,
    Graph,
    Notes,
    Pairs,
    Rows,
    numbers,
)
from collector.stitching.heads import find_heads
from collector.stitching.messages import Messages, find_messages
from collector.stitching.reactions import Causes, find_causes, find_reactions, find_replies
from collector.stitching.settles import find_settles


def stitch_edges(readings: pa.Table) -> Graph:
    """The graph of *readings* (READINGS, in any order, with any repeats)."""
    spans = distinct(readings)
    messages = find_messages(spans)
    consumers = find_consumers(spans, messages)
    reactions = find_reactions(spans, consumers)
    replies = find_replies(spans, consumers, reactions)
    announced = find_announced(spans, messages, reactions)
    found = consumers.deliveries
    # Later attempts repeat the first one's delivery.
    first = reactions.of[found.target] == found.target
    deliveries = found if first.all() else found.where(first)
    causes = find_causes(spans, messages, reactions)
    claims = find_claims(spans, messages, deliveries, causes)
    edges = _edges(deliveries, causes, claims)
    return Graph(
        spans=spans.table,
        read=spans.read,
        key=spans.key,
        trace=spans.trace,
        parent=spans.parent,
        links=(spans.links.trace_id, spans.links.span_id),
        messages=messages.rows,
        requests=_requests(spans, messages, replies),
        reactions=reactions.rows,
        folded=(
            np.concatenate([messages.folded[0], reactions.folded[0], replies[0], announced.folded[0]]),
            np.concatenate([messages.folded[1], reactions.folded[1], replies[1], announced.folded[1]]),
        ),
        polls=consumers.around[0],
        begun=announced.begun,
        heads=find_heads(spans, messages, found, reactions, causes, claims),
        led=claims.led,
        claims=claims.spans,
        attempts=reactions.attempts,
        pause=reactions.pause,
        start=numbers(spans.table, "start")[reactions.rows],
        end=numbers(spans.table, "end")[reactions.last],
        failed=numbers(spans.table, "failed")[reactions.last] != 0,
        settles=find_settles(spans, messages, found, reactions),
        edges=edges,
        notes=_notes(spans, messages, edges, claims, found),
    )


def _requests(spans: Spans, messages: Messages, replies: Pairs) -> Rows:
    """The messages whose senders say that they wait for a reply, and those whose senders got one.

    The span that replies may have been triggered by another service's event: the reply is not to that event.
    """
    asked = messages.of[spans.table["request"].to_numpy()]
    span, message = replies
    own = (spans.role[span] == Role.ANSWERED) & (spans.service[span] == spans.service[message])
    return once(np.concatenate([asked[asked >= 0], message[own]]))


def _edges(deliveries: Deliveries, causes: Causes, claims: Claims) -> Edges:
    told, claimed = len(deliveries.source), len(claims.deliveries[0])
    made, claimed_made = len(causes.reaction), len(claims.causes[0])
    kinds, counts = (
        [int(EdgeKind.DELIVERY), int(EdgeKind.CAUSE)],
        [told + claimed, made + claimed_made],
    )
    claim = int(Because.CAUSATION_ID)
    because = [deliveries.because, np.full(claimed, claim), causes.because, np.full(claimed_made, claim)]
    return Edges(
        kind=np.repeat(kinds, counts).astype(np.int8),
        because=np.concatenate(because, dtype=np.int8),
        source=np.concatenate([deliveries.source, claims.deliveries[0], causes.reaction, claims.causes[0]]),
        target=np.concatenate([deliveries.target, claims.deliveries[1], causes.message, claims.causes[1]]),
        told_by=np.concatenate([deliveries.told_by, np.full(claimed + made + claimed_made, -1)]),
    )


def _late(told: Deliveries, claims: Claims, start: Rows) -> Rows:
    """Consumers that took a message long after it was published; also attempts, which have no edges."""
    source = np.concatenate([told.source, claims.deliveries[0]])
    taken = np.concatenate([told.target, claims.deliveries[1]])
    return once(taken[(source >= 0) & (start[taken] - start[source] >= REPLAY_AFTER)])


def _generally_named(spans: Spans, messages: Messages, edges: Edges) -> Rows:
    """Messages whose event type leaves something out, and consumers of messages that are not here."""
    if not pc.any(spans.table["general"]).as_py():  # usually
        return np.empty(0, np.int64)
    alone = edges.target[(edges.source < 0) & edges.of(EdgeKind.DELIVERY)]
    named = once(np.concatenate([messages.rows, alone]))
    general: Rows = named[numbers(spans.table, "general")[named] != 0]
    return general


def _notes(spans: Spans, messages: Messages, edges: Edges, claims: Claims, told: Deliveries) -> Notes:
    start, end = numbers(spans.table, "start"), numbers(spans.table, "end")
    # A handling that was announced and is not here has not ended: it is not lost, whatever points at it.
    word, links = spans.role == Role.STARTED, spans.links
    of_word = word[links.owner]
    announced = of_word & np.append(True, links.owner[1:] != links.owner[:-1])[: len(of_word)]
    lost_parent = np.flatnonzero(spans.lost_parent & ~word)
    lost_parent = lost_parent[~among(spans.parent_key[lost_parent], links.key[announced])]
    found = [
        *spans.notes,
        (NoteKind.MISSING_PARENT, lost_parent),
        (NoteKind.MISSING_LINK_TARGET, once(links.owner[(links.target < 0) & ~of_word])),
        (NoteKind.DROPPED_LINKS, np.flatnonzero(numbers(spans.table, "dropped_links"))),
        (NoteKind.CLOCK_SKEW, once(edges.target[early(edges, spans.table)])),
        (NoteKind.REPLAY, _late(told, claims, start)),
        (NoteKind.END_BEFORE_START, np.flatnonzero(end < start)),
        (NoteKind.UNCLEAR_CAUSE, claims.unclear),
        (NoteKind.GENERAL_NAME, _generally_named(spans, messages, edges)),
    ]
    kind = np.repeat([int(kind) for kind, _ in found], [len(rows) for _, rows in found]).astype(np.int8)
    return Notes(kind=kind, row=np.concatenate([rows for _, rows in found]).astype(np.int64))
