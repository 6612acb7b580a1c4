"""The replay after a start: how does a process get back to the state in which the previous one ended?"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import ParamSpec, TypeVar

import numpy as np
import pyarrow as pa

from collector.columns.keys import whole
from collector.live.cuts import MOST_CUT, cut_of
from collector.live.listening import pauses
from collector.live.tick import Tick
from collector.model.flows import State
from collector.model.wording import SECOND
from collector.store.contracts import Known, StoreError, Stores

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

_STEP = 50_000  # spans read at a time
_MOMENT_S = 1  # replayed at once: the length of a tick
_SILENCE_PART = 30  # ticks grow to this part of the silence so far: 15 minutes take 130 ticks
_REMEMBERED = 500_000  # evicted flows whose late spans are recognized
_WAYS = 10_000  # sets of names that occur in one flow
_UNFINISHED = 10_000  # stopped flows that a start restores
_STRETCHES = 8  # in which earlier processes listened: of pauses before that nothing is replayed
_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0  # before a read that failed is tried again


class _StoppedError(Exception):
    """The process stops before the replay has ended."""


class Replay:
    """Replays into *tick* the last *seconds* that *stores* have, at most about *spans* spans.

    Spans are replayed in order of arrival, so that the same is learned. What was normal before that is
    learned from stored flows. Flows that had stopped are restored; flows that the store knows to be done are
    evicted again. What *clock* has not come to yet was received while the clock was wrong: it is left out, or
    it would hide the rest.
    """

    def __init__(
        self,
        tick: Tick,
        stores: Stores,
        seconds: float,
        spans: int,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._tick, self._spans, self._flows = tick, stores.spans, stores.flows
        self._decisions, self._deletions = stores.decisions, stores.deletions
        self._seconds, self._most, self._clock = seconds, spans, clock
        self._stop = threading.Event()
        self._failure = ""  # of the last tick
        self.share = 0.0  # of the time that is replayed, how much was

    def run(self, until: int, stop: threading.Event) -> None:
        """Replay up to *until*, in nanoseconds since the epoch; end early when *stop* is set.

        If the store fails meanwhile, a read is tried again until it succeeds, so nothing is skipped.
        """
        self._stop = stop
        try:
            self._replay(until)
        except _StoppedError:
            log.warning("The replay of stored spans was stopped; a restart begins it again")

    def _replay(self, until: int) -> None:
        tick = self._tick
        tick.refuse(self._read(self._flows.refused_keys))
        for decision in self._read(self._decisions.all):
            tick.decide(decision)
        for deletion in {
            one.deletion.id: one.deletion for one in self._read(self._deletions.records)
        }.values():
            tick.cut(cut_of(deletion, self._read(self._deletions.cut_traces, deletion.id, MOST_CUT)))
        newest = self._read(self._spans.arrival_of_newest, 1, 0, self._clock()) + 1
        silent = pauses(self._read(self._flows.listened, _STRETCHES), until)
        since = max(newest - int(self._seconds * SECOND), 0)
        since = self._read(self._spans.arrival_of_newest, self._most, since, self._clock())
        self._learn_from_store(since)
        tick.archive.replaying, heard = True, since
        try:
            for moment in self._moments(since):
                first, last = (
                    moment["received_unix_nano"][0].as_py(),
                    moment["received_unix_nano"][-1].as_py(),
                )
                self._pause(silent, heard, last)
                heard = last
                self._replay_silence(min(first, until))
                self._advance(moment, min(last, until))
                self.share = min(max((last - since) / max(newest - since, 1), 0.0), 0.99)
            if newest > 1:  # an empty store has missed nothing
                self._pause(silent, heard, until)
        finally:
            tick.archive.replaying = False
        self._restore_unfinished(until)
        self._advance(None, until)
        tick.listening.begin(until)

    def _pause(self, silent: list[tuple[int, int]], heard: int, now: int) -> None:
        """Note those of the *silent* times that ended by *now*; what came before that came by *heard*."""
        while silent and silent[0][1] <= now:
            begin, end = silent.pop(0)
            if (begin := max(begin, heard)) < end:
                self._replay_silence(begin)
                self._tick.listening.pause(begin, end)

    def _read(self, ask: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the store answers, however often it fails first."""
        pause = _PAUSE_S
        while not self._stop.is_set():
            try:
                return ask(*args, **kwargs)
            except StoreError as error:
                log.warning("%s. The replay of stored spans tries again in %.1f s.", error, pause)
            self._stop.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)
        raise _StoppedError

    def _advance(self, spans: pa.Table | None, now: int) -> None:
        """Tick. What the store cannot take is kept, and done at a later tick."""
        if self._stop.is_set():
            raise _StoppedError
        failure = ""
        try:
            self._tick.advance(spans, now)
        except StoreError as error:
            failure = str(error)
        if failure and failure != self._failure:  # hundreds of ticks may fail alike
            log.warning("%s. What waits for it is done at a later tick.", failure)
        self._failure = failure

    def _replay_silence(self, until: int) -> None:
        """Replay the idle gap in small ticks.

        In one large tick, a flow that stopped would come to rest together with the flows before it, and would
        teach before it could be judged by what they taught.
        """
        began = now = self._tick.snapshot.now or until
        while (now := now + max(_MOMENT_S * SECOND, (now - began) // _SILENCE_PART)) < until:
            self._advance(None, now)

    def _learn_from_store(self, before: int) -> None:
        # Of a flow that was cut, what is left would teach that the rest need not happen.
        examples = self._read(self._flows.examples, before, begun_since=self._tick.kept_since)
        traces = whole(examples["traces"]).flatten().unique().to_pylist()
        if traces:
            self._tick.teach(self._read(self._spans.spans_of, traces), examples["id"].to_pylist())
            self._tick.learner.was_there(self._read(self._flows.together, _WAYS))
        aside = self._read(self._flows.set_aside, _UNFINISHED)
        self._tick.archive.remember_aside(whole(aside["id"]), whole(aside["traces"]).flatten())
        flow_keys, trace_ids = self._read(self._flows.newest_names, before, _REMEMBERED)
        self._tick.archive.remember_names(flow_keys, trace_ids)
        if len(flow_keys) == _REMEMBERED:
            self._tick.crowding.exceeded(
                "flows remembered",
                1,
                before,
                f"Only the newest {_REMEMBERED:,} stored flows were remembered at the start: late spans of"
                " older ones become flows of their own.",
            )

    def _moments(self, since: int) -> Iterator[pa.Table]:
        """The stored spans that arrived after *since*, a moment at a time; the next ones are read ahead."""
        with ThreadPoolExecutor(1, "replay") as reader:
            ahead = reader.submit(self._read, self._spans.spans_since, since, _STEP)
            while (spans := _until(ahead.result(), self._clock())).num_rows:
                since = spans["received_unix_nano"][-1].as_py()
                ahead = reader.submit(self._read, self._spans.spans_since, since, _STEP)
                yield from _moments(spans)

    def _restore_unfinished(self, now: int) -> None:
        """Restore flows that had stopped, and the beginnings of flows that began before the replay."""
        flows = self._tick.snapshot.flows
        ids = flows["id"].to_pylist()
        self._tick.release(self._read(self._flows.done_among, ids, int(State.DONE)) if ids else [], now)
        stored = self._read(self._flows.unfinished, limit=_UNFINISHED)
        if stored.num_rows == _UNFINISHED:
            self._tick.crowding.exceeded(
                "flows restored",
                1,
                now,
                f"Only the newest {_UNFINISHED:,} stopped flows were restored at the start. Those before them"
                " are in the lists as they were stored, without their causes, until more of them arrives.",
            )
        stopped = whole(stored["traces"]).flatten().unique()
        if len(stopped):
            spans = self._read(self._spans.spans_of, stopped.to_pylist())
            left = set(spans["trace_id"].unique().to_pylist())
            known = {name: one for name, one in _known(stored).items() if not left.isdisjoint(one.traces)}
            self._tick.restore(known, spans, now, unfinished=True)
        begun = flows.filter(flows["incomplete"])
        traces = set(whole(begun["traces"]).flatten().to_pylist()) - set(stopped.to_pylist())
        if traces:
            some = pa.array(sorted(traces), pa.binary(16))
            known, spans = self._read(self._flows.fetch, some, begun["key"].drop_null().unique())
            self._tick.restore(known, spans, now, unfinished=False)


def _known(stored: pa.Table) -> dict[str, Known]:
    columns = (stored[name].to_pylist() for name in ("id", "begun", "traces", "received"))
    rows = zip(*columns, strict=True)
    return {name: Known(begun, frozenset(traces), received) for name, begun, traces, received in rows}


def _until(spans: pa.Table, now: int) -> pa.Table:
    """*spans*, which are in order of arrival, without those that were received after *now*."""
    arrived = spans["received_unix_nano"].to_numpy()
    return spans.slice(0, int(np.searchsorted(arrived, np.uint64(now), side="right")))


def _moments(spans: pa.Table) -> Iterator[pa.Table]:
    """*spans*, which are in order of arrival, a moment at a time."""
    moment = spans["received_unix_nano"].to_numpy() // np.uint64(_MOMENT_S * SECOND)
    first = np.flatnonzero(np.append(True, moment[1:] != moment[:-1]))
    for start, end in pairwise([*first.tolist(), spans.num_rows]):
        yield spans.slice(start, end - start)
