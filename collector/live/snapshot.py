"""What the live part knows at one moment: never changed once made, so readers need no lock."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from collector.conventions import READINGS
from collector.diagnosis.findings import Life
from collector.diagnosis.owed import NOTHING, Expected, Owed
from collector.diagnosis.record import Ints
from collector.flowtable import FLOWS


@dataclass(frozen=True)
class Snapshot:
    """Unfinished flows and what they owe; *owed* holds what is overdue, its flow a row of *flows*."""

    now: int | None  # nanoseconds since the epoch; None before the first tick
    flows: pa.Table  # FLOWS
    state: Ints  # diagnosis.State of each flow
    owed: Owed
    places: pa.Table  # READINGS of the span that each entry of `owed` hangs from
    slack: Ints  # of each entry of `owed`, nanoseconds
    attempts: Ints  # of the reaction that each entry of `owed` hangs from; 1 for a message
    life: dict[int, tuple[int, int]]  # by step: when it last began, and the newest message it took
    expected: Expected | None
    learned: int  # flows that taught

    def life_of(self, step: int) -> Life:
        """What was last seen of *step*, and how many flows wait for it."""
        last, served = self.life.get(step, (None, None))
        mine = self.owed.flow[(self.owed.step == step) & (self.owed.kind == 0)]
        return Life(last, served, len(np.unique(mine)))


EMPTY = Snapshot(
    now=None,
    flows=FLOWS.empty_table(),
    state=np.empty(0, np.int64),
    owed=NOTHING,
    places=READINGS.empty_table(),
    slack=np.empty(0, np.int64),
    attempts=np.empty(0, np.int64),
    life={},
    expected=None,
    learned=0,
)
