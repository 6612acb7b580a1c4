"""The read side of a collector: all questions in one object. It blocks: call it from a worker thread."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from collector.model.answers import (
    Decision,
    Expectations,
    Flow,
    Flows,
    Map,
    Spans,
    Stitched,
    Stuck,
    Summary,
    Why,
)
from collector.queries import flow_list
from collector.queries.deciding import Deciding, Wish
from collector.queries.errand import Errand
from collector.queries.expectation_list import Only, expectations
from collector.queries.file_answer import FileJob, file_answer, is_large
from collector.queries.flow import exported as export
from collector.queries.flow import job_of, place_of
from collector.queries.flow_answer import flow_answer
from collector.queries.jobs import JOBS
from collector.queries.kept import Kept
from collector.queries.map import choreography_map
from collector.queries.paging import Page, Part
from collector.queries.sources import Sources
from collector.queries.stuck import Findings, all_findings, page_of, why
from collector.queries.summary import COUNTED_FOR_S, summary
from collector.queries.workers import Workers
from collector.store.contracts import Search

_MAP_KEPT_S = 4.0
_APART = 1_500  # spans: a smaller flow is answered sooner than it is handed to another process
_LARGEST_FILE = 64 * 1024 * 1024
_APART_BYTES = 256 * 1024  # of a file


class Reader:
    """Answers questions from *sources*. Expensive answers are computed once for all who ask meanwhile."""

    def __init__(self, sources: Sources, workers: Workers | None = None) -> None:
        """*workers* answer what is large; without, it is done here."""
        self.sources = sources
        self._workers = workers
        self._stuck: dict[bool, Kept[Findings]] = {late: Kept(meanwhile=True) for late in (False, True)}
        self._maps: Kept[Map] = Kept(_MAP_KEPT_S)
        self._counted: Kept[dict[int, int]] = Kept(COUNTED_FOR_S, meanwhile=True)
        self._deciding = Deciding(sources)

    def summary(self) -> Summary:
        """The figures of the first page."""
        return summary(self.sources, self._counted)

    def flows(self, search: Search, wanted: Page) -> Flows:
        """The flows that match *search*, stuck first."""
        return flow_list.flows(self.sources, search, wanted)

    def nearest(self, name: str) -> list[str]:
        """The names of flows that look like *name*."""
        return flow_list.nearest(self.sources, name)

    def stuck(self, wanted: Page, *, late: bool, each: int | None = None) -> Stuck:
        """What is stuck, and why; with *late* also what is late; with *each* only so many of each cohort."""
        replayed = self.sources.live.replayed.is_set()
        return page_of(self._findings(late=late), wanted, each=each, replayed=replayed)

    def expectations(self, only: Only) -> Expectations:
        """What is expected of whom after what, and what people said about it."""
        live, declared = self.sources.live, self.sources.declared
        return expectations(
            live.snapshot.standings,
            self.sources.decisions.all(),
            only,
            time.time_ns(),
            replayed=live.replayed.is_set(),
            responsible=declared.current().services if declared else None,
            problem=declared.problem if declared else None,
        )

    def decide(self, wish: Wish) -> Decision:
        """Store what a person said, and apply it; raise `DecisionError` if it is not taken."""
        return self._deciding.decide(wish)

    def why(self, name: str) -> Why | None:
        """The findings of one flow; None if there is no such flow."""
        replayed = self.sources.live.replayed.is_set()
        snapshot = self.sources.live.snapshot
        place = place_of(snapshot, name)
        if place is not None:
            return why(snapshot, place, replayed=replayed)
        stored = self.sources.flows.named(name)
        if not stored.num_rows:
            return None
        return why(snapshot, None, replayed=replayed, set_aside=stored["set_aside"][0].as_py())

    def flow(self, name: str, wanted: Part | None = None) -> Flow | None:
        """One flow, or a part of it; None if there is no such flow."""
        job = job_of(self.sources, name, wanted or Part(), Errand())
        return None if job is None else flow_answer(job)

    def flow_json(self, name: str, wanted: Part, errand: Errand) -> bytes | None:
        """`flow` as JSON; if it is large, a process of its own makes it. None if there is no such flow."""
        job = job_of(self.sources, name, wanted, errand)
        if job is None:
            return None
        errand.check()
        if self._workers is not None and job.gathered.spans.num_rows > _APART:
            return self._workers.ask("flow", job, errand)
        answer = flow_answer(job)
        return None if answer is None else msgspec.json.encode(answer)

    def spans(self, name: str) -> Spans | None:
        """The spans of one flow, as an OTLP request in JSON; None if there is no such flow."""
        parts = self.spans_json(name, Errand())
        return None if parts is None else msgspec.json.decode(b"".join(parts), type=Spans)

    def spans_json(self, name: str, errand: Errand) -> Iterator[bytes] | None:
        """The same as JSON, in pieces that are made as they are taken; None if there is no such flow."""
        sources = self.sources
        job = job_of(sources, name, Part(), errand)
        if job is None:
            return None
        if job.gathered.mine is None:
            small = self._apart("exported", job, job.gathered.spans.num_rows, errand)
            return None if small is None else iter([b'{"resourceSpans":[', small, b"]}"])
        return self._exported(job.traces, errand)

    def _exported(self, traces: Sequence[bytes], errand: Errand) -> Iterator[bytes]:
        before = b'{"resourceSpans":['
        for some in export(self.sources, traces, errand):
            if some.num_rows:
                yield before + (self._apart("resource_spans", some, some.num_rows, errand) or b"")
                before = b","
        yield b"]}" if before == b"," else before + b"]}"

    def _apart(self, name: str, job: Any, spans: int, errand: Errand) -> bytes | None:
        if self._workers is not None and spans > _APART:
            return self._workers.ask(name, job, errand)
        return JOBS[name](job)

    def map(self, window_s: int) -> Map:
        """The choreography of the newest flows of the last *window_s* seconds."""
        found = self._findings(late=False).found
        return self._maps.get(window_s, lambda: choreography_map(self.sources, window_s, found))

    def stitch(self, file: bytes, wanted: Part | None = None) -> Stitched:
        """The graph of the spans in *file*, or a part; raise `FormatError` if it is not a trace file."""
        return file_answer(self._file_job(file, wanted or Part(), _LARGEST_FILE))

    def stitch_json(self, file: bytes, wanted: Part, errand: Errand, most_bytes: int) -> bytes:
        """The same as JSON; a file that is large, or inflates to at most *most_bytes*, is read elsewhere."""
        job = self._file_job(file, wanted, most_bytes)
        if self._workers is not None and is_large(file, _APART_BYTES):
            return self._workers.ask("file", job, errand) or b""
        return msgspec.json.encode(file_answer(job))

    def _file_job(self, file: bytes, wanted: Part, most_bytes: int) -> FileJob:
        sources = self.sources
        return FileJob(file, most_bytes, time.time_ns(), sources.naming, sources.live.keying, wanted)

    def _findings(self, *, late: bool) -> Findings:
        snapshot = self.sources.live.snapshot
        return self._stuck[late].get(snapshot, lambda: all_findings(snapshot, late=late))
