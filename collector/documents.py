"""The causal graph as the JSON that we promise: refs, names and words for rows and numbers."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from collector.diagnosis.record import Ints, Mask
from collector.stitching import Because, EdgeKind, NoteKind, Stitched
from collector.stitching.graph import Rows

Document: TypeAlias = dict[str, Any]

_BECAUSE = {Because.LINK: "link", Because.PARENT: "parent"}
_SAID = {
    NoteKind.MISSING_PARENT: "its parent was not received: what caused it may be missing here",
    NoteKind.MISSING_LINK_TARGET: "it links to a span that was not received",
    NoteKind.DROPPED_LINKS: "its sender dropped links, so messages that it handled may be missing here",
    NoteKind.CLOCK_SKEW: "it seems to have begun before its message was published: two clocks differ",
    NoteKind.END_BEFORE_START: "it ends before it starts",
    NoteKind.CYCLE: "it is its own ancestor, so what caused it can not be told",
    NoteKind.SELF_LINK: "it names itself as its cause, which was passed over",
    NoteKind.ID_REUSED: "its id came with two contents; the one that ended last is shown",
}


def document(stitched: Stitched, only: int | None = None, flow_ids: Sequence[str] | None = None) -> Document:
    """The document of *stitched*, or of its flow *only*. Flows are called f1, f2, ..., or by *flow_ids*.

    Everything is sorted by time and then by ref, so that equal graphs give equal bytes.
    """
    graph, flows = stitched.graph, stitched.flows
    shown = np.ones(len(graph.key), np.bool_)
    if only is not None:
        shown[:] = False
        shown[flows.row[flows.flow == only]] = True
    names = list(flow_ids or [f"f{number + 1}" for number in range(flows.count)])
    refs = refs_of(graph.spans["trace_id"], graph.spans["span_id"])
    start = graph.numbers("start")
    home = _homes(stitched, names, only)
    parts = _parts(stitched, shown, start)
    messages = [row for row in graph.messages.tolist() if shown[row]]
    reactions = [place for place, row in enumerate(graph.reactions.tolist()) if shown[row]]
    text = {
        name: graph.spans[name].to_pylist()
        for name in ("event_type", "destination", "system", "service", "group")
    }
    message_docs = [
        {
            "ref": refs[row],
            "spans": [refs[part] for part in parts.get(row, [row])],
            **{name: text[name][row] for name in ("event_type", "destination", "system", "service")},
            "time_unix_nano": int(start[row]),
            **_flow_of(home.get(row, [])),
        }
        for row in messages
    ]
    reaction_docs = []
    for place in reactions:
        row = int(graph.reactions[place])
        reaction_docs.append(
            {
                "ref": refs[row],
                "spans": [refs[part] for part in parts.get(row, [row])],
                "service": text["service"][row],
                "group": text["group"][row],
                "attempts": int(graph.attempts[place]),
                "start_unix_nano": int(graph.start[place]),
                "end_unix_nano": int(graph.end[place]),
                "status": "error" if graph.failed[place] else "ok",
                **_flow_of(home.get(row, [])),
            }
        )
    message_docs.sort(key=lambda item: (item["time_unix_nano"], item["ref"]))
    reaction_docs.sort(key=lambda item: (item["start_unix_nano"], item["ref"]))
    return {
        "spans": int(shown.sum()),
        "traces": len(np.unique(graph.trace[shown])),
        "messages": message_docs,
        "reactions": reaction_docs,
        "edges": _edges(stitched, shown, refs),
        "flows": _flows(stitched, names, only),
        "notes": _notes(stitched, shown, refs),
    }


def refs_of(trace_ids: pa.ChunkedArray, span_ids: pa.ChunkedArray) -> list[str]:
    """`<trace id>:<span id>` of each span."""
    pairs = zip(trace_ids.to_pylist(), span_ids.to_pylist(), strict=True)
    return [f"{trace.hex()}:{span.hex()}" for trace, span in pairs]


def _flow_of(names: list[str]) -> Document:
    """A reaction to a batch belongs to several flows: the first, and all of them."""
    if len(names) > 1:
        return {"flow": names[0], "flows": names}
    return {"flow": names[0] if names else None}


def _homes(stitched: Stitched, names: Sequence[str], only: int | None) -> dict[int, list[str]]:
    graph, flows = stitched.graph, stitched.flows
    nodes = np.isin(flows.row, np.concatenate([graph.messages, graph.reactions]))
    if only is not None:
        nodes &= flows.flow == only
    homes: dict[int, list[str]] = {}
    pairs = sorted(zip(flows.row[nodes].tolist(), flows.flow[nodes].tolist(), strict=True))
    for row, flow in pairs:
        homes.setdefault(row, []).append(names[flow])
    return homes


def _parts(stitched: Stitched, shown: Mask, start: Ints) -> dict[int, list[int]]:
    """The spans of each message and reaction: its own first, then in the order of their start."""
    span, node = stitched.graph.folded
    kept = shown[node]
    span, node = span[kept], node[kept]
    order = np.lexsort((span, start[span], span != node, node))
    parts: dict[int, list[int]] = {}
    for member, owner in zip(span[order].tolist(), node[order].tolist(), strict=True):
        parts.setdefault(owner, []).append(member)
    return parts


def _edges(stitched: Stitched, shown: Mask, refs: Sequence[str]) -> list[Document]:
    edges = stitched.graph.edges
    both = shown[edges.target] & ((edges.source < 0) | shown[np.maximum(edges.source, 0)])
    # What a batch links to in other flows is theirs.
    rows: Rows = np.flatnonzero(both)
    sources = refs_of(edges.trace_id.take(pa.array(rows)), edges.span_id.take(pa.array(rows)))
    found = [
        {
            "from": source,
            "to": refs[edges.target[row]],
            "kind": "delivery" if edges.kind[row] == EdgeKind.DELIVERY else "cause",
            "because": _BECAUSE[Because(edges.because[row])],
            "certainty": "observed",
        }
        for row, source in zip(rows.tolist(), sources, strict=True)
    ]
    return sorted(found, key=lambda edge: (edge["kind"], edge["from"], edge["to"]))


def _flows(stitched: Stitched, names: Sequence[str], only: int | None) -> list[Document]:
    graph, flows = stitched.graph, stitched.flows
    order = np.argsort(flows.flow, kind="stable")
    bounds = np.searchsorted(flows.flow[order], np.arange(flows.count + 1))
    kind = np.zeros(len(graph.key), np.int8)
    kind[graph.messages], kind[graph.reactions] = 1, 2
    found = []
    for flow in range(flows.count) if only is None else [only]:
        rows = flows.row[order[bounds[flow] : bounds[flow + 1]]]
        traces = graph.spans["trace_id"].take(pa.array(rows)).unique().to_pylist()
        found.append(
            {
                "id": names[flow],
                "key": flows.key[flow],
                "traces": sorted(trace.hex() for trace in traces),
                "messages": int((kind[rows] == 1).sum()),
                "reactions": int((kind[rows] == 2).sum()),
            }
        )
    return found


def _notes(stitched: Stitched, shown: Mask, refs: Sequence[str]) -> list[Document]:
    notes = stitched.graph.notes
    kept = shown[notes.row]
    found = [
        {"kind": NoteKind(kind).name.lower(), "ref": refs[row], "text": _SAID[NoteKind(kind)]}
        for kind, row in zip(notes.kind[kept].tolist(), notes.row[kept].tolist(), strict=True)
    ]
    return sorted(found, key=lambda note: (note["kind"], note["ref"]))
