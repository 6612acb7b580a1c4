"""Holds the flows that may still change, and finds those that new spans touch.

Rows are never lost: each is held until it is stitched, or dropped and counted.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from collector.columns.joins import Ints, Mask, among, find, once
from collector.columns.keys import Keys, text_keys
from collector.diagnosis.owed import Demands
from collector.live.chunk import Chunk, Marks, asked_of, identifiers_of, make, offered_of, span_keys_of
from collector.live.loose import Loose
from collector.model.readings import NO_READINGS
from collector.stitching import BELIEVED, Keying
from collector.store.contracts import Known

LARGE = 2_000  # spans: a larger flow is not stitched again for each new span
_MOST_CHUNKS = 48
_LARGE_WAIT = 60 * 10**9
_MOST_REFUSED = 10_000  # flow keys; an older one that is still shared is found to be so again

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Restored:
    """Flows restored from the store. They teach with spans that were received after *heard* only."""

    rows: pa.Table  # READINGS
    known: Mapping[str, Known] = field(default_factory=dict)  # by id
    unfinished: bool = False  # they were stuck or failed, not done
    heard: int = 2**62  # nanoseconds

    def marks(self, count: int) -> Marks:
        """The marks of *count* restored flows."""
        yes = np.ones(count, np.bool_)
        unfinished = yes if self.unfinished else ~yes
        heard = np.full(count, self.heard)
        marks = Marks.none(count)
        marks.overdue, marks.kept, marks.counted, marks.heard = unfinished, yes, ~unfinished, heard
        return marks


class Memory:
    """Living chunks, loose spans, and rows on their way into a chunk."""

    def __init__(self, demands: Demands, keying: Keying = BELIEVED) -> None:
        self.demands = demands
        self.keying = keying
        self.chunks: list[Chunk] = []
        self._due: deque[pa.Table] = deque()  # READINGS to be stitched now, oldest first
        self._refused: Keys = np.empty(0, np.uint64)  # the identifiers of refused flow keys
        self._refused_names: list[str] = sorted(keying.refused)  # the newest last
        self._loose: deque[Loose] = deque()
        self._waiting: list[tuple[int, pa.Table]] = []  # (arrival, READINGS) of large flows

    @property
    def spans(self) -> int:
        """How many spans are held."""
        aside = [*(loose.rows for loose in self._loose), *(rows for _, rows in self._waiting), *self._due]
        return sum(chunk.spans for chunk in self.chunks) + sum(int(rows.num_rows) for rows in aside)

    def add(
        self, new: pa.Table, identifiers: Keys, restored: Restored | None, loose_until: int
    ) -> tuple[Chunk | None, Sequence[str]]:
        """Stitch *new* (READINGS) together with all that it touches through its *identifiers*.

        Return the chunk that this made, and the stored ids that no flow has any more, because their flows got
        an earlier span or a key, or were joined to others. If this raises, nothing has changed.
        """
        parts, wanted = [new], identifiers
        if restored is not None:
            parts.append(restored.rows)
            wanted = np.append(identifiers, identifiers_of(restored.rows)[0])
        touched, wanted = self._reached(self.believed(once(wanted)), pa.concat_tables(parts))
        parts.extend(chunk.rows_of(flows) for chunk, flows in touched)
        taken, left = self._split_loose(wanted)
        parts.extend(taken)
        chunk, outside = make(pa.concat_tables(parts), self.demands, self.keying)
        former = [(before.first_keys(flows), before.marks.of(flows)) for before, flows in touched]
        stored = [name for before, flows in touched for name in before.ids(flows & before.marks.kept)]
        if restored is not None:
            keys = once(span_keys_of(restored.rows))
            former.append((keys, restored.marks(len(keys))))
            stored += restored.known
        chunk.inherit(former)
        absorbed = sorted(set(stored) - set(chunk.ids(chunk.alive) if stored else []))
        chunk.note_changed(stored)
        if restored is not None:
            chunk.note_begun(restored.known, unchanged=not new.num_rows)
            if restored.unfinished:
                chunk.note_stopped(restored.known)
        if outside.num_rows:
            identifiers, place = identifiers_of(outside)
            left.append(Loose(outside, identifiers, place, loose_until))
        # Nothing below can fail.
        for before, flows in touched:
            before.drop(flows)
        self._loose = left
        self.chunks = [chunk for chunk in self.chunks if chunk.alive.any()]
        if not chunk.stitched.flows.count:
            return None, absorbed
        self.chunks.append(chunk)
        return chunk, absorbed

    def judge_by(self, demands: Demands) -> None:
        """Use *demands* from now on."""
        self.demands = demands

    def refuse(self, keys: Iterable[str]) -> Sequence[str]:
        """Stop *keys* from joining flows; return the new ones. The flows they joined are split already."""
        new = sorted(set(keys) - self.keying.refused)
        if new:
            self._refused_names += new
            self._refused_names = self._refused_names[-_MOST_REFUSED:]
            self.keying = replace(self.keying, refused=frozenset(self._refused_names))
            self._refused = once(text_keys(pa.array(sorted(self.keying.refused), pa.string())))
        return new

    def believed(self, identifiers: Keys) -> Keys:
        """*identifiers* without those of refused flow keys."""
        return identifiers[~among(identifiers, self._refused)] if len(self._refused) else identifiers

    def take_in(self, new: pa.Table, now: int) -> None:
        """Hold *new* (READINGS), and make due what need not wait. If this raises, nothing has changed.

        A large flow is expensive to stitch. Its new spans wait until there are a quarter as many as it has,
        or for a minute. So each span is stitched about five times, however large its flow grows.
        """
        large = [(chunk, chunk.alive & (chunk.size >= LARGE)) for chunk in self.chunks]
        large = [(chunk, flows) for chunk, flows in large if flows.any()]
        ripe = [rows for arrived, rows in self._waiting if arrived <= now - _LARGE_WAIT]
        parts = [(arrived, rows) for arrived, rows in self._waiting if arrived > now - _LARGE_WAIT]
        if new.num_rows:
            parts.append((now, new))
        due, waiting = self._split_due(parts, large)
        rows = pa.concat_tables([NO_READINGS, *ripe, *due])
        self._waiting = waiting
        if rows.num_rows:
            self._due.append(rows)

    def _split_due(
        self, parts: Sequence[tuple[int, pa.Table]], large: Sequence[tuple[Chunk, Mask]]
    ) -> tuple[list[pa.Table], list[tuple[int, pa.Table]]]:
        """What part of *parts* is due, and what keeps waiting, given the *large* flows they belong to."""
        if not large:
            return [rows for _, rows in parts], []
        of = [_owners(rows, large) for _, rows in parts]
        sizes = np.concatenate([chunk.size[flows] for chunk, flows in large])
        coming = sum((np.bincount(owner[owner >= 0], minlength=len(sizes)) for owner in of), np.zeros(1))
        enough = np.append(4 * coming >= sizes, True)  # the last stands for rows of no large flow
        due, waiting = [], []
        for (arrived, rows), owner in zip(parts, of, strict=True):
            due.append(rows.filter(pa.array(enough[owner])))
            if (waits := rows.filter(pa.array(~enough[owner]))).num_rows:
                waiting.append((arrived, waits))
        return due, waiting

    def hold_at_once(self, new: pa.Table) -> None:
        """Hold *new* (READINGS), and make all of it due."""
        self._due.append(new)

    def first_due(self) -> pa.Table:
        """The READINGS to stitch next. They stay due until `replace_due`."""
        return self._due[0]

    def replace_due(self, *parts: pa.Table) -> None:
        """Replace the first due rows by *parts*; without any, they are done with."""
        self._due.popleft()
        self._due.extendleft(reversed(parts))

    def postpone_due(self) -> None:
        """Move the first due rows to the end: what cannot be stitched now must not hold up the rest."""
        self._due.rotate(-1)

    @property
    def tables_due(self) -> int:
        """How many tables of rows are due."""
        return len(self._due)

    @property
    def spans_due(self) -> int:
        """How many spans are due."""
        return sum(int(rows.num_rows) for rows in self._due)

    def forget_loose(self, now: int, most: int) -> Keys:
        """Drop loose spans that have expired, or that exceed *most*; return their identifiers."""
        gone = []
        held = sum(loose.rows.num_rows for loose in self._loose)
        while self._loose and (self._loose[0].kept_until < now or held > most):
            held -= self._loose[0].rows.num_rows
            gone.append(self._loose.popleft().identifiers)
        return np.concatenate(gone) if gone else np.empty(0, np.uint64)

    def remove(self, gone: Callable[[pa.Table], Mask], loose_until: int) -> Sequence[str]:
        """Forget the rows (READINGS) that *gone* marks; flows that had some are stitched again without them.

        Return the stored ids that no flow has any more.
        """

        def rest(rows: pa.Table) -> pa.Table:
            return rows.filter(pa.array(~gone(rows)))

        self._due = deque(rest(rows) for rows in self._due)
        self._waiting = [(arrived, rest(rows)) for arrived, rows in self._waiting]
        loose = [(rest(one.rows), one.kept_until) for one in self._loose]
        self._loose = deque(
            Loose(rows, *identifiers_of(rows), until) for rows, until in loose if rows.num_rows
        )
        absorbed: list[str] = []
        for chunk in list(self.chunks):
            flows = chunk.flows_of(gone(chunk.stitched.graph.spans))
            for some in (flows & chunk.marks.overdue, flows & ~chunk.marks.overdue):
                if some.any():
                    absorbed += self._without(chunk, some, rest(chunk.rows_of(some)), loose_until)
        self.chunks = [chunk for chunk in self.chunks if chunk.alive.any()]
        return absorbed

    def _without(self, chunk: Chunk, flows: Mask, rows: pa.Table, loose_until: int) -> Sequence[str]:
        """Replace *flows* of *chunk* by flows of *rows*; return the stored ids that no flow has any more."""
        stored = chunk.ids(flows & chunk.marks.kept)
        known = chunk.known(flows & chunk.marks.kept)
        overdue = bool(chunk.marks.overdue[flows].all())
        chunk.drop(flows)
        if not rows.num_rows:
            return stored
        nothing = rows.slice(0, 0)
        restored = Restored(rows, known, unfinished=overdue)
        _, absorbed = self.add(nothing, identifiers_of(nothing)[0], restored, loose_until)
        return absorbed

    def compact(self) -> None:
        """Merge small chunks, and chunks whose flows are mostly gone, into one, to free memory.

        A chunk that is emptying fast is left alone: within a tick or two, the rest of it is gone at no cost.
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
        merged = self._restitched([(chunk, chunk.alive) for chunk in chosen])
        self.chunks = [chunk for chunk in self.chunks if chunk not in chosen] + merged

    def split(self, chunk: Chunk) -> tuple[list[Chunk], int]:
        """Replace *chunk* by two chunks, each with half of its flows; drop it if it has only one.

        Return the new chunks, and how many spans were dropped.
        """
        flows = np.flatnonzero(chunk.alive)
        made, lost = [], 0
        for half in np.array_split(flows, 2) if len(flows) > 1 else []:
            some, dropped = self._salvaged(chunk, half)
            made += some
            lost += dropped
        if len(flows) == 1:
            lost = chunk.living_spans
        self.chunks = [other for other in self.chunks if other is not chunk] + made
        return made, lost

    def _salvaged(self, chunk: Chunk, flows: Ints) -> tuple[list[Chunk], int]:
        """Chunks of *flows*, and how many spans were dropped because their flows cannot be stitched again."""
        mask = np.zeros(len(chunk.alive), np.bool_)
        mask[flows] = True
        try:
            return self._restitched([(chunk, mask)]), 0
        except Exception:
            if len(flows) == 1:
                log.exception("A flow cannot be stitched again; its spans are in the store")
                return [], int(chunk.size[mask].sum())
        parts = [self._salvaged(chunk, half) for half in np.array_split(flows, 2)]
        return [one for made, _ in parts for one in made], sum(lost for _, lost in parts)

    def _restitched(self, chosen: Sequence[tuple[Chunk, Mask]]) -> list[Chunk]:
        """One chunk with all flows that the masks mark, and their marks; no chunk if they mark none."""
        rows = pa.concat_tables([chunk.rows_of(flows) for chunk, flows in chosen])
        merged, _ = make(rows, self.demands, self.keying)
        merged.inherit([(chunk.first_keys(flows), chunk.marks.of(flows)) for chunk, flows in chosen])
        return [merged] if merged.alive.any() else []

    def _reached(self, wanted: Keys, rows: pa.Table) -> tuple[list[tuple[Chunk, Mask]], Keys]:
        """The flows to stitch with *rows*, and all their identifiers.

        Whatever these flows and loose spans pointed at before is needed again, even if nothing new names it.
        """
        wanted = once(np.concatenate([wanted, *map(self.believed, self._asking_loose(rows))]))
        asks = asked_of(rows)[0]
        while True:
            touched = self._touched(wanted, rows, asks)
            own = [chunk.identifiers[flows[chunk.identified]] for chunk, flows in touched]
            wanted = once(np.concatenate([wanted, *own]))
            hit = [(loose, loose.place[find(wanted, loose.identifiers) >= 0]) for loose in self._loose]
            hit = [(loose, place) for loose, place in hit if len(place)]
            grown = once(np.concatenate([wanted, *(self.believed(loose.of(place)) for loose, place in hit)]))
            more = np.concatenate([asks, *(loose.asked_at(place) for loose, place in hit)])
            if len(grown) == len(wanted) and among(more, asks).all():
                return touched, wanted
            wanted, asks = grown, once(more)

    def _asking_loose(self, rows: pa.Table) -> Iterator[Keys]:
        """The identifiers of loose spans that ask for the id of a message in *rows*."""
        offers: Keys | None = None
        for loose in self._loose:
            keys, place = loose.asking
            if len(keys):
                offers = once(offered_of(rows)[0]) if offers is None else offers
                yield loose.of(place[find(offers, keys) >= 0])

    def _touched(self, wanted: Keys, rows: pa.Table, asks: Keys) -> list[tuple[Chunk, Mask]]:
        """The flows that *wanted* leads to in any number of steps, or that ids in *rows*, or *asks*, lead to.

        Flows that are reached ask again for the message ids that they asked for before. If two messages have
        such an id, both must be present, because then neither may be taken.
        """
        found = [(chunk, np.zeros(len(chunk.alive), np.bool_)) for chunk in self.chunks]
        self._reach_askers(found, rows)
        more = [(chunk, flows.copy()) for chunk, flows in found]
        asked = [asks]
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

    def _split_loose(self, wanted: Keys) -> tuple[list[pa.Table], deque[Loose]]:
        """The loose spans that *wanted* names, and the others."""
        taken, left = [], deque[Loose]()
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
                left.append(Loose(rest, *identifiers_of(rest), loose.kept_until))
        return taken, left


def _owners(rows: pa.Table, large: Sequence[tuple[Chunk, Mask]]) -> Ints:
    """Which of the *large* flows, numbered consecutively, each row belongs to; -1 if none."""
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
