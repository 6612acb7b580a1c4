"""Every second: what was touched is stitched and judged again, what came to rest teaches and is put away."""

import logging
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import pyarrow as pa

from collector.conventions import DEFAULT_NAMING, READINGS, Naming
from collector.diagnosis import Debt, Habits, Learner, Names, State, states
from collector.diagnosis.owed import Owed
from collector.diagnosis.record import Begun, Reactions, Record
from collector.joins import Ints, Mask, among, groups, once
from collector.keys import Keys, text_keys, trace_keys, whole
from collector.live import readings
from collector.live.bounds import beyond
from collector.live.chunk import Chunk, asked_of, identifiers_of, make
from collector.live.clocks import Delays
from collector.live.judged import Judged, snapshot_of
from collector.live.memory import Brought, Memory
from collector.live.seen import Seen
from collector.live.snapshot import EMPTY, Done, Effort, Snapshot
from collector.stitching import BELIEVED, Keying
from collector.store import StoreError

SECOND = 1_000_000_000
RECENT = 15 * 60 * SECOND  # what "lately" means in a summary

log = logging.getLogger(__name__)


class Archive(Protocol):
    """Where flows go that came to rest, and where they come back from. All raise `StoreError`."""

    def put(
        self, flows: pa.Table, state: Ints, taught: Mask, stuck_from: Ints | None = None, *, only_new: bool
    ) -> None:
        """Keep *flows* (FLOWS) durably; a flow of the same id is replaced, or with *only_new* stays.

        One that runs is stuck from a time on.
        """

    def forget(self, ids: Sequence[str]) -> None:
        """Remove the flows of these ids: they are part of others now."""

    def offer(self, ids: Keys, trace_ids: pa.Array) -> None:
        """Keep durably which trace leads to the flow of the message with each of these ids."""

    def offering(self, ids: Keys) -> pa.Array:
        """The traces that lead to the flows of the messages with these ids."""

    def refuse(self, keys: Sequence[str]) -> None:
        """Remember durably that these are no flow keys."""

    def fetch(self, trace_ids: pa.Array, flow_keys: pa.Array) -> tuple[list[str], pa.Table]:
        """The ids of the kept flows with these keys or traces, and SPANS of all traces of both."""


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
        archive: Archive,
        *,
        naming: Naming = DEFAULT_NAMING,
        keying: Keying = BELIEVED,
        habits: Habits,
        pacing: Pacing,
    ) -> None:
        self.snapshot: Snapshot = EMPTY
        self.rehearse = False  # while the past is lived again, flows that are kept already stay as they are
        self._archive = archive
        self._naming = naming
        self._pacing = pacing
        self._names = Names()
        self.learner = Learner(self._names, habits)
        self._memory = Memory(self.learner, keying)
        self._seen, self._aside = Seen(), Seen()
        self._offered = Seen()  # ids of messages in flows that were put away
        self._offers: list[tuple[Keys, pa.Array]] = []  # those of which the archive does not know it yet
        self._asked = False  # somebody asked for a message by its id: until then nobody keeps them
        self._life: dict[int, tuple[int, int]] = {}
        self._delays = Delays(self._names.services.limit)
        self._pace = 0.0  # p95 of how much later than its message a reaction is known, ns, over the newest
        self._untaken: list[pa.Table] = []  # SPANS for which the archive could not be asked
        self._vanished: list[str] = []
        self._refused: list[str] = []  # flow keys of which the archive does not know it yet
        self._done: deque[tuple[Ints, np.ndarray[tuple[int], np.dtype[np.float64]]]] = deque()
        self._last: int | None = None  # the tick before
        self._deaf: deque[tuple[int, int]] = deque(maxlen=8)  # when there was no tick for long
        self._effort = Effort()

    def advance(self, spans: pa.Table | None, now: int) -> Snapshot:
        """Take in *spans* (SPANS; None: nothing came) and judge everything at *now*.

        Raise `StoreError` if the archive failed. Nothing is lost by that: what it could not do is done
        at a later tick, and the snapshot is that of *now*.
        """
        began = time.perf_counter()
        if not self.rehearse and self._last and now - self._last > self._pacing.pause_s * SECOND:
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

    def remember(self, flow_keys: pa.Array, trace_ids: pa.Array) -> None:
        """Know again that the archive has flows with these keys and traces."""
        self._seen.add(np.concatenate([text_keys(flow_keys), trace_keys(trace_ids)]))

    def let_go(self, ids: Sequence[str]) -> None:
        """Forget flows that the archive knows to be done; they teach, as they did then."""
        for chunk in self._memory.chunks:
            gone = chunk.alive & np.isin(np.array(chunk.flows["id"].to_pylist(), object), list(ids))
            self.learner.learn(chunk.record, gone & ~chunk.marks.taught & ~chunk.marks.overdue)
            chunk.alive &= ~gone
            self._seen.add(chunk.identifiers[gone[chunk.identified]])

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
            identifiers, place = identifiers_of(rows)
            brought = self._bring_back(rows, identifiers, place)
            chunk, vanished = self._memory.add(rows, identifiers, brought, now + self._quiet())
            self._vanished += vanished
            if chunk is not None:
                self._refused += self._memory.refuse(chunk.stitched.flows.refused)
                self._see_life(chunk.record)
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
        rows = readings.read(spans, self._naming)
        if self._aside:
            identifiers, owner = identifiers_of(rows)
            known = np.ones(rows.num_rows, np.bool_)
            known[owner[self._aside.among(identifiers)]] = False
            rows = rows.filter(pa.array(known))
        service = self._names.services.codes(rows["service"])
        self._delays.learn(
            service, np.asarray(rows["end"].to_numpy()), np.asarray(rows["received"].to_numpy())
        )
        return rows

    def _bring_back(self, rows: pa.Table, identifiers: Keys, place: Ints) -> Brought | None:
        """The flows put away that *rows* belong to, fetched from the archive."""
        named = self._memory.believed(once(identifiers))
        seen = named[self._seen.among(named)]
        offering = self._offering(rows)
        if not len(seen) and not len(offering):
            return None
        known = once(place[among(identifiers, seen)])
        late = rows.take(pa.array(known))
        traces = pa.concat_arrays([whole(late["trace_id"]), offering])
        ids, spans = self._archive.fetch(traces.unique(), late["flow_key"].drop_null().unique())
        return Brought(readings.read(spans, self._naming), ids) if spans.num_rows else None

    def _offering(self, rows: pa.Table) -> pa.Array:
        """The traces of flows put away that have a message which *rows* ask for by its id."""
        asked = once(asked_of(rows)[0])
        self._asked |= bool(len(asked))
        asked = asked[self._offered.among(asked)]
        return self._archive.offering(asked) if len(asked) else pa.array([], pa.binary(16))

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
        since = self._delays.by_our_clock(owed.since, owed.service, owed.received)
        slack = self._slack(owed)
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
        while self._done and int(self._done[0][0].max(initial=0)) < now - RECENT:
            self._done.popleft()
        return snapshot_of(
            judged,
            now=now,
            slack_of=self._slack,
            life=dict(self._life),
            expected=self._memory.expected,
            learned=self.learner.flows,
            done=Done(tuple(self._done)),
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
        if self._refused:
            self._archive.refuse(self._refused)
        self._refused = []
        if self._vanished and not self.rehearse:
            self._archive.forget(self._vanished)
        self._vanished = []
        for one in judged:
            # A restart would not find a flow that stopped among the newest spans.
            stopped = one.chunk.alive & (one.state >= State.STUCK) & ~one.chunk.marks.current
            self._put(one, stopped & (not self.rehearse), away=False)
            resting = self._resting(one, now)
            received = np.asarray(one.chunk.flows["received"].to_numpy())
            waited = received <= now - int(self._pacing.unsure_s * SECOND)
            self._put(one, resting & (~one.chunk.unsure | waited), away=True)
        self._seen.add(self._memory.forget_loose(now, self._pacing.most_spans // 4))
        if self._offers:  # all at once: each insert costs as much as thousands of ids
            ids, traces = zip(*self._offers, strict=True)
            self._archive.offer(np.concatenate(ids), pa.concat_arrays(traces))
            self._offers = []

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

    def _put(self, one: Judged, flows: Mask, *, away: bool, stuck_from: Ints | None = None) -> None:
        """Keep *flows* in the archive; those that go *away* leave the memory with it."""
        chunk = one.chunk
        if not flows.any():
            return
        table = chunk.flows.filter(pa.array(flows))
        taught = ~chunk.marks.overdue[flows] & (one.state[flows] == State.DONE) & away
        stuck_from = None if stuck_from is None else stuck_from[flows]
        self._archive.put(table, one.state[flows], taught, stuck_from, only_new=self.rehearse)
        if away:
            self._offer(chunk, flows)
        chunk.marks.kept |= flows
        chunk.marks.current |= flows
        if not away:
            return
        chunk.alive &= ~flows
        self._seen.add(chunk.identifiers[flows[chunk.identified]])
        new = (one.state[flows] == State.DONE) & ~chunk.marks.counted[flows]
        last, started = np.asarray(table["last"].to_numpy()), np.asarray(table["started"].to_numpy())
        if new.any():
            self._done.append((last[new], (last[new] - started[new]) / SECOND))

    def _offer(self, chunk: Chunk, flows: Mask) -> None:
        """Let the messages of *flows*, which go away, be found by who asks for their ids, if anybody does."""
        if not self._asked:
            return
        ids, flow = chunk.offered
        ids, flow = ids[flows[flow]], flow[flows[flow]]
        if len(ids):
            graph = chunk.stitched.graph
            first = graph.spans["trace_id"].take(pa.array(chunk.stitched.flows.first[flow]))
            self._offers.append((ids, whole(first)))
            self._offered.add(ids)

    def _bound(self, judged: Sequence[Judged], now: int) -> None:
        """Put flows away early that are too large to be judged, or too many to be held."""
        for one in judged:
            huge = one.chunk.alive & (one.chunk.size > self._pacing.most_flow_spans)
            if huge.any():
                log.warning(
                    "Too large to be judged, and put aside: %s. Is their flow key shared by several runs?",
                    ", ".join(name[:80] for name in one.chunk.ids(huge)[:5]),
                )
                self._aside.add(one.chunk.identifiers[huge[one.chunk.identified]])
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
            self._put(one, flows, away=True, stuck_from=stuck_from)
        except StoreError as error:
            log.warning("%s. Flows leave the memory all the same; their spans are in the store.", error)
            one.chunk.alive &= ~flows
        more = {name: getattr(self._effort, name) + n for name, n in counted.items()}
        self._effort = replace(self._effort, **more)

    def _slack(self, owed: Owed) -> Ints:
        """How much later than it happens what is owed could be known here, of each entry."""
        return self._delays.slack(self._names.service_of(owed.step))

    def _quiet(self) -> int:
        """For how long nothing may come from a flow at rest, in nanoseconds."""
        least, most = self._pacing.quiet_s * SECOND, self._pacing.quiet_most_s * SECOND
        return int(min(max(least, 3 * self._pace) + self._delays.slowest, most))

    def _see_life(self, happened: Record) -> None:
        reactions = happened.reactions
        seen = (reactions.message >= 0) & (reactions.step >= 0)
        if seen.any():
            later = np.maximum(reactions.received - reactions.heard, 0)[seen]
            self._pace = max(0.9 * self._pace, float(np.percentile(later, 95)))
        for taken in (reactions, happened.begun):
            self._see_taken(taken)

    def _see_taken(self, taken: Reactions | Begun) -> None:
        """See who took what: all that was handled, or is being handled."""
        service = self._names.service_of(taken.step)
        start = self._delays.by_our_clock(taken.start, service, taken.received)
        for step, rows in groups(taken.step, taken.message >= 0):
            last, served = self._life.get(step, (0, 0))
            self._life[step] = (
                max(last, int(start[rows].max())),
                max(served, int(taken.published[rows].max())),
            )
        while len(self._life) > 100_000:
            del self._life[next(iter(self._life))]


def _halves(spans: pa.Table) -> list[pa.Table]:
    """*spans* in two, no trace in both; nothing if it is one trace."""
    trace = trace_keys(spans["trace_id"])
    distinct = once(trace)
    if len(distinct) < 2:
        return []
    first = trace < distinct[len(distinct) // 2]
    return [spans.filter(pa.array(first)), spans.filter(pa.array(~first))]
