"""When does what was seen become a habit, and when is a habit over?

An overdue flow teaches nothing by itself, or an outage would soon look normal. But a service may become slow
for good, be removed, or turn out to leave some messages to others. So the minutes and hours in which overdue
flows occur are counted, and what goes on for long is believed.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from collector.columns.joins import Ints, Mask
from collector.model.wording import HOUR, MINUTE, MS


@dataclass(frozen=True)
class Habits:
    """The thresholds of habits. The defaults suit flows that take seconds as well as hours."""

    flows: int = 20  # fewer examples prove nothing, and the first ones must all agree
    share: float = 0.95  # below that, it is a choice, not a rule
    rare: float = 0.02  # below that, it is an accident
    deadline_factor: float = 3.0  # times the p99: most that is merely slow arrives before it
    deadline_floor_ms: float = 5_000.0  # a p99 of milliseconds does not allow for a pause of the machine
    # Many times the median, and long for a machine, is not the usual pace: a service was slow, or caught up.
    # Such examples are believed only if they go on for long, or one outage would hide the next.
    odd_factor: float = 10.0
    odd_floor_ms: float = 1_000.0
    window: int = 1_000  # percentiles and shares are taken over this many of the newest examples
    # If odd or overdue examples occur in this many of the 60 newest minutes, they are no longer late: that is
    # the new pace. Catching up after an outage takes fewer.
    slow_minutes: int = 10
    # What was missed in each of this many hours in a row is no longer a habit: the service was removed, or it
    # leaves some messages to others. A night's outage is shorter.
    missed_hours: int = 24
    most_steps: int = 4_000  # beyond it (if a system puts ids into event types) the rarest are evicted


@dataclass(frozen=True)
class Pace:
    """How long something took, in milliseconds, in the newest of *n* examples."""

    n: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


class Share:
    """How often something happened when it could have; old examples slowly fade."""

    def __init__(self, habits: Habits) -> None:
        self._habits = habits
        self.n = 0.0
        self.hits = 0.0
        self._doubted = False
        self._hour = -1
        self._missed_now = False
        self._missed_hours = 0

    def add(self, hit: Mask, at: Ints) -> None:
        """Add examples, and the time of each, in nanoseconds."""
        window = self._habits.window
        self.n += len(hit)
        self.hits += int(hit.sum())
        if self.n > 2 * window:
            self.hits *= window / self.n
            self.n = float(window)
        for hour in np.unique(at // HOUR).tolist():
            self._see(hour, missed=False)

    def miss(self, at: Ints) -> None:
        """Record misses at these times, in flows that are overdue and so are not examples."""
        for hour in np.unique(at // HOUR).tolist():
            self._see(hour, missed=True)
        if self._missed_hours + self._missed_now >= self._habits.missed_hours:
            self.n = self.hits = 0.0
            self._doubted = True
            self._missed_hours, self._missed_now = 0, False

    @property
    def value(self) -> float:
        """The share; 0 without examples."""
        return self.hits / self.n if self.n else 0.0

    @property
    def is_habit(self) -> bool:
        """Whether enough examples agree; once it has been given up, all of the newest must."""
        if self._doubted:
            return self.n >= self._habits.window and self.hits > self.n - 0.5
        needed = self._habits.flows + self._habits.share * (self.n - self._habits.flows)
        return self.n >= self._habits.flows and self.hits >= needed - 1e-6

    def _see(self, hour: int, *, missed: bool) -> None:
        if hour > self._hour:
            # Hours in which nothing could happen do not count.
            self._missed_hours = self._missed_hours + 1 if self._missed_now else 0
            self._hour, self._missed_now = hour, missed
        elif hour == self._hour:
            self._missed_now |= missed


class Durations:
    """The newest examples of a duration, in nanoseconds."""

    def __init__(self, habits: Habits) -> None:
        self._habits = habits
        self._values = np.zeros(16, np.int64)
        self._count = 0
        self._late = np.empty(0, np.int64)
        self._minutes: Counter[int] = Counter()  # late examples, by minute
        self._pace: Pace | None = None

    def add(self, values: Ints, at: Ints | None = None) -> None:
        """Add examples, and when each ended; without that, odd ones are believed at once."""
        if at is None:
            self._put(values)
            return
        odd = values > self._odd
        self._put(values[~odd])
        self._doubt(values, at, odd)

    def doubt(self, values: Ints, at: Ints) -> None:
        """Record examples of overdue flows. They count once they occur in many of the newest minutes."""
        self._doubt(values, at, values > self.deadline_ms * MS)

    def _doubt(self, values: Ints, at: Ints, late: Mask) -> None:
        self._see(at, late)
        self._late = np.append(self._late, values[late])[-self._habits.window :]
        if sum(n > 0 for n in self._minutes.values()) >= self._habits.slow_minutes:
            self._put(self._late)
            self._late = self._late[:0]
            self._minutes.clear()

    @property
    def _odd(self) -> float:
        """Anything longer, in nanoseconds, is odd; infinite while few examples are known."""
        habits = self._habits
        if self._count < habits.flows:
            return float("inf")
        return max(habits.odd_floor_ms, habits.odd_factor * self.pace.p50_ms) * MS

    @property
    def pace(self) -> Pace:
        """Percentiles of the examples held."""
        if self._pace is None:
            held = self._values[: min(self._count, len(self._values))]
            found = (np.percentile(held, (50, 95, 99)) / MS).round(3).tolist() if len(held) else (0.0,) * 3
            self._pace = Pace(self._count, *found)
        return self._pace

    @property
    def deadline_ms(self) -> float:
        """Anything later is no longer merely slow."""
        habits = self._habits
        return max(habits.deadline_floor_ms, round(habits.deadline_factor * self.pace.p99_ms, 3))

    def _put(self, values: Ints) -> None:
        most = self._habits.window
        while len(self._values) < min(self._count + len(values), most):
            self._values = np.append(self._values, np.zeros_like(self._values))[:most]
        size = len(self._values)
        newest = values[-size:]
        self._values[(self._count + len(values) - len(newest) + np.arange(len(newest))) % size] = newest
        self._count += len(values)
        self._pace = None

    def _see(self, at: Ints, late: Mask) -> None:
        for minute in np.unique(at // MINUTE).tolist():
            self._minutes[minute] += 0
        self._minutes.update((at[late] // MINUTE).tolist())
        while len(self._minutes) > 60:
            del self._minutes[min(self._minutes)]
