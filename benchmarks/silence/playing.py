"""Plays a run on virtual time: the real tick gets what has arrived, and what it says is kept."""

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from benchmarks.silence.faults import Stop
from benchmarks.silence.simulated_store import simulated_stores
from benchmarks.silence.tabled import KEY, SECOND, nanoseconds
from collector.conventions import Naming
from collector.diagnosis import Habits
from collector.diagnosis.standing import Drop
from collector.live.replay import Replay
from collector.live.snapshot import Snapshot
from collector.live.tick import Pacing, Tick
from collector.model.answers import Finding
from collector.model.decisions import Decision
from collector.model.flows import State
from collector.queries.stuck import all_findings

_EXPLAINED = 150  # more flows than this that are stuck are not explained at each tick
_SELDOM = 10
_SOON = (1.0, 4.0, 8.0, 16.0, 60.0, 600.0)  # seconds after something is due


@dataclass(frozen=True, kw_only=True)
class Timing:
    """When a run ticks. A night of a tick a second would take minutes."""

    ends: float
    coarse_until: float = 0.0  # until then seldom: nothing happens that has to be noticed
    coarse: float = 2.0
    least: float = 1.0  # between two ticks
    busy: float = 15.0  # a tick a second for so long after something arrived,
    part: float = 1 / 10  # and then after this part of the silence so far,
    longest: float = 9.0  # but never longer apart
    due: Sequence[float] = ()  # when something should be found: there are ticks soon after


@dataclass
class Dropped:
    """A share that fell, since it was first said at that time."""

    at: float
    newest: Drop
    flows: set[str] = field(default_factory=set)  # that were named at any time


@dataclass
class Seen:
    """What the collector said of the flows of a run. Times are seconds since the run began."""

    stuck: dict[str, float] = field(default_factory=dict)  # when each flow first was
    late: set[str] = field(default_factory=set)
    done: dict[str, float] = field(default_factory=dict)
    found: dict[str, list[Finding]] = field(default_factory=dict)  # the newest findings of each
    final: dict[str, int] = field(default_factory=dict)  # State of each flow at the end
    drops: dict[tuple[str, str, str | None, str | None], Dropped] = field(default_factory=dict)
    flips: int = 0  # how often a finding changed its cause
    ticks: int = 0


class Unable(Exception):  # noqa: N818  # nothing is wrong: today's code lacks what a scene is about
    """This collector cannot do what the run needs."""


