"""How do spans become a causal graph? By pure functions on columns, whatever their order and lateness."""

from dataclasses import dataclass

import pyarrow as pa

from collector.model.notes import NoteKind
from collector.stitching.edges import stitch_edges
from collector.stitching.graph import Because, EdgeKind, Edges, Graph, Notes
from collector.stitching.grouping import Flows, stitch_flows
from collector.stitching.keyed import with_causes_by_key
from collector.stitching.shared import BELIEVED, Keying

__all__ = ["BELIEVED", "Because", "EdgeKind", "Edges", "Flows", "Graph", "Keying", "NoteKind", "Notes"]
__all__ += ["Stitched", "stitch"]


@dataclass(frozen=True)
class Stitched:
    """A causal graph and the flows in it."""

    graph: Graph
    flows: Flows


def stitch(readings: pa.Table, keying: Keying = BELIEVED) -> Stitched:
    """Stitch *readings* (READINGS). The same set of spans gives the same result, row for row."""
    graph = stitch_edges(readings)
    flows = stitch_flows(graph, keying)
    return Stitched(with_causes_by_key(graph, flows), flows)
