"""The flows that may still change, held in memory, and which of them new spans touch."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from collector.conventions import READINGS
from collector.diagnosis.expectations import Learner
from collector.diagnosis.owed import Expected
from collector.joins import Ints, Mask, among, find, once
from collector.keys import Keys, text_keys
from collector.live.chunk import Chunk, Marks, asked_of, identifiers_of, make, offered_of, span_keys_of
from collector.stitching import BELIEVED, Keying

LARGE = 2_000  # spans: a flow of more is not stitched again for each of its next ones
_MOST_CHUNKS = 48
_LARGE_WAIT = 60 * 10**9


@dataclass(frozen=True)
class _Loose:
    """Spans that have to do with no message so far: a message below them may still come."""

    rows: pa.Table
    identifiers: Keys
    place: Ints
    kept_until: int


@dataclass(frozen=True)
class Brought:
    """Flows that the archive has and that come back. They teach nothing any more."""

    rows: pa.Table  # READINGS
    ids: Sequence[str] = field(default=())
    unfinished: bool = False  # they were stuck or failed, and not done

    def marks(self, count: int) -> Marks:
        """What is said of each of *count* flows that come back."""
        yes, no = np.ones(count, np.bool_), np.zeros(count, np.bool_)
        unfinished = yes if self.unfinished else no
        return Marks(taught=yes, overdue=unfinished, kept=yes, current=no, counted=~unfinished)


class Memory:
    """Living chunks, loose spans, and spans of large flows that wait for more."""

    def __init__(self, learner: Learner, keying: Keying = BELIEVED) -> None:
        self.learner = learner
        self.keying = keying
        self._refused: Keys = np.empty(0, np.uint64)  # of the keys that are refused
        self.expected = Expected(learner)
        self.chunks: list[Chunk] = []
        self._loose: deque[_Loose] = deque()
        self._waiting: list[tuple[int, pa.Table]] = []

    @property
    def spans(self) -> int:
        """How many spans are held."""
        aside = [loose.rows for loose in self._loose] + [rows for _, rows in self._waiting]
        return sum(chunk.spans for chunk in self.chunks) + sum(int(rows.num_rows) for rows in aside)

    def add(
        self, new: pa.Table, identifiers: Keys, brought: Brought | None, loose_until: int
    ) -> tuple[Chunk | None, Sequence[str]]:
        """Stitch *new* (READINGS) together with all that it touches by its *identifiers*.

        Give the chunk that this made, and the ids in the archive that no flow has any more: it got an
        earlier span, a key, or was joined to another. If it raises, nothing has changed.
        """
        parts, wanted = [new], identifiers
        if brought is not None:
            parts.append(brought.rows)
            wanted = np.append(identifiers, identifiers_of(brought.rows)[0])
        touched, wanted = self._reached(self.believed(once(wanted)), pa.concat_tables(parts))
        parts.extend(chunk.rows_of(flows) for chunk, flows in touched)
        taken, left = self._split_loose(wanted)
        parts.extend(taken)
        chunk, outside = make(pa.concat_tables(parts), self.learner, self.expected, self.keying)
        archived = list(brought.ids) if brought is not None else []
        for before, flows in touched:
            chunk.inherit(before.first_keys(flows), before.marks.of(flows))
            archived += before.ids(flows & before.marks.kept)
        if brought is not None:
            keys = once(span_keys_of(brought.rows))
            chunk.inherit(keys, brought.marks(len(keys)))
        ids = chunk.ids(chunk.alive) if archived else []
        vanished = sorted(set(archived) - set(ids))
        chunk.marks.kept &= np.isin(np.array(ids, object), archived) if archived else False
        chunk.marks.current[:] = False
        # From here on nothing can fail.
        for before, flows in touched:
            before.alive &= ~flows
        self._loose = left
        if outside.num_rows:
            identifiers, place = identifiers_of(outside)
            self._loose.append(_Loose(outside, identifiers, place, loose_until))
        self.chunks = [chunk for chunk in self.chunks if chunk.alive.any()]
        if not chunk.stitched.flows.count:
            return None, vanished
        self.chunks.append(chunk)
        return chunk, vanished

    def refuse(self, keys: Iterable[str]) -> Sequence[str]:
        """Let *keys* join nothing any more; give those that still did. Their flows have been put apart."""
        new = sorted(set(keys) - self.keying.refused)
        if new:
            self.keying = replace(self.keying, refused=self.keying.refused | set(new))
            self._refused = once(text_keys(pa.array(sorted(self.keying.refused), pa.string())))
        return new

    def believed(self, identifiers: Keys) -> Keys:
        """Those of *identifiers* that do not stand for a flow key that is refused."""
        return identifiers[~among(identifiers, self._refused)] if len(self._refused) else identifiers

    def due(self, new: pa.Table, now: int) -> pa.Table:
        """Those of *new* and of what waits that are to be added now.

        A flow of many spans costs much to stitch. Its new spans wait until they are a quarter as many
        as it has, or for a minute: so each span is stitched about five times, however long a flow grows.
        """
        large = [(chunk, chunk.alive & (chunk.size >= LARGE)) for chunk in self.chunks]
        large = [(chunk, flows) for chunk, flows in large if flows.any()]
        ripe = [rows for arrived, rows in self._waiting if arrived <= now - _LARGE_WAIT]
        young = [(arrived, rows) for arrived, rows in self._waiting if arrived > now - _LARGE_WAIT]
        self._waiting = []
        added = [*ripe]
        parts = [*young, (now, new)] if new.num_rows else young
        if not large:
            return pa.concat_tables([READINGS.empty_table(), *added, *(rows for _, rows in parts)])
        of = [_owners(rows, large) for _, rows in parts]
        sizes = np.concatenate([chunk.size[flows] for chunk, flows in large])
        coming = sum((np.bincount(owner[owner >= 0], minlength=len(sizes)) for owner in of), np.zeros(1))
        enough = np.append(4 * coming >= sizes, True)  # the last stands for those of no large flow
        for (arrived, rows), owner in zip(parts, of, strict=True):
            added.append(rows.filter(pa.array(enough[owner])))
            if (waits := rows.filter(pa.array(~enough[owner]))).num_rows:
                self._waiting.append((arrived, waits))
        return pa.concat_tables([READINGS.empty_table(), *added])

    def forget_loose(self, now: int, most: int) -> Keys:
        """Let go of loose spans whose time is over or that are more than *most*; give their identifiers."""
        gone = []
        held = sum(loose.rows.num_rows for loose in self._loose)
        while self._loose and (self._loose[0].kept_until < now or held > most):
            held -= self._loose[0].rows.num_rows
            gone.append(self._loose.popleft().identifiers)
        return np.concatenate(gone) if gone else np.empty(0, np.uint64)

    def renew(self) -> None:
        """Take over what the learner has learned."""
        if self.expected.version != self.learner.version:
            self.expected = Expected(self.learner)

    def compact(self) -> None:
        """Stitch chunks into one that are small, or of which most is gone: so memory is given back.

        One that is being emptied is left alone: the next tick or two take the rest of it for nothing.
        """
        chosen = []
        for chunk in self.chunks:
            before, chunk.lived = chunk.lived, chunk.living_spans
            if chunk.spans > 500 and 2 * chunk.lived < chunk.spans and 10 * chunk.lived > 9 * before:
                chosen.append(chunk)
        rest = [chunk for chunk in self.chunks if chunk not in chosen]
        if len(rest) > _MOST_CHUNKS:
            rest.sort(key=lambda chunk: chunk.living_spans)
            chosen += rest[: len(rest) - _MOST_CHUNKS // 2]
        if not chosen:
            return
        merged = self.remade([(chunk, chunk.alive) for chunk in chosen])
        self.chunks = [chunk for chunk in self.chunks if chunk not in chosen] + merged

    def halves(self, chunk: Chunk) -> list[Chunk]:
        """Replace *chunk* by two with half of its flows each, or by nothing if it has one only."""
        flows = np.flatnonzero(chunk.alive)
        first, second = chunk.alive.copy(), chunk.alive.copy()
        first[flows[len(flows) // 2 :]] = False
        second[flows[: len(flows) // 2]] = False
        made = self.remade([(chunk, first)]) + self.remade([(chunk, second)]) if len(flows) > 1 else []
        self.chunks = [other for other in self.chunks if other is not chunk] + made
        return made

    def remade(self, chosen: Sequence[tuple[Chunk, Mask]]) -> list[Chunk]:
        """One chunk of the flows that the masks mark, with their marks; none if that is no flow."""
        rows = pa.concat_tables([chunk.rows_of(flows) for chunk, flows in chosen])
        merged, _ = make(rows, self.learner, self.expected, self.keying)
        for chunk, flows in chosen:
            merged.inherit(chunk.first_keys(flows), chunk.marks.of(flows))
        return [merged] if merged.alive.any() else []

    def _reached(self, wanted: Keys, rows: pa.Table) -> tuple[list[tuple[Chunk, Mask]], Keys]:
        """The flows that are to be stitched with *rows*, and the identifiers of all that they are of.

        What a flow, or a loose span, pointed at before is needed again, though nothing new names it.
        """
        while True:
            touched = self._touched(wanted, rows)
            own = [chunk.identifiers[flows[chunk.identified]] for chunk, flows in touched]
            wanted = once(np.concatenate([wanted, *own]))
            hit = [(loose, loose.place[find(wanted, loose.identifiers) >= 0]) for loose in self._loose]
            beyond = [loose.identifiers[np.isin(loose.place, place)] for loose, place in hit if len(place)]
            grown = once(np.concatenate([wanted, *map(self.believed, beyond)]))
            if len(grown) == len(wanted):
                return touched, wanted
            wanted = grown

    def _touched(self, wanted: Keys, rows: pa.Table) -> list[tuple[Chunk, Mask]]:
        """The flows that *wanted* leads to at any number of steps, or that ids in *rows* do.

        Those that are reached ask again for what they asked for: if two had that id, both must be there
        for neither to be taken.
        """
        found = [(chunk, np.zeros(len(chunk.alive), np.bool_)) for chunk in self.chunks]
        self._reach_askers(found, rows)
        more = [(chunk, flows.copy()) for chunk, flows in found]
        asked = [asked_of(rows)[0]]
        while True:
            wanted = once(np.concatenate([wanted, *(c.identifiers[f[c.identified]] for c, f in more)]))
            asks = once(np.concatenate([*asked, *(c.asked[0][f[c.asked[1]]] for c, f in more if f.any())]))
            if not len(wanted) and not len(asks):
                return [(chunk, flows) for chunk, flows in found if flows.any()]
            more, asked = [], []
            for chunk, flows in found:
                reached = np.zeros(len(flows), np.bool_)
                reached[chunk.identified[find(wanted, chunk.identifiers) >= 0]] = True
                if len(asks):
                    keys, flow = chunk.offered
                    reached[flow[find(asks, keys) >= 0]] = True
                reached &= chunk.alive & ~flows
                if reached.any():
                    np.logical_or(flows, reached, out=flows)
                    more.append((chunk, reached))
            wanted, asked = wanted[:0], [asks[:0]]

    def _reach_askers(self, found: Sequence[tuple[Chunk, Mask]], rows: pa.Table) -> None:
        """Mark the flows that ask for the id of a message in *rows*."""
        offers: Keys | None = None
        for chunk, flows in found:
            keys, flow = chunk.asked
            if len(keys):
                offers = once(offered_of(rows)[0]) if offers is None else offers
                flows[flow[find(offers, keys) >= 0]] = True
                np.logical_and(flows, chunk.alive, out=flows)

    def _split_loose(self, wanted: Keys) -> tuple[list[pa.Table], deque[_Loose]]:
        """The loose spans that *wanted* names, and all others."""
        taken, left = [], deque[_Loose]()
        for loose in self._loose:
            hit = once(loose.place[find(wanted, loose.identifiers) >= 0])
            if not len(hit):
                left.append(loose)
                continue
            stays = np.ones(loose.rows.num_rows, np.bool_)
            stays[hit] = False
            taken.append(loose.rows.filter(pa.array(~stays)))
            if stays.any():
                rest = loose.rows.filter(pa.array(stays))
                left.append(_Loose(rest, *identifiers_of(rest), loose.kept_until))
        return taken, left


def _owners(rows: pa.Table, large: Sequence[tuple[Chunk, Mask]]) -> Ints:
    """Which of the *large* flows, counted through, each row belongs to; -1 where it is none of them."""
    identifiers, place = identifiers_of(rows)
    owner = np.full(rows.num_rows, -1)
    before = 0
    for chunk, flows in large:
        rank = np.where(flows, np.cumsum(flows) - 1 + before, -1)
        mine = flows[chunk.identified]
        found = find(chunk.identifiers[mine], identifiers)
        owner[place[found >= 0]] = rank[chunk.identified[mine][found[found >= 0]]]
        before += int(flows.sum())
    return owner
