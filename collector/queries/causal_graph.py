"""The causal graph in its promised form: refs, names and words instead of rows and numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from msgspec import UNSET

from collector.columns.dictionary import coded
from collector.columns.joins import distinct_pairs, once
from collector.columns.keys import whole
from collector.model import answers
from collector.model.answers import Edge, Message, Note, Reaction, StitchedFlow
from collector.model.notes import SENTENCES, LeftOut, NoteKind
from collector.model.wording import counted
from collector.queries.clock_notes import clock_answers, skew_notes
from collector.stitching import Because, EdgeKind, Stitched
from collector.stitching.clocks import across, clocks
from collector.stitching.graph import Mask, Rows, marked

NO_LIMIT = 2**62
LISTED_TRACES = 1_000  # that are listed of a flow

_AS_HEX: Mapping[bytes, str] = {}

_KIND = {EdgeKind.DELIVERY: "delivery", EdgeKind.CAUSE: "cause"}
_BECAUSE = {because: because.name.lower() for because in Because}


@dataclass(frozen=True)
class _Shown:
    """Which part of a graph is in the answer, and how things are named there."""

    stitched: Stitched
    spans: Mask
    flows: Sequence[int]
    refs: Sequence[str]
    names: Sequence[str]  # the names of flows
    spelled: Mapping[bytes, str]
    held: Mask  # spans that are of these flows, shown or not
    most: int

    @cached_property
    def all_edges(self) -> Rows:
        """The edges to what is shown. A batch may also link to messages of other flows: not those."""
        edges = self.stitched.graph.edges
        return np.flatnonzero(self.spans[edges.target] & ((edges.source < 0) | self.held[edges.source]))

    @cached_property
    def edges(self) -> Rows:
        """The edges to show."""
        return self.all_edges[: 4 * self.most]

    @property
    def missing(self) -> list[Note]:
        """Notes on edges that are not here, or whose source is not."""
        edges, notes = self.stitched.graph.edges, []
        source = edges.source[self.edges]
        if outside := int((~self.spans[source[source >= 0]]).sum()):
            verb = "leads" if outside == 1 else "lead"
            text = f"{counted(outside, 'edge')} {verb} here from other parts of the flow"
            notes.append(Note(kind=LeftOut.ELSEWHERE.value, ref=None, text=text))
        if over := len(self.all_edges) - len(self.edges):
            text = f"{counted(over, 'edge')} more than an answer has room for"
            notes.append(Note(kind=LeftOut.SHORTENED.value, ref=None, text=text))
        return notes

    def texts(self, column: str) -> Sequence[str | None]:
        """The texts of a whole column."""
        texts: Sequence[str | None] = self.stitched.graph.spans[column].to_pylist()
        return texts


def causal_graph(
    stitched: Stitched,
    only: int | Sequence[int] | None = None,
    flow_ids: Sequence[str] | None = None,
    *,
    spelled: Mapping[bytes, str] = _AS_HEX,
    notes: Sequence[Note] = (),
    mine: Mask | None = None,
    most: int = NO_LIMIT,
) -> answers.Stitched:
    """The graph of *stitched*, or of its flows *only*. Flows are called f1, f2, ..., or by *flow_ids*.

    *spelled* has the ids that their sender did not write as the hex of all their bytes; *notes* are about
    records that could not become spans. Of a large graph, only the spans that *mine* marks are shown, and at
    most about *most* of anything.

    Everything is sorted by time and then by ref, so that equal graphs give equal bytes.
    """
    graph, flows = stitched.graph, stitched.flows
    held = np.ones(len(graph.key), np.bool_)
    if only is not None:
        wanted = marked(flows.count, np.atleast_1d(np.array(only, np.int64)))
        held = marked(len(graph.key), flows.row[wanted[flows.flow]])
    spans = held if mine is None else held & mine
    shown = _Shown(
        stitched,
        spans,
        _flows_shown(stitched, spans) if only is None else np.flatnonzero(wanted).tolist(),
        refs_of(graph.spans["trace_id"], graph.spans["span_id"], spelled),
        flow_ids or [f"f{number + 1}" for number in range(flows.count)],
        spelled,
        held,
        most,
    )
    parts, between = _parts(shown), clocks(graph, shown.edges)
    skews = skew_notes(stitched, shown.edges, shown.refs, between)
    return answers.Stitched(
        spans=int(held.sum()),
        shown=int(spans.sum()),
        before=0,
        next_cursor=None,
        earlier_cursor=None,
        later_cursor=None,
        traces=len(once(graph.trace[held])),
        messages=_messages(shown, parts),
        reactions=_reactions(shown, parts),
        edges=_edges(shown),
        flows=_flows(shown),
        clocks=clock_answers(between),
        notes=sorted([*_few([*_notes(shown), *skews, *notes], most), *shown.missing], key=_place_of),
        unusable=len(notes),
    )


def _flows_shown(stitched: Stitched, spans: Mask) -> Sequence[int]:
    """The flows with any of *spans*."""
    if spans.all():
        return range(stitched.flows.count)
    found: list[int] = once(stitched.flows.flow[spans[stitched.flows.row]]).tolist()
    return found


def _few(notes: list[Note], most: int) -> list[Note]:
    """At most about *most* of *notes*, and how many more there are of each kind."""
    if len(notes) <= most:
        return notes
    each: dict[str, list[Note]] = {}
    for note in notes:
        each.setdefault(note.kind, []).append(note)
    room = max(most // len(each), 1)
    kept = [note for some in each.values() for note in some[:room]]
    for kind, some in each.items():
        if len(some) > room:
            text = f"{len(some) - room:,} more of the kind {kind} than an answer has room for"
            kept.append(Note(kind=LeftOut.SHORTENED.value, ref=None, text=text))
    return kept


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


def _messages(shown: _Shown, parts: Mapping[int, list[str]]) -> list[Message]:
    graph = shown.stitched.graph
    said = {name: shown.texts(name) for name in ("event_type", "destination", "system", "service")}
    start, rows = graph.numbers("start"), graph.messages[shown.spans[graph.messages]]
    request = marked(len(graph.key), graph.requests)
    found = [
        Message(
            ref=shown.refs[row],
            spans=parts[row],
            **{name: texts[row] for name, texts in said.items()},
            request=bool(request[row]),
            time_unix_nano=int(start[row]),
            flow=flows[0],
            flows=flows if len(flows) > 1 else UNSET,
        )
        for row, flows in zip(rows.tolist(), _flows_of(shown, rows), strict=True)
    ]
    return sorted(found, key=lambda message: (message.time_unix_nano, message.ref))


def _reactions(shown: _Shown, parts: Mapping[int, list[str]]) -> list[Reaction]:
    graph = shown.stitched.graph
    service, group = shown.texts("service"), shown.texts("group")
    settles = graph.settles
    places = np.flatnonzero(shown.spans[graph.reactions])
    rows = graph.reactions[places]
    found = [
        Reaction(
            ref=shown.refs[row],
            spans=parts[row],
            service=service[row],
            group=group[row],
            attempts=int(graph.attempts[place]),
            start_unix_nano=int(graph.start[place]),
            end_unix_nano=int(graph.end[place]),
            status="error" if graph.failed[place] else "ok",
            settled=int(settles.settled[place]),
            acked=int(settles.acked[place]),
            nacked=int(settles.nacked[place]),
            terminated=int(settles.terminated[place]),
            deliveries=int(settles.deliveries[place]) or None,
            flow=flows[0],
            flows=flows if len(flows) > 1 else UNSET,
        )
        for place, row, flows in zip(places.tolist(), rows.tolist(), _flows_of(shown, rows), strict=True)
    ]
    return sorted(found, key=lambda reaction: (reaction.start_unix_nano, reaction.ref))


def _flows_of(shown: _Shown, rows: Rows) -> list[list[str]]:
    """The flows of each of *rows*: a reaction to a batch may belong to several."""
    names: list[list[str]] = [[] for _ in rows]
    included = marked(shown.stitched.flows.count, np.array(shown.flows, np.int64))
    for place, flow in zip(*(side.tolist() for side in shown.stitched.flows.of(rows)), strict=True):
        # The pieces into which the part of a flow has fallen have one name.
        if included[flow] and shown.names[flow] not in names[place]:
            names[place].append(shown.names[flow])
    return names


def _parts(shown: _Shown) -> dict[int, list[str]]:
    """The spans of each message and reaction: its own first, then the others by their start."""
    graph = shown.stitched.graph
    span, node = (side[shown.spans[graph.folded[1]]] for side in graph.folded)
    start = graph.numbers("start")
    order = sorted(
        zip(node.tolist(), (span != node).tolist(), start[span].tolist(), span.tolist(), strict=True),
        key=lambda part: (*part[:3], shown.refs[part[3]]),
    )
    parts: dict[int, list[str]] = {}
    for owner, _, _, member in order:
        mine = parts.setdefault(owner, [])
        if len(mine) < shown.most:
            mine.append(shown.refs[member])
    return parts


def _edges(shown: _Shown) -> list[Edge]:
    graph = shown.stitched.graph
    edges = graph.edges
    rows = shown.edges
    apart = across(edges, coded(graph.spans["service"])[0])
    sources, observed = refs_of(*graph.sources(rows), shown.spelled), edges.is_observed
    found = [
        Edge(
            source=source,
            target=shown.refs[edges.target[row]],
            kind="delivery" if edges.kind[row] == EdgeKind.DELIVERY else "cause",
            because=_BECAUSE[Because(edges.because[row])],
            certainty="observed" if observed[row] else "inferred",
            across_clocks=bool(apart[row]),
        )
        for row, source in zip(rows.tolist(), sources, strict=True)
    ]
    # In alphabetical order: causes before deliveries.
    return sorted(found, key=lambda edge: (edge.kind, edge.source, edge.target))


def _flows(shown: _Shown) -> list[StitchedFlow]:
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
        StitchedFlow(
            id=shown.names[flow],
            key=flows.key[flow],
            traces=sorted(traces[flow])[:LISTED_TRACES],
            messages=messages[flow],
            reactions=reactions[flow],
        )
        for flow in shown.flows[: shown.most]
    ]


def _counts(shown: _Shown, rows: Rows) -> list[int]:
    """How many of *rows* each flow has."""
    flows = shown.stitched.flows
    counts: list[int] = np.bincount(flows.of(rows)[1], minlength=flows.count).tolist()
    return counts


def _notes(shown: _Shown) -> list[Note]:
    return [
        Note(kind=NoteKind(kind).word, ref=shown.refs[row], text=SENTENCES[NoteKind(kind)])
        for notes in (shown.stitched.graph.notes, shown.stitched.flows.notes)
        for kind, row in zip(notes.kind.tolist(), notes.row.tolist(), strict=True)
        if shown.spans[row] and kind != NoteKind.CLOCK_SKEW
    ]


def _place_of(note: Note) -> tuple[str, str, str]:
    return note.kind, note.ref or "", note.text
