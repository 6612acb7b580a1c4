"""Every second: what was touched is stitched and judged again, what came to rest teaches and is put away."""

import logging
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from collector.conventions import DEFAULT_NAMING, READINGS, Naming
from collector.diagnosis import Debt, Habits, Learner, Names, State, states
from collector.diagnosis.owed import Owed
from collector.joins import Ints, Mask, groups, once
from collector.keys import trace_keys
from collector.live import readings
from collector.live.archive import Archive, FlowKeeper
from collector.live.bounds import beyond
from collector.live.chunk import Chunk, identifiers_of, make
from collector.live.judged import Judged, snapshot_of
from collector.live.lives import Lives
from collector.live.memory import Brought, Memory
from collector.live.snapshot import EMPTY, Effort, Snapshot
from collector.stitching import BELIEVED, Keying
from collector.store import StoreError

SECOND = 1_000_000_000
RECENT = 15 * 60 * SECOND  # what "lately" means in a summary

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pacing:
    """How patient the live part is, in seconds, and how much it holds."""

    quiet_s: float = 3.0  # a flow rests when nothing came for that long, or three times the usual pace
    quiet_most_s: float = 600.0
    unsure_s: float = 60.0  # flows of which too little is known wait that long for their like
    # No tick for longer, and telemetry may have been lost meanwhile: exporters give up after ten seconds.
    pause_s: float = 10.0
    # Beyond it the flows that are longest at rest are put away early, and stuck ones last. About 2 KB each.
    most_spans: int = 250_000
    most_flow_spans: int = 100_000  # a flow of more is no business run: its key is something shared


