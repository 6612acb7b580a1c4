"""What may be learned from a set of flows? What is new in them, and what of them may be lost."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from collector.columns.joins import Ints, Mask, once
from collector.diagnosis.debts import Owed
from collector.diagnosis.record import Messages, Reactions, Record

_NONE = np.empty(0, np.int64)


@dataclass(frozen=True, eq=False)
class Lesson:
    """The flows of *record* that *flows* marks: at rest, and nothing in them is owed; or *stuck*.

    A flow that goes on after it came to rest teaches again: only what was received after *heard* is new.
    """

    record: Record
    flows: Mask
    lost: Mask  # of each flow: telemetry of it was lost, so what is missing may have happened
    heard: Ints  # of each flow: when the newest span was received that taught already, nanoseconds; 0: none
    ids: pa.ChunkedArray  # of each flow
    now: int  # nanoseconds since the epoch
    stuck: Owed | None = None  # what they owe: of that they teach nothing, and they teach no pace

    @cached_property
    def spared(self) -> Ints:
        """The rows of the messages after which something is owed."""
        if self.stuck is None:
            return _NONE
        reactions = self.reactions
        behind = reactions.message[np.isin(reactions.row, self.stuck.row)]
        return once(np.concatenate([self.stuck.row, behind]))

    @property
    def messages(self) -> Messages:
        """All messages of *record*."""
        return self.record.messages

    @property
    def reactions(self) -> Reactions:
        """All reactions of *record*."""
        return self.record.reactions

    @cached_property
    def taught(self) -> Mask:
        """Which reactions are in these flows."""
        return self.flows[self.reactions.flow]

    @cached_property
    def new_messages(self) -> Mask:
        """Which messages are in these flows, and new."""
        messages = self.messages
        new: Mask = self.flows[messages.flow] & (messages.received > self.heard[messages.flow])
        return new

    @cached_property
    def new_reactions(self) -> Mask:
        """Which reactions are in these flows, and new."""
        reactions = self.reactions
        new: Mask = self.taught & (reactions.received > self.heard[reactions.flow])
        return new

    @cached_property
    def new_emits(self) -> Mask:
        """Which events that reactions published are in these flows, and new."""
        emits = self.record.emits
        new: Mask = self.flows[emits.flow] & (emits.received > self.heard[emits.flow])
        return new

    def names_of(self, flows: Ints) -> list[str]:
        """The ids of *flows*."""
        names: list[str] = self.ids.take(pa.array(flows)).to_pylist()
        return names

    @classmethod
    def of(cls, record: Record, flows: Mask, ids: pa.ChunkedArray) -> "Lesson":
        """A lesson of flows that have not taught before, with nothing lost."""
        nothing, never = np.zeros(record.flows, np.bool_), np.zeros(record.flows, np.int64)
        return cls(record, flows, nothing, never, ids, int(record.received.max(initial=0)))
