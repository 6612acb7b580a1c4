"""The read side of a collector: all questions in one object. It blocks: call it from a worker thread."""

import time

from collector import formats
from collector.model.answers import (
    Decision,
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
from collector.queries.expectation_list import Only, expectations
from collector.queries.flow import flow, spans, why
from collector.queries.kept import Kept
from collector.queries.map import choreography_map
from collector.queries.paging import Page
from collector.queries.remnants import unlisted
from collector.queries.sources import Sources
from collector.queries.stitched_run import stitched_again
from collector.queries.stopped import Stopped, stopped_elsewhere
from collector.queries.stuck import Findings, all_findings, page_of
from collector.queries.summary import COUNTED_FOR_S, summary
from collector.store.contracts import Search

_MAP_KEPT_S = 4.0


class Reader:
    """Answers questions from *sources*. Expensive answers are computed once for all who ask meanwhile."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self._stuck: dict[bool, Kept[Findings]] = {late: Kept() for late in (False, True)}
        self._maps: Kept[Map] = Kept(_MAP_KEPT_S)
        self._stopped: Kept[Stopped] = Kept(COUNTED_FOR_S)
        self._deciding = Deciding(sources)

    def summary(self) -> Summary:
        """The figures of the first page."""
        return summary(self.sources, self._stopped)

    def flows(self, search: Search, wanted: Page) -> Flows:
        """The flows that match *search*, stuck first."""
        return flow_list.flows(self.sources, search, wanted)

    def nearest(self, name: str) -> list[str]:
        """The names of flows that look like *name*."""
        return flow_list.nearest(self.sources, name)

    def stuck(self, wanted: Page, *, late: bool, each: int | None = None) -> Stuck:
        """What is stuck, and why; with *late* also what is late; with *each* only so many of each cohort."""
        replayed = self.sources.live.replayed.is_set()
        stopped = self._stopped.get(None, lambda: stopped_elsewhere(self.sources, self._stopped.last))
        left = unlisted(stopped.unlisted, self.sources.retained().since)
        return page_of(self._findings(late=late), wanted, each=each, replayed=replayed, unlisted=left)

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

    def why(self, name: str) -> Why | None:
        """The findings of one flow; None if there is no such flow."""
        return why(self.sources, name)

    def flow(self, name: str) -> Flow | None:
        """One flow in full; None if there is no such flow."""
        return flow(self.sources, name)

    def spans(self, name: str) -> Spans | None:
        """The spans of one flow, as an OTLP request in JSON; None if there is no such flow."""
        return spans(self.sources, name)

    def map(self, window_s: int) -> Map:
        """The choreography of the newest flows of the last *window_s* seconds."""
        found = self._findings(late=False).found
        return self._maps.get(window_s, lambda: choreography_map(self.sources, window_s, found))

    def stitch(self, file: bytes) -> Stitched:
        """The graph of the spans in the inflated *file*; raise `FormatError` if it is not a trace file.

        Every record and line that cannot be used becomes a note.
        """
        found = formats.read(file, time.time_ns())
        notes = [Note(kind=one.kind.value, ref=one.ref, text=one.text) for one in found.problems]
        return causal_graph(stitched_again(self.sources, found.spans), spelled=found.spelled, notes=notes)

    def _findings(self, *, late: bool) -> Findings:
        snapshot = self.sources.live.snapshot
        since = self.sources.retained().since
        return self._stuck[late].get(snapshot, lambda: all_findings(snapshot, late=late, kept_since=since))
