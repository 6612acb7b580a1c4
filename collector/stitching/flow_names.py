"""What is each flow called? By its flow key or, without one, by where it begins."""

import pyarrow as pa

from collector.stitching.graph import Graph
from collector.stitching.grouping import Flows


def flow_ids(graph: Graph, flows: Flows) -> list[str]:
    """The id of each flow: its key, or the trace id of its first span.

    If several flows without a key begin in one trace, as in that of a worker, the trace id is the first
    one's; the others are called by the trace id and the span id of their first spans.
    """
    spans = graph.spans.select(["trace_id", "span_id"]).take(pa.array(flows.first))
    taken: set[str] = set()
    found = []
    rows = zip(flows.key, spans["trace_id"].to_pylist(), spans["span_id"].to_pylist(), strict=True)
    for key, trace_id, span_id in rows:
        name = trace_id.hex() if key is None else key
        if key is None and name in taken:
            name = f"{name}:{span_id.hex()}"
        taken.add(name)
        found.append(name)
    return found
