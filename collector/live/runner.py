"""The live part's thread: a replay after the start, then a tick every second."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Protocol

import pyarrow as pa

from collector.conventions import DEFAULT_NAMING, Naming
from collector.diagnosis import Habits
from collector.diagnosis.declared import Declared
from collector.live.cuts import Cut
from collector.live.replay import Replay
from collector.live.snapshot import EMPTY, Snapshot
from collector.live.tick import Pacing, Tick
from collector.model.decisions import Decision
from collector.model.deletions import Doomed
from collector.stitching import BELIEVED, Keying
from collector.store.contracts import Known, StoreError, Stores

log = logging.getLogger(__name__)

_TICK_SPANS = 80_000  # per tick: more would take longer per span, and need memory all at once


class Declaring(Protocol):
    """Where declared expectations come from."""

    def current(self) -> Declared:
        """What is declared now; the same object until that changes."""

    def check(self, now: int) -> None:
        """Look whether it has changed, at *now* (nanoseconds). Never raises."""


class Live:
    """What the collector knows about unfinished flows. `feed` and `snapshot` may be used from any thread."""

    def __init__(
        self,
        stores: Stores,
        *,
        naming: Naming = DEFAULT_NAMING,
        keying: Keying = BELIEVED,
        habits: Habits | None = None,
        pacing: Pacing | None = None,
        declared: Declaring | None = None,
        replay_s: float = 900.0,
        replay_spans: int = 100_000,
        tick_s: float = 1.0,
        clock: Callable[[], int] = time.time_ns,
        kept_since: Callable[[], int] = lambda: 0,
    ) -> None:
        """*clock* must be the one by which spans are received, and never go back.

        *kept_since* tells when the oldest span that is kept was received, in nanoseconds.
        """
        self.tick_s = tick_s
        self._clock = clock
        self.replayed = threading.Event()
        self._tick = Tick(
            stores.flows, naming=naming, keying=keying, habits=habits or Habits(), pacing=pacing or Pacing()
        )
        self._replay = Replay(self._tick, stores, replay_s, replay_spans, clock)
        self._declared = declared
        self._kept_since = kept_since
        self._waiting: deque[pa.Table] = deque()
        self._decided: list[Decision] = []
        self._began: float | None = None  # when the current tick began, by the monotonic clock
        self._told: list[tuple[Callable[[Tick], None], Future[None]]] = []
        self._behind = False  # more is waiting than a tick takes
        self._lock = threading.Lock()
        self._stop, self._wake = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="live", daemon=True)

    @property
    def snapshot(self) -> Snapshot:
        """What was known at the last tick; empty during the replay."""
        return self._tick.snapshot if self.replayed.is_set() else EMPTY

    @property
    def replay_share(self) -> float:
        """How much of what was stored before was replayed, from 0 to 1."""
        return 1.0 if self.replayed.is_set() else self._replay.share

    @property
    def keying(self) -> Keying:
        """Which flow keys are believed at present."""
        return self._tick.keying

    @property
    def expectations(self) -> int:
        """How many steps are expected at present."""
        expected = self.snapshot.expected
        return len(expected.steps) if expected else 0

    def feed(self, spans: pa.Table) -> None:
        """Queue *spans* (SPANS), which are already stored, for the next tick."""
        with self._lock:
            self._waiting.append(spans)

    def decide(self, decision: Decision) -> None:
        """Apply a person's *decision*, which is already stored, from the next tick on."""
        with self._lock:
            self._decided.append(decision)

    def cut(self, cut: Cut) -> Future[None]:
        """Excuse from the next tick on what *cut* may have taken."""
        return self._tell(lambda tick: tick.cut(cut))

    def remove(self, doomed: Doomed) -> Future[None]:
        """Forget the spans of *doomed*, which the store has no more."""

        def removed(tick: Tick) -> None:
            with self._lock:
                rest = [spans.filter(pa.array(~doomed.among(spans))) for spans in self._waiting]
                self._waiting = deque(spans for spans in rest if spans.num_rows)
            tick.remove(doomed, self._clock())

        return self._tell(removed)

    def restore(self, known: Mapping[str, Known], spans: pa.Table, *, unfinished: bool) -> Future[None]:
        """Take in again the stored flows that are *known*, as their *spans* (SPANS) are now.

        They are written anew when they are at rest.
        """
        return self._tell(lambda tick: tick.restore(known, spans, self._clock(), unfinished=unfinished))

    def _tell(self, what: Callable[[Tick], None]) -> Future[None]:
        done: Future[None] = Future()
        with self._lock:
            self._told.append((what, done))
        self._wake.set()
        return done

    def behind(self) -> bool:
        """Whether spans should come more slowly, because so many are waiting, and take memory."""
        with self._lock:
            return 2 * sum(map(len, self._waiting)) > 3 * _TICK_SPANS

    def is_alive(self) -> bool:
        """Whether its thread runs, or was told to stop."""
        return self._stop.is_set() or self._thread.ident is None or self._thread.is_alive()

    def quiet_s(self) -> float:
        """For how long it has been at the same tick, in seconds; 0 between two, and before the first."""
        began = self._began
        return 0.0 if began is None else time.monotonic() - began

    def start(self) -> None:
        """Start to tick, after a replay of the last minutes that the store has."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the current tick. Nothing is lost: the store has everything."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        began = time.monotonic()
        self._expect()
        try:
            self._replay.run(self._clock(), self._stop)
        except BaseException:  # a panic of compiled code is not an Exception: it would end this thread unseen
            log.exception("The replay of stored spans failed; unfinished flows of before are not watched")
        self.replayed.set()
        while not self._stopped_after(self._pause(began)):
            self._began = began = time.monotonic()
            try:
                self._expect()
                self._carry_out()
                spans = self._taken()
                self._tick.advance(spans, self._clock(), more=self._behind)
            except StoreError as error:
                log.warning("%s. What waits for it is done at a later tick.", error)
            except BaseException:
                log.exception("A tick failed; its spans are in the store and come back with a restart")
            self._began = None

    def _expect(self) -> None:
        """Apply what people said and wrote, and what was dropped, since the last tick."""
        self._tick.kept_since = self._kept_since()
        with self._lock:
            decided, self._decided = self._decided, []
        for decision in decided:
            self._tick.decide(decision)
        if self._declared is not None:
            self._declared.check(self._clock())
            self._tick.declare(self._declared.current())

    def _carry_out(self) -> None:
        """Do what deletions ask for."""
        with self._lock:
            told, self._told = self._told, []
        for what, done in told:
            try:
                what(self._tick)
                done.set_result(None)
            except Exception as error:
                log.exception("A part of a deletion failed; a restart does it again")
                done.set_exception(error)

    def _pause(self, began: float) -> float:
        """How long to wait before the next tick, if the last one started at *began*.

        By the monotonic clock: the wall clock may be set back by an hour meanwhile.
        """
        return 0.0 if self._behind else max(self.tick_s - (time.monotonic() - began), 0.0)

    def _stopped_after(self, seconds: float) -> bool:
        """Wait for so long, or until something is to be carried out; whether to stop."""
        self._wake.wait(seconds)
        self._wake.clear()
        return self._stop.is_set()

    def _taken(self) -> pa.Table | None:
        """The spans that have been waiting longest, about as many as a tick takes; None if none are."""
        taken: list[pa.Table] = []
        with self._lock:
            while self._waiting and sum(map(len, taken)) < _TICK_SPANS:
                taken.append(self._waiting.popleft())
            self._behind = bool(self._waiting)
        return pa.concat_tables(taken) if taken else None
