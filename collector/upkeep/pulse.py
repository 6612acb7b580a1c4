"""Does the live part still judge the flows? It has a thread of its own, which may die or hang."""

from collections.abc import Callable
from typing import Protocol

from collector.model.troubles import TroubleKind
from collector.upkeep.health import Troubles

EVERY_S = 1.0
_QUIET_S = 30.0  # the longest ticks take a few seconds


class Beating(Protocol):
    """What can be known of the live part's thread."""

    def is_alive(self) -> bool:
        """Whether its thread runs."""

    def quiet_s(self) -> float:
        """For how long it has been at the same tick, in seconds; 0 between two, and before the first."""


class Pulse:
    """Tells when the live part stops judging; calls *end* if its thread is dead."""

    def __init__(self, live: Beating, troubles: Troubles, end: Callable[[], None]) -> None:
        self._live, self._troubles, self._end = live, troubles, end

    def once(self) -> None:
        """Look once."""
        quiet = self._live.quiet_s()
        if not self._live.is_alive():
            self._troubles.report(
                TroubleKind.NOT_JUDGING, "Flows are not judged any more: their thread died."
            )
            self._end()
        elif quiet > _QUIET_S:
            said = f"Flows have not been judged for more than {_QUIET_S:g} s: what is shown of them is old."
            self._troubles.report(TroubleKind.NOT_JUDGING, said)
        else:
            self._troubles.over(TroubleKind.NOT_JUDGING)
