"""The read side of a collector: all questions in one object. It blocks: call it from a worker thread."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from collector.columns.joins import once
from collector.live.snapshot import Snapshot
from collector.model.answers import (
    Connections,
    Consumers,
    Decision,
    Deletion,
    Deletions,
    Dismissal,
    Expectations,
    Flow,
    FlowItem,
    Flows,
    Map,
    Spans,
    Stitched,
    Stuck,
    Summary,
    Why,
)
from collector.queries import flow_list, nearest_names
from collector.queries.connection_check import connections
from collector.queries.consumer_list import consumers
from collector.queries.deciding import Deciding, Wish
from collector.queries.deleting import Deleting, Unwanted
from collector.queries.dismissed import NOTHING_DISMISSED, Dismissed
from collector.queries.dismissing import Dismissing, Never
from collector.queries.errand import Errand
from collector.queries.expectation_list import Only, expectations
from collector.queries.file_answer import FileJob, file_answer, is_large
from collector.queries.flow import exported as export
from collector.queries.flow import job_of, why
from collector.queries.flow_answer import flow_answer
from collector.queries.jobs import JOBS
from collector.queries.kept import Kept
from collector.queries.lines import Asked
from collector.queries.map import choreography_map
from collector.queries.paging import Page, Part, span_ids
from collector.queries.remnants import unexplained, unlisted
from collector.queries.sources import Sources
from collector.queries.stopped import DISMISSED, STOPPED, UNLISTED, Stopped, in_memory
from collector.queries.stuck import Findings, all_findings, entries_of, page_of
from collector.queries.summary import summary
from collector.queries.workers import Workers
from collector.store.contracts import Search, StoreError

_CONNECTED_KEPT_S, _CONNECTED_OLDEST_S = 5.0, 60.0
_MAP_KEPT_S, _MAP_OLDEST_S = 4.0, 30.0  # drawn anew meanwhile: nobody who looks at it waits
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
        self._maps: Kept[Map] = Kept(_MAP_KEPT_S, oldest_s=_MAP_OLDEST_S)
        self._connections: Kept[Connections] = Kept(_CONNECTED_KEPT_S, oldest_s=_CONNECTED_OLDEST_S)
        self._stopped = Stopped(sources)
        self._deciding = Deciding(sources)
        self._dismissing = Dismissing(sources, self.nearest)
        self.deleting = Deleting(sources, self.nearest)

    def summary(self) -> Summary:
        """The figures of the first page."""
        snapshot, dismissed = self.sources.live.snapshot, self._dismissing.dismissed
        hidden = dismissed.hidden(snapshot)
        return summary(self.sources, self._stopped.counts(snapshot, hidden, dismissed), hidden)

    def flows(self, wanted: Search | Asked, page: Page) -> Flows:
        """A *page* of the flows that are *wanted*, in their order."""
        asked = Asked(wanted) if isinstance(wanted, Search) else wanted
        return flow_list.flows(self.sources, asked, page, self._dismissing.dismissed)

    def listed(self, wanted: Asked, page: Page) -> tuple[list[FlowItem], str | None]:
        """The same without a count, and the cursor of the next page: for whoever turns all pages."""
        snapshot, dismissed = self.sources.live.snapshot, self._dismissing.dismissed
        return flow_list.listed(self.sources, snapshot, wanted.search, page, dismissed)

    @property
    def replayed(self) -> bool:
        """Whether what was stored before the start is gone through, and what came since is in flows."""
        return self.sources.live.replayed.is_set()

    def nearest(self, name: str) -> list[str]:
        """The names of flows that look like *name*."""
        return nearest_names.nearest(self.sources, name)

    def stuck(self, wanted: Page, *, late: bool, each: int | None = None) -> Stuck:
        """What is stuck, and why; with *late* also what is late; with *each* only so many of each cohort."""
        replayed = self.replayed
        dismissed = self._dismissing.dismissed
        snapshot = self.sources.live.snapshot
        every = self._findings(snapshot, dismissed, late=late)
        hidden = dismissed.hidden(snapshot)
        counts = self._stopped.counts(snapshot, hidden, dismissed)
        left = unlisted(counts[UNLISTED], self.sources.retained().since)
        # Of this snapshot: findings may be older, while new ones are made.
        past = entries_of(snapshot, late=False, hidden=hidden)
        stopped = sum(counts[state.word] for state in STOPPED) - len(once(snapshot.owed.flow[past]))
        return page_of(
            every,
            wanted,
            each=each,
            replayed=replayed,
            unlisted=left,
            unexplained=unexplained(stopped) if replayed else None,
            dismissed=counts[DISMISSED],
        )

    def expectations(self, only: Only) -> Expectations:
        """What is expected of whom after what, and what people said about it."""
        live, declared = self.sources.live, self.sources.declared
        return expectations(
            live.snapshot.standings,
            self.sources.decisions.all(),
            only,
            self.sources.clock(),
            replayed=live.replayed.is_set(),
            responsible=declared.current().services if declared else None,
            problem=declared.problem if declared else None,
        )

    def consumers(self, limit: int) -> Consumers:
        """What brokers know of consumers. Who asks has it read more often, for a while."""
        return consumers(self.sources.live.snapshot, self.sources.brokers.look(), limit)

    def decide(self, wish: Wish) -> Decision:
        """Store what a person said, and apply it; raise `DecisionError` if it is not taken."""
        return self._deciding.decide(wish)

    def dismiss(self, wish: Never) -> Dismissal:
        """Store what nobody shall mind any more, and apply it; raise `DismissalError` if it is not taken."""
        return self._dismissing.dismiss(wish)

    def delete(self, wish: Unwanted) -> Deletion:
        """What a deletion is about, which is begun unless it is a dry run; raise `DeletionError` if not."""
        return self.deleting.delete(wish)

    def deletions(self) -> Deletions:
        """What people had deleted, and how far that is."""
        return self.deleting.list()

    def live_flows(self) -> dict[str, int]:
        """How many flows in memory are in each state, and how many are dismissed."""
        snapshot = self.sources.live.snapshot
        try:
            dismissed = self._dismissing.dismissed
        except StoreError:  # a scrape must not fail: what stopped is then counted as such
            dismissed = NOTHING_DISMISSED
        return in_memory(snapshot, dismissed.hidden(snapshot))

    def why(self, name: str) -> Why | None:
        """The findings of one flow; None if there is no such flow."""
        return why(self.sources, name)

    def flow(self, name: str, wanted: Part | None = None) -> Flow | None:
        """One flow, or a part of it; None if there is no such flow."""
        job = job_of(self.sources, name, wanted or Part(), Errand(), self._dismissing.dismissed)
        return None if job is None else flow_answer(job)

    def flow_json(self, name: str, wanted: Part, errand: Errand) -> bytes | None:
        """`flow` as JSON; if it is large, a process of its own makes it. None if there is no such flow."""
        job = job_of(self.sources, name, wanted, errand, self._dismissing.dismissed)
        if job is None:
            return None
        errand.check()
        if self._workers is not None and job.spans > _APART:
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
        # What is no longer kept is said where all that is left of it ends.
        end = b"]}" if not job.cut else b'],"notes":' + msgspec.json.encode(job.cut) + b"}"
        if job.gathered is None:
            return iter([b'{"resourceSpans":[', end]) if job.cut else None
        if job.gathered.mine is None:
            small = self._apart("exported", job, job.spans, errand)
            return None if small is None else iter([b'{"resourceSpans":[', small, end])
        return self._exported(job.traces, errand, end)

    def span_json(self, ref: str, errand: Errand) -> bytes | None:
        """One span, as `spans_json` has it; None if it is not stored. Raise `QuestionError` for no *ref*."""
        found = self.sources.spans.spans_at(span_ids(ref))
        if not found.num_rows:
            return None
        errand.check()
        size = _APART if found.nbytes <= _APART_BYTES else _APART + 1
        job = (found, self.sources.naming.hiding)
        return b'{"resourceSpans":[' + (self._apart("resource_spans", job, size, errand) or b"") + b"]}"

    def _exported(self, traces: Sequence[bytes], errand: Errand, end: bytes) -> Iterator[bytes]:
        before = b'{"resourceSpans":['
        for some in export(self.sources, traces, errand):
            if some.num_rows:
                job = (some, self.sources.naming.hiding)
                yield before + (self._apart("resource_spans", job, some.num_rows, errand) or b"")
                before = b","
        yield end if before == b"," else before + end

    def _apart(self, name: str, job: Any, spans: int, errand: Errand) -> bytes | None:
        if self._workers is not None and spans > _APART:
            return self._workers.ask(name, job, errand)
        return JOBS[name](job)

    def map(self, window_s: int) -> Map:
        """The choreography of the newest flows of the last *window_s* seconds."""
        dismissed = self._dismissing.dismissed
        found = self._findings(self.sources.live.snapshot, dismissed, late=False).found
        asked = (window_s, dismissed)  # what is dismissed is gone from it at once
        return self._maps.get(asked, lambda: choreography_map(self.sources, window_s, found))

    def connections(self, window_s: int) -> Connections:
        """Who sends what to whom in the flows of the last *window_s* seconds, and what seems wrong."""
        return self._connections.get(window_s, lambda: connections(self.sources, window_s))

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

    def _findings(self, snapshot: Snapshot, dismissed: Dismissed, *, late: bool) -> Findings:
        hidden, since = dismissed.hidden(snapshot), self.sources.retained().since
        return self._stuck[late].get(
            dismissed, lambda: all_findings(snapshot, hidden, late=late, kept_since=since), snapshot
        )
