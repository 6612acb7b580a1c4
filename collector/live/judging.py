"""What is overdue in a chunk, and what of it is excused: as lost, as unheard, as what may be a choice?"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from collector.columns.joins import Ints, Mask, find, once
from collector.columns.keys import Keys, pair_keys
from collector.diagnosis import Debt, Names, states
from collector.diagnosis.debts import NOTHING, Owed
from collector.diagnosis.expected import Expected
from collector.diagnosis.findings import Life
from collector.diagnosis.owed import Demands
from collector.diagnosis.vocabulary import Codes
from collector.live.absences import Absences
from collector.live.chunk import Chunk
from collector.live.cut import excuse_what_may_be_gone
from collector.live.cuts import Cuts
from collector.live.deafness import Deafness
from collector.live.journal import Journal
from collector.live.judged import Judged, waiting_since
from collector.live.lives import Lives
from collector.live.losses import Losses
from collector.live.orphans import OrphanCounts
from collector.live.unpaid import UnpaidDebts
from collector.model.flows import State
from collector.model.wording import MINUTE, SECOND

_LOOK_AGAIN = 10 * SECOND  # at flows that stopped: what is known of ends grows
_PATIENCE = 5 * MINUTE  # nobody should wait longer for a first word
_NONE: Keys = np.empty(0, np.uint64)
_NOTHING: Ints = np.empty(0, np.int64)


class Judging:
    """What is known of the reactors, their telemetry, and when the collector listened."""

    def __init__(self, names: Names, demands: Demands) -> None:
        self.lives = Lives(names)
        self.deafness = Deafness(names)
        self.losses = Losses()
        self.absences = Absences(names)
        self.unpaid = UnpaidDebts(names)
        self.cuts = Cuts(names)
        self._orphans = OrphanCounts(names)
        self._journal = Journal()
        self._chunks: tuple[Chunk, ...] = ()
        self._demands = demands
        self._runs: tuple[Keys, Ints] | None = None
        self._missed: tuple[Ints, Ints] | None = None

    def see_spans(self, rows: pa.Table) -> None:
        """Learn from *rows* (READINGS) that arrived."""
        self.lives.see_spans(rows)
        self.deafness.hear(rows)
        self.absences.see_spans(rows)

    def see(self, chunk: Chunk) -> None:
        """Learn from what happened in *chunk*: flows with new spans."""
        self.lives.see(chunk.record)
        self._orphans.see(chunk.record)
        self.absences.see(chunk.record)
        self.unpaid.see(chunk)

    def forget(self, codes: Codes) -> None:
        """Forget what is known by these names, which nothing in memory refers to."""
        for part in (self.lives, self.deafness, self.absences, self._orphans, self.unpaid):
            part.forget(codes)

    def begin(self, chunks: Sequence[Chunk], demands: Demands) -> None:
        """Begin to judge *chunks* by *demands*: call it before `judge`."""
        self._chunks, self._demands = tuple(chunks), demands
        self._runs = self._missed = None

    def judge(self, chunk: Chunk, now: int, quiet: int) -> Judged:
        """*chunk* at *now*; flows are at rest after *quiet* nanoseconds."""
        chunk.judge_by(self._demands)
        excuse_what_may_be_gone(chunk)
        self.cuts.excuse(chunk, self._demands.expected)
        owed = replace(chunk.owed, since=self.lives.since(chunk.owed))
        slack = self.lives.slack(owed)
        fresh = ~chunk.marks.overdue[owed.flow]  # what was stuck stays so until it is paid
        told = owed
        owed, unheard, given_up = self._patient(told, slack, fresh, now)
        past = fresh & (now - owed.since - slack > owed.deadline)
        alone, lost = past, unheard
        if past.any() or unheard.any():
            passed_over = self.lives.passed_over(told)
            alone = past & passed_over
            alone &= self._alone(owed) if alone.any() else False
            # What may have happened while nobody listened is excused once its reactor is seen to be alive:
            # until then, it may have died meanwhile.
            settled = passed_over | ~np.isin(owed.kind, (Debt.REACTION, Debt.MESSAGE))
            lost = (unheard & (settled | given_up)) | (alone & self.losses.noticed)
        excused = lost | alone
        if excused.any():
            chunk.excuse(excused, lost)
            owed, slack = owed.where(~excused), slack[~excused]
        owed, slack, unpaid = self._ended(chunk, owed, slack, now)
        # Telemetry that seems lost may not have arrived yet: the sender of the first event is often the last
        # to export it.
        coming = np.asarray(chunk.flows["received"].to_numpy()) > now - quiet
        open_ended = (chunk.unsure | chunk.lost) & coming
        state = states(owed, len(chunk.alive), now, slack, open_ended=open_ended)
        # What stopped has not gone on because its beginning went, or because too little was learned since the
        # start to say what it waits for.
        chunk.marks.vouched[owed.flow] = False
        state[chunk.marks.vouched] = State.STUCK
        # Nobody knows any more what it waits for: that is no reason to call it done.
        state[chunk.marks.stopped & chunk.unsure & (state == State.DONE)] = State.STUCK
        return Judged(chunk, chunk.alive.copy(), state, owed, now - owed.since - slack, coming, unpaid)

    def _ended(self, chunk: Chunk, owed: Owed, slack: Ints, now: int) -> tuple[Owed, Ints, Owed]:
        """(*owed* without what nobody waits for in flows that ended, its slack, and what that is)."""
        age = now - owed.since - slack
        past = (age > owed.deadline) | (owed.final & (age > 0))
        asked = ((age > owed.due) | past) & chunk.alive[owed.flow]
        if now - chunk.looked < _LOOK_AGAIN:
            asked &= ~(past & chunk.marks.overdue[owed.flow])
        elif asked.any():
            chunk.looked = now
        ends = np.full(len(owed), -1)
        if asked.any():
            ends[asked] = chunk.judged_by.ends.excusing(chunk.record, owed.where(asked))
        # No flow is late by what it does not wait for.
        owed = replace(owed, due=np.where(ends >= 0, owed.deadline, owed.due))
        over = (ends >= 0) & past
        if not over.any():
            return owed, slack, NOTHING
        unpaid = owed.where(over)
        self.unpaid.add(chunk, unpaid, ends[over], self._demands.expected, now)
        chunk.excuse(over, np.zeros(len(over), np.bool_))
        chunk.marks.vouched[unpaid.flow] = False
        return owed.where(~over), slack[~over], unpaid

    def _patient(self, owed: Owed, slack: Ints, fresh: Mask, now: int) -> tuple[Owed, Mask, Mask]:
        """(*owed* with more time where less can be known, what may have been paid unheard, what is given up).

        Nothing will tell more of those that are given up: their reactor had nothing to do for long.
        """
        unheard, until = self.deafness.unheard(owed, slack, now)
        unheard &= fresh
        typical, longest = self.lives.pauses(owed)
        given_up = np.zeros(len(owed), np.bool_)
        if until.any():
            # That it takes nothing says something only if there was something to take since.
            # What happens shortly before the end of a gap is exported after it.
            idle = unheard & (self._newest_missed(owed, now) <= until - slack)
            given_up = idle & (now - until > _PATIENCE)
            until = np.where(idle, now, until + np.where(unheard, longest, 0))
            owed = replace(owed, since=np.where(fresh, np.maximum(owed.since, until), owed.since))
        # A choice shows by what its reactor takes next, which takes long where there is little to take.
        seldom = fresh & (2 * typical > owed.deadline)
        if seldom.any():
            seldom &= self._demands.may_be_choice(owed) & ~self.lives.passed_over(owed)
            owed = replace(
                owed, deadline=owed.deadline + np.where(seldom, np.minimum(3 * longest // 2, _PATIENCE), 0)
            )
        return owed, unheard, given_up

    def told(
        self, judged: Sequence[Judged], expected: Expected, now: int
    ) -> tuple[dict[int, Life], dict[int, tuple[tuple[int, Life], ...]]]:
        """The life of each step, and for those that flows wait for, each time that it changed, and when."""
        waiting = waiting_since(judged)
        lives = self._orphans.told(self.lives.known(), waiting, expected)
        return lives, self._journal.written(lives, waiting, now)

    def _newest_missed(self, owed: Owed, now: int) -> Ints:
        """Since when the newest thing is owed that the step of each entry missed of its kind; 0 for none."""
        if self._missed is None:
            steps, times = [_NOTHING], [_NOTHING]
            for chunk in self._chunks:
                missed = chunk.alive[chunk.owed.flow] & (now - chunk.owed.since > chunk.owed.due)
                steps.append(_kind_of(chunk.owed)[missed])
                times.append(chunk.owed.since[missed])
            step, since = np.concatenate(steps), np.concatenate(times)
            distinct = once(step)
            newest = np.zeros(len(distinct), np.int64)
            np.maximum.at(newest, find(distinct, step), since)
            self._missed = distinct, newest
        distinct, newest = self._missed
        return np.append(newest, 0)[find(distinct, _kind_of(owed))]

    def _shaky(self, owed: Owed) -> Mask:
        """Which entries mean little alone: they may be a choice, or their spans may be lost."""
        if self.losses.noticed:
            return np.isin(owed.kind, (Debt.REACTION, Debt.MESSAGE)) & ~owed.sure
        return self._demands.may_be_choice(owed)

    def _alone(self, owed: Owed) -> Mask:
        """Which shaky entries are no part of a run of misses, which shows an outage."""
        shaky = self._shaky(owed)
        if not shaky.any():
            return shaky
        if self._runs is None:
            self._runs = self._missed_in_a_row()
        runs, lengths = self._runs
        length = np.append(lengths, 0)[find(runs, _run_of(owed, self.lives.next_taken(owed)))]
        mask: Mask = shaky & (length < self._demands.expected.run)
        return mask

    def _missed_in_a_row(self) -> tuple[Keys, Ints]:
        """How many messages each step missed in a row: (runs, ascending, and the length of each)."""
        keys = [_NONE]
        living = [chunk.owed.where(chunk.alive[chunk.owed.flow]) for chunk in self._chunks]
        for every in (*living, self.unpaid.owed):
            missed = self.lives.overtaken(every)
            if missed.any():
                owed = every.where(missed & self._shaky(every))
                ends = self.lives.next_taken(owed)
                keys.append(_run_of(owed, ends)[ends > 0])
        return np.unique(np.concatenate(keys), return_counts=True)


def _run_of(owed: Owed, ends: Ints) -> Keys:
    """One number for each entry, the same for all that its step missed in a row."""
    return pair_keys(_kind_of(owed).astype(np.uint64), ends.astype(np.uint64))


def _kind_of(owed: Owed) -> Ints:
    """One number for each entry, the same for all that are owed by one step in the same way."""
    return owed.step * len(Debt) + owed.kind
