"""Which spans are one business run?

Everything that edges or a flow key connect, over as many traces as it took. Time alone joins
nothing, and two flows that meet in one batch stay two.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from collector.keys import NONE, codes_of, span_keys, whole
from collector.stitching.graph import LOST, EdgeKind, Graph, Mask, Rows, climb, find


@dataclass(frozen=True)
class Flows:
    """Which flow each span belongs to. Flows are numbered from 0, by their first span.

    *row* and *flow* are parallel, one entry for each span of each flow: a reaction to a batch, and
    what came of it without a key of its own, belongs to several. Spans that have to do with no
    message belong to none.
    """

    count: int
    row: Rows
    flow: Rows
    first: Rows  # of each flow: its earliest span
    key: Sequence[str | None]  # of each flow
    incomplete: Mask  # of each flow: spans of it were lost

    def of(self, rows: Rows) -> tuple[Rows, Rows]:
        """(place in *rows*, flow) for each flow of each of *rows*."""
        order = np.lexsort((self.flow, self.row))
        row, flow = self.row[order], self.flow[order]
        left = np.searchsorted(row, rows, "left")
        count = np.searchsorted(row, rows, "right") - left
        place = np.repeat(np.arange(len(rows)), count)
        within = np.arange(len(place)) - np.repeat(np.cumsum(count) - count, count)
        return place, flow[left[place] + within]


@dataclass(frozen=True)
class _Parts:
    """Parts of the graph that hold together; *batch* and *theirs* pair a batch with its messages' parts."""

    of: Rows  # of each span
    batch: Rows
    theirs: Rows
    shared: Rows  # (2, n): a part that hangs on a batch, and whose it is; ascending


def stitch_flows(graph: Graph) -> Flows:
    """The flows of *graph*."""
    own_key, names = _keys(graph)
    anchor, traces, keys = _anchors(graph, own_key)
    anchors = traces + keys
    row, flow = _memberships(_parts(graph, anchor, anchors, traces))
    # A flow is a business run: spans that have to do with no message are none.
    nodes = np.concatenate([graph.messages, graph.reactions])
    real = np.zeros(anchors, bool)
    real[flow[np.isin(row, nodes)]] = True
    row, flow = row[real[flow]], flow[real[flow]]
    start = graph.numbers("start")
    order = np.lexsort((row, start[row], flow))
    row, flow = row[order], flow[order]
    new = np.append(True, flow[1:] != flow[:-1])[: len(flow)]
    # Number them by their first span, whatever the numbers of their anchors were.
    first = row[new]
    rank = np.empty(len(first), np.int64)
    by_time = np.lexsort((first, start[first]))
    rank[by_time] = np.arange(len(first))
    flow = rank[np.cumsum(new) - 1] if len(flow) else flow
    first = first[by_time]
    keyed = own_key[row] >= 0
    key_of = np.full(len(first), -1)
    key_of[flow[keyed][::-1]] = own_key[row[keyed]][::-1]  # the earliest is written last
    lost = graph.notes.row[np.isin(graph.notes.kind, LOST)]
    incomplete = np.zeros(len(first), bool)
    incomplete[flow[np.isin(row, lost)]] = True
    key = [names[code] if code >= 0 else None for code in key_of.tolist()]
    return Flows(count=len(first), row=row, flow=flow, first=first, key=key, incomplete=incomplete)


def _keys(graph: Graph) -> tuple[Rows, list[str]]:
    """The code of each span's flow key, its own or that of the nearest span above it; and the keys."""
    encoded = whole(graph.spans["flow_key"]).dictionary_encode()
    code = codes_of(encoded)
    parent = parents(graph)
    end, _ = climb(np.where(code >= 0, np.arange(len(code)), parent))
    return np.where(end >= 0, code[end], -1) if len(code) else code, encoded.dictionary.to_pylist()


def parents(graph: Graph) -> Rows:
    """The row of each span's parent; -1 where it has none here."""
    parent_key = span_keys(graph.trace, graph.spans["parent_span_id"])
    parent = find(graph.key, parent_key)
    return np.where((parent_key == NONE) | (parent == np.arange(len(parent))), -1, parent)


