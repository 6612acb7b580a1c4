"""Every question a reader may ask, answered with documented JSON. Blocking: call from a worker thread."""

import contextlib
import threading
import time
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from collector import conventions, details, formats
from collector.api import stuck as stuck_part
from collector.api.flows import Page, QuestionError, in_store_alone, items_of, listed, stored_item
from collector.choreography import choreography
from collector.conventions import Naming
from collector.counters import Counters
from collector.diagnosis import Names, State, record
from collector.documents import document, refs_of
from collector.keys import whole
from collector.live.runner import Live
from collector.live.snapshot import Snapshot
from collector.live.tick import RECENT, SECOND
from collector.otlp import to_json
from collector.stitching import NoteKind, Stitched, stitch
from collector.store import SpanStore, StoreError
from collector.store.flows import FlowStore, Search

Document: TypeAlias = dict[str, Any]

_MAP_FLOWS = 1_000  # the newest, that a map is drawn from
_ELSEWHERE_FOR = 5 * SECOND  # counting takes longer with every flow that was ever kept
_MAP_KEPT_S = 4.0  # many viewers, one reckoning
_MOST_TRACES = 2_000  # of a flow that is shown: one with more has a key that is shared by several runs
_ON_THEIR_WAY = {kind.name.lower() for kind in (NoteKind.MISSING_PARENT, NoteKind.MISSING_LINK_TARGET)}
_MEETINGS = 200  # traces that a flow's batches link to, fetched to tell whose they are


@dataclass(frozen=True)
class _Run:
    """One flow among those that its traces, and the traces that its batches link to, are stitched into."""

    spans: pa.Table
    stitched: Stitched
    flow: int

    def own_spans(self) -> pa.Table:
        """What of the spans is in this flow."""
        flows, every = self.stitched.flows, self.stitched.graph.spans
        mine = every.select(["trace_id", "span_id"]).take(pa.array(flows.row[flows.flow == self.flow]))
        refs = set(refs_of(mine["trace_id"], mine["span_id"]))
        kept = [ref in refs for ref in refs_of(self.spans["trace_id"], self.spans["span_id"])]
        return self.spans.filter(pa.array(kept, pa.bool_()))


