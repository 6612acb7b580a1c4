"""One flow, fetched from the store and stitched again by the same function that the live part uses."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector import conventions
from collector.columns.keys import whole
from collector.model.answers import FlowItem
from collector.queries.causal_graph import refs_of
from collector.queries.sources import Sources
from collector.stitching import Stitched, stitch
from collector.stitching.flow_names import flow_ids

MOST_TRACES = 2_000  # of a flow that is shown: a flow with more has a key that several runs share
_MEETINGS = 200  # traces that a flow's batches link to, fetched to tell whose batches they are


@dataclass(frozen=True, eq=False)
class StitchedRun:
    """One flow, among all flows stitched from its traces and from the traces that its batches link to."""

    spans: pa.Table  # SPANS
    stitched: Stitched
    flow: int

    def own_spans(self) -> pa.Table:
        """The SPANS of this flow alone."""
        flows, every = self.stitched.flows, self.stitched.graph.spans
        mine = every.select(["trace_id", "span_id"]).take(pa.array(flows.row[flows.flow == self.flow]))
        refs = set(refs_of(mine["trace_id"], mine["span_id"]))
        kept = [ref in refs for ref in refs_of(self.spans["trace_id"], self.spans["span_id"])]
        return self.spans.filter(pa.array(kept, pa.bool_()))


def run_of(sources: Sources, item: FlowItem) -> StitchedRun | None:
    """The flow of *item*; None if nothing of it is stored any more."""
    if item.spans_kept == "none":  # what its traces have now is of other flows in them
        return None
    traces = [bytes.fromhex(trace) for trace in item.traces[:MOST_TRACES]]
    spans = _with_meetings(sources, sources.spans.spans_of(traces), set(traces))
    stitched = stitched_again(sources, spans)
    flow = _most_of(stitched, item)
    return None if flow is None else StitchedRun(spans, stitched, flow)


def stitched_again(sources: Sources, spans: pa.Table) -> Stitched:
    """*spans* (SPANS), stitched with the flow keys that are believed at present."""
    return stitch(conventions.read(spans, sources.naming), sources.live.keying)


def ids_of(stitched: Stitched) -> list[str]:
    """The id of each flow, as in lists."""
    return flow_ids(stitched.graph, stitched.flows)


def _with_meetings(sources: Sources, spans: pa.Table, traces: set[bytes]) -> pa.Table:
    """*spans* and the traces that they link to: what else was in a batch decides whose it is."""
    linked = set(whole(spans["link_trace_ids"]).flatten().unique().to_pylist()) - traces
    if not linked:
        return spans
    return pa.concat_tables([spans, sources.spans.spans_of(sorted(linked)[:_MEETINGS])])


def _most_of(stitched: Stitched, item: FlowItem) -> int | None:
    """The flow with the name of *item* or, if there is none, the one with most spans of its traces."""
    ids = ids_of(stitched)
    if item.id in ids:
        return ids.index(item.id)
    traces = pa.array([bytes.fromhex(trace) for trace in item.traces], pa.binary(16))
    mine = pc.is_in(whole(stitched.graph.spans["trace_id"]), value_set=traces).to_numpy(zero_copy_only=False)
    counts = np.bincount(stitched.flows.flow[mine[stitched.flows.row]], minlength=stitched.flows.count)
    return int(counts.argmax()) if len(counts) else None
