"""How is each flow: running, late, stuck, failed or done?"""

import numpy as np

from collector.diagnosis.owed import Owed
from collector.diagnosis.record import Ints, Mask
from collector.model.flows import State


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
