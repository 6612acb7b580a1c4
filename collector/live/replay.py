"""The replay after a start: how does a process get back to the state in which the previous one ended?"""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pyarrow as pa

from collector.columns.keys import whole
from collector.live.tick import Tick
from collector.model.flows import State
from collector.model.wording import SECOND
from collector.store.contracts import Stores

_STEP = 50_000  # spans read at a time
_MOMENT_S = 1  # replayed at once: the length of a tick
_SILENCE_PART = 30  # ticks grow to this part of the silence so far: 15 minutes take 130 ticks
_REMEMBERED = 500_000  # evicted flows whose late spans are recognized
_UNFINISHED = 10_000  # stopped flows that a start restores


class Replay:
    """Replays into *tick* the last *seconds* that *stores* have, at most about *spans* spans.

    Spans are replayed in order of arrival, so that the same is learned. What was normal before that is
    learned from stored flows. Flows that had stopped are restored; flows that the store knows to be done are
    evicted again.
    """

    def __init__(self, tick: Tick, stores: Stores, seconds: float, spans: int) -> None:
        self._tick, self._spans, self._flows = tick, stores.spans, stores.flows
        self._seconds, self._most = seconds, spans

    def run(self, until: int, stop: threading.Event) -> None:
        """Replay up to *until*, in nanoseconds since the epoch; end early when *stop* is set."""
        tick = self._tick
        tick.refuse(self._flows.refused_keys())
        newest = self._spans.arrival_of_newest(1, 0) + 1
        since = max(newest - int(self._seconds * SECOND), 0)
        since = self._spans.arrival_of_newest(self._most, since)
        self._learn_from_store(since)
        tick.archive.replaying = True
        try:
            for moment in self._moments(since, stop):
                arrivals = moment["received_unix_nano"]
                self._replay_silence(min(arrivals[0].as_py(), until))
                tick.advance(moment, min(arrivals[-1].as_py(), until))
        finally:
            tick.archive.replaying = False
        self._restore_unfinished(until)
        tick.resume(newest)
        tick.advance(None, until)

    def _replay_silence(self, until: int) -> None:
        """Replay the idle gap in small ticks.

        In one large tick, a flow that stopped would come to rest together with the flows before it, and would
        teach before it could be judged by what they taught.
        """
        began = now = self._tick.snapshot.now or until
        while (now := now + max(_MOMENT_S * SECOND, (now - began) // _SILENCE_PART)) < until:
            self._tick.advance(None, now)

    def _learn_from_store(self, before: int) -> None:
        examples = self._flows.examples(before)
        traces = whole(examples["traces"]).flatten().unique().to_pylist()
        if traces:
            self._tick.teach(self._spans.spans_of(traces), examples["id"].to_pylist())
        self._tick.archive.remember_names(*self._flows.newest_names(before, _REMEMBERED))

    def _moments(self, since: int, stop: threading.Event) -> Iterator[pa.Table]:
        """The stored spans that arrived after *since*, a moment at a time; the next ones are read ahead."""
        with ThreadPoolExecutor(1, "replay") as reader:
            ahead = reader.submit(self._spans.spans_since, since, _STEP)
            while not stop.is_set() and (spans := ahead.result()).num_rows:
                since = spans["received_unix_nano"][-1].as_py()
                ahead = reader.submit(self._spans.spans_since, since, _STEP)
                yield from _moments(spans)

    def _restore_unfinished(self, now: int) -> None:
        """Restore flows that had stopped, and the beginnings of flows that began before the replay."""
        flows = self._tick.snapshot.flows
        ids = flows["id"].to_pylist()
        self._tick.release(self._flows.done_among(ids, int(State.DONE)) if ids else [])
        stopped = whole(self._flows.unfinished(limit=_UNFINISHED)["traces"]).flatten().unique()
        if len(stopped):
            self._tick.restore(self._spans.spans_of(stopped.to_pylist()), now, unfinished=True)
        begun = flows.filter(flows["incomplete"])
        traces = set(whole(begun["traces"]).flatten().to_pylist()) - set(stopped.to_pylist())
        if traces:
            self._tick.restore(self._spans.spans_of(traces), now, unfinished=False)


def _moments(spans: pa.Table) -> Iterator[pa.Table]:
    """*spans*, which are in order of arrival, a moment at a time."""
    moment = spans["received_unix_nano"].to_numpy() // np.uint64(_MOMENT_S * SECOND)
    first = np.flatnonzero(np.append(True, moment[1:] != moment[:-1]))
    for start, end in pairwise([*first.tolist(), spans.num_rows]):
        yield spans.slice(start, end - start)