def _anchors(graph: Graph, key: Rows) -> tuple[Rows, int, int]:
    """What holds each span before any edge does: its flow key, else its trace; and how many there are.

    Traces are numbered first, then keys. A trace in which one key was seen belongs to that key as a
    whole; in one with several, only the spans that carry a key do.
    """
    _, trace = np.unique(graph.trace, return_inverse=True)
    traces, keys = int(trace.max(initial=-1)) + 1, int(key.max(initial=-1)) + 1
    keyed = key >= 0
    pairs = np.unique(trace[keyed] * max(keys, 1) + key[keyed])
    of_trace, keys_of_trace = pairs // max(keys, 1), pairs % max(keys, 1)
    only = np.full(traces, -1)
    only[of_trace] = keys_of_trace
    only[np.bincount(of_trace, minlength=traces) > 1] = -1
    key = np.where(keyed, key, only[trace])
    return np.where(key >= 0, traces + key, trace), traces, keys


def _parts(graph: Graph, anchor: Rows, anchors: int, keys_from: int) -> _Parts:
    """The connected part of each span, batches apart; and, of what hangs on a batch, whose it is."""
    edges = graph.edges
    seen = edges.source >= 0
    delivery = seen & edges.of(EdgeKind.DELIVERY)
    count = len(graph.spans)
    several = np.bincount(edges.target[delivery], minlength=count) > 1
    batch_in, batch_out = delivery & several[edges.target], seen & ~delivery & several[edges.source]
    joined = seen & ~batch_in & ~batch_out
    while True:
        ends = anchor[edges.source[joined]], anchor[edges.target[joined]]
        part = _components(
            np.concatenate([ends[0], anchor[graph.folded[0]]]),
            np.concatenate([ends[1], anchor[graph.folded[1]]]),
            anchors,
        )
        # A consumer of several messages of one flow is a join, not a batch: it holds its flow together.
        low, high = np.full(count, anchors), np.full(count, -1)
        np.minimum.at(low, edges.target[batch_in], part[anchor[edges.source[batch_in]]])
        np.maximum.at(high, edges.target[batch_in], part[anchor[edges.source[batch_in]]])
        join = low == high
        more = ~joined & ((batch_in & join[edges.target]) | (batch_out & join[edges.source]))
        if not more.any():
            break
        joined |= more
    part_of = part[anchor]
    batch = batch_in & ~joined
    reaction, theirs = edges.target[batch], part_of[edges.source[batch]]
    # Without a key and without a message of its own making, what a batch led to is its messages'.
    own_flow = np.zeros(anchors, bool)
    own_flow[part[keys_from:]] = True
    own_flow[part_of[_roots(graph)]] = True
    hangs = ~own_flow[part_of[reaction]]
    shared = np.unique(np.stack([part_of[reaction[hangs]], theirs[hangs]]), axis=1)
    return _Parts(of=part_of, batch=reaction, theirs=theirs, shared=_settled(shared))


def _roots(graph: Graph) -> Rows:
    """The messages that no reaction caused: they begin a flow of their own."""
    caused = graph.edges.target[graph.edges.of(EdgeKind.CAUSE)]
    return graph.messages[~np.isin(graph.messages, caused)]


def _settled(shared: Rows) -> Rows:
    """*shared* (part, whose it is) followed through batches of batches to parts that are flows."""
    for _ in range(16):  # deeper nesting of batches without one key is left where it is
        if not np.isin(shared[1], shared[0]).any():
            break
        shared = np.unique(np.stack(_spread(shared[0], shared[1], shared)), axis=1)
        shared = shared[:, shared[0] != shared[1]]
    return shared


def _spread(row: Rows, part: Rows, shared: Rows) -> tuple[Rows, Rows]:
    """*row* and *part*, each part that is shared replaced by those whose it is."""
    left = np.searchsorted(shared[0], part, "left")
    count = np.searchsorted(shared[0], part, "right") - left
    is_shared = count > 0
    place = np.repeat(np.arange(len(part)), count)
    within = np.arange(len(place)) - np.repeat(np.cumsum(count) - count, count)
    whose = shared[1][left[place] + within]
    return np.concatenate([row[~is_shared], row[place]]), np.concatenate([part[~is_shared], whose])


def _memberships(parts: _Parts) -> Rows:
    """(span, part) for each part of each span; a batch's reaction is its messages', wherever its trace is."""
    rows = np.arange(len(parts.of))
    alone = ~np.isin(rows, parts.batch)
    row = np.concatenate([rows[alone], parts.batch])
    part = np.concatenate([parts.of[alone], parts.theirs])
    return np.unique(np.stack(_spread(row, part, parts.shared)), axis=1)


def _components(left: Rows, right: Rows, count: int) -> Rows:
    links = coo_array((np.ones(len(left), bool), (left, right)), shape=(count, count))
    _, label = connected_components(links, directed=False)
    return np.asarray(label, np.int64)
