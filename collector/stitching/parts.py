"""Which parts of the graph are connected, and which belong to several flows because of a batch?"""

from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import TypeAlias

import numpy as np

from collector.columns.joins import distinct_pairs, matches_in_order
from collector.stitching.anchors import Anchors
from collector.stitching.graph import EdgeKind, Graph, Mask, Pairs, Rows, components, marked

# What follows from batches of more flows than this is a flow of its own: belonging to everything says
# nothing. Every span has an entry for each of its flows, so this also limits what a sender can cost.
MOST_SHARED = 32

Owners: TypeAlias = Mapping[int, frozenset[int]]  # by part that depends on batches: the flows that feed these


@dataclass(frozen=True)
class Parts:
    """Connected parts of the graph. Each is a flow, unless it has no message or depends on others."""

    count: int
    of: Rows  # the part that each span itself is in
    row: Rows  # with *part*: one or more entries for each part that a span belongs to, in no order
    part: Rows


@dataclass(frozen=True)
class _Batches:
    """Consumers of several messages."""

    into: Pairs  # (message, consumer)
    out: Pairs  # (consumer, message that it made)
    lacking: Mask  # of each span: one of its messages was not seen


def find_parts(graph: Graph, anchors: Anchors) -> Parts:
    """The parts of *graph*, and which of them each span belongs to."""
    edges, (span, node) = graph.edges, graph.folded
    count, seen = len(graph.key), edges.source >= 0
    delivery = edges.of(EdgeKind.DELIVERY)
    several = np.bincount(edges.target[delivery], minlength=count) > 1
    into, out = delivery & several[edges.target], ~delivery & several[edges.source]
    batches = _Batches(
        into=(edges.source[into & seen], edges.target[into & seen]),
        out=(edges.source[out], edges.target[out]),
        lacking=marked(count, edges.target[into & ~seen]),
    )
    # The send of several messages is shared, like a batch. So is a receive around a handling: workers that
    # never end a trace, or keep the last message's context open, poll within the work for another message.
    common = np.bincount(span, minlength=count)[span] > 1
    common |= marked(count, graph.polls)[span]
    held = seen & ~into & ~out
    part = components(
        anchors.count,
        anchors.of[np.concatenate([edges.source[held], span[~common], graph.led[0]])],
        anchors.of[np.concatenate([edges.target[held], node[~common], graph.led[1]])],
    )
    # A part with a key, or a message without a cause, is a flow of its own and depends on no batch.
    caused = marked(count, np.concatenate([edges.target[~delivery], graph.led[1]]))
    begun = anchors.of[graph.messages[~caused[graph.messages]]]
    own = np.concatenate([begun, np.arange(anchors.keyed, anchors.count)])
    part, owners = _joined(part, anchors.of, own, batches)
    of, (message, consumer), (of_word, word) = part[anchors.of], batches.into, graph.begun
    theirs = np.concatenate([consumer, word]), of[np.concatenate([message, of_word])]
    row, member = _memberships(of, theirs, (span[common], node[common]), owners)
    return Parts(_count(part), of, row, member)


def _joined(part: Rows, anchor: Rows, own: Rows, batches: _Batches) -> tuple[Rows, Owners]:
    """Merge the parts that a join connects: a consumer whose messages are all from one flow is not a batch.

    Returns the parts, and the owners of those that depend on batches.
    """
    message, consumer = batches.into
    while True:
        of, count = part[anchor], _count(part)
        source, target = of[message], of[consumer]
        hangs = (source != target) & ~marked(count, part[own])[target]
        merged = components(count, source[hangs], target[hangs], connection="strong")
        if _count(merged) == count:  # no batches feed each other in a cycle
            owners = _owners(source[hangs], target[hangs])
            low, high = np.arange(count), np.arange(count)
            for hanging, whose in owners.items():
                low[hanging], high[hanging] = min(whose), max(whose)
            lowest, highest = np.full(len(anchor), count), np.full(len(anchor), -1)
            np.minimum.at(lowest, consumer, low[source])
            np.maximum.at(highest, consumer, high[source])
            joins = (lowest == highest) & ~batches.lacking
            held, made = joins[consumer], joins[batches.out[0]]
            merged = components(
                count,
                np.concatenate([lowest[consumer[held]], of[batches.out[0][made]]]),
                np.concatenate([target[held], of[batches.out[1][made]]]),
            )
            if _count(merged) == count:
                return part, owners
        part = merged[part]


def _owners(source: Rows, target: Rows) -> Owners:
    """The flows that each of *target* depends on, through any number of batches; *source* feeds *target*.

    Python runs once for each batch of several flows that has no flow of its own: few, if flows have keys.
    """
    feeders: dict[int, set[int]] = {}
    for above, below in zip(*(side.tolist() for side in distinct_pairs(source, target)), strict=True):
        feeders.setdefault(below, set()).add(above)
    owners: dict[int, frozenset[int]] = {}
    known: dict[frozenset[int], frozenset[int]] = {}  # equal sets are one object: fast to compare
    for part in TopologicalSorter(feeders).static_order():
        if part in feeders:
            each = {owners[above] if above in owners else frozenset((above,)) for above in feeders[part]}
            whose = frozenset().union(*each)
            if len(whose) <= MOST_SHARED:
                owners[part] = known.setdefault(whose, whose)
    return owners


def _memberships(of: Rows, batch: Pairs, common: Pairs, owners: Owners) -> Pairs:
    """(span, part) for each part that a span belongs to, some of them repeatedly.

    *batch* has (reaction, part) pairs: a reaction belongs with its messages, whatever its trace, and so does
    its announcement. *common* has (span, message or reaction that it is part of) pairs.
    """
    alone = np.flatnonzero(~marked(len(of), np.concatenate([batch[0], common[0]])))
    row, part = np.concatenate([alone, batch[0]]), np.concatenate([of[alone], batch[1]])
    if owners:
        hanging, flow = np.array([(h, flow) for h, whose in sorted(owners.items()) for flow in whose]).T
        place, entry = matches_in_order(hanging, part)
        kept = ~np.isin(part, hanging)
        row = np.concatenate([row[kept], row[place]])
        part = np.concatenate([part[kept], flow[entry]])
    if len(common[0]):
        order = np.argsort(row)
        place, entry = matches_in_order(row[order], common[1])
        row = np.concatenate([row, common[0][place]])
        part = np.concatenate([part, part[order][entry]])
    return row, part


def _count(labels: Rows) -> int:
    return int(labels.max(initial=-1)) + 1
