"""What does a deletion do, step by step, while the collector goes on?

First it is durable which traces lose spans, and the live part knows: from then on nobody is said to owe
what the spans would have shown. Then the store removes the spans, the live part forgets those that it holds,
and flows that lost some are stitched again from the rest. Last go the rows that described them as they were.
Each step may be done again, so an interrupted deletion begins again at the first one.
"""

from collections.abc import Callable
from concurrent.futures import Future

import numpy as np
import pyarrow as pa

from collector.columns.keys import whole
from collector.live.cuts import MOST_CUT, cut_of
from collector.model.deletions import Deletion
from collector.model.flows import State
from collector.queries.sources import Sources
from collector.store.contracts import Known

_FLOWS = 2_000  # stitched again at a time: some ten thousand spans
_MOST_TRACES = 20_000  # of such flows: one with more is a key that many runs share
_STEPS = ("marking", "removing", "stitching", "cleaning")


class StoppedError(Exception):
    """The collector stops before the deletion is done: its next start goes on."""


class Progress:
    """How far a deletion has come."""

    def __init__(self) -> None:
        self.step = _STEPS[0]
        self.flows = 0  # that were stitched again


def run(sources: Sources, deletion: Deletion, progress: Progress, stop: Callable[[], bool]) -> None:
    """Carry out *deletion*. Raise `StoppedError` if *stop* says so, `StoreError` if the store fails."""
    live, store = sources.live, sources.deletions

    def waited(done: Future[None]) -> None:
        while True:
            _go_on(stop)
            try:
                return done.result(timeout=0.2)
            except TimeoutError:
                continue

    store.mark(deletion)
    waited(live.cut(cut_of(deletion, store.cut_traces(deletion.id, MOST_CUT))))
    progress.step = _STEPS[1]
    stored_by = store.newest_flow()
    doomed = store.doomed(deletion)
    store.remove_spans(deletion, stop)
    _go_on(stop)
    waited(live.remove(doomed))
    progress.step = _STEPS[2]
    after = ""
    while (page := store.flows_of(deletion, after, _FLOWS)).num_rows:
        after = page["id"][-1].as_py()
        for unfinished in (True, False):
            _stitch_again(sources, page, unfinished=unfinished, waited=waited)
        progress.flows += page.num_rows
    # What was stitched again is written at the end of a tick: it is over when the next one has begun.
    for _ in range(2):
        waited(live.restore({}, sources.spans.spans_of([]), unfinished=False))
    progress.step = _STEPS[3]
    store.remove_leftovers(deletion, stored_by, stop)
    _go_on(stop)


def _stitch_again(
    sources: Sources, page: pa.Table, *, unfinished: bool, waited: Callable[[Future[None]], None]
) -> None:
    """Take in the flows of *page* that are only in the store, as their spans are now."""
    snapshot = sources.live.snapshot
    held = pa.array(snapshot.flows["id"].to_pylist(), pa.string())
    stopped = np.asarray(page["state"].to_numpy()) >= State.STUCK
    elsewhere = ~np.asarray(pa.compute.is_in(page["id"], value_set=held).to_numpy())
    some = page.filter(pa.array(elsewhere & (stopped == unfinished)))
    if some.num_rows:
        traces = whole(some["traces"]).flatten().unique().to_pylist()[:_MOST_TRACES]
        spans = sources.spans.spans_of(traces)
        waited(sources.live.restore(_known(some, sources.retained().since), spans, unfinished=unfinished))


def _known(flows: pa.Table, kept_since: int) -> dict[str, Known]:
    """What the store knows of *flows*; when they began, only of those of which retention dropped spans."""
    columns = (flows[name].to_pylist() for name in ("id", "begun", "traces"))
    return {
        name: Known(begun if begun < kept_since else 0, frozenset(traces))
        for name, begun, traces in zip(*columns, strict=True)
    }


def _go_on(stop: Callable[[], bool]) -> None:
    if stop():
        raise StoppedError
