"""What is expected at one moment: a frozen value that the learner gives out."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from collector.columns.joins import Ints, Mask
from collector.diagnosis.habits import Pace
from collector.diagnosis.record import Names


@dataclass(frozen=True)
class Expectation:
    """After *event_type*, *group* of *service* reacts; and then publishes one of *emits*.

    With several `triggers` it needs them all (a join): what it publishes comes after the last.
    """

    triggers: tuple[str, ...]
    service: str
    group: str
    share: float  # of the messages that it reacted to; of a join: of the flows in which it published
    react: Pace  # from the publish to the end of the handling; of a join: from its last reaction on
    deadline_ms: float
    publish: Pace  # from the end of the handling to what it then publishes
    publish_deadline_ms: float
    # What it publishes and the share of that among all it publishes, most frequent first.
    emits: tuple[tuple[str, float], ...]
    always_emits: bool
    # Flows go on through it: one that never publishes ends a branch, and nobody waits for it.
    progresses: bool
    last: int = 0  # when the newest message that it took was published

    @property
    def next_event_type(self) -> str | None:
        """What it publishes most often."""
        return self.emits[0][0] if self.emits else None


@dataclass(frozen=True)
class Expected:
    """All expectations of one moment. What is learned later changes nothing in it.

    A step (see `record.step_of`) is a reactor and an event type. *names* says what its numbers mean; names are
    only ever added to it.
    """

    version: int
    names: Names
    floor: int  # nanoseconds: due, and deadline, of what is owed before anything was learned
    steps: Mapping[int, Expectation]
    joins: tuple[tuple[tuple[int, ...], Expectation], ...]  # by the steps that are needed, ascending
    first_seen: Mapping[int, int]  # by step: when the first message that it took was published
    joined: frozenset[int]  # steps whose output needs other steps, too: alone they owe nothing
    sources: frozenset[tuple[int, int]]  # (step, event type) where nearly all of the type come of the step
    known_types: Ints  # ascending: event types seen often enough to know what follows them
    ending_types: Ints  # ascending: event types that normally end their branch

    def of(self, step: int, join: int) -> Expectation | None:
        """The expectation that an entry broke; None where a handling failed before anything was learned."""
        return self.joins[join][1] if join >= 0 else self.steps.get(step)

    def known(self, event_type: Ints) -> Mask:
        """Which event types were seen often enough to know what follows them."""
        return np.isin(event_type, self.known_types)
