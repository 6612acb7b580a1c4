"""Since when is something expected, and how did that change?"""

from collector.diagnosis.expected import FOREVER
from collector.diagnosis.habits import Regularity
from collector.diagnosis.standing import Change, StandingState

_KEPT = 10  # changes

STATES: dict[Regularity, StandingState] = {
    Regularity.LEARNING: "learning",
    Regularity.SOMETIMES: "sometimes",
    Regularity.ALWAYS: "always",
}


class History:
    """The state of one expectation, and its latest changes."""

    __slots__ = ("_until", "changes", "since", "state")

    def __init__(self, at: int) -> None:
        self.state: StandingState = "learning"
        self.since = at
        self.changes: tuple[Change, ...] = ()
        self._until = 0  # when it last ceased to be always

    def note(self, state: StandingState, at: int, text: str) -> None:
        """Record that it is *state* from *at* on, because of what *text* says."""
        if state == self.state:
            return
        if self.state == "always":
            self._until = at
        self.state, self.since = state, max(at, self.since)
        self.changes = (*self.changes, Change(self.since, state, text))[-_KEPT:]

    @property
    def until(self) -> int:
        """A miss means something if its message was published before this time, in nanoseconds.

        What is no longer expected was expected when older messages were published: they are still owed.
        """
        return FOREVER if self.state == "always" else self._until

    def end(self) -> None:
        """Nothing is owed any more, whenever it was published."""
        self._until = 0
