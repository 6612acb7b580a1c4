"""The read side of a collector: all questions in one object. It blocks: call it from a worker thread."""

import time

from collector import formats
from collector.live.snapshot import Snapshot
from collector.model.answers import (
    Decision,
    Deletion,
    Deletions,
    Dismissal,
    Expectations,
    Flow,
    Flows,
    Map,
    Note,
    Spans,
    Stitched,
    Stuck,
    Summary,
    Why,
)
from collector.queries import flow_list
from collector.queries.causal_graph import causal_graph
from collector.queries.deciding import Deciding, Wish
from collector.queries.deleting import Deleting, Unwanted
from collector.queries.dismissed import NOTHING_DISMISSED, Dismissed
from collector.queries.dismissing import Dismissing, Never
from collector.queries.expectation_list import Only, expectations
from collector.queries.flow import flow, spans, why
from collector.queries.kept import Kept
from collector.queries.map import choreography_map
from collector.queries.paging import Page
from collector.queries.remnants import unlisted
from collector.queries.sources import Sources
from collector.queries.stitched_run import stitched_again
from collector.queries.stopped import DISMISSED, UNLISTED, Stopped, in_memory
from collector.queries.stuck import Findings, all_findings, page_of
from collector.queries.summary import summary
from collector.store.contracts import Search, StoreError

_MAP_KEPT_S = 4.0


class Reader:
    """Answers questions from *sources*. Expensive answers are computed once for all who ask meanwhile."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self._stuck: dict[bool, Kept[Findings]] = {late: Kept() for late in (False, True)}
        self._maps: Kept[Map] = Kept(_MAP_KEPT_S)
        self._stopped = Stopped(sources)
        self._deciding = Deciding(sources)
        self._dismissing = Dismissing(sources, self.nearest)
        self.deleting = Deleting(sources, self.nearest)

    def summary(self) -> Summary:
        """The figures of the first page."""
        snapshot, dismissed = self.sources.live.snapshot, self._dismissing.dismissed
        hidden = dismissed.hidden(snapshot)
        return summary(self.sources, self._stopped.counts(snapshot, hidden, dismissed), hidden)

    def flows(self, search: Search, wanted: Page) -> Flows:
        """The flows that match *search*, stuck first."""
        return flow_list.flows(self.sources, search, wanted, self._dismissing.dismissed)

    def nearest(self, name: str) -> list[str]:
        """The names of flows that look like *name*."""
        return flow_list.nearest(self.sources, name)

    def stuck(self, wanted: Page, *, late: bool, each: int | None = None) -> Stuck:
        """What is stuck, and why; with *late* also what is late; with *each* only so many of each cohort."""
        replayed = self.sources.live.replayed.is_set()
        dismissed = self._dismissing.dismissed
        snapshot = self.sources.live.snapshot
        every = self._findings(snapshot, dismissed, late=late)
        counts = self._stopped.counts(snapshot, dismissed.hidden(snapshot), dismissed)
        left = unlisted(counts[UNLISTED], self.sources.retained().since)
        gone = counts[DISMISSED]
        return page_of(every, wanted, each=each, replayed=replayed, unlisted=left, dismissed=gone)

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

    def flow(self, name: str) -> Flow | None:
        """One flow in full; None if there is no such flow."""
        return flow(self.sources, name, self._dismissing.dismissed)

    def spans(self, name: str) -> Spans | None:
        """The spans of one flow, as an OTLP request in JSON; None if there is no such flow."""
        return spans(self.sources, name)

    def map(self, window_s: int) -> Map:
        """The choreography of the newest flows of the last *window_s* seconds."""
        found = self._findings(self.sources.live.snapshot, self._dismissing.dismissed, late=False).found
        return self._maps.get(window_s, lambda: choreography_map(self.sources, window_s, found))

    def stitch(self, file: bytes) -> Stitched:
        """The graph of the spans in the inflated *file*; raise `FormatError` if it is not a trace file.

        Every record and line that cannot be used becomes a note.
        """
        found = formats.read(file, time.time_ns())
        notes = [Note(kind=one.kind.value, ref=one.ref, text=one.text) for one in found.problems]
        return causal_graph(stitched_again(self.sources, found.spans), spelled=found.spelled, notes=notes)

    def _findings(self, snapshot: Snapshot, dismissed: Dismissed, *, late: bool) -> Findings:
        hidden, since = dismissed.hidden(snapshot), self.sources.retained().since
        return self._stuck[late].get(
            (snapshot, dismissed), lambda: all_findings(snapshot, hidden, late=late, kept_since=since)
        )
