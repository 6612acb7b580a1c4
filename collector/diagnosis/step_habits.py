"""What is known about one reactor's handling of one event type?"""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from collector.columns.joins import Ints
from collector.diagnosis.evidence import Habit
from collector.diagnosis.habits import Habits
from collector.diagnosis.histories import STATES, History
from collector.diagnosis.paces import Durations
from collector.model.wording import HOUR, SECOND


@dataclass(slots=True)
class StepHabits:
    """What is known about one step: a few kilobytes."""

    habits: Habits
    first_seen: int  # earlier messages were not meant for it
    reacted: Habit
    emitted: Habit
    react: Durations
    delay: Durations
    reaction: History
    publication: History
    emits: Counter[int] = field(default_factory=Counter)
    # Where it chooses between several: how often it publishes each of them.
    kinds: dict[int, Habit] = field(default_factory=dict)
    # Of which event types it was nearly the only source when it last published: a successor changes nothing.
    sources: set[int] = field(default_factory=set)
    taken_over: int = 0  # messages in a row that another service handled instead
    dismissed: bool = False  # nothing is expected any more: replaced, or not seen for a week

    @classmethod
    def new(cls, habits: Habits, first_seen: int) -> "StepHabits":
        """A step of which nothing is known yet."""
        return cls(
            habits,
            first_seen,
            Habit(habits),
            Habit(habits),
            Durations(habits),
            Durations(habits),
            History(first_seen),
            History(first_seen),
        )

    @property
    def last(self) -> int:
        """When the newest message that it took was published."""
        return self.reacted.last

    def publishes(self, types: Ints, times: Ints, reactions: Ints) -> None:
        """Add what it published: the type of each event, the time of its message, and its reaction."""
        for code in np.unique(types).tolist():
            self.emits[code] += int((types == code).sum())
        if len(self.emits) < 2:
            return
        _, first, which = np.unique(reactions, return_index=True, return_inverse=True)
        at = times[first]
        for code in self.emits:
            if code not in self.kinds:
                self.kinds[code] = Habit(self.habits)
                before = self.emits[code] - int((types == code).sum())
                if before:  # it was the only one so far
                    self.kinds[code].add_settled(np.full(before, self.first_seen), np.ones(before, np.bool_))
            hit = np.zeros(len(first), np.bool_)
            hit[which[types == code]] = True
            self.kinds[code].add_settled(at, hit)

    def replaced(self, messages: int, at: int, by: str) -> None:
        """Note that another service handled so many messages in its place."""
        self.taken_over += messages
        if self.taken_over >= self.habits.taken_over and not self.dismissed:
            self.dismiss(at, f"no longer expected: {by} has taken over")

    def note(self, at: int) -> None:
        """Bring the histories up to date after a lesson."""
        if self.dismissed:
            if self.last <= self.reaction.since:
                return
            self.dismissed = False
        for habit, history, verb in (
            (self.reacted, self.reaction, "taken"),
            (self.emitted, self.publication, "followed by an event"),
        ):
            state = STATES[habit.regularity]
            history.note(state, at, f"{verb} in {round(habit.hits):,} of {round(habit.n):,}")

    def grow_old(self, now: int) -> bool:
        """Give up what was missed over a whole week, and never seen; return whether that changed anything."""
        missed = self.reacted
        over = missed.missed_last - max(missed.missed_since, self.last)
        if self.dismissed or not missed.missed_since or over <= self.habits.forgotten_s * SECOND:
            return False
        self.dismiss(now, f"no longer expected: not seen for {over // (24 * HOUR)} days")
        return True

    def is_disused(self, now: int) -> bool:
        """Whether messages were missed a day ago or more, and none was taken since."""
        missed = self.reacted.missed_since
        return bool(missed) and now - max(missed, self.last) > self.habits.disused_s * SECOND

    def dismiss(self, at: int, text: str) -> None:
        """Expect nothing any more, until it is seen again."""
        self.dismissed = True
        for history in (self.reaction, self.publication):
            history.note("forgotten", at, text)
            history.end()
