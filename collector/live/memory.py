"""The flows that may still change, held in memory, and which of them new spans touch."""

from collections import deque
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from collector.conventions import READINGS
from collector.diagnosis.expectations import Learner
from collector.diagnosis.owed import Expected
from collector.diagnosis.record import Ints, Mask
from collector.keys import Keys
from collector.live.chunk import Chunk, identifiers_of, make, span_keys_of, unsure
from collector.stitching.graph import find


@dataclass(frozen=True)
class _Loose:
    """Spans that have to do with no message so far: a message below them may still come."""

    rows: pa.Table
    identifiers: Keys
    place: Ints
    kept_until: int


@dataclass(frozen=True)
class Brought:
    """Flows that were put away and come back, because a new span belongs to them."""

    rows: pa.Table  # READINGS
    taught: bool = True


class Seen:
    """The newest identifiers that were put away: two generations, the older one forgotten as a whole.

    Tells "never seen" without asking the store. What it forgot comes back as a flow of its own.
    """

    def __init__(self, limit: int = 2_000_000) -> None:
        self._limit = limit
        self._young: list[Keys] = []
        self._young_count = 0
        self._old: Keys = np.empty(0, np.uint64)

    def add(self, identifiers: Keys) -> None:
        """Remember *identifiers*."""
        self._young.append(np.unique(identifiers))
        self._young_count += len(self._young[-1])
        if len(self._young) > 32:
            self._young = [np.unique(np.concatenate(self._young))]
            self._young_count = len(self._young[0])
        if self._young_count > self._limit:
            self._old = np.unique(np.concatenate(self._young))
            self._young, self._young_count = [], 0

    def among(self, identifiers: Keys) -> Mask:
        """Which of *identifiers* were added."""
        found = np.zeros(len(identifiers), np.bool_)
        for generation in (*self._young, self._old):
            found |= find(generation, identifiers) >= 0
        return found


class Memory:
    """Living chunks and loose spans."""

    def __init__(self, learner: Learner) -> None:
        self.learner = learner
        self.expected = Expected(learner)
        self.chunks: list[Chunk] = []
        self._loose: deque[_Loose] = deque()

    def add(self, new: pa.Table, brought: Brought | None, loose_until: int) -> Chunk | None:
        """Stitch *new* (READINGS) together with all that it touches; give the chunk that this made."""
        parts = [new] if brought is None else [new, brought.rows]
        wanted = np.unique(np.concatenate([identifiers_of(part)[0] for part in parts]))
        touched = self._touched(wanted)
        firsts: list[tuple[Keys, Mask, Mask]] = []
        for chunk, flows in touched:
            parts.append(chunk.rows_of(flows))
            firsts.append((chunk.first_keys(flows), chunk.taught[flows], chunk.overdue[flows]))
            chunk.alive &= ~flows
        parts.extend(self._take_loose(wanted))
        chunk, outside = make(pa.concat_tables(parts), self.learner, self.expected)
        self._inherit(chunk, firsts)
        if brought is not None:
            keys = chunk.stitched.graph.key
            rows = find(keys, span_keys_of(brought.rows))
            _, flows_back = chunk.stitched.flows.of(np.unique(rows[rows >= 0]))
            chunk.taught[flows_back] = True
        if outside.num_rows:
            identifiers, place = identifiers_of(outside)
            self._loose.append(_Loose(outside, identifiers, place, loose_until))
        self.chunks = [chunk for chunk in self.chunks if chunk.alive.any()]
        if not chunk.stitched.flows.count:
            return None
        self.chunks.append(chunk)
        return chunk

    def forget_loose(self, now: int) -> Keys:
        """Let go of loose spans whose time is over; give their identifiers."""
        gone = []
        while self._loose and self._loose[0].kept_until < now:
            gone.append(self._loose.popleft().identifiers)
        return np.concatenate(gone) if gone else np.empty(0, np.uint64)

    def renew(self) -> None:
        """Take over what the learner has learned; judge all flows again where it expects other things."""
        if self.expected.version == self.learner.version:
            return
        before = self.expected
        self.expected = Expected(self.learner)
        same = self.expected.same_demands(before)
        for chunk in self.chunks:
            if not same:
                chunk.judge_again(self.expected)
            elif chunk.unsure.any():
                chunk.unsure = unsure(chunk.record, self.expected)
            else:
                continue
            chunk.tell_outcomes(self.learner)

    def compact(self, most: int = 48) -> None:
        """Stitch small chunks into one, so that their number stays small."""
        if len(self.chunks) <= most:
            return
        by_size = sorted(self.chunks, key=lambda chunk: int(chunk.alive.sum()))
        small, kept = by_size[: len(by_size) - most // 2], by_size[len(by_size) - most // 2 :]
        rows = pa.concat_tables([chunk.rows for chunk in small])
        firsts = [
            (chunk.first_keys(chunk.alive), chunk.taught[chunk.alive], chunk.overdue[chunk.alive])
            for chunk in small
        ]
        merged, _ = make(rows, self.learner, self.expected)
        self._inherit(merged, firsts)
        self.chunks = [*kept, merged]

    def _touched(self, wanted: Keys) -> list[tuple[Chunk, Mask]]:
        """The flows that *wanted* leads to, at any number of steps."""
        found = [(chunk, np.zeros(len(chunk.alive), np.bool_)) for chunk in self.chunks]
        while len(wanted):
            more = []
            for chunk, flows in found:
                hit = find(wanted, chunk.identifiers) >= 0
                reached = np.zeros(len(flows), np.bool_)
                reached[chunk.identified[hit]] = True
                reached &= chunk.alive & ~flows
                if reached.any():
                    np.logical_or(flows, reached, out=flows)
                    more.append(chunk.identifiers[reached[chunk.identified]])
            wanted = np.unique(np.concatenate(more)) if more else wanted[:0]
        return [(chunk, flows) for chunk, flows in found if flows.any()]

    def _take_loose(self, wanted: Keys) -> list[pa.Table]:
        taken, left = [], deque[_Loose]()
        for loose in self._loose:
            hit = np.unique(loose.place[find(wanted, loose.identifiers) >= 0])
            if not len(hit):
                left.append(loose)
                continue
            stays = np.ones(loose.rows.num_rows, np.bool_)
            stays[hit] = False
            taken.append(loose.rows.filter(pa.array(~stays)))
            rest = loose.rows.filter(pa.array(stays))
            left.append(_Loose(rest, *identifiers_of(rest), loose.kept_until))
        self._loose = left
        return taken

    @staticmethod
    def _inherit(chunk: Chunk, firsts: list[tuple[Keys, Mask, Mask]]) -> None:
        """What was said of a flow before stays said of whatever it is now."""
        for keys, taught, overdue in firsts:
            place, flow = chunk.stitched.flows.of(np.maximum(find(chunk.stitched.graph.key, keys), 0))
            np.logical_or.at(chunk.taught, flow, taught[place])
            np.logical_or.at(chunk.overdue, flow, overdue[place])


def nothing() -> pa.Table:
    """READINGS without a row."""
    return READINGS.empty_table()
