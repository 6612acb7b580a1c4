"""Which reaction made this message, if only its flow key can tell?

Clients that hand a message over and end its span at once lose the context: what a service publishes while it
handles the message begins a trace of its own. The flow key tells which run it belongs to, and the run tells
what the service took last.
"""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.columns.dictionary import coded
from collector.columns.joins import distinct_pairs
from collector.stitching.graph import (
    REPLAY_AFTER,
    Because,
    EdgeKind,
    Edges,
    Graph,
    Pairs,
    Rows,
    components,
    marked,
)
from collector.stitching.grouping import Flows


def with_causes_by_key(graph: Graph, flows: Flows) -> Graph:
    """*graph* with an edge to each message whose cause only its flow key tells.

    These edges join nothing: both ends are already in one flow.
    """
    reaction, message = _causes(graph, flows)
    if not len(message):
        return graph
    edges, more = graph.edges, len(message)
    return replace(
        graph,
        edges=Edges(
            kind=np.append(edges.kind, np.full(more, int(EdgeKind.CAUSE), np.int8)),
            because=np.append(edges.because, np.full(more, int(Because.FLOW_KEY), np.int8)),
            source=np.append(edges.source, reaction),
            target=np.append(edges.target, message),
            told_by=np.append(edges.told_by, np.full(more, -1)),
        ),
    )


def _causes(graph: Graph, flows: Flows) -> Pairs:
    """(reaction, message): the last reaction that its service began in the same flow before publishing it.

    A reaction is excluded if it is known to have caused another message, because then the service propagates
    contexts; if it began too long ago (REPLAY_AFTER) to be related; or if it is in the message's own trace.

    Never infer a cause that closes a cycle, even under clock skew: two hosts of a service may have clocks
    that differ, and a single clock may tick too coarsely.
    """
    message = _begins_with_a_key(graph, flows)
    if not len(message):
        return message, message
    service, start = coded(graph.spans["service"])[0], graph.numbers("start")
    which, flow = flows.of(message)
    message = message[which]
    taken, its_flow = flows.of(graph.reactions)
    asked = marked(flows.count, flow)[its_flow]
    taken, its_flow = taken[asked], its_flow[asked]
    row = np.concatenate([graph.reactions[taken], message])
    party = np.concatenate([its_flow, flow]) * (int(service.max()) + 1) + service[row]
    publishes = np.arange(len(row)) >= len(taken)
    # Sort what each party (a service in a flow) did by time: a message's last reaction comes right before it.
    order = np.lexsort((row, publishes, np.concatenate([graph.start[taken], start[message]]), party))
    last = np.maximum.accumulate(np.where(publishes[order], -1, np.arange(len(order))))
    entry = order[last]
    mine = publishes[order] & (last >= 0) & (party[entry] == party[order])
    reaction, message = row[entry[mine]], row[order[mine]]
    lately = start[message] - start[reaction] < REPLAY_AFTER
    made = marked(len(graph.key), graph.edges.source[graph.edges.of(EdgeKind.CAUSE)])
    kept = lately & ~made[reaction] & (graph.trace[reaction] != graph.trace[message])
    reaction, message = reaction[kept], message[kept]
    if not len(message):
        return reaction, message
    here = graph.edges.source >= 0
    circle = components(
        len(graph.key),
        np.concatenate([graph.edges.source[here], reaction]),
        np.concatenate([graph.edges.target[here], message]),
        connection="strong",
    )
    kept = circle[reaction] != circle[message]
    return distinct_pairs(reaction[kept], message[kept])


def _begins_with_a_key(graph: Graph, flows: Flows) -> Rows:
    """The messages that begin a trace and carry a flow key, and whose cause nothing else tells."""
    edges, rows = graph.edges, graph.messages
    rows = rows[graph.parent[rows] < 0]
    if not len(rows):
        return rows
    span, message = graph.folded
    named = message[marked(len(graph.key), graph.claims)[span]]
    led = np.concatenate([edges.target[edges.of(EdgeKind.CAUSE)], named])
    rows = rows[~marked(len(graph.key), led)[rows]]
    spans = graph.spans.select(["parent_span_id", "flow_key", "link_span_ids"]).take(pa.array(rows))
    key = spans["flow_key"].cast(pa.string())
    begins = pc.equal(spans["parent_span_id"], bytes(8))
    alone = pc.equal(pc.list_value_length(spans["link_span_ids"]), 0)
    refused = pc.is_in(key, value_set=pa.array(flows.refused, pa.string()))
    keyed = pc.and_(key.is_valid(), pc.invert(refused))
    return rows[np.asarray(pc.and_(pc.and_(begins, alone), keyed).to_numpy(), dtype=np.bool_)]