class Questions:
    """The read side of a collector."""

    def __init__(
        self,
        spans: SpanStore,
        flows: FlowStore,
        live: Live,
        counters: Counters,
        *,
        naming: Naming,
        addresses: Document,
    ) -> None:
        self._spans, self._flows, self._live, self._counters = spans, flows, live, counters
        self._naming, self._addresses = naming, addresses
        self._stuck: dict[bool, tuple[Snapshot, Document]] = {}  # by `late`: the newest answer
        self._stuck_lock = threading.Lock()
        self._maps: dict[int, tuple[float, Document]] = {}
        self._map_lock = threading.Lock()
        self._elsewhere_lock = threading.Lock()
        self._elsewhere: tuple[int, dict[int, int]] = (0, {})  # when it was counted, and what

    def summary(self) -> Document:
        """The five figures of the first page, and what else its frame shows."""
        snapshot, now = self._live.snapshot, time.time_ns()
        minute = now - 60 * SECOND
        counts = np.bincount(snapshot.state, minlength=len(State))
        ended = np.asarray(snapshot.flows["last"].to_numpy())[snapshot.state == State.DONE]
        seconds = snapshot.done.after(now - RECENT)
        for state, count in self._stopped_elsewhere(snapshot, now).items():
            counts[state] += count
        states = {state.word: int(counts[state]) for state in State}
        states["done"] += len(seconds)
        per_minute = len(snapshot.done.after(minute)) + int((ended > minute).sum())
        past = stuck_part.entries_of(snapshot, late=False)
        oldest = (now - int(snapshot.owed.since[past].min())) / SECOND if len(past) else None
        return {
            "now_unix_nano": now,
            "tick_unix_nano": snapshot.now,
            "tick_s": self._live.tick_s,
            "replayed": self._live.replayed.is_set(),
            "states": states,
            "done_per_minute": float(per_minute),
            "p95_s": _rounded(float(np.percentile(seconds, 95)) if len(seconds) else None),
            "oldest_stuck_s": _rounded(oldest),
            "spans": self._counters.spans(),
            "otlp": self._addresses,
            "learning": {"flows": snapshot.learned, "expectations": self._live.expectations},
        }

    def _stopped_elsewhere(self, snapshot: Snapshot, now: int) -> dict[int, int]:
        """How many flows that stopped are in the store alone, by state."""
        with self._elsewhere_lock:
            at, found = self._elsewhere
            if now - at > _ELSEWHERE_FOR:
                stopped = Search(states=(State.STUCK, State.FAILED))
                # What is in memory is told all the same when the store can not say.
                with contextlib.suppress(StoreError):
                    found = self._flows.counts(in_store_alone(snapshot, stopped))
                self._elsewhere = now, found
            return found

    def flows(self, search: Search, wanted: Page) -> Document:
        """The flows that *search* asks for, stuck first."""
        return listed(self._live.snapshot, self._flows, search, wanted)

    def stuck(self, wanted: Page, *, late: bool, each: int | None = None) -> Document:
        """What is stuck, and why; with *late* what is late, too; with *each* so many of each cohort."""
        replayed = self._live.replayed.is_set()
        answer = {**self._all_stuck(self._live.snapshot, late=late), "replayed": replayed}
        return stuck_part.page_of(stuck_part.first_of_each(answer, each) if each else answer, wanted)

    def _all_stuck(self, snapshot: Snapshot, *, late: bool) -> Document:
        with self._stuck_lock:  # many viewers, one reckoning a tick
            made_of, answer = self._stuck.get(late, (None, {}))
            if made_of is not snapshot:
                answer = stuck_part.stuck(snapshot, late=late)
                self._stuck[late] = (snapshot, answer)
        return answer

    def why(self, name: str) -> Document | None:
        """The findings of one flow; None if there is no such flow."""
        replayed = self._live.replayed.is_set()
        snapshot = self._live.snapshot
        place = _place_of(snapshot, name)
        if place is None:
            if not self._flows.named(name).num_rows:
                return None
            return {"stuck": [], "cohorts": [], "replayed": replayed}
        found = self._findings(snapshot, place)
        return {"stuck": found, "cohorts": stuck_part.cohorts(found), "replayed": replayed}

    def _findings(self, snapshot: Snapshot, place: int) -> list[Document]:
        return stuck_part.findings(snapshot, stuck_part.entries_of(snapshot, late=True, flow=place))

    def nearest(self, name: str, most: int = 5) -> list[str]:
        """Keys of flows that look like *name*: for whoever mistyped one, or has only its beginning."""
        for length in (len(name), max(len(name) - 2, 3), 3):
            found = self.flows(Search(name[:length]), Page(most))["flows"]
            if found:
                return [item["key"] or item["id"] for item in found]
        return []

    def flow(self, name: str) -> Document | None:
        """One flow, whole; None if there is no such flow."""
        snapshot = self._live.snapshot
        place = _place_of(snapshot, name)
        item = self._item(snapshot, place, name)
        run = None if item is None else self._run_of(item)
        if item is None or run is None:
            return None
        names = [
            item["id"] if number == run.flow else f"f{number + 1}"
            for number in range(run.stitched.flows.count)
        ]
        answer = document(run.stitched, only=run.flow, flow_ids=names)
        if place is not None and snapshot.coming[place]:
            # Spans come when they end, and parents end after their children.
            answer["notes"] = [note for note in answer["notes"] if note["kind"] not in _ON_THEIR_WAY]
        _add_details(answer, run.own_spans())
        _add_expected(answer, snapshot)
        found = [] if place is None else self._findings(snapshot, place)
        return {**answer, "flows": [{**answer["flows"][0], **item}], "findings": found}

    def spans(self, name: str) -> Document | None:
        """The spans of one flow, as an OTLP request in JSON; None if there is no such flow."""
        snapshot = self._live.snapshot
        item = self._item(snapshot, _place_of(snapshot, name), name)
        run = None if item is None else self._run_of(item)
        return None if run is None else to_json(run.own_spans())

    def _item(self, snapshot: Snapshot, place: int | None, name: str) -> Document | None:
        """The entry of a flow that is in memory at *place*, or else in the store by *name*."""
        if place is not None:
            return items_of(snapshot, np.array([place]))[0]
        stored = self._flows.named(name).to_pylist()
        return stored_item(stored[0]) if stored else None

    def _run_of(self, item: Document) -> _Run | None:
        """The flow that *item* is, stitched again; None if nothing of it is stored any more."""
        traces = [bytes.fromhex(trace) for trace in item["traces"][:_MOST_TRACES]]
        spans = self._with_meetings(self._spans.spans_of(traces), set(traces))
        stitched = self._stitched(spans)
        flow = _most_of(stitched, item)
        return None if flow is None else _Run(spans, stitched, flow)

    def map(self, window_s: int) -> Document:
        """The choreography of the newest flows of the last *window_s* seconds."""
        with self._map_lock:
            made, answer = self._maps.get(window_s, (0.0, {}))
            if time.monotonic() - made > _MAP_KEPT_S:
                answer = self._map(window_s)
                self._maps = {window_s: (time.monotonic(), answer)}
        return answer

    def stitch(self, file: bytes) -> Document:
        """The document of the spans in *file*, inflated; raise `FormatError` if it is no trace file.

        Each record and line that can not be used is a note.
        """
        found = formats.read(file, time.time_ns())
        notes = [
            {"kind": problem.kind.value, "ref": problem.ref, "text": problem.text}
            for problem in found.problems
        ]
        return document(self._stitched(found.spans), spelled=found.spelled, notes=notes)

    def _stitched(self, spans: pa.Table) -> Stitched:
        return stitch(conventions.read(spans, self._naming), self._live.keying)

    def _with_meetings(self, spans: pa.Table, traces: set[bytes]) -> pa.Table:
        """*spans* and those traces that they link to: who else was in a batch decides whose it is."""
        linked = set(whole(spans["link_trace_ids"]).flatten().unique().to_pylist()) - traces
        if not linked:
            return spans
        return pa.concat_tables([spans, self._spans.spans_of(sorted(linked)[:_MEETINGS])])

    def _map(self, window_s: int) -> Document:
        snapshot = self._live.snapshot
        since = time.time_ns() - window_s * SECOND
        stored = self._flows.newest(since, _MAP_FLOWS)
        last = np.asarray(snapshot.flows["last"].to_numpy())
        recent = np.argsort(last, kind="stable")[-_MAP_FLOWS:]
        recent = recent[last[recent] > since]
        unfinished = snapshot.flows.take(pa.array(recent))
        state = dict(zip(stored["id"].to_pylist(), stored["state"].to_pylist(), strict=True))
        state.update(zip(unfinished["id"].to_pylist(), snapshot.state[recent].tolist(), strict=True))
        traces = pa.concat_arrays([whole(stored["traces"]).flatten(), whole(unfinished["traces"]).flatten()])
        stitched = self._stitched(self._spans.spans_of(traces.unique().to_pylist()))
        names = Names()
        # A batch's trace brings parts of flows along that are not among the newest.
        ids = _ids_of(stitched)
        states = [State(state[name]).word if name in state else None for name in ids]
        steps = snapshot.expected.steps.values() if snapshot.expected else ()
        awaited = {step.triggers[0] for step in steps if step.progresses}
        drawn = choreography(record(stitched, names), names, states, awaited)
        by_step: dict[tuple[str, str, str | None], set[str]] = {}
        for finding in self._all_stuck(snapshot, late=False)["stuck"]:
            missing = finding["missing"]
            what = (finding["stopped_at"]["event_type"], missing["service"], missing["next_event_type"])
            by_step.setdefault(what, set()).add(finding["flow"])
        stopped = [
            {
                "event_type": event,
                "missing_service": service,
                "next_event_type": following,
                "flows": len(flows),
            }
            for (event, service, following), flows in by_step.items()
        ]
        total = self._flows.counts(Search(since=since, states=(State.DONE,))).get(State.DONE, 0) + len(recent)
        drawn_of = len(state)
        return {"flows": drawn_of, "flows_in_window": max(total, drawn_of), **drawn, "stuck": stopped}


