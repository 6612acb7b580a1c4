"""Which spans are one business run?

Everything that edges or a flow key connect, across any number of traces. Time alone joins nothing, and two
flows that meet in one batch stay two.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from collector.columns.joins import ascending, distinct_pairs, spread
from collector.model.notes import LOST, NoteKind
from collector.stitching.anchors import find_anchors
from collector.stitching.graph import Graph, Mask, Notes, Pairs, Rows, marked
from collector.stitching.parts import find_parts
from collector.stitching.shared import BELIEVED, Keying


@dataclass(frozen=True)
class Flows:
    """Which flow each span belongs to. Flows are numbered from 0, in the order of their first spans.

    *row* and *flow* are parallel and ascending, one entry for each flow of each span. A reaction to a batch,
    and whatever it caused that has no key of its own, belongs to several flows. Spans that are not related to
    any message belong to none.
    """

    count: int
    spans: int  # how many spans there are, in flows or not
    row: Rows
    flow: Rows
    first: Rows  # of each flow: its earliest message or, without one, its earliest span
    key: Sequence[str | None]  # of each flow
    incomplete: Mask  # of each flow: spans of it were lost
    refused: Sequence[str]  # keys that spans carry but that name no flow, because too many flows share them
    notes: Notes

    def of(self, rows: Rows) -> Pairs:
        """(place in *rows*, flow) for each flow of each of *rows*."""
        begin = self._begin[rows]
        place, entry = spread(begin, self._begin[rows + 1] - begin)
        return place, self.flow[entry]

    @cached_property
    def _begin(self) -> Rows:
        """Where each span's entries begin, which is where the previous span's end."""
        return np.append(0, np.cumsum(np.bincount(self.row, minlength=self.spans)))


def stitch_flows(graph: Graph, keying: Keying = BELIEVED) -> Flows:
    """The flows of *graph*, by the keys that *keying* does not refuse."""
    anchors = find_anchors(graph, keying)
    parts = find_parts(graph, anchors)
    count, start = len(graph.key), graph.numbers("start")
    message = marked(count, graph.messages)
    # A flow is a business run: parts without a message or reaction are none.
    real = marked(parts.count, parts.part[(message | marked(count, graph.reactions))[parts.row]])
    kept = real[parts.part]
    row, part = parts.row[kept], parts.part[kept]
    # A span that several flows share names none of them.
    own = parts.of[row] == part
    keyed = own & (anchors.key[row] >= 0)
    first = _first(graph, row[own], part[own], message, parts.count)
    # The first span names its flow if it has a key. Only flows without one look for another span with a key.
    lacking = keyed & (anchors.key[first] < 0)[part]
    named = _first(graph, row[lacking], part[lacking], message, parts.count)
    named = np.where(named < 0, first, named)
    flows = np.flatnonzero(real)
    flows = flows[ascending(first[flows])]
    flows = flows[ascending(start[first[flows]])]
    number = np.full(parts.count, -1)
    number[flows] = np.arange(len(flows))
    lost = marked(count, graph.notes.row[np.isin(graph.notes.kind, LOST)])
    codes = anchors.key[named[flows]]
    row, flow = distinct_pairs(row, number[part])
    nameless = np.flatnonzero(marked(len(flows), flow[anchors.shared[row]]))
    return Flows(
        count=len(flows),
        spans=count,
        row=row,
        flow=flow,
        first=first[flows],
        key=anchors.names.take(pa.array(codes, mask=codes < 0)).to_pylist(),
        incomplete=marked(len(flows), flow[lost[row]]),
        refused=anchors.names.filter(pa.array(anchors.refused)).to_pylist(),
        notes=Notes(
            kind=np.full(len(nameless), int(NoteKind.SHARED_KEY), np.int8), row=first[flows[nameless]]
        ),
    )


def _first(graph: Graph, row: Rows, part: Rows, message: Mask, count: int) -> Rows:
    """The earliest message of each of *count* parts or, without one, its earliest span; -1 without any."""
    first = _earliest(graph, row[message[row]], part[message[row]], count)
    rest = first[part] < 0
    return np.where(first < 0, _earliest(graph, row[rest], part[rest], count), first)


def _earliest(graph: Graph, row: Rows, part: Rows, count: int) -> Rows:
    never, start = np.iinfo(np.int64).max, graph.numbers("start")
    earliest = np.full(count, never)
    np.minimum.at(earliest, part, start[row])
    here = start[row] == earliest[part]
    row, part = row[here], part[here]
    order = ascending(row)
    first = np.full(count, -1)
    first[part[order[::-1]]] = row[order[::-1]]  # the last write wins: on a tie, the first in order
    return first
