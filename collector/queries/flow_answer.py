"""What is answered about one flow, or a part of it, once its spans are here? A pure function of a `Job`.

It may take a second, all of it in Python: for a large flow it is done in a process of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector import conventions
from collector.columns.joins import Mask, among
from collector.columns.keys import whole
from collector.conventions import Naming
from collector.formats.otlp import opened
from collector.model.answers import Finding, Flow, FlowItem, Message, Note, Pace, ShownFlow, Stitched
from collector.model.identity import spread_span_keys
from collector.model.notes import NoteKind
from collector.queries.causal_graph import NO_LIMIT, causal_graph, refs_of
from collector.queries.flow_parts import Gathered
from collector.queries.paging import part_cursor
from collector.stitching import Keying, stitch
from collector.stitching import Stitched as Graph
from collector.stitching.flow_names import flow_ids

_ID = ("trace_id", "span_id")
_ON_THEIR_WAY = {NoteKind.MISSING_PARENT.word, NoteKind.MISSING_LINK_TARGET.word}
MOST = 5_000  # of each kind of things in an answer about a part: nodes have a limit of their own


@dataclass(frozen=True, eq=False)
class Job:
    """All that an answer about one flow is made of."""

    gathered: Gathered | None  # None: nothing of it is stored any more
    cut: Sequence[Note]  # what of it is no longer kept
    deleted: Sequence[Note]  # what of it people deleted
    item: FlowItem
    traces: Sequence[bytes]  # of the flow
    naming: Naming
    keying: Keying
    coming: bool  # more of it may be on its way
    oldest: bool  # the part after this one is the next
    normal: Mapping[tuple[str, str, str], Pace]  # by (event type, service, group)
    findings: Sequence[Finding]
    findings_total: int

    @property
    def spans(self) -> int:
        """How many spans the answer is made of."""
        return self.gathered.spans.num_rows if self.gathered else 0


@dataclass(frozen=True, eq=False)
class Run:
    """One flow, or a part of it, among all that was stitched with it."""

    graph: Graph
    own: Sequence[int]  # the numbers of its flows in the graph: in a part, it may have fallen asunder
    names: Sequence[str]  # of all flows in the graph
    mine: Mask | None  # of the graph's spans: which are shown


def flow_answer(job: Job) -> Flow | None:
    """The answer to *job*; None if nothing is left of the flow."""
    run = run_of(job)
    if run is None or job.gathered is None:
        return _without_spans(job) if job.cut else None
    gathered, whole_flow = job.gathered, run.mine is None
    graph = causal_graph(
        run.graph,
        only=run.own,
        flow_ids=run.names,
        mine=run.mine,
        most=NO_LIMIT if whole_flow else MOST,
        notes=gathered.notes,
    )
    said = [*job.cut, *graph.notes, *job.deleted]
    if job.coming or job.cut or job.deleted:
        # Spans are sent when they end, and parents end after their children. And nothing that is no longer
        # kept, or was deleted, was lost.
        said = [note for note in said if note.kind not in _ON_THEIR_WAY]
    graph = msgspec.structs.replace(graph, notes=said)
    graph = _detailed(graph, run, job)
    if not whole_flow:
        graph = _as_part(graph, job)
    return _answer(graph, job)


def run_of(job: Job) -> Run | None:
    """The flow of *job* in the graph of its spans; None if it is not there."""
    if job.gathered is None:
        return None
    spans = job.gathered.spans
    graph = stitch(conventions.read(spans, job.naming), job.keying)
    ids = ids_of(graph)
    names = [job.item.id if name == job.item.id else f"f{number + 1}" for number, name in enumerate(ids)]
    if job.gathered.mine is None:
        flow = _most_of(graph, ids, job)
        if flow is None:
            return None
        return Run(graph, [flow], [job.item.id if n == flow else f"f{n + 1}" for n in range(len(ids))], None)
    mine = spans.filter(pa.array(job.gathered.mine))
    shown = among(_keys_of(graph.graph.spans), _keys_of(mine))
    # A message or reaction is in every part in which any of its spans lies: its first may be far away.
    span, node = graph.graph.folded
    shown[node[shown[span]]] = True
    own = [
        number
        for number, (name, key) in enumerate(zip(ids, graph.flows.key, strict=True))
        if name == job.item.id or key is None  # of a part, what names the flow may lie elsewhere
    ]
    if not own:
        own = list(range(len(ids)))
    for number in own:
        names[number] = job.item.id
    return Run(graph, own, names, shown)


def own_spans(job: Job, run: Run) -> pa.Table:
    """The SPANS of the flow, or of the part of it, that *run* is about."""
    graph, flows = run.graph.graph, run.graph.flows
    chosen = np.zeros(len(graph.key), np.bool_)
    chosen[flows.row[np.isin(flows.flow, run.own)]] = True
    if run.mine is not None:
        chosen &= run.mine
    assert job.gathered is not None
    mine = among(_keys_of(job.gathered.spans), _keys_of(graph.spans)[chosen])
    return job.gathered.spans.filter(pa.array(mine))


def ids_of(stitched: Graph) -> list[str]:
    """The id of each flow, as in lists."""
    return flow_ids(stitched.graph, stitched.flows)


def _keys_of(spans: pa.Table) -> Any:
    return spread_span_keys(spans["trace_id"], spans["span_id"])


def _most_of(stitched: Graph, ids: Sequence[str], job: Job) -> int | None:
    """The flow with the name of the item or, if there is none, the one with most spans of its traces."""
    if job.item.id in ids:
        return ids.index(job.item.id)
    traces = pa.array(job.traces, pa.binary(16))
    mine = pc.is_in(whole(stitched.graph.spans["trace_id"]), value_set=traces).to_numpy(zero_copy_only=False)
    counts = np.bincount(stitched.flows.flow[mine[stitched.flows.row]], minlength=stitched.flows.count)
    return int(counts.argmax()) if len(counts) else None


def _as_part(graph: Stitched, job: Job) -> Stitched:
    """*graph* with its place in the whole flow."""
    gathered = job.gathered
    assert gathered is not None
    here = set(refs_of(*(gathered.spans.filter(pa.array(gathered.mine))[name] for name in _ID)))
    earlier = part_cursor("before", gathered.first) if gathered.earlier and gathered.first else None
    later = part_cursor("after", gathered.last) if gathered.later and gathered.last else None
    return msgspec.structs.replace(
        graph,
        spans=gathered.total,
        shown=gathered.shown,
        before=gathered.before,
        traces=len(job.traces),
        # What is only here to be whole lacks its own ancestors.
        notes=[note for note in graph.notes if note.ref is None or note.ref in here],
        next_cursor=later if job.oldest else earlier,
        earlier_cursor=earlier,
        later_cursor=later,
    )


def _without_spans(job: Job) -> Flow:
    """All that is left of a flow: its row."""
    said = msgspec.structs.asdict(job.item)
    parts: dict[str, Any] = {name: [] for name in ("messages", "reactions", "edges", "clocks")}
    parts |= dict.fromkeys(("next_cursor", "earlier_cursor", "later_cursor"))
    parts |= dict.fromkeys(("spans", "shown", "before", "traces", "unusable"), 0)
    shown = ShownFlow(**{name: said[name] for name in ShownFlow.__struct_fields__})
    return Flow(
        **parts,
        flows=[shown],
        notes=[*job.cut, *job.deleted],
        findings=list(job.findings),
        findings_total=job.findings_total,
    )


def _answer(graph: Stitched, job: Job) -> Flow:
    assert job.gathered is not None
    said = msgspec.structs.asdict(job.item)
    if job.deleted:
        said["incomplete"] = False
    if job.gathered.mine is None:  # the graph knows them all
        said |= {"traces": graph.flows[0].traces}
    parts = {name: getattr(graph, name) for name in graph.__struct_fields__ if name != "flows"}
    found = list(job.findings)
    return Flow(**parts, flows=[ShownFlow(**said)], findings=found, findings_total=job.findings_total)


def _detailed(graph: Stitched, run: Run, job: Job) -> Stitched:
    """*graph* with what its senders wrote and, for each reaction, what is normal for it."""
    rows = opened.rows(own_spans(job, run), job.naming.hiding)
    readings = _readings(run.graph)
    published = {message.ref: message for message in graph.messages}
    source = {edge.target: edge.source for edge in graph.edges if edge.kind == "delivery"}
    elsewhere = _publishers(run, source) if run.mine is not None else {}
    messages = [_with_span(message, rows) for message in graph.messages]
    reactions = []
    for reaction in graph.reactions:
        ref = source.get(reaction.ref, "")
        message = published.get(ref)
        event_type, service, at = elsewhere.get(ref, (None, None, None))
        if message is not None:
            event_type, service, at = message.event_type, message.service, message.time_unix_nano
        said = readings[reaction.ref]
        event_type = event_type if at is not None else said["event_type"]
        start, end = reaction.start_unix_nano, reaction.end_unix_nano
        reactions.append(
            msgspec.structs.replace(
                _with_span(reaction, rows),
                event_type=event_type,
                destination=said["destination"],
                wait_ms=(start - at) / 1e6 if at is not None else None,
                wait_across_clocks=at is not None and service != reaction.service,
                work_ms=(end - start) / 1e6,
                expected=job.normal.get((str(event_type), str(reaction.service), str(reaction.group))),
            )
        )
    return msgspec.structs.replace(graph, messages=messages, reactions=reactions)


def _publishers(run: Run, source: Mapping[str, str]) -> Mapping[str, tuple[str | None, str | None, int]]:
    """(event type, service, start) of the messages in other parts that reactions here are due to, by ref."""
    graph, wanted = run.graph.graph, set(source.values())
    rows = graph.messages
    said = graph.spans.select(["trace_id", "span_id", "event_type", "service", "start"]).take(pa.array(rows))
    refs = refs_of(said["trace_id"], said["span_id"])
    columns = zip(*(said[name].to_pylist() for name in ("event_type", "service", "start")), strict=True)
    return {ref: told for ref, told in zip(refs, columns, strict=True) if ref in wanted}


def _readings(stitched: Graph) -> Mapping[str, Mapping[str, Any]]:
    """What each reaction of the graph says about its message, by ref."""
    graph = stitched.graph
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
