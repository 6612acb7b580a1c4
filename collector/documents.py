"""The causal graph as the JSON that we promise: refs, names and words for rows and numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from collector.joins import distinct_pairs, once
from collector.keys import whole
from collector.stitching import Because, EdgeKind, NoteKind, Stitched
from collector.stitching.clocks import Apart, Pair, across, clocks, early, had_by
from collector.stitching.graph import Mask, Rows, marked
from collector.words import coded

Document: TypeAlias = dict[str, Any]

_AS_HEX: Mapping[bytes, str] = {}

_KIND = {EdgeKind.DELIVERY: "delivery", EdgeKind.CAUSE: "cause"}
_BECAUSE = {because: because.name.lower() for because in Because}
_SAID = {
    NoteKind.MISSING_PARENT: "its parent was not received: what caused it may be missing here",
    NoteKind.MISSING_LINK_TARGET: "it links to a span that was not received",
    NoteKind.DROPPED_LINKS: "its sender dropped links, so messages that it handled may be missing here",
    NoteKind.REPLAY: "it began an hour or more after its message was published: a replay, or a long wait",
    NoteKind.UNCLEAR_CAUSE: "the message that it names as its cause is here, but no single reaction to it is",
    NoteKind.SHARED_KEY: "its flow key is on too many other flows as well, so it names none of them",
    NoteKind.END_BEFORE_START: "it ends before it starts",
    NoteKind.CYCLE: "its parents lead back to it, so its own parent was passed over",
    NoteKind.SELF_LINK: "it names itself as its cause, which was passed over",
    NoteKind.ID_REUSED: "its id came with two contents; the one that ended last is shown",
}


@dataclass(frozen=True)
class _Shown:
    """What of a graph is in the document, and how it is called there."""

    stitched: Stitched
    spans: Mask
    flows: Sequence[int]
    refs: Sequence[str]
    names: Sequence[str]  # of flows
    spelled: Mapping[bytes, str]

    @cached_property
    def edges(self) -> Rows:
        """The edges: what a batch links to in other flows is theirs."""
        edges = self.stitched.graph.edges
        return np.flatnonzero(self.spans[edges.target] & ((edges.source < 0) | self.spans[edges.source]))

    def texts(self, column: str) -> Sequence[str | None]:
        """A whole column."""
        texts: Sequence[str | None] = self.stitched.graph.spans[column].to_pylist()
        return texts


def document(
    stitched: Stitched,
    only: int | None = None,
    flow_ids: Sequence[str] | None = None,
    *,
    spelled: Mapping[bytes, str] = _AS_HEX,
    notes: Sequence[Document] = (),
) -> Document:
    """The document of *stitched*, or of its flow *only*. Flows are called f1, f2, ..., or by *flow_ids*.

    *spelled* says how ids were written that their sender wrote in another way than as hex of all their
    bytes; *notes* are of the records that no span could be made of.

    Everything is sorted by time and then by ref, so that equal graphs give equal bytes.
    """
    graph, flows = stitched.graph, stitched.flows
    spans = np.ones(len(graph.key), np.bool_)
    if only is not None:
        spans = marked(len(graph.key), flows.row[flows.flow == only])
    shown = _Shown(
        stitched,
        spans,
        range(flows.count) if only is None else [only],
        refs_of(graph.spans["trace_id"], graph.spans["span_id"], spelled),
        flow_ids or [f"f{number + 1}" for number in range(flows.count)],
        spelled,
    )
    parts, between = _parts(shown), clocks(graph, shown.edges)
    return {
        "spans": int(spans.sum()),
        "traces": len(once(graph.trace[spans])),
        "messages": _messages(shown, parts),
        "reactions": _reactions(shown, parts),
        "edges": _edges(shown),
        "flows": _flows(shown),
        "clocks": _clocks(between),
        "notes": sorted([*_notes(shown), *_skews(shown, between), *notes], key=_place_of),
        "unusable": len(notes),
    }


def refs_of(
    trace_ids: pa.Array | pa.ChunkedArray,
    span_ids: pa.Array | pa.ChunkedArray,
    spelled: Mapping[bytes, str] = _AS_HEX,
) -> list[str]:
    """`<trace id>:<span id>` of each span."""
    pairs = zip(trace_ids.to_pylist(), span_ids.to_pylist(), strict=True)
    if not spelled:
        return [f"{trace.hex()}:{span.hex()}" for trace, span in pairs]
    return [f"{_spelled(trace, spelled)}:{_spelled(span, spelled)}" for trace, span in pairs]


def _spelled(octets: bytes, spelled: Mapping[bytes, str]) -> str:
    return spelled.get(octets) or octets.hex()


def _messages(shown: _Shown, parts: Mapping[int, list[str]]) -> list[Document]:
    graph = shown.stitched.graph
    said = {name: shown.texts(name) for name in ("event_type", "destination", "system", "service")}
    start, rows = graph.numbers("start"), graph.messages[shown.spans[graph.messages]]
    request = marked(len(graph.key), graph.requests)
    found = [
        {
            "ref": shown.refs[row],
            "spans": parts[row],
            **{name: texts[row] for name, texts in said.items()},
            "request": bool(request[row]),
            "time_unix_nano": int(start[row]),
            **flow,
        }
        for row, flow in zip(rows.tolist(), _flow_of(shown, rows), strict=True)
    ]
    return sorted(found, key=lambda message: (message["time_unix_nano"], message["ref"]))


def _reactions(shown: _Shown, parts: Mapping[int, list[str]]) -> list[Document]:
    graph = shown.stitched.graph
    service, group = shown.texts("service"), shown.texts("group")
    settles = graph.settles
    places = np.flatnonzero(shown.spans[graph.reactions])
    rows = graph.reactions[places]
    found = [
        {
            "ref": shown.refs[row],
            "spans": parts[row],
            "service": service[row],
            "group": group[row],
            "attempts": int(graph.attempts[place]),
            "start_unix_nano": int(graph.start[place]),
            "end_unix_nano": int(graph.end[place]),
            "status": "error" if graph.failed[place] else "ok",
            "settled": int(settles.settled[place]),
            "acked": int(settles.acked[place]),
            "nacked": int(settles.nacked[place]),
            "terminated": int(settles.terminated[place]),
            "deliveries": int(settles.deliveries[place]) or None,
            **flow,
        }
        for place, row, flow in zip(places.tolist(), rows.tolist(), _flow_of(shown, rows), strict=True)
    ]
    return sorted(found, key=lambda reaction: (reaction["start_unix_nano"], reaction["ref"]))


def _flow_of(shown: _Shown, rows: Rows) -> list[Document]:
    """The flow of each of *rows*. A reaction to a batch belongs to several: the first, and all of them."""
    names: list[list[str]] = [[] for _ in rows]
    included = marked(shown.stitched.flows.count, np.array(shown.flows, np.int64))
    for place, flow in zip(*(side.tolist() for side in shown.stitched.flows.of(rows)), strict=True):
        if included[flow]:
            names[place].append(shown.names[flow])
    return [{"flow": found[0], "flows": found} if len(found) > 1 else {"flow": found[0]} for found in names]


def _parts(shown: _Shown) -> dict[int, list[str]]:
    """The spans of each message and reaction: its own first, then in the order of their start."""
    graph = shown.stitched.graph
    span, node = (side[shown.spans[graph.folded[1]]] for side in graph.folded)
    start = graph.numbers("start")
    order = sorted(
        zip(node.tolist(), (span != node).tolist(), start[span].tolist(), span.tolist(), strict=True),
        key=lambda part: (*part[:3], shown.refs[part[3]]),
    )
    parts: dict[int, list[str]] = {}
    for owner, _, _, member in order:
        parts.setdefault(owner, []).append(shown.refs[member])
    return parts


def _edges(shown: _Shown) -> list[Document]:
    graph = shown.stitched.graph
    edges = graph.edges
    rows = shown.edges
    apart = across(edges, coded(graph.spans["service"])[0])
    sources = refs_of(*graph.sources(rows), shown.spelled)
    found = [
        {
            "from": source,
            "to": shown.refs[edges.target[row]],
            "kind": _KIND[EdgeKind(edges.kind[row])],
            "because": _BECAUSE[Because(edges.because[row])],
            "certainty": "observed" if Because(edges.because[row]).is_observed else "inferred",
            "across_clocks": bool(apart[row]),
        }
        for row, source in zip(rows.tolist(), sources, strict=True)
    ]
    return sorted(found, key=lambda edge: (edge["kind"], edge["from"], edge["to"]))


def _flows(shown: _Shown) -> list[Document]:
    graph, flows = shown.stitched.graph, shown.stitched.flows
    _, example, trace = np.unique(graph.trace, return_index=True, return_inverse=True)
    distinct = whole(graph.spans["trace_id"]).take(pa.array(example)).to_pylist()
    ids = [_spelled(trace_id, shown.spelled) for trace_id in distinct]
    traces: list[list[str]] = [[] for _ in range(flows.count)]
    for flow, code in zip(
        *(side.tolist() for side in distinct_pairs(flows.flow, trace[flows.row])), strict=True
    ):
        traces[flow].append(ids[code])
    messages, reactions = (_counts(shown, rows) for rows in (graph.messages, graph.reactions))
    return [
        {
            "id": shown.names[flow],
            "key": flows.key[flow],
            "traces": sorted(traces[flow]),
            "messages": messages[flow],
            "reactions": reactions[flow],
        }
        for flow in shown.flows
    ]


def _counts(shown: _Shown, rows: Rows) -> list[int]:
    """How many of *rows* each flow has."""
    flows = shown.stitched.flows
    counts: list[int] = np.bincount(flows.of(rows)[1], minlength=flows.count).tolist()
    return counts


def _notes(shown: _Shown) -> list[Document]:
    return [
        {"kind": NoteKind(kind).name.lower(), "ref": shown.refs[row], "text": _SAID[NoteKind(kind)]}
        for notes in (shown.stitched.graph.notes, shown.stitched.flows.notes)
        for kind, row in zip(notes.kind.tolist(), notes.row.tolist(), strict=True)
        if shown.spans[row] and kind != NoteKind.CLOCK_SKEW
    ]


def _clocks(between: Mapping[Pair, Apart]) -> list[Document]:
    """How far the clock of `other` is ahead of that of `service`, as far as that is known."""
    return [
        {
            "service": service,
            "other": other,
            "ahead_ms": _ms(apart.about),
            "at_least_ms": _ms(apart.at_least),
            "at_most_ms": _ms(apart.at_most),
            "edges": apart.edges,
        }
        for (service, other), apart in sorted(between.items())
    ]


def _ms(nanoseconds: float | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / 1e6


def _skews(shown: _Shown, between: Mapping[Pair, Apart]) -> list[Document]:
    """A note for each reaction and service whose message it seems to have had before it was published."""
    graph, edges = shown.stitched.graph, shown.stitched.graph.edges
    start, had = graph.numbers("start"), had_by(graph.spans)
    rows = shown.edges[early(edges, graph.spans)[shown.edges]]
    if not len(rows):
        return []
    services = shown.texts("service")
    found: dict[tuple[int, str, str], int] = {}
    for source, target in zip(edges.source[rows].tolist(), edges.target[rows].tolist(), strict=True):
        what = target, str(services[source]), str(services[target])
        found[what] = max(found.get(what, 0), int(start[source] - had[target]))
    return [
        {
            "kind": NoteKind.CLOCK_SKEW.name.lower(),
            "ref": shown.refs[row],
            "text": f"it seems to have begun {_time(by)} before its message was published: "
            f"{_behind(service, reactor, between)}",
        }
        for (row, service, reactor), by in found.items()
    ]


def _behind(service: str, other: str, between: Mapping[Pair, Apart]) -> str:
    """That the clock of *other* is behind that of *service*, and how far."""
    if service == other:
        return f"the hosts of {service} have clocks that differ"
    both = " and ".join(sorted((service, other)))
    apart, swapped = between.get((service, other)), between.get((other, service))
    low, high = (apart.at_least, apart.at_most) if apart else (None, None)
    about = apart.about if apart else None
    if swapped:
        low, high = (None if bound is None else -bound for bound in (swapped.at_most, swapped.at_least))
        about = None if swapped.about is None else -swapped.about
    if high is None or high >= 0:  # only a conclusion says so
        return f"the clocks of {both} differ, or it is another message"
    if low is None:
        return f"the clock of {other} is at least {_time(-high)} behind that of {service}"
    if about is None:
        return f"the clocks of {both} differ, and not by the same all the time"
    return (
        f"the clock of {other} is about {_time(-about)} behind that of {service} "
        f"(at least {_time(-high)}, at most {_time(-low)})"
    )


def _time(nanoseconds: float) -> str:
    return f"{nanoseconds / 1e6:,.1f} ms" if nanoseconds < 1e9 else f"{nanoseconds / 1e9:,.1f} s"


def _place_of(note: Document) -> tuple[str, str, str]:
    return note["kind"], note["ref"] or "", note["text"]
