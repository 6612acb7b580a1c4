"""Chunks as they were judged at one moment, and the snapshot that they make together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from collector.columns.joins import Ints, Mask, find
from collector.diagnosis.expected import Expected
from collector.diagnosis.owed import Owed, together
from collector.diagnosis.record import terminated
from collector.live.chunk import Chunk
from collector.live.snapshot import EMPTY, Done, Effort, Snapshot
from collector.model.flows import FLOWS, State
from collector.stitching import Graph


@dataclass(frozen=True, eq=False)
class Judged:
    """A chunk at one moment. Times in *owed* are by our clock."""

    chunk: Chunk
    alive: Mask
    state: Ints
    owed: Owed
    age: Ints  # of each entry of *owed*: how long it is owed, less the delay of telemetry
    coming: Mask  # of each flow: more of it may be on its way

    def stuck_from(self, now: int) -> Ints:
        """When each flow becomes stuck if no more of it comes, in nanoseconds; 0 is never.

        *now* is the moment at which it was judged.
        """
        never = np.iinfo(np.int64).max
        found = np.full(len(self.alive), never)
        np.minimum.at(found, self.owed.flow, now - self.age + self.owed.deadline)
        return np.where(found == never, 0, found)

    @property
    def may_be_kept(self) -> Mask:
        """Which flows the store has a row for, or will have before the next moment."""
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
    """The living flows of all chunks, numbered consecutively, and what is overdue in them."""
    offset = 0
    entries, places, witnesses, attempts, ended = [], [], [], [], []
    for one in judged:
        rank = np.cumsum(one.alive) - 1 + offset
        overdue = one.alive[one.owed.flow] & (one.age > np.where(one.owed.final, 0, one.owed.due))
        mine = one.owed.where(overdue)
        graph = one.chunk.stitched.graph
        places.append(graph.spans.take(pa.array(mine.row)))
        witnesses.append(graph.spans.take(pa.array(mine.witness, mask=mine.witness < 0)))
        attempts.append(_of_reactions(graph, mine.row, graph.attempts, 1))
        ended.append(_of_reactions(graph, mine.row, terminated(graph), 0) != 0)
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
        witnesses=pa.concat_tables([EMPTY.witnesses, *witnesses]),
        slack=slack_of(owed),
        attempts=np.concatenate([EMPTY.attempts, *attempts]),
        terminated=np.concatenate([EMPTY.terminated, *ended]),
        life=life,
        expected=expected,
        learned=learned,
        done=done,
        effort=effort,
    )


def _of_reactions(graph: Graph, rows: Ints, values: Ints | Mask, otherwise: int) -> Ints:
    """The entry of *values*, which has one per reaction, for each of *rows*; *otherwise* for other rows."""
    return np.append(values.astype(np.int64), otherwise)[find(graph.reactions, rows)]
