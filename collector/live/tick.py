"""A tick: stitches again what new spans touch, judges all flows, learns from resting ones and evicts them."""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow as pa

from collector.columns.joins import Mask, once
from collector.conventions import DEFAULT_NAMING, Naming
from collector.diagnosis import Habits, Learner, Names
from collector.diagnosis.declared import NOTHING_DECLARED, Declared
from collector.diagnosis.expected import Expected
from collector.diagnosis.merged import merged
from collector.diagnosis.owed import Demands
from collector.diagnosis.standing import Standings
from collector.diagnosis.standings import standings
from collector.live import trimmed, untaught
from collector.live.archive import Archive
from collector.live.chunk import Chunk, identifiers_of, make
from collector.live.crowding import Crowding
from collector.live.cut import leaving
from collector.live.cuts import Cut
from collector.live.eviction import beyond
from collector.live.judged import Judged, snapshot_of
from collector.live.judging import Judging
from collector.live.listening import Listening
from collector.live.memory import Memory, Restored
from collector.live.pacing import Pacing
from collector.live.shown import Shown
from collector.live.snapshot import EMPTY, RECENT, Effort, Snapshot
from collector.live.teaching import Teaching
from collector.model.decisions import Decision
from collector.model.deletions import Doomed
from collector.model.flows import SET_ASIDE, State
from collector.model.identity import trace_keys
from collector.model.readings import NO_READINGS
from collector.model.wording import SECOND
from collector.stitching import BELIEVED, Keying
from collector.store.contracts import FlowStore, Known, StoreError

__all__ = ["Pacing", "Tick"]

log = logging.getLogger(__name__)

_SHOWN_S = 3  # for so long what is expected is shown as it was: making it takes long with many steps
_MOST_FAILURES = 8  # in a tick: a store that does not answer takes time to fail


