"""Has a clock gone on as time did, or was it set?"""

from collections.abc import Callable

from collector.model.wording import HOUR, MINUTE

_FOR = HOUR  # NTP mends a wrong clock within minutes of a boot
_TOLERANCE = 10 * MINUTE  # clocks are also slewed


class EvenTime:
    """Compares *clock* with *monotonic*; both tell nanoseconds."""

    def __init__(self, clock: Callable[[], int], monotonic: Callable[[], int]) -> None:
        self._clock, self._monotonic = clock, monotonic
        self._since = monotonic()
        self._apart = clock() - self._since

    def look(self) -> bool:
        """Whether the clock has not been set for an hour, as far as this was asked in between."""
        now = self._monotonic()
        apart = self._clock() - now
        if abs(apart - self._apart) > _TOLERANCE:
            self._since, self._apart = now, apart
        return now - self._since >= _FOR
