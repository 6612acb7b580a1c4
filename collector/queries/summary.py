"""The figures of the first page: how many flows are in which state, and how the collector is doing."""

import time

import numpy as np

from collector.columns.joins import Mask
from collector.live.snapshot import RECENT
from collector.model.answers import Kept as KeptSpans
from collector.model.answers import Learning, SpanCounts, Summary, Trouble
from collector.model.flows import State
from collector.model.wording import SECOND
from collector.queries.remnants import kept_sentence
from collector.queries.sources import Sources
from collector.queries.stopped import UNLISTED
from collector.queries.stuck import entries_of
from collector.upkeep.retention import Retained


def summary(sources: Sources, counts: dict[str, int], hidden: Mask) -> Summary:
    """The current summary; *counts* has how many flows are in each state, dismissed and unlisted.

    *hidden* marks the flows of the snapshot that are dismissed.
    """
    live, now = sources.live, sources.clock()
    snapshot = live.snapshot
    senders = time.time_ns()  # a flow ends by the clocks of its services
    minute = senders - 60 * SECOND
    ended = np.asarray(snapshot.flows["last"].to_numpy())[snapshot.state == State.DONE]
    seconds = snapshot.done.after(senders - RECENT)
    states = {word: count for word, count in counts.items() if word != UNLISTED}
    states["done"] += len(seconds)
    per_minute = len(snapshot.done.after(minute)) + int((ended > minute).sum())
    past = entries_of(snapshot, late=False, hidden=hidden)
    oldest = (now - int(snapshot.owed.since[past].min())) / SECOND if len(past) else None
    return Summary(
        now_unix_nano=now,
        tick_unix_nano=snapshot.now,
        tick_s=live.tick_s,
        replayed=live.replayed.is_set(),
        replay_share=live.replay_share,
        states=states,
        done_per_minute=float(per_minute),
        p95_s=_rounded(float(np.percentile(seconds, 95)) if len(seconds) else None),
        oldest_stuck_s=_rounded(oldest),
        spans=SpanCounts(**sources.counters.spans()),
        otlp=sources.addresses,
        learning=Learning(flows=snapshot.learned, expectations=live.expectations),
        kept=_kept(sources.retained(), counts[UNLISTED]),
        troubles=[
            Trouble(kind=one.kind, text=one.text, since_unix_nano=one.since, refuses=one.refuses)
            for one in sources.troubles.now()
        ],
    )


def _kept(retained: Retained, unlisted: int) -> KeptSpans:
    return KeptSpans(
        oldest_unix_nano=retained.since if retained.days else None,
        days=retained.days,
        bytes=retained.bytes,
        limit_days=retained.limits.days,
        limit_bytes=retained.limits.bytes,
        limit_flow_days=retained.limits.flow_days,
        unlisted=unlisted,
        sentence=kept_sentence(retained),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
