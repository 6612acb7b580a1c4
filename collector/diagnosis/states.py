"""Which state is each flow in: running, late, stuck, failed or done?"""

import numpy as np

from collector.diagnosis.debts import Owed
from collector.diagnosis.record import Ints, Mask
from collector.model.flows import State


def states(owed: Owed, count: int, now: int, slack: Ints, *, open_ended: Mask) -> Ints:
    """The state of each of *count* flows at *now*.

    *slack* is the delay of telemetry for each entry of *owed*, in nanoseconds: nothing is overdue before its
    telemetry could have arrived. *open_ended* marks flows for which it is not yet known what follows.
    """
    age = now - owed.since - slack
    state = np.where(open_ended, int(State.RUNNING), int(State.DONE))
    entry = np.full(len(owed), int(State.RUNNING))
    entry[age > owed.due] = State.LATE
    entry[age > owed.deadline] = State.STUCK
    entry[owed.final & (age > 0)] = State.FAILED
    np.maximum.at(state, owed.flow, entry)
    return state
