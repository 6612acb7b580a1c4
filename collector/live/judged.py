"""Chunks as they were judged at one moment, and the snapshot that they make together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa

from collector.columns.joins import Ints, Mask, find, once
from collector.diagnosis.debts import Owed, together
from collector.diagnosis.expected import Expected
from collector.diagnosis.findings import Life
from collector.diagnosis.record import terminated
from collector.diagnosis.standing import Standings
from collector.live.chunk import Chunk
from collector.live.snapshot import EMPTY, Done, Effort, Snapshot
from collector.model.flows import NO_FLOWS, State


@dataclass(frozen=True, eq=False)
class Judged:
    """A chunk at one moment. Times in *owed* are by our clock."""

    chunk: Chunk
    alive: Mask
    state: Ints
    owed: Owed
    age: Ints  # of each entry of *owed*: how long it is owed, less the delay of telemetry
    coming: Mask  # of each flow: more of it may be on its way
    unpaid: Owed  # what is said of services from now on, because the flows that owe it have ended

    def stuck_from(self, now: int) -> Ints:
        """When each flow becomes stuck if no more of it comes, in nanoseconds; 0 is never.

        *now* is the moment at which it was judged.
        """
        never = np.iinfo(np.int64).max
        found = np.full(len(self.alive), never)
        np.minimum.at(found, self.owed.flow, now - self.age + self.owed.deadline)
        return np.where(found == never, 0, found)

    @cached_property
    def overdue(self) -> Mask:
        """Which entries of living flows are past their due time."""
        mask: Mask = self.alive[self.owed.flow] & (self.age > np.where(self.owed.final, 0, self.owed.due))
        return mask

    @property
    def may_be_kept(self) -> Mask:
        """Which flows the store has a row for, or will have before the next moment."""
        kept: Mask = self.chunk.marks.kept | (self.state == State.DONE) | (self.state >= State.STUCK)
        return kept


def waiting_since(judged: Sequence[Judged]) -> dict[int, int]:
    """By step: since when the first of the overdue entries is owed, nanoseconds since the epoch."""
    steps, times = [EMPTY.owed.step], [EMPTY.owed.since]
    for one in judged:
        overdue = one.overdue
        steps.append(one.owed.step[overdue])
        times.append(one.owed.since[overdue])
    step, since = np.concatenate(steps), np.concatenate(times)
    distinct = once(step)
    first = np.full(len(distinct), np.iinfo(np.int64).max)
    np.minimum.at(first, find(distinct, step), since)
    return dict(zip(distinct.tolist(), first.tolist(), strict=True))


def snapshot_of(
    judged: Sequence[Judged],
    *,
    now: int,
    slack_of: Callable[[Owed], Ints],
    lives: dict[int, Life],
    journal: dict[int, tuple[tuple[int, Life], ...]],
    expected: Expected,
    learned: int,
    standings: Standings,
    done: Done,
    stored: int | None,
    effort: Effort,
) -> Snapshot:
    """The living flows of all chunks, numbered consecutively, and what is overdue in them."""
    offset = 0
    flows, entries, places, witnesses, attempts, ended, tried, pause = [], [], [], [], [], [], [], []
    for one in judged:
        alive = int(one.alive.sum())
        if one.overdue.any():  # in most chunks nothing is
            rank = np.cumsum(one.alive) - 1 + offset
            mine = one.owed.where(one.overdue)
            graph = one.chunk.stitched.graph
            places.append(graph.spans.take(pa.array(mine.row)))
            witnesses.append(graph.spans.take(pa.array(mine.witness, mask=mine.witness < 0)))
            place = find(graph.reactions, mine.row)  # -1 for messages
            attempts.append(np.append(graph.attempts, 1)[place])
            ended.append(np.append(terminated(graph), False)[place])
            tried.append(np.append(graph.end, 0)[place])
            pause.append(np.append(graph.pause, 0)[place])
            entries.append(replace(mine, flow=rank[mine.flow]))
        all_flows = one.chunk.flows
        flows.append(all_flows if alive == len(one.alive) else all_flows.filter(pa.array(one.alive)))
        offset += alive
    owed = together(*entries) if entries else EMPTY.owed
    return Snapshot(
        now=now,
        flows=pa.concat_tables([NO_FLOWS, *flows]),
        state=np.concatenate([EMPTY.state, *(one.state[one.alive] for one in judged)]),
        kept=np.concatenate([EMPTY.kept, *(one.may_be_kept[one.alive] for one in judged)]),
        coming=np.concatenate([EMPTY.coming, *(one.coming[one.alive] for one in judged)]),
        owed=owed,
        places=pa.concat_tables([EMPTY.places, *places]),
        witnesses=pa.concat_tables([EMPTY.witnesses, *witnesses]),
        slack=slack_of(owed),
        attempts=np.concatenate([EMPTY.attempts, *attempts]),
        terminated=np.concatenate([EMPTY.terminated, *ended]),
        tried=np.concatenate([EMPTY.tried, *tried]),
        pause=np.concatenate([EMPTY.pause, *pause]),
        lives=lives,
        journal=journal,
        expected=expected,
        learned=learned,
        done=done,
        stored=stored,
        effort=effort,
        standings=standings,
        records=tuple((one.chunk.record, one.alive) for one in judged),
    )
