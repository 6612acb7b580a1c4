"""Every second: what was touched is stitched and judged again, what came to rest teaches and is put away."""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import pyarrow as pa

from collector import conventions
from collector.diagnosis import Habits, Learner, Names, State, states
from collector.diagnosis.owed import Owed, together
from collector.diagnosis.record import Ints, Mask, Record, reactor_of
from collector.flowtable import FLOWS
from collector.keys import whole
from collector.live.chunk import Chunk, identifiers_of
from collector.live.memory import Brought, Memory, Seen
from collector.live.snapshot import EMPTY, Snapshot

SECOND = 1_000_000_000


class Archive(Protocol):
    """Where flows go that came to rest, and where they come back from."""

    def put(self, flows: pa.Table, state: Ints, taught: Mask, *, only_new: bool) -> None:
        """Keep *flows* (FLOWS) durably; a flow of the same id is replaced, or with *only_new* stays."""

    def spans_of(self, trace_ids: pa.Array, flow_keys: pa.Array) -> pa.Table:
        """SPANS of these traces, and of every trace of the kept flows with these keys or traces."""


@dataclass(frozen=True)
class Pacing:
    """How patient the live part is. Seconds."""

    quiet_s: float = 3.0  # a flow rests when nothing came for that long, or three times the usual pace
    quiet_most_s: float = 600.0
    unsure_s: float = 60.0  # flows of which too little is known wait that long for their like
    slack_floor_s: float = 0.25  # a tick's own delay
    slack_most_s: float = 60.0
    most_spans: int = 3_000_000  # beyond that the flows that are longest at rest are put away early


