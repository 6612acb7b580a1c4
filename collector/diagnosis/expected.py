"""What is expected at one moment? A frozen value that the learner gives out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from collector.columns.joins import Ints, Mask
from collector.diagnosis.endings import Ending
from collector.diagnosis.paces import Pace
from collector.diagnosis.record import Names

FOREVER = 2**63 - 1


@dataclass(frozen=True)
class Expectation:
    """After an event of `triggers`, `group` of `service` reacts, and then publishes one of `emits`.

    With several `triggers` it needs them all (a join), and publishes after the last one.
    """

    triggers: tuple[str, ...]
    service: str
    group: str
    share: float  # of messages that it reacts to; for a join, of flows that it publishes in
    react: Pace  # from the publish to the end of the handling; for a join, its wait until it published
    deadline_ms: float
    publish: Pace  # from the end of the handling to its own publish
    publish_deadline_ms: float
    # What it publishes, and each one's share of all that it publishes, most frequent first.
    emits: tuple[tuple[str, float], ...]
    always_emits: bool
    # Flows continue through it. A step that never publishes ends a branch, and nothing waits for it.
    progresses: bool
    last: int = 0  # when the newest message that it took was published
    # A missing reaction is owed if its message was published before `until`, and a missing publish if its
    # message was before `emits_until`: what is no longer expected was expected before. 0: never.
    until: int = FOREVER
    emits_until: int = FOREVER
    # Whether a single message that was passed over means something; otherwise it may be a choice.
    reacts_firmly: bool = True
    emits_firmly: bool = True
    source: Literal["learned", "declared"] = "learned"

    @property
    def next_event_type(self) -> str | None:
        """What it publishes most often."""
        return self.emits[0][0] if self.emits else None


@dataclass(frozen=True)
class Gather:
    """A service that needs the events of *steps* has taken one of them: then that of *step* comes, too."""

    steps: tuple[int, ...]
    step: int
    expectation: Expectation  # of the join
    publisher: str | None  # who normally publishes it; None: nobody was seen to
    # Nothing is owed in flows that took another way: an event of these types occurs in them, or, if there are
    # any usual ones, of another type than those.
    elsewhere: frozenset[int]
    usual: frozenset[int]
    pace: Pace  # from the end of the first handling until it was published
    deadline_ms: float


@dataclass(frozen=True)
class Expected:
    """All expectations at one moment. Later learning does not change it.

    A step (see `record.step_of`) is a reactor and an event type. *names* says what its numbers mean, and only
    ever grows.
    """

    version: int
    names: Names
    floor: int  # nanoseconds: due and deadline where nothing has been learned
    run: int  # as many messages in a row that were passed over are no choice
    steps: Mapping[int, Expectation]
    joins: tuple[tuple[tuple[int, ...], Expectation], ...]  # (steps that are needed, expectation), ascending
    gathers: tuple[Gather, ...]
    first_seen: Mapping[int, int]  # by step: when the first message that it took was published
    joined: frozenset[int]  # steps whose output also needs other steps: alone they owe nothing
    sources: frozenset[tuple[int, int]]  # (step, event type) where the step causes nearly all of the type
    known_types: Ints  # ascending: event types seen often enough to know what follows them
    ending_types: Ints  # ascending: event types that normally end their branch
    endings: Mapping[int, Ending]  # by such a type: the flows that ended in it, if they were enough
    ignored_types: frozenset[int] = frozenset()  # declared: nothing is owed after them, no success either
    ignored_services: frozenset[int] = frozenset()  # declared: these owe nothing
    declared_ends: frozenset[int] = frozenset()  # event types that end flows

    def of(self, step: int, join: int) -> Expectation | None:
        """The expectation that an entry broke; None if a handling failed before anything was learned."""
        return self.joins[join][1] if join >= 0 else self.steps.get(step)

    def known(self, event_type: Ints) -> Mask:
        """Which event types were seen often enough to know what follows them."""
        return np.isin(event_type, self.known_types)