class Tick:
    """The live part without its thread: give it span tables and times, and read its snapshot."""

    def __init__(
        self,
        store: FlowStore,
        *,
        naming: Naming = DEFAULT_NAMING,
        keying: Keying = BELIEVED,
        habits: Habits,
        pacing: Pacing,
    ) -> None:
        self.snapshot: Snapshot = EMPTY
        self.archive = Archive(store)
        self.kept_since = 0  # when the oldest span that is kept was received, nanoseconds
        self._naming, self._pacing = naming, pacing
        names = Names()
        self.learner = Learner(names, habits)
        self._memory = Memory(Demands(self.learner.expected()), keying)
        self._judging = Judging(names, self._memory.demands)
        self._teaching = Teaching(self.learner, self._judging.losses)
        self._shown = Shown()
        self.crowding = Crowding(names, self.learner, self._judging)
        self.listening = Listening(store, self._judging.deafness, pacing.pause_s)
        self._declared = NOTHING_DECLARED
        self._merged: tuple[Expected, Declared, int] | None = None  # what was last judged by
        self._effort = Effort()

    def advance(self, spans: pa.Table | None, now: int, *, more: bool = False) -> Snapshot:
        """Add *spans* (SPANS; None if none came) and judge everything at *now*; *more* of them wait.

        Raise `StoreError` if the store failed: nothing is lost, a later tick does what could not be done.
        """
        began = time.perf_counter()
        if not self.archive.replaying:
            self.listening.tick(spans, now, more=more)
        self.learner.grow_old(now)
        self._renew()
        self._take_in(spans, now)
        failure = self._place(now)
        self._judging.begin(self._memory.chunks, self._memory.demands)
        judged = [one for chunk in list(self._memory.chunks) for one in self._judged(chunk, now)]
        tick_s = time.perf_counter() - began
        self._effort = replace(self._effort, spans_held=self._memory.spans, tick_s=tick_s)
        snapshot = self._snapshot(judged, now)
        try:
            self._keep(judged, now)
            if not self.archive.replaying:
                self.listening.tell(now)
        except StoreError as error:
            failure = error
        self.snapshot = snapshot  # whoever sees a verdict finds it again after a crash: it is stored
        self._bound(judged, now)
        self._memory.compact()
        self.crowding.thin(self._memory.chunks, self._effort, now)
        if failure is not None:
            raise failure
        return self.snapshot

    def declare(self, declared: Declared) -> None:
        """Expect from the next tick on what is *declared*, and nothing that was declared before."""
        self._declared = declared

    def restore(self, known: Mapping[str, Known], spans: pa.Table, now: int, *, unfinished: bool) -> None:
        """Restore the stored flows that are *known* from their *spans* (SPANS). They do not teach again."""
        self._renew()
        rows = trimmed.read(spans, self._naming, now)
        nothing = rows.slice(0, 0)
        restored = Restored(rows, known, unfinished=unfinished)
        _, absorbed = self._memory.add(nothing, identifiers_of(nothing)[0], restored, now + self._quiet(now))
        self.archive.absorb(absorbed)

    def teach(self, spans: pa.Table, ids: Sequence[str]) -> None:
        """Learn from the flows with these *ids* in *spans* (SPANS), without keeping them."""
        self._renew()
        chunk, _ = make(trimmed.read(spans, self._naming), self._memory.demands, self.keying)
        self._judging.cuts.excuse(chunk, self._memory.demands.expected)
        newest = int(np.asarray(chunk.flows["received"].to_numpy()).max(initial=0))
        wanted = np.isin(chunk.ids(chunk.alive), list(ids))
        self.learner.learn(chunk.lesson(wanted, newest + self._quiet(newest)))

    def decide(self, decision: Decision) -> None:
        """Apply a person's word from the next tick on."""
        self.learner.decide(decision)

    def cut(self, cut: Cut) -> None:
        """Never take for owed what may have been among spans that people deleted."""
        self._judging.cuts.add(cut)

    def remove(self, doomed: Doomed, now: int) -> None:
        """Forget the spans of *doomed*, which the store has no more; stitch again the flows that had some."""
        self.archive.absorb(self._memory.remove(doomed.among, now + self._quiet(now)))

    @property
    def keying(self) -> Keying:
        """Which flow keys are believed at present."""
        return self._memory.keying

    def refuse(self, keys: Iterable[str]) -> None:
        """Refuse *keys*, which the store knows not to be flow keys."""
        self._memory.refuse(keys)

    def release(self, ids: Sequence[str], now: int) -> None:
        """Evict flows that the store knows to be done; learn from them first, as the previous process did."""
        for chunk in self._memory.chunks:
            gone = chunk.alive & np.isin(np.array(chunk.flows["id"].to_pylist(), object), list(ids))
            self.learner.learn(chunk.lesson(gone & (chunk.marks.heard == 0) & ~chunk.marks.overdue, now))
            self.archive.release(chunk, gone)

    def _renew(self) -> None:
        """Apply what has been learned."""
        seen = self._judging.lives.seen
        learned, declared, known = self.learner.expected(), self._declared, len(seen)
        if self._merged is not None and self._merged[0] is learned and self._merged[1:] == (declared, known):
            return
        self._merged = learned, declared, known
        expected = merged(learned, declared, {step: one.served for step, one in seen.items()})
        if expected is not self._memory.demands.expected:
            self._memory.judge_by(Demands(expected))

    def _take_in(self, spans: pa.Table | None, now: int) -> None:
        """Hold *spans*. From here on none of them is lost, whatever fails."""
        read = self._read(spans) if spans is not None and spans.num_rows else []
        rows = pa.concat_tables([NO_READINGS, *read])
        try:
            self._memory.take_in(rows, now)
        except Exception:
            log.exception("Spans of large flows cannot wait: they are stitched at once")
            self._memory.hold_at_once(rows)

    def _read(self, spans: pa.Table) -> list[pa.Table]:
        """READINGS of *spans*, without those of flows that were set aside.

        Only a trace that cannot be read is dropped, and counted.
        """
        try:
            rows = self.archive.without_aside(trimmed.read(spans, self._naming))
        except Exception:
            return [rows for part in self._halves(spans, "read") for rows in self._read(part)]
        self._judging.see_spans(rows)
        return [rows]

    def _place(self, now: int) -> StoreError | None:
        """Stitch the rows that are due. They stay due until it works; if the store fails, until a later tick.

        Rows for which the store fails wait at the end, so that the others do not wait for them. Only a trace
        that cannot be stitched is dropped, and counted.
        """
        memory = self._memory
        failures: list[StoreError] = []
        while len(failures) < min(memory.tables_due, _MOST_FAILURES):
            rows = memory.first_due()
            try:
                self._add(rows, now)
            except StoreError as error:
                if memory.spans_due <= self._pacing.most_spans:
                    failures.append(error)
                    memory.postpone_due()
                else:
                    memory.replace_due(*self._add_unrestored(rows, now))
            except Exception:
                memory.replace_due(*self._halves(rows, "stitched"))
            else:
                memory.replace_due()
        return failures[0] if failures else None

    def _add(self, rows: pa.Table, now: int) -> None:
        """Stitch *rows* (READINGS) with the flows that they touch, in memory or in the store."""
        rows = self.archive.without_aside(rows)  # some may have waited until their flow was set aside
        believed = self._memory.believed(once(identifiers_of(rows)[0]))
        self._stitch(rows, self.archive.restore(rows, believed, self._naming, now), now)

    def _add_unrestored(self, rows: pa.Table, now: int) -> list[pa.Table]:
        """Stitch *rows* with the flows in memory only, as too many wait; return what is left to stitch."""
        try:
            self._stitch(rows, None, now)
        except Exception:
            return self._halves(rows, "stitched")
        log.warning("%d spans are judged without the flows that the store has of them", rows.num_rows)
        unrestored = self._effort.spans_unrestored + rows.num_rows
        self._effort = replace(self._effort, spans_unrestored=unrestored)
        return []

    def _stitch(self, rows: pa.Table, restored: Restored | None, now: int) -> None:
        identifiers, _ = identifiers_of(rows)
        chunk, absorbed = self._memory.add(rows, identifiers, restored, now + self._quiet(now))
        self.archive.absorb(absorbed)
        if chunk is not None:
            self.archive.refuse(self._memory.refuse(chunk.stitched.flows.refused))
            self._judging.see(chunk)

    def _halves(self, rows: pa.Table, done: str) -> list[pa.Table]:
        """Split *rows* by trace into two halves; a single trace is counted as lost, and none are returned."""
        trace = trace_keys(rows["trace_id"])
        distinct = once(trace)
        if len(distinct) < 2:
            log.exception("%d spans cannot be %s; they are in the store", rows.num_rows, done)
            self._lose(rows.num_rows)
            return []
        first = trace < distinct[len(distinct) // 2]
        return [rows.filter(pa.array(first)), rows.filter(pa.array(~first))]

    def _lose(self, spans: int) -> None:
        self._effort = replace(self._effort, spans_lost=self._effort.spans_lost + spans)

    def _judged(self, chunk: Chunk, now: int) -> Iterator[Judged]:
        """*chunk* as judged; or its halves, if one of its flows cannot be judged."""
        try:
            one = self._judging.judge(chunk, now, self._quiet(now))
            self.archive.release(chunk, leaving(one, self.kept_since, now))
            yield replace(one, alive=chunk.alive.copy())
        except Exception:
            log.exception("A flow cannot be judged; its spans are in the store")
            parts, lost = self._memory.split(chunk)
            self._lose(lost)
            for part in parts:
                yield from self._judged(part, now)

    def _standings(self, now: int) -> Standings:
        """What is expected, as it is shown: computed again some seconds after something was learned."""
        expected, said = self._memory.demands.expected, (self._declared, len(self.learner.known.words))
        shown = self._shown
        # Also what was not learned tells something: it may have been due since.
        pause = _SHOWN_S if shown.expected is not expected else 3 * _SHOWN_S
        old = now - shown.at > pause * SECOND
        if old or now < shown.at or shown.said != said:
            others = partial(untaught.examples, self._memory.chunks)
            found = standings(self.learner.known, expected, now, others)
            self._shown = shown = Shown(now, expected, said, found)
        absences = self._judging.absences.now(now, self.learner.known.publisher)
        unpaid = self._judging.unpaid.told(now)
        return replace(shown.standings, absences=absences, crowds=self.crowding.told(now), unpaid=unpaid)

    def _snapshot(self, judged: Sequence[Judged], now: int) -> Snapshot:
        lives, journal = self._judging.told(judged, self._memory.demands.expected, now)
        return snapshot_of(
            judged,
            now=now,
            slack_of=self._judging.lives.slack,
            lives=lives,
            journal=journal,
            expected=self._memory.demands.expected,
            learned=self.learner.flows,
            standings=self._standings(now),
            done=self.archive.done(now - RECENT),
            stored=self.archive.newest_version(),
            effort=self.crowding.added_to(self._effort),
        )

    def _keep(self, judged: Sequence[Judged], now: int) -> None:
        """Store flows that stopped; learn from flows at rest, and evict them."""
        for one in judged:
            self._teaching.stopped(one, now)
            self._teaching.resting(one, self._resting(one, now), now)
        self.archive.flush()
        for one in judged:
            # A restart would not find a stopped flow among the newest spans.
            stopped = one.chunk.alive & (one.state >= State.STUCK) & ~one.chunk.marks.current
            self.archive.keep(one, stopped & (not self.archive.replaying))
            resting = self._resting(one, now)
            received = np.asarray(one.chunk.flows["received"].to_numpy())
            waited = received <= now - int(self._pacing.unsure_s * SECOND)
            self.archive.evict(one, resting & (~one.chunk.unsure | waited))
        self.archive.remember(self._memory.forget_loose(now, self._pacing.most_spans // 4))
        self.archive.flush_index()

    def _resting(self, one: Judged, now: int) -> Mask:
        received = np.asarray(one.chunk.flows["received"].to_numpy())
        resting: Mask = one.chunk.alive & (one.state == State.DONE) & (received <= now - self._quiet(now))
        return resting

    def _bound(self, judged: Sequence[Judged], now: int) -> None:
        """Evict early the flows that are too large to judge, and those that memory cannot hold."""
        for one in judged:
            huge = one.chunk.alive & (one.chunk.size > self._pacing.most_flow_spans)
            if huge.any():
                log.warning(
                    "Too large to be judged, and set aside: %s. Is their flow key shared by several runs?",
                    ", ".join(name[:80] for name in one.chunk.ids(huge)[:5]),
                )
                self.archive.set_aside(one.chunk, huge)
                self._evict_early(one, huge, now, set_aside=int(huge.sum()))
        for place, flows in beyond([(one.chunk, one.state) for one in judged], self._pacing.most_spans):
            self._evict_early(judged[place], flows, now, evicted_early=int(flows.sum()))

    def _evict_early(self, one: Judged, flows: Mask, now: int, **counted: int) -> None:
        # Unless more of them arrives, they are not judged again, so their final state is decided now. Nobody
        # learns whether a flow that was set aside comes to an end.
        aside = "set_aside" in counted
        stuck_from = np.full(len(flows), SET_ASIDE) if aside else one.stuck_from(now)
        comes_to_nothing = (stuck_from <= 0) & (one.state < State.STUCK)
        final = State.RUNNING if aside else State.DONE
        one = replace(one, state=np.where(comes_to_nothing, int(final), one.state))
        try:
            self.archive.evict(one, flows, stuck_from=stuck_from)
        except StoreError as error:
            log.warning("%s. Flows leave the memory all the same; their spans are in the store.", error)
            self.archive.release(one.chunk, flows)
        more = {name: getattr(self._effort, name) + n for name, n in counted.items()}
        self._effort = replace(self._effort, **more)

    def _quiet(self, now: int) -> int:
        """How long a flow must be silent to be at rest, in nanoseconds."""
        least, most = self._pacing.least_quiet_s(self._effort.spans_held), self._pacing.quiet_most_s
        return self._judging.lives.quiet(least * SECOND, most * SECOND, now)