class Tick:
    """The live part without its thread: feed it span tables and moments, read its snapshot."""

    def __init__(
        self,
        keeper: FlowKeeper,
        *,
        naming: Naming = DEFAULT_NAMING,
        keying: Keying = BELIEVED,
        habits: Habits,
        pacing: Pacing,
    ) -> None:
        self.snapshot: Snapshot = EMPTY
        self.archive = Archive(keeper)
        self._naming = naming
        self._pacing = pacing
        names = Names()
        self.learner = Learner(names, habits)
        self._memory = Memory(self.learner, keying)
        self._lives = Lives(names)
        self._untaken: list[pa.Table] = []  # SPANS for which the archive could not be asked
        self._last: int | None = None  # the tick before
        self._deaf: deque[tuple[int, int]] = deque(maxlen=8)  # when there was no tick for long
        self._effort = Effort()

    def advance(self, spans: pa.Table | None, now: int) -> Snapshot:
        """Take in *spans* (SPANS; None: nothing came) and judge everything at *now*.

        Raise `StoreError` if the archive failed. Nothing is lost by that: what it could not do is done
        at a later tick, and the snapshot is that of *now*.
        """
        began = time.perf_counter()
        if not self.archive.rehearse and self._last and now - self._last > self._pacing.pause_s * SECOND:
            self._deaf.append((self._last, now))
        self._last = now
        failure = self._take_in(spans, now)
        self._memory.renew()
        judged = [one for chunk in list(self._memory.chunks) for one in self._judged(chunk, now)]
        held = replace(self._effort, spans_held=self._memory.spans)
        self._effort = replace(held, tick_s=time.perf_counter() - began)
        self.snapshot = self._snapshot(judged, now)
        try:
            self._keep(judged, now)
        except StoreError as error:
            failure = error
        self._bound(judged, now)
        self._memory.compact()
        if failure is not None:
            raise failure
        return self.snapshot

    def bring(self, spans: pa.Table, now: int, *, unfinished: bool) -> None:
        """Take in SPANS of flows that are in the store: they teach nothing."""
        rows = readings.read(spans, self._naming)
        nothing = rows.slice(0, 0)
        brought = Brought(rows, unfinished=unfinished)
        self._memory.add(nothing, identifiers_of(nothing)[0], brought, now + self._quiet())

    def teach(self, spans: pa.Table, ids: Sequence[str]) -> None:
        """Let the flows with these *ids* in SPANS teach, and keep nothing of them."""
        rows = readings.read(spans, self._naming)
        chunk, _ = make(rows, self.learner, self._memory.expected, self.keying)
        self.learner.learn(chunk.record, np.isin(chunk.ids(chunk.alive), list(ids)))

    @property
    def keying(self) -> Keying:
        """Which flow keys are believed by now."""
        return self._memory.keying

    def refuse(self, keys: Iterable[str]) -> None:
        """Say again which flow keys the archive knows to be none."""
        self._memory.refuse(keys)

    def let_go(self, ids: Sequence[str]) -> None:
        """Forget flows that the archive knows to be done; they teach, as they did then."""
        for chunk in self._memory.chunks:
            gone = chunk.alive & np.isin(np.array(chunk.flows["id"].to_pylist(), object), list(ids))
            self.learner.learn(chunk.record, gone & ~chunk.marks.taught & ~chunk.marks.overdue)
            self.archive.let_go(chunk, gone)

    def resume(self, last: int) -> None:
        """Say when the process last heard anything before it ended."""
        self._last = last

    def _take_in(self, spans: pa.Table | None, now: int) -> StoreError | None:
        arrived, self._untaken = [*self._untaken, *([spans] if spans is not None else [])], []
        tables = [one for one in arrived if one.num_rows]
        try:
            self._add(pa.concat_tables(tables) if tables else None, now)
        except StoreError as error:
            self._untaken = tables
            return error
        return None

    def _add(self, spans: pa.Table | None, now: int) -> None:
        """Add SPANS; those that no one can make sense of alone, so that they take no others with them."""
        try:
            rows = self._read(spans) if spans is not None else READINGS.empty_table()
            rows = self._memory.due(rows, now)
            if not rows.num_rows:
                return
            identifiers, _ = identifiers_of(rows)
            brought = self.archive.bring_back(rows, self._memory.believed(once(identifiers)), self._naming)
            chunk, vanished = self._memory.add(rows, identifiers, brought, now + self._quiet())
            self.archive.vanish(vanished)
            if chunk is not None:
                self.archive.refuse(self._memory.refuse(chunk.stitched.flows.refused))
                self._lives.see(chunk.record)
        except StoreError:
            raise
        except Exception:
            parts = _halves(spans) if spans is not None else []
            if not parts:
                log.exception(
                    "%d spans can not be judged; they are in the store", spans.num_rows if spans else 0
                )
                lost = self._effort.spans_lost + (spans.num_rows if spans is not None else 0)
                self._effort = replace(self._effort, spans_lost=lost)
            for part in parts:
                self._add(part, now)

    def _read(self, spans: pa.Table) -> pa.Table:
        """READINGS of *spans*, but for those of flows that were put aside."""
        rows = self.archive.without_aside(readings.read(spans, self._naming))
        self._lives.see_spans(rows)
        return rows

    def _judged(self, chunk: Chunk, now: int) -> Iterator[Judged]:
        """What is to be said of *chunk*; of its halves, if one of its flows can not be judged."""
        try:
            yield self._judge(chunk, now)
        except Exception:
            parts = self._memory.halves(chunk)
            if not parts:
                log.exception("A flow can not be judged; its spans are in the store")
                lost = self._effort.spans_lost + chunk.living_spans
                self._effort = replace(self._effort, spans_lost=lost)
            for part in parts:
                yield from self._judged(part, now)

    def _judge(self, chunk: Chunk, now: int) -> Judged:
        chunk.judge_by(self._memory.expected, self.learner)
        owed, count = chunk.owed, len(chunk.alive)
        since, slack = self._lives.since(owed), self._lives.slack(owed)
        forgiven = self._forgiven(replace(owed, since=since), slack) & ~chunk.marks.overdue[owed.flow]
        if forgiven.any():
            lost = np.zeros(count, np.bool_)
            lost[owed.flow[forgiven]] = True
            chunk.note_lost(lost)
            chunk.marks.taught |= lost  # what may have happened unseen is no example
            owed, since, slack = owed.where(~forgiven), since[~forgiven], slack[~forgiven]
            chunk.owed = owed
        owed = replace(owed, since=since)
        # Lost telemetry may be telemetry that has not come yet: the sender of the first event is
        # often the last to export it.
        incomplete = np.asarray(chunk.flows["incomplete"].to_numpy())
        coming = np.asarray(chunk.flows["received"].to_numpy()) > now - self._quiet()
        state = states(owed, count, now, slack, open_ended=(chunk.unsure | incomplete) & coming)
        return Judged(chunk, chunk.alive.copy(), state, owed, now - since - slack, coming)

    def _forgiven(self, owed: Owed, slack: Ints) -> Mask:
        """What should have come while nobody listened, and may have: lost spans are no stalled business."""
        forgiven = np.zeros(len(owed), np.bool_)
        for begin, end in self._deaf:
            # What takes longer than the pause will hardly have come within it.
            short = owed.due <= end - begin
            forgiven |= short & (owed.since <= end) & (owed.since + owed.due + slack >= begin)
        return forgiven

    def _snapshot(self, judged: Sequence[Judged], now: int) -> Snapshot:
        return snapshot_of(
            judged,
            now=now,
            slack_of=self._lives.slack,
            life=self._lives.last,
            expected=self._memory.expected,
            learned=self.learner.flows,
            done=self.archive.done(now - RECENT),
            effort=self._effort,
        )

    def _keep(self, judged: Sequence[Judged], now: int) -> None:
        """Write down what stopped, let what is at rest teach, and put it away."""
        for one in judged:
            chunk, stuck = one.chunk, one.state >= State.STUCK
            newly = stuck & ~chunk.marks.overdue & one.alive
            if newly.any():
                self._learn_misses(one, newly)
            chunk.marks.overdue |= stuck & one.alive
            self._teach(one, self._resting(one, now))
        self.archive.settle()
        for one in judged:
            # A restart would not find a flow that stopped among the newest spans.
            stopped = one.chunk.alive & (one.state >= State.STUCK) & ~one.chunk.marks.current
            self.archive.put(one, stopped & (not self.archive.rehearse), away=False)
            resting = self._resting(one, now)
            received = np.asarray(one.chunk.flows["received"].to_numpy())
            waited = received <= now - int(self._pacing.unsure_s * SECOND)
            self.archive.put(one, resting & (~one.chunk.unsure | waited), away=True)
        self.archive.remember(self._memory.forget_loose(now, self._pacing.most_spans // 4))
        self.archive.offer()

    def _resting(self, one: Judged, now: int) -> Mask:
        received = np.asarray(one.chunk.flows["received"].to_numpy())
        resting: Mask = one.chunk.alive & (one.state == State.DONE) & (received <= now - self._quiet())
        return resting

    def _teach(self, one: Judged, resting: Mask) -> None:
        marks = one.chunk.marks
        fresh = resting & ~marks.taught
        marks.taught |= resting
        try:
            self.learner.learn(one.chunk.record, fresh & ~marks.overdue)
            self.learner.doubt(one.chunk.record, fresh & marks.overdue)
        except Exception:
            log.exception("%d flows could not teach", int(fresh.sum()))

    def _learn_misses(self, one: Judged, newly: Mask) -> None:
        """See what was owed by flows that just stopped: what is missed for a day is no habit."""
        owed = one.owed.where((one.age > one.owed.deadline) & newly[one.owed.flow])
        for kind, published in ((Debt.REACTION, False), (Debt.MESSAGE, True)):
            mine = owed.kind == kind
            self.learner.miss(owed.step[mine], owed.since[mine], published=published)
        for place, rows in groups(owed.join, owed.join >= 0):
            self.learner.miss_join(self._memory.expected.joins[place][0], owed.since[rows])

    def _bound(self, judged: Sequence[Judged], now: int) -> None:
        """Put flows away early that are too large to be judged, or too many to be held."""
        for one in judged:
            huge = one.chunk.alive & (one.chunk.size > self._pacing.most_flow_spans)
            if huge.any():
                log.warning(
                    "Too large to be judged, and put aside: %s. Is their flow key shared by several runs?",
                    ", ".join(name[:80] for name in one.chunk.ids(huge)[:5]),
                )
                self.archive.put_aside(one.chunk, huge)
                self._put_early(one, huge, now, put_aside=int(huge.sum()))
        chosen = beyond([(one.chunk, one.state) for one in judged], self._pacing.most_spans)
        for place, flows in chosen:
            self._put_early(judged[place], flows, now, put_early=int(flows.sum()))

    def _put_early(self, one: Judged, flows: Mask, now: int, **counted: int) -> None:
        # Unless more of them comes nobody looks at them again, so that it is said now what they come to.
        stuck_from = one.stuck_from(now)
        comes_to_nothing = (stuck_from == 0) & (one.state < State.STUCK)
        one = replace(one, state=np.where(comes_to_nothing, int(State.DONE), one.state))
        try:
            self.archive.put(one, flows, away=True, stuck_from=stuck_from)
        except StoreError as error:
            log.warning("%s. Flows leave the memory all the same; their spans are in the store.", error)
            one.chunk.alive &= ~flows
        more = {name: getattr(self._effort, name) + n for name, n in counted.items()}
        self._effort = replace(self._effort, **more)

    def _quiet(self) -> int:
        """For how long nothing may come from a flow at rest, in nanoseconds."""
        return self._lives.quiet(self._pacing.quiet_s * SECOND, self._pacing.quiet_most_s * SECOND)


def _halves(spans: pa.Table) -> list[pa.Table]:
    """*spans* in two, no trace in both; nothing if it is one trace."""
    trace = trace_keys(spans["trace_id"])
    distinct = once(trace)
    if len(distinct) < 2:
        return []
    first = trace < distinct[len(distinct) // 2]
    return [spans.filter(pa.array(first)), spans.filter(pa.array(~first))]
