"""One flow in full: its graph, what its senders wrote, what is normal for it, and what is wrong with it."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from collector.columns.keys import whole
from collector.formats.otlp import opened, to_json
from collector.live.snapshot import Snapshot
from collector.model.answers import (
    Finding,
    Flow,
    FlowItem,
    Message,
    Note,
    Pace,
    ShownFlow,
    Spans,
    Stitched,
    Why,
)
from collector.model.notes import NoteKind
from collector.queries.causal_graph import causal_graph, refs_of
from collector.queries.flow_list import items_of, stored_item
from collector.queries.remnants import cut_notes
from collector.queries.sources import Sources
from collector.queries.stitched_run import StitchedRun, run_of
from collector.queries.stuck import cohorts, entries_of, findings

_ON_THEIR_WAY = {NoteKind.MISSING_PARENT.word, NoteKind.MISSING_LINK_TARGET.word}


def flow(sources: Sources, name: str) -> Flow | None:
    """The flow with the key, id or trace id *name*; None if there is none."""
    snapshot = sources.live.snapshot
    place = place_of(snapshot, name)
    item = _item(sources, snapshot, place, name)
    if item is None:
        return None
    cut = cut_notes(item, sources.retained().since)
    found: Sequence[Finding] = ()
    if place is not None:
        kept_since = sources.retained().since
        found = findings(snapshot, entries_of(snapshot, late=True, flow=place), kept_since)
    run = run_of(sources, item)
    if run is None:
        return _without_spans(item, found, cut) if cut else None
    count = run.stitched.flows.count
    names = [item.id if number == run.flow else f"f{number + 1}" for number in range(count)]
    graph = causal_graph(run.stitched, only=run.flow, flow_ids=names)
    if cut or (place is not None and snapshot.coming[place]):
        # Spans are sent when they end, and parents end after their children.
        notes = [note for note in graph.notes if note.kind not in _ON_THEIR_WAY]
        graph = msgspec.structs.replace(graph, notes=[*cut, *notes])
    return _answer(_detailed(graph, run, snapshot), item, found)


def spans(sources: Sources, name: str) -> Spans | None:
    """The spans of one flow, as an OTLP request in JSON; None if there is no such flow."""
    snapshot = sources.live.snapshot
    item = _item(sources, snapshot, place_of(snapshot, name), name)
    if item is None:
        return None
    notes = cut_notes(item, sources.retained().since) or msgspec.UNSET
    run = run_of(sources, item)
    if run is None:
        return Spans(resource_spans=[], notes=notes) if notes else None
    return Spans(resource_spans=to_json(run.own_spans())["resourceSpans"], notes=notes)


def why(sources: Sources, name: str) -> Why | None:
    """The findings of one flow; None if there is no such flow."""
    replayed = sources.live.replayed.is_set()
    snapshot, kept_since = sources.live.snapshot, sources.retained().since
    place = place_of(snapshot, name)
    item = _item(sources, snapshot, place, name)
    if item is None:
        return None
    entries = entries_of(snapshot, late=True, flow=place) if place is not None else np.empty(0, np.int64)
    found = list(findings(snapshot, entries, kept_since))
    notes = cut_notes(item, kept_since)
    return Why(stuck=found, cohorts=cohorts(found), replayed=replayed, notes=notes)


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


def _item(sources: Sources, snapshot: Snapshot, place: int | None, name: str) -> FlowItem | None:
    """The list entry of the flow that is in memory at *place* or, without a place, in the store as *name*."""
    kept_since = sources.retained().since
    if place is not None:
        return items_of(snapshot, np.array([place]), kept_since)[0]
    stored = sources.flows.named(name).to_pylist()
    return stored_item(stored[0], kept_since) if stored else None


def _without_spans(item: FlowItem, found: Sequence[Finding], notes: list[Note]) -> Flow:
    """All that is left of a flow: its row."""
    said = msgspec.structs.asdict(item)
    parts: dict[str, list[Any]] = {name: [] for name in ("messages", "reactions", "edges", "clocks")}
    shown = ShownFlow(**{name: said[name] for name in ShownFlow.__struct_fields__})
    return Flow(spans=0, traces=0, **parts, flows=[shown], notes=notes, unusable=0, findings=list(found))


def _answer(graph: Stitched, item: FlowItem, found: Sequence[Finding]) -> Flow:
    (stitched,) = graph.flows
    said = {**msgspec.structs.asdict(stitched), **msgspec.structs.asdict(item)}
    parts = {name: getattr(graph, name) for name in graph.__struct_fields__ if name != "flows"}
    return Flow(**parts, flows=[ShownFlow(**said)], findings=list(found))


def _detailed(graph: Stitched, run: StitchedRun, snapshot: Snapshot) -> Stitched:
    """*graph* with what its senders wrote and, for each reaction, what is normal for it."""
    rows = opened.rows(run.own_spans())
    readings = _readings(run)
    published = {message.ref: message for message in graph.messages}
    source = {edge.target: edge.source for edge in graph.edges if edge.kind == "delivery"}
    normal: dict[tuple[str, str, str], Pace] = {}
    if snapshot.expected is not None:
        for e in snapshot.expected.steps.values():
            pace = e.react
            shown = Pace(n=pace.n, p50_ms=pace.p50_ms, p95_ms=pace.p95_ms, p99_ms=pace.p99_ms)
            normal[e.triggers[0], e.service, e.group] = shown
    messages = [_with_span(message, rows) for message in graph.messages]
    reactions = []
    for reaction in graph.reactions:
        message = published.get(source.get(reaction.ref, ""))
        said = readings[reaction.ref]
        event_type = message.event_type if message else said["event_type"]
        start, end = reaction.start_unix_nano, reaction.end_unix_nano
        reactions.append(
            msgspec.structs.replace(
                _with_span(reaction, rows),
                event_type=event_type,
                destination=said["destination"],
                wait_ms=(start - message.time_unix_nano) / 1e6 if message else None,
                wait_across_clocks=message is not None and message.service != reaction.service,
                work_ms=(end - start) / 1e6,
                expected=normal.get((str(event_type), str(reaction.service), str(reaction.group))),
            )
        )
    return msgspec.structs.replace(graph, messages=messages, reactions=reactions)


def _readings(run: StitchedRun) -> Mapping[str, Mapping[str, Any]]:
    """What each reaction of the run says about its message, by ref."""
    graph = run.stitched.graph
    said = graph.spans.take(pa.array(graph.reactions))
    refs = refs_of(said["trace_id"], said["span_id"])
    return dict(zip(refs, said.select(["event_type", "destination"]).to_pylist(), strict=True))


def _with_span(item: Any, rows: Mapping[str, opened.Row]) -> Any:
    """A message or a reaction, with what its sender wrote on its span."""
    row = rows.get(item.ref)
    if row is None:
        return item
    said = {
        "name": row["name"],
        "attributes": opened.attributes(row),
        "resource": opened.resource(row),
        "events": opened.events(row),
        "status_message": row["status_message"],
    }
    if isinstance(item, Message):
        said["end_unix_nano"] = row["end_unix_nano"]
    return msgspec.structs.replace(item, **said)
