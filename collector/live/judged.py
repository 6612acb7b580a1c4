"""Chunks as they were judged at one moment, and the snapshot that they are together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from collector.diagnosis import State
from collector.diagnosis.owed import Expected, Owed, together
from collector.flowtable import FLOWS
from collector.joins import Ints, Mask
from collector.live.chunk import Chunk
from collector.live.snapshot import EMPTY, Done, Effort, Snapshot


@dataclass(frozen=True)
class Judged:
    """A chunk at one moment. Times of *owed* are by our clock."""

    chunk: Chunk
    alive: Mask
    state: Ints
    owed: Owed
    age: Ints  # of each entry of *owed*, beyond the time that telemetry takes
    coming: Mask  # of each flow: more of it may be on its way

    @property
    def may_be_kept(self) -> Mask:
        """Which flows the archive has a row of, or will have before the next moment."""
        kept: Mask = self.chunk.marks.kept | (self.state == State.DONE) | (self.state >= State.STUCK)
        return kept


def snapshot_of(
    judged: Sequence[Judged],
    *,
    now: int,
    slack_of: Callable[[Owed], Ints],
    life: dict[int, tuple[int, int]],
    expected: Expected,
    learned: int,
    done: Done,
    effort: Effort,
) -> Snapshot:
    """The living flows of all chunks, counted through, and what is overdue in them."""
    offset = 0
    entries, places, attempts = [], [], []
    for one in judged:
        rank = np.cumsum(one.alive) - 1 + offset
        overdue = one.alive[one.owed.flow] & (one.age > np.where(one.owed.final, 0, one.owed.due))
        mine = one.owed.where(overdue)
        places.append(one.chunk.stitched.graph.spans.take(pa.array(mine.row)))
        attempts.append(_attempts(one.chunk, mine.row))
        entries.append(replace(mine, flow=rank[mine.flow]))
        offset += int(one.alive.sum())
    owed = together(*entries) if entries else EMPTY.owed
    flows = [one.chunk.flows.filter(pa.array(one.alive)) for one in judged]
    return Snapshot(
        now=now,
        flows=pa.concat_tables([FLOWS.empty_table(), *flows]),
        state=np.concatenate([EMPTY.state, *(one.state[one.alive] for one in judged)]),
        kept=np.concatenate([EMPTY.kept, *(one.may_be_kept[one.alive] for one in judged)]),
        coming=np.concatenate([EMPTY.coming, *(one.coming[one.alive] for one in judged)]),
        owed=owed,
        places=pa.concat_tables([EMPTY.places, *places]),
        slack=slack_of(owed),
        attempts=np.concatenate([EMPTY.attempts, *attempts]),
        life=life,
        expected=expected,
        learned=learned,
        done=done,
        effort=effort,
    )


def _attempts(chunk: Chunk, rows: Ints) -> Ints:
    graph = chunk.stitched.graph
    place = np.minimum(np.searchsorted(graph.reactions, rows), max(len(graph.reactions) - 1, 0))
    if not len(graph.reactions):
        return np.ones(len(rows), np.int64)
    return np.where(graph.reactions[place] == rows, graph.attempts[place], 1)
