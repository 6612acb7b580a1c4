"""The figures of the first page: how many flows are in which state, and how the collector is doing."""

import time

import numpy as np

from collector.columns.joins import Mask
from collector.live.snapshot import RECENT
from collector.model.answers import Learning, SpanCounts, Summary, Trouble
from collector.model.flows import State
from collector.model.wording import SECOND
from collector.queries.sources import Sources
from collector.queries.stuck import entries_of


def summary(sources: Sources, counts: dict[str, int], hidden: Mask) -> Summary:
    """The current summary; *counts* has how many flows there are in each state, and how many are dismissed.

    *hidden* marks the flows of the snapshot that are dismissed.
    """
    live, now = sources.live, time.time_ns()
    snapshot = live.snapshot
    minute = now - 60 * SECOND
    ended = np.asarray(snapshot.flows["last"].to_numpy())[snapshot.state == State.DONE]
    seconds = snapshot.done.after(now - RECENT)
    states = {**counts, "done": counts["done"] + len(seconds)}
    per_minute = len(snapshot.done.after(minute)) + int((ended > minute).sum())
    past = entries_of(snapshot, late=False, hidden=hidden)
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
        troubles=[
            Trouble(kind=one.kind, text=one.text, since_unix_nano=one.since, refuses=one.refuses)
            for one in sources.troubles.now()
        ],
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
