"""What do scripts see of an answer? Its plain JSON values, which tests compare."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, TypeAlias, cast

import msgspec
import pyarrow as pa

from collector.conventions import DEFAULT_NAMING
from collector.counters import Counters
from collector.live.snapshot import Snapshot
from collector.model.answers import Answer, Otlp
from collector.queries import causal_graph as graphs
from collector.queries import stuck as queries
from collector.queries.paging import Page
from collector.queries.sources import LiveView, Sources
from collector.stitching import Stitched
from collector.store.contracts import Known
from collector.upkeep.retention import Limits, Retained
from tests.scenes import Watch

Document: TypeAlias = dict[str, Any]


def plain(answer: Answer) -> Document:
    """*answer* as JSON values."""
    document: Document = msgspec.to_builtins(answer)
    return document


def fields(kind: type[Answer], document: Any) -> None:
    """Assert that *document* has exactly the fields of *kind*, with values of the promised types."""
    assert msgspec.to_builtins(msgspec.convert(document, kind)) == document


def sources(watch: Watch) -> Sources:
    """The sources that questions about *watch* are answered from; its live part runs without a thread.

    What is kept is what its tick knows of.
    """
    kept = Retained(since=watch.tick.kept_since, days=1, limits=Limits(14, 10**9, 90, 10**6))
    live = SimpleNamespace(
        snapshot=watch.snapshot,
        keying=watch.tick.keying,
        tick_s=0.0,
        replayed=threading.Event(),
        replay_share=0.5,
        expectations=0,
        decide=lambda decision: None,
        cut=lambda cut: _done(lambda: watch.tick.cut(cut)),
        remove=lambda doomed: _done(lambda: watch.tick.remove(doomed, watch.now)),
        restore=lambda ids, spans, *, unfinished: _done(
            lambda: _restore(watch, ids, spans, unfinished=unfinished)
        ),
    )
    nowhere = Otlp(grpc="", http="")
    return Sources(
        watch.spans,
        watch.flows,
        watch.stores.decisions,
        cast("LiveView", live),
        Counters(),
        DEFAULT_NAMING,
        nowhere,
        retained=lambda: kept,
        dismissals=watch.stores.dismissals,
        deletions=watch.stores.deletions,
    )


def _restore(watch: Watch, known: Mapping[str, Known], spans: pa.Table, *, unfinished: bool) -> None:
    """As the live part does it: between two ticks."""
    watch.tick.restore(known, spans, watch.now, unfinished=unfinished)
    watch.wait(1)


def _done(what: Callable[[], None]) -> Future[None]:
    what()
    done: Future[None] = Future()
    done.set_result(None)
    return done


def document(stitched: Stitched, *args: Any, **how: Any) -> Document:
    """The causal graph of *stitched*."""
    return plain(graphs.causal_graph(stitched, *args, **how))


def stuck(snapshot: Snapshot, *, late: bool = False, each: int | None = None) -> Document:
    """All that is stuck, on one page; with *each*, only the oldest *each* of every cohort."""
    every = queries.all_findings(snapshot, late=late)
    return plain(queries.page_of(every, Page(10**6), each=each, replayed=True, unlisted=None))