class Player:
    """One collector, with its stores, over one run."""

    def __init__(
        self,
        spans: pa.Table,
        stops: Sequence[Stop],
        decisions: Sequence[tuple[float, Decision]],
        timing: Timing,
    ) -> None:
        self.seen = Seen()
        self._spans, self._stops, self._timing = spans, sorted(stops, key=lambda stop: stop.begin), timing
        self._decisions = sorted(decisions, key=lambda one: one[0])
        self._decided = 0
        self._arrivals = spans["received_unix_nano"].to_numpy().astype(np.int64)
        self._stores, self._flows = simulated_stores()
        self._tick = self._started()
        self._written = self._ticked = 0  # rows
        self._causes: dict[tuple[str, str, str], str] = {}
        self._shuffling = np.random.default_rng(spans.num_rows)

    def play(self) -> Seen:
        """Play all of it."""
        stops = list(self._stops)
        for now in self._moments():
            if stops and now >= stops[0].begin:
                self._restart(stops.pop(0))
            self._advance(now)
        self.seen.final = self._flows.states() | _states(self._tick.snapshot)
        self._explain(self._tick.snapshot)
        return self.seen

    def _started(self) -> Tick:
        timing = self._timing
        pacing = Pacing(pause_s=max(Pacing.pause_s, 1.2 * timing.longest))
        return Tick(self._stores.flows, naming=Naming(flow_key=(KEY,)), habits=Habits(), pacing=pacing)

    def _moments(self) -> Iterator[float]:
        """The times of ticks; those within a stop of the collector are left out."""
        timing, arrivals = self._timing, (self._arrivals - nanoseconds(0)) / SECOND
        due = np.unique([at + soon for at in timing.due for soon in _SOON])
        now = 1.0
        while now < timing.ends:
            stop = next((stop for stop in self._stops if stop.begin <= now < stop.end + stop.replays), None)
            if stop is not None:
                now = stop.end + stop.replays
            yield now
            place = int(np.searchsorted(arrivals, now, side="right"))
            silence = now - (arrivals[place - 1] if place else 0.0)
            pause = max(timing.coarse if now < timing.coarse_until else 1.0, timing.least)
            if silence > timing.busy:
                pause = max(pause, min(silence * timing.part, timing.longest))
                upcoming = arrivals[place] if place < len(arrivals) else timing.ends
                after = due[np.searchsorted(due, now + timing.least) :]
                upcoming = min([upcoming, *after[:1].tolist()])
                pause = max(min(pause, np.ceil(upcoming - now)), timing.least)
            now += float(pause)
        yield timing.ends

    def _restart(self, stop: Stop) -> None:
        """Replace the collector by one that replays what the store has, and what arrives meanwhile."""
        self._write(stop.begin)
        self._ticked = self._written
        self._tick = self._started()
        self._decided = 0
        self._decide(stop.end)
        self._write(stop.end + stop.replays)
        self._flows.now = nanoseconds(stop.end)
        Replay(self._tick, self._stores, 900.0, 100_000).run(nanoseconds(stop.end), threading.Event())
        self._note(stop.end, self._tick.snapshot)

    def _advance(self, now: float) -> None:
        self._decide(now)
        self._write(now)
        self._flows.now = nanoseconds(now)
        new = self._spans.slice(self._ticked, self._written - self._ticked)
        self._ticked = self._written
        if new.num_rows:
            new = new.take(pa.array(self._shuffling.permutation(new.num_rows)))
        self._note(now, self._tick.advance(new if new.num_rows else None, nanoseconds(now)))

    def _write(self, now: float) -> None:
        until = int(np.searchsorted(self._arrivals, nanoseconds(now), side="right"))
        if until > self._written:
            self._stores.spans.write(self._spans.slice(self._written, until - self._written))
            self._written = until

    def _decide(self, now: float) -> None:
        while self._decided < len(self._decisions) and self._decisions[self._decided][0] <= now:
            decide = getattr(self._tick, "decide", None)
            if decide is None:
                raise Unable("A tick takes no decisions.")
            decide(self._decisions[self._decided][1])
            self._decided += 1

    def _note(self, now: float, snapshot: Snapshot) -> None:
        seen = self.seen
        seen.ticks += 1
        for state, names in _by_state(snapshot).items():
            if state >= State.STUCK:
                for name in names:
                    seen.stuck.setdefault(name, now)
            elif state == State.LATE:
                seen.late.update(names)
        for drop in snapshot.standings.drops:
            what = drop.kind, drop.event_type, drop.service, drop.missing
            told = seen.drops.setdefault(what, Dropped(now, drop))
            told.newest = drop
            told.flows.update(drop.flows)
        if len(seen.stuck) <= _EXPLAINED or seen.ticks % _SELDOM == 0:
            self._explain(snapshot)

    def _explain(self, snapshot: Snapshot) -> None:
        """Keep the findings of this moment, and count those whose cause is another one than before."""
        found: dict[str, list[Finding]] = {}
        for finding in all_findings(snapshot).found:
            found.setdefault(finding.flow, []).append(finding)
            what = finding.flow, finding.missing.service, finding.stopped_at.event_type
            self.seen.flips += self._causes.get(what, finding.cause) != finding.cause
            self._causes[what] = finding.cause
        self.seen.found.update(found)


def _states(snapshot: Snapshot) -> dict[str, int]:
    return dict(zip(snapshot.flows["id"].to_pylist(), snapshot.state.tolist(), strict=True))


def _by_state(snapshot: Snapshot) -> Mapping[int, Sequence[str]]:
    found: dict[int, Sequence[str]] = {}
    for state in (State.LATE, State.STUCK, State.FAILED):
        mask = snapshot.state == state
        if mask.any():
            found[int(state)] = snapshot.flows["id"].filter(pa.array(mask)).to_pylist()
    return found


def quiet() -> None:
    """Keep what the collector logs to itself: thousands of runs restart it."""
    logging.getLogger("collector").setLevel(logging.ERROR)
