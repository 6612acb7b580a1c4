"""What do judged flows teach? Those at rest what is normal, those that stopped what they do not owe."""

import logging

import numpy as np

from collector.columns.joins import Mask
from collector.diagnosis import Debt, Learner
from collector.diagnosis.debts import Owed, together
from collector.live.judged import Judged
from collector.live.losses import Losses
from collector.model.flows import State

log = logging.getLogger(__name__)


class Teaching:
    """Takes judged flows to the learner, each once."""

    def __init__(self, learner: Learner, losses: Losses) -> None:
        self._learner, self._losses = learner, losses

    def stopped(self, one: Judged, now: int) -> None:
        """Learn from the flows that have just stopped, or ended and still owe something."""
        chunk, stuck = one.chunk, one.state >= State.STUCK
        owing = stuck.copy()
        owing[one.unpaid.flow] = True
        newly = owing & ~chunk.marks.overdue & one.alive
        if newly.any():
            past = together(one.owed.where((one.age > one.owed.deadline) & stuck[one.owed.flow]), one.unpaid)
            self._miss(past.where(newly[past.flow]))
            owed = together(one.owed, one.unpaid)
            try:
                self._learner.learn(chunk.lesson(newly, now, stuck=owed.where(newly[owed.flow])))
            except Exception:
                log.exception("%d stuck flows could not teach", int(newly.sum()))
            chunk.note_taught(newly)
        chunk.note_overdue(owing & one.alive)

    def resting(self, one: Judged, resting: Mask, now: int) -> None:
        """Learn from the flows that *resting* marks, if they have something new."""
        chunk = one.chunk
        received = np.asarray(chunk.flows["received"].to_numpy())
        fresh = resting & (received > chunk.marks.heard) & ~chunk.cut
        if not fresh.any():
            return
        self._losses.see(chunk.torn[fresh])
        try:
            self._learner.learn(chunk.lesson(fresh & ~chunk.marks.overdue, now))
            self._learner.doubt(chunk.lesson(fresh & chunk.marks.overdue, now))
        except Exception:
            log.exception("%d flows could not teach", int(fresh.sum()))
        chunk.note_taught(fresh)  # also if it failed: it would fail again

    def _miss(self, owed: Owed) -> None:
        for kind, published in ((Debt.REACTION, False), (Debt.MESSAGE, True)):
            mine = owed.kind == kind
            self._learner.miss(owed.step[mine], owed.since[mine], published=published)