class Tick:
    """The live part without its thread: feed it span tables and moments, read its snapshot."""

    def __init__(
        self, archive: Archive, *, flow_keys: tuple[str, ...], habits: Habits, pacing: Pacing
    ) -> None:
        self.snapshot: Snapshot = EMPTY
        self.rehearse = False  # while the past is lived again, flows that are kept already stay as they are
        self._archive = archive
        self._flow_keys = flow_keys
        self._pacing = pacing
        self._names = Names()
        self.learner = Learner(self._names, habits)
        self._memory = Memory(self.learner)
        self._seen = Seen()
        self._life: dict[int, tuple[int, int]] = {}
        self._delay: dict[int, float] = {}  # by service: how much later than it ends a span comes, ns
        self._pace = 0.0  # p95 of the time to react, ns, over the newest reactions

    def advance(self, spans: pa.Table | None, now: int) -> Snapshot:
        """Take in *spans* (SPANS; None: nothing came) and judge everything at *now*."""
        if spans is not None and spans.num_rows:
            rows = conventions.read(spans, self._flow_keys)
            self._learn_delays(rows)
            chunk = self._memory.add(rows, self._bring_back(rows), now + int(self._quiet()))
            if chunk is not None:
                self._see_life(chunk.record)
        self._judge(now)
        if self.learner.version != self._memory.expected.version:
            self._memory.renew()
        self._memory.compact()
        return self.snapshot

    def bring(self, spans: pa.Table, now: int) -> None:
        """Take flows back in that were unfinished when the process ended: they teach nothing."""
        rows = conventions.read(spans, self._flow_keys)
        self._memory.add(rows.slice(0, 0), Brought(rows), now + int(self._quiet()))

    def _bring_back(self, rows: pa.Table) -> Brought | None:
        """The flows put away that *rows* belong to, fetched from the archive."""
        identifiers, place = identifiers_of(rows)
        once = np.unique(identifiers)
        seen = once[self._seen.among(once)]
        if not len(seen):
            return None
        known = np.unique(place[np.isin(identifiers, seen)])
        late = rows.take(pa.array(known))
        spans = self._archive.spans_of(late["trace_id"].unique(), late["flow_key"].drop_null().unique())
        return Brought(conventions.read(spans, self._flow_keys)) if spans.num_rows else None

    def _judge(self, now: int) -> None:
        parts: list[tuple[Chunk, Mask, Ints, Owed]] = []
        quiet = int(self._quiet())
        for chunk in self._memory.chunks:
            received = chunk.flows["received"].to_numpy()
            # Lost telemetry may be telemetry that has not come yet: the sender of the first event is
            # often the last to export it.
            doubtful = chunk.unsure | np.asarray(chunk.flows["incomplete"].to_numpy())
            unsure = doubtful & (received > now - quiet)
            state = states(chunk.owed, len(received), now, self._slack(chunk.owed), open_ended=unsure)
            stuck = state >= State.STUCK
            self._keep_stuck(chunk, stuck & ~chunk.overdue & chunk.alive, state)
            chunk.overdue |= stuck
            parts.append((chunk, chunk.alive.copy(), state, chunk.owed))
        self.snapshot = self._snapshot(parts, now)
        for chunk, _, state, _ in parts:
            self._rest(chunk, state, now)
        self._seen.add(self._memory.forget_loose(now))

    def _keep_stuck(self, chunk: Chunk, newly: Mask, state: Ints) -> None:
        """A flow that just stopped is written down: a restart would not find it among the newest spans."""
        if newly.any():
            flows = chunk.flows.filter(pa.array(newly))
            self._archive.put(flows, state[newly], np.zeros(len(flows), np.bool_), only_new=self.rehearse)

    def _rest(self, chunk: Chunk, state: Ints, now: int) -> None:
        """Let flows that are done and quiet teach, and put them away."""
        received = chunk.flows["received"].to_numpy()
        resting = chunk.alive & (state == State.DONE) & (received <= now - int(self._quiet()))
        self.learner.learn(chunk.record, resting & ~chunk.taught & ~chunk.overdue)
        chunk.taught |= resting
        away = resting & (~chunk.unsure | (received <= now - int(self._pacing.unsure_s * SECOND)))
        if not away.any():
            return
        flows = chunk.flows.filter(pa.array(away))
        self._archive.put(flows, state[away], ~chunk.overdue[away], only_new=self.rehearse)
        gone = chunk.identifiers[away[chunk.identified]]
        chunk.alive &= ~away
        self._seen.add(gone)

    def _snapshot(self, parts: list[tuple[Chunk, Mask, Ints, Owed]], now: int) -> Snapshot:
        tables, all_states, entries, places, attempts = [], [], [], [], []
        offset = 0
        for chunk, alive, state, owed in parts:
            rank = np.cumsum(alive) - 1 + offset
            tables.append(chunk.flows.filter(pa.array(alive)))
            all_states.append(state[alive])
            late = alive[owed.flow] & (
                now - owed.since - self._slack(owed) > np.where(owed.final, 0, owed.due)
            )
            mine = owed.where(late)
            places.append(chunk.stitched.graph.spans.take(pa.array(mine.row)))
            attempts.append(_attempts(chunk, mine.row))
            entries.append(replace(mine, flow=rank[mine.flow]))
            offset += int(alive.sum())
        owed = together(*entries) if entries else EMPTY.owed
        return Snapshot(
            now=now,
            flows=pa.concat_tables([FLOWS.empty_table(), *tables]),
            state=np.concatenate([EMPTY.state, *all_states]),
            owed=owed,
            places=pa.concat_tables([EMPTY.places, *places]),
            slack=self._slack(owed),
            attempts=np.concatenate([EMPTY.attempts, *attempts]),
            life=dict(self._life),
            expected=self._memory.expected,
            learned=self.learner.flows,
        )

    def _slack(self, owed: Owed) -> Ints:
        """How much later than it happens what is owed could be known here, of each entry."""
        floor, most = self._pacing.slack_floor_s * SECOND, self._pacing.slack_most_s * SECOND
        slack = np.full(len(owed), int(floor))
        service = reactor_of(owed.step) // self._names.groups.limit
        for code in np.unique(service).tolist():
            slack[service == code] = int(min(floor + self._delay.get(code, 0.0), most))
        return slack

    def _quiet(self) -> float:
        """For how long nothing may come from a flow at rest, in nanoseconds."""
        slowest = max(self._delay.values(), default=0.0)
        least, most = self._pacing.quiet_s * SECOND, self._pacing.quiet_most_s * SECOND
        return min(max(least, 3 * self._pace) + min(slowest, self._pacing.slack_most_s * SECOND), most)

    def _learn_delays(self, rows: pa.Table) -> None:
        """How long after its end a span comes: exporters send in batches, some every 5 seconds."""
        service = self._names.services.codes(whole(rows["service"]))
        delay = np.asarray(rows["received"].to_numpy()) - np.asarray(rows["end"].to_numpy())
        sound = (delay >= 0) & (delay < self._pacing.slack_most_s * SECOND)
        for code in np.unique(service[sound]).tolist():
            newest = float(np.percentile(delay[sound & (service == code)], 99))
            # Up at once, down slowly: one quick batch does not make a slow exporter quick.
            self._delay[code] = max(newest, 0.96 * self._delay.get(code, 0.0))

    def _see_life(self, happened: Record) -> None:
        reactions = happened.reactions
        seen = (reactions.message >= 0) & (reactions.step >= 0)
        if not seen.any():
            return
        react = np.maximum(reactions.end - reactions.published, 0)[seen]
        self._pace = max(0.9 * self._pace, float(np.percentile(react, 95)))
        for step in np.unique(reactions.step[seen]).tolist():
            mine = seen & (reactions.step == step)
            last, served = self._life.get(step, (0, 0))
            newest = int(reactions.start[mine].max()), int(reactions.published[mine].max())
            self._life[step] = (max(last, newest[0]), max(served, newest[1]))
        while len(self._life) > 100_000:
            del self._life[next(iter(self._life))]


def _attempts(chunk: Chunk, rows: Ints) -> Ints:
    graph = chunk.stitched.graph
    place = np.minimum(np.searchsorted(graph.reactions, rows), max(len(graph.reactions) - 1, 0))
    if not len(graph.reactions):
        return np.ones(len(rows), np.int64)
    return np.where(graph.reactions[place] == rows, graph.attempts[place], 1)
