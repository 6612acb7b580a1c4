"""The live part's thread: a tick a second, and the replay that rebuilds its memory after a start."""

import logging
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pyarrow as pa

from collector.conventions import DEFAULT_NAMING, Naming
from collector.diagnosis import Habits, State
from collector.keys import whole
from collector.live.snapshot import EMPTY, Snapshot
from collector.live.tick import SECOND, Pacing, Tick
from collector.stitching import BELIEVED, Keying
from collector.store import SpanStore, StoreError
from collector.store.flows import FlowStore

log = logging.getLogger(__name__)

_TICK_SPANS = 80_000  # at most taken in at once: more take longer a span, and need memory all at once
_REPLAY_STEP = 50_000  # spans at a time
_REPLAY_MOMENT_S = 1  # lived through at once, as a tick does
_SILENCE_PART = 30  # of a long silence, so much is lived through at once: 15 minutes are 130 ticks
_REMEMBERED = 500_000  # flows of which a late span is known to be one
_UNFINISHED = 10_000  # flows that had stopped, brought back by a start


class Live:
    """What the collector knows of unfinished flows. `feed` and `snapshot` may be used from any thread."""

    def __init__(
        self,
        spans: SpanStore,
        flows: FlowStore,
        *,
        naming: Naming = DEFAULT_NAMING,
        keying: Keying = BELIEVED,
        habits: Habits | None = None,
        pacing: Pacing | None = None,
        replay_s: float = 900.0,
        replay_spans: int = 100_000,
        tick_s: float = 1.0,
    ) -> None:
        self.tick_s = tick_s
        self.replayed = threading.Event()
        self._spans, self._flows = spans, flows
        self._tick = Tick(
            flows, naming=naming, keying=keying, habits=habits or Habits(), pacing=pacing or Pacing()
        )
        self._replay_s, self._replay_spans = replay_s, replay_spans
        self._waiting: deque[pa.Table] = deque()
        self._behind = False  # more waits than a tick takes
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="live", daemon=True)

    @property
    def snapshot(self) -> Snapshot:
        """What was known at the last tick; nothing while the past is lived again."""
        return self._tick.snapshot if self.replayed.is_set() else EMPTY

    @property
    def keying(self) -> Keying:
        """Which flow keys are believed by now."""
        return self._tick.keying

    @property
    def expectations(self) -> int:
        """How many steps are expected by now."""
        expected = self.snapshot.expected
        return len(expected.steps) if expected else 0

    def feed(self, spans: pa.Table) -> None:
        """Take in *spans* (SPANS), which are stored already, at the next tick."""
        with self._lock:
            self._waiting.append(spans)

    def behind(self) -> bool:
        """Whether so much waits that spans had better come more slowly: what waits takes memory."""
        with self._lock:
            return 2 * sum(map(len, self._waiting)) > 3 * _TICK_SPANS

    def start(self) -> None:
        """Begin to tick, after a replay of what the store holds of the last minutes."""
        self._thread.start()

    def stop(self) -> None:
        """End after the tick under way. Nothing is lost: the store has it all."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        started = time.time_ns()
        try:
            self._replay(started)
        except BaseException:  # a panic of compiled code is no Exception, and would end this thread unseen
            log.exception("The replay of stored spans failed; unfinished flows of before are not watched")
        self.replayed.set()
        while not self._stop.wait(self._pause(started)):
            started = time.time_ns()
            try:
                self._tick.advance(self._taken(), started)
            except StoreError as error:
                log.warning("%s. What waits for it is done at a later tick.", error)
            except BaseException:
                log.exception("A tick failed; its spans are in the store and come back with a restart")

    def _pause(self, started: int) -> float:
        """How long to wait for the next tick, which has to be a while after one that *started* then."""
        return 0.0 if self._behind else max(self.tick_s - (time.time_ns() - started) / SECOND, 0.0)

    def _taken(self) -> pa.Table | None:
        """What came first of all that waits, about as much as a tick takes."""
        taken: list[pa.Table] = []
        with self._lock:
            while self._waiting and sum(map(len, taken)) < _TICK_SPANS:
                taken.append(self._waiting.popleft())
            self._behind = bool(self._waiting)
        return pa.concat_tables(taken) if taken else None

    def _replay(self, until: int) -> None:
        """Become what the process before was when it ended.

        The last minutes before that are lived again, in the order in which the spans came, so that the
        same is learned. What is older and still normal is learned from flows that the store has; what
        had stopped before comes back; and of what is done by the store's word nothing more is said.
        """
        self._tick.refuse(self._flows.refused_keys())
        newest = self._spans.arrival_of_newest(1, 0) + 1
        since = max(newest - int(self._replay_s * SECOND), 0)
        since = self._spans.arrival_of_newest(self._replay_spans, since)
        self._learn_from_store(since)
        self._tick.archive.rehearse = True
        try:
            for moment in self._moments(since):
                arrivals = moment["received_unix_nano"]
                self._live_silence(min(arrivals[0].as_py(), until))
                self._tick.advance(moment, min(arrivals[-1].as_py(), until))
        finally:
            self._tick.archive.rehearse = False
        self._bring_unfinished(until)
        self._tick.resume(newest)
        self._tick.advance(None, until)

    def _live_silence(self, until: int) -> None:
        """Tick until then as it was ticked then, with nothing coming in.

        In one step, flows that stopped would come to rest together with those before them, and teach
        before they could be judged by what these taught.
        """
        began = now = self._tick.snapshot.now or until
        while (now := now + max(_REPLAY_MOMENT_S * SECOND, (now - began) // _SILENCE_PART)) < until:
            self._tick.advance(None, now)

    def _learn_from_store(self, before: int) -> None:
        examples = self._flows.examples(before)
        traces = whole(examples["traces"]).flatten().unique().to_pylist()
        if traces:
            self._tick.teach(self._spans.spans_of(traces), examples["id"].to_pylist())
        self._tick.archive.remember_names(*self._flows.newest_names(before, _REMEMBERED))

    def _moments(self, since: int) -> Iterator[pa.Table]:
        """The stored spans that came after *since*, a moment at a time; the next are read meanwhile."""
        with ThreadPoolExecutor(1, "replay") as reader:
            ahead = reader.submit(self._spans.spans_since, since, _REPLAY_STEP)
            while not self._stop.is_set() and (spans := ahead.result()).num_rows:
                since = spans["received_unix_nano"][-1].as_py()
                ahead = reader.submit(self._spans.spans_since, since, _REPLAY_STEP)
                yield from _moments(spans)

    def _bring_unfinished(self, now: int) -> None:
        """Bring back what had stopped, and the beginnings of flows that began before the replay did."""
        flows = self._tick.snapshot.flows
        ids = flows["id"].to_pylist()
        self._tick.let_go(self._flows.done_among(ids, int(State.DONE)) if ids else [])
        stopped = whole(self._flows.unfinished(limit=_UNFINISHED)["traces"]).flatten().unique()
        if len(stopped):
            self._tick.bring(self._spans.spans_of(stopped.to_pylist()), now, unfinished=True)
        begun = flows.filter(flows["incomplete"])
        traces = set(whole(begun["traces"]).flatten().to_pylist()) - set(stopped.to_pylist())
        if traces:
            self._tick.bring(self._spans.spans_of(traces), now, unfinished=False)


def _moments(spans: pa.Table) -> Iterator[pa.Table]:
    """*spans*, which are in the order of their arrival, a moment at a time."""
    moment = spans["received_unix_nano"].to_numpy() // np.uint64(_REPLAY_MOMENT_S * SECOND)
    first = np.flatnonzero(np.append(True, moment[1:] != moment[:-1]))
    for start, end in pairwise([*first.tolist(), spans.num_rows]):
        yield spans.slice(start, end - start)
