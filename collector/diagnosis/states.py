"""How is each flow: running, late, stuck, failed or done?"""

from enum import IntEnum

import numpy as np

from collector.diagnosis.owed import Owed
from collector.diagnosis.record import Ints, Mask


class State(IntEnum):
    """The states of a flow, the worse the higher."""

    DONE = 0
    RUNNING = 1
    LATE = 2
    STUCK = 3
    FAILED = 4

    @property
    def word(self) -> str:
        """As it is written in answers."""
        return self.name.lower()


def states(owed: Owed, count: int, now: int, slack: Ints, *, open_ended: Mask) -> Ints:
    """The state of each of *count* flows at *now*.

    *slack* is how much later than it happens a thing is known here, of each entry of *owed*, in
    nanoseconds: nothing is overdue before its telemetry could have come. *open_ended* marks flows of
    which it is not known yet what follows.
    """
    age = now - owed.since - slack
    state = np.where(open_ended, int(State.RUNNING), int(State.DONE))
    entry = np.full(len(owed), int(State.RUNNING))
    entry[age > owed.due] = State.LATE
    entry[age > owed.deadline] = State.STUCK
    entry[owed.final & (age > 0)] = State.FAILED
    np.maximum.at(state, owed.flow, entry)
    return state
