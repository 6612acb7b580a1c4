"""The figures of the first page: how many flows are in which state, and how the collector is doing."""

import time

import numpy as np

from collector.live.snapshot import RECENT
from collector.model.answers import Kept as KeptSpans
from collector.model.answers import Learning, SpanCounts, Summary, Trouble
from collector.model.flows import State
from collector.model.wording import SECOND
from collector.queries.kept import Kept
from collector.queries.remnants import kept_sentence
from collector.queries.sources import Sources
from collector.queries.stopped import Stopped, stopped_elsewhere
from collector.queries.stuck import entries_of
from collector.upkeep.retention import Retained

COUNTED_FOR_S = 5.0  # counting takes longer with every stored flow


def summary(sources: Sources, counted: Kept[Stopped]) -> Summary:
    """The current summary; *counted* caches how many stopped flows are only in the store."""
    live, now = sources.live, sources.clock()
    snapshot = live.snapshot
    senders = time.time_ns()  # a flow ends by the clocks of its services
    minute = senders - 60 * SECOND
    counts = np.bincount(snapshot.state, minlength=len(State))
    ended = np.asarray(snapshot.flows["last"].to_numpy())[snapshot.state == State.DONE]
    seconds = snapshot.done.after(senders - RECENT)
    stopped = counted.get(None, lambda: stopped_elsewhere(sources, counted.last))
    for state, count in stopped.states.items():
        counts[state] += count
    states: dict[str, int] = {state.word: int(counts[state]) for state in State}
    states["done"] += len(seconds)
    per_minute = len(snapshot.done.after(minute)) + int((ended > minute).sum())
    past = entries_of(snapshot, late=False)
    oldest = (now - int(snapshot.owed.since[past].min())) / SECOND if len(past) else None
    return Summary(
        now_unix_nano=now,
        tick_unix_nano=snapshot.now,
        tick_s=live.tick_s,
        replayed=live.replayed.is_set(),
        states=states,
        done_per_minute=float(per_minute),
        p95_s=_rounded(float(np.percentile(seconds, 95)) if len(seconds) else None),
        oldest_stuck_s=_rounded(oldest),
        spans=SpanCounts(**sources.counters.spans()),
        otlp=sources.addresses,
        learning=Learning(flows=snapshot.learned, expectations=live.expectations),
        kept=_kept(sources.retained(), stopped),
        troubles=[
            Trouble(kind=one.kind, text=one.text, since_unix_nano=one.since, refuses=one.refuses)
            for one in sources.troubles.now()
        ],
    )


def _kept(retained: Retained, stopped: Stopped) -> KeptSpans:
    return KeptSpans(
        oldest_unix_nano=retained.since if retained.days else None,
        days=retained.days,
        bytes=retained.bytes,
        limit_days=retained.limits.days,
        limit_bytes=retained.limits.bytes,
        limit_flow_days=retained.limits.flow_days,
        unlisted=stopped.unlisted,
        sentence=kept_sentence(retained),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
