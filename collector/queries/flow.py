"""One flow in full, or a part of it: its graph, what its senders wrote, what is normal, and what is wrong."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from collector.columns.keys import whole
from collector.live.snapshot import Snapshot
from collector.model.answers import FlowItem, Pace, Why
from collector.queries.cut_notes import deletion_notes
from collector.queries.dismissed import NOTHING_DISMISSED, Dismissed
from collector.queries.errand import Errand
from collector.queries.flow_answer import Job
from collector.queries.flow_list import items_of, stored_item
from collector.queries.flow_parts import MOST_OCTETS, MOST_TRACES, distinct, gather
from collector.queries.paging import Part
from collector.queries.remnants import cut_notes
from collector.queries.sources import Sources
from collector.queries.stuck import MOST_OF_ONE, cohorts, entries_of, findings
from collector.store.contracts import SpanPlace

_EXPORTED = 10_000  # spans read at a time
_ALSO = 20  # steps at which the flow stopped that are shown with every part


def job_of(
    sources: Sources,
    name: str,
    wanted: Part,
    errand: Errand,
    dismissed: Dismissed = NOTHING_DISMISSED,
) -> Job | None:
    """What is needed to answer about the part *wanted* of the flow with the key, id or trace id *name*."""
    snapshot, kept_since = sources.live.snapshot, sources.retained().since
    place = place_of(snapshot, name)
    found = _found(sources, snapshot, place, name, dismissed)
    if found is None:
        return None
    item, traces = found
    entries = np.empty(0, np.int64) if place is None else entries_of(snapshot, late=True, flow=place)
    told = findings(snapshot, entries[:MOST_OF_ONE], kept_since)
    also = [one.stopped_at.ref for one in told[:_ALSO]]
    # What the traces of a flow have now, of which nothing is kept, is of other flows in them.
    gathered = None if item.spans_kept == "none" else gather(sources, item, traces, wanted, errand, also)
    return Job(
        cut=cut_notes(item, kept_since),
        deleted=deletion_notes(sources, traces[:MOST_TRACES]),
        gathered=gathered,
        item=item,
        traces=traces,
        naming=sources.naming,
        keying=sources.live.keying,
        coming=place is not None and bool(snapshot.coming[place]),
        oldest=wanted.oldest or wanted.after is not None,
        normal=_normal(snapshot),
        findings=told,
        findings_total=len(entries),
    )


def exported(sources: Sources, traces: Sequence[bytes], errand: Errand) -> Iterator[pa.Table]:
    """All spans of *traces*, in the order of their start, so many at a time that they fit into memory."""
    some, after = list(traces[:MOST_TRACES]), SpanPlace(0, bytes(16), bytes(8))
    while True:
        errand.check()
        places = distinct(sources.spans.part_of(some, _EXPORTED, after=after))
        if not places.num_rows:
            return
        size = np.cumsum(sources.spans.octets_at(some, places))
        fitting = max(int(np.searchsorted(size, MOST_OCTETS, "right")), 1)
        places = places.slice(0, fitting)
        errand.check()
        spans = sources.spans.spans_at(places.select(["trace_id", "span_id"]))
        # A span is exported where the copy lies that counts, and only there.
        right = spans.select(places.column_names).to_pylist()
        here = {tuple(row.values()) for row in places.to_pylist()}
        yield spans.filter(pa.array([tuple(row.values()) in here for row in right], pa.bool_()))
        after = SpanPlace(*(places[name][-1].as_py() for name in places.column_names))


def place_of(snapshot: Snapshot, name: str) -> int | None:
    """The row of the flow with this key, id or trace id; None if it is not in memory."""
    flows = snapshot.flows
    for column in ("id", "key"):
        place = whole(flows[column]).index(name).as_py()
        if place >= 0:
            return int(place)
    try:
        trace = bytes.fromhex(name)
    except ValueError:
        return None
    if len(trace) != 16:
        return None
    traces = whole(flows["traces"])
    hit = whole(traces.flatten()).index(pa.scalar(trace, pa.binary(16))).as_py()
    return int(np.searchsorted(traces.offsets.to_numpy(), hit, "right") - 1) if hit >= 0 else None


def why(sources: Sources, name: str) -> Why | None:
    """The findings of one flow, its oldest; None if there is no such flow."""
    snapshot, kept_since = sources.live.snapshot, sources.retained().since
    place = place_of(snapshot, name)
    found = _found(sources, snapshot, place, name)
    if found is None:
        return None
    item, _ = found
    entries = np.empty(0, np.int64) if place is None else entries_of(snapshot, late=True, flow=place)
    told = list(findings(snapshot, entries[:MOST_OF_ONE], kept_since))
    return Why(
        stuck=told,
        cohorts=cohorts(told),
        replayed=sources.live.replayed.is_set(),
        total=len(entries),
        notes=cut_notes(item, kept_since),
        set_aside=item.set_aside,
    )


def item_of(sources: Sources, name: str) -> FlowItem | None:
    """The list entry of the flow with the key, id or trace id *name*; None if there is none."""
    snapshot = sources.live.snapshot
    found = _found(sources, snapshot, place_of(snapshot, name), name)
    return None if found is None else found[0]


def _found(
    sources: Sources,
    snapshot: Snapshot,
    place: int | None,
    name: str,
    dismissed: Dismissed = NOTHING_DISMISSED,
) -> tuple[FlowItem, Sequence[bytes]] | None:
    """The list entry of the flow that is in memory at *place* or, without a place, in the store as *name*.

    With all its traces: the entry lists only the first of them.
    """
    kept_since = sources.retained().since
    if place is not None:
        item = items_of(snapshot, np.array([place]), kept_since, dismissed)[0]
        return item, snapshot.flows["traces"][place].as_py()
    stored = sources.flows.named(name)
    if not stored.num_rows:
        return None
    item = stored_item(stored.slice(0, 1).to_pylist()[0], kept_since, dismissed)
    return item, stored["traces"][0].as_py()


def _normal(snapshot: Snapshot) -> Mapping[tuple[str, str, str], Pace]:
    """What is normal for each reaction: by (event type, service, group)."""
    normal: dict[tuple[str, str, str], Pace] = {}
    if snapshot.expected is not None:
        for e in snapshot.expected.steps.values():
            pace = e.react
            shown = Pace(n=pace.n, p50_ms=pace.p50_ms, p95_ms=pace.p95_ms, p99_ms=pace.p99_ms)
            normal[e.triggers[0], e.service, e.group] = shown
    return normal
