"""What may a flow owe? Entries as columns: since when, and when each is due."""

from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np

from collector.columns.joins import Ints, Mask


class Debt(IntEnum):
    """What kind of thing is owed."""

    REACTION = 0  # no reaction to the message was seen
    SUCCESS = 1  # the handling failed
    MESSAGE = 2  # the handling went well and published nothing
    JOIN = 3  # all that the join needs has happened, and nothing was published
    OTHER = 4  # one event that a join needs was taken, and another one was not published


@dataclass(frozen=True)
class Owed:
    """One entry per debt; all columns have the same length."""

    flow: Ints
    kind: Ints  # Debt
    step: Ints  # the reactor that owes it, and the event type; for a join, its last step
    join: Ints  # place of the join in `Expected.joins`; -1 for none
    row: Ints  # the span that it follows from: the message, or the reaction
    # A span that says more about it: the announcement that the handling began, or a request of the reaction
    # that got no reply; -1 for none.
    witness: Ints
    service: Ints  # the service whose clock `since` is by
    received: Ints  # when the span that determines `since` was received, nanoseconds
    since: Ints  # nanoseconds, by that service's clock
    published: Ints  # when the message was published that its step takes, by its sender's clock
    due: Ints  # nanoseconds after `since`: later is late
    deadline: Ints  # nanoseconds after `since`: later is stuck
    final: Mask  # it will not be retried
    sure: Mask  # it was begun, or given up: that it is not paid is no choice

    def where(self, mask: Mask) -> "Owed":
        """The entries that *mask* marks."""
        return Owed(**{name.name: getattr(self, name.name)[mask] for name in fields(self)})

    def __len__(self) -> int:
        return len(self.flow)


_NONE = np.empty(0, np.int64)
NOTHING = Owed(*(_NONE,) * 12, final=np.empty(0, np.bool_), sure=np.empty(0, np.bool_))


def together(*parts: Owed) -> Owed:
    """All entries of *parts*."""
    return Owed(
        **{name.name: np.concatenate([getattr(part, name.name) for part in parts]) for name in fields(Owed)}
    )