def _add_details(answer: Document, spans: pa.Table) -> None:
    """To each message and reaction what its sender wrote on its span."""
    rows = details.rows(spans)
    for item in [*answer["messages"], *answer["reactions"]]:
        row = rows.get(item["ref"])
        if row is None:
            continue
        item["name"] = row["name"]
        item["attributes"] = details.attributes(row)
        item["resource"] = details.resource(row)
        item["events"] = details.events(row)
        item["status_message"] = row["status_message"]
        item.setdefault("end_unix_nano", row["end_unix_nano"])
        if "group" in item:
            item["event_type"] = item["attributes"].get("cloudevents.event_type")
            item["destination"] = item["attributes"].get("messaging.destination.name")


def _add_expected(answer: Document, snapshot: Snapshot) -> None:
    """Beside each reaction what is normal for it, and for how long its message waited."""
    published = {item["ref"]: item for item in answer["messages"]}
    source = {edge["to"]: edge["from"] for edge in answer["edges"] if edge["kind"] == "delivery"}
    normal = {}
    if snapshot.expected is not None:
        normal = {(e.triggers[0], e.service, e.group): e.react for e in snapshot.expected.steps.values()}
    for reaction in answer["reactions"]:
        message = published.get(source.get(reaction["ref"], ""))
        reaction["event_type"] = message["event_type"] if message else reaction.get("event_type")
        start, end = reaction["start_unix_nano"], reaction["end_unix_nano"]
        reaction["wait_ms"] = (start - message["time_unix_nano"]) / 1e6 if message else None
        reaction["wait_across_clocks"] = message is not None and message["service"] != reaction["service"]
        reaction["work_ms"] = (end - start) / 1e6
        pace = normal.get((reaction["event_type"], reaction["service"], reaction["group"]))
        reaction["expected"] = pace and {
            "n": pace.n,
            "p50_ms": pace.p50_ms,
            "p95_ms": pace.p95_ms,
            "p99_ms": pace.p99_ms,
        }


def _place_of(snapshot: Snapshot, name: str) -> int | None:
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


def _ids_of(stitched: Stitched) -> list[str]:
    traces = stitched.graph.spans["trace_id"].take(pa.array(stitched.flows.first)).to_pylist()
    return [key if key is not None else t.hex() for key, t in zip(stitched.flows.key, traces, strict=True)]


def _most_of(stitched: Stitched, item: Document) -> int | None:
    """The flow that *item* is: the one of its name, else the one that most of its traces are in."""
    ids = _ids_of(stitched)
    if item["id"] in ids:
        return ids.index(item["id"])
    traces = pa.array([bytes.fromhex(trace) for trace in item["traces"]], pa.binary(16))
    mine = pa.compute.is_in(whole(stitched.graph.spans["trace_id"]), value_set=traces).to_numpy(
        zero_copy_only=False
    )
    counts = np.bincount(stitched.flows.flow[mine[stitched.flows.row]], minlength=stitched.flows.count)
    return int(counts.argmax()) if len(counts) else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


__all__ = ["QuestionError", "Questions"]
