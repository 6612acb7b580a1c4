"""When is what was seen a habit, and when is a habit over?

Flows that are overdue teach nothing by themselves: else an outage would soon be normal. But a service
may become slow for good, be taken away, or turn out to leave some messages to others. So of overdue
flows it is remembered in how many minutes and hours they came, and what goes on for long is believed.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from collector.columns.joins import Ints, Mask

MS = 1_000_000
MINUTE = 60 * 10**9
HOUR = 60 * MINUTE


@dataclass(frozen=True)
class Habits:
    """When a habit is one. The defaults suit flows of seconds as well as of hours."""

    flows: int = 20  # fewer examples prove nothing, and each of the first ones has to agree
    share: float = 0.95  # what fewer do is a choice, not a rule
    rare: float = 0.02  # what fewer do is an accident
    deadline_factor: float = 3.0  # times the p99: most that are merely slow come before it
    deadline_floor_ms: float = 5_000.0  # p99 of a few milliseconds says nothing of a pause of the machine
    # Many times the median, and long for a machine, is no pace: a service was slow, or caught up. Such
    # examples are believed only when they go on for long, or one outage would hide the next one.
    odd_factor: float = 10.0
    odd_floor_ms: float = 1_000.0
    window: int = 1_000  # examples that percentiles and shares are taken of: the newest
    # What is odd or ends later than its deadline in so many of the 60 newest minutes is not late any more:
    # that is its pace now. The backlog of an outage is caught up in fewer.
    slow_minutes: int = 10
    # What was missed in each of so many hours in a row is no habit any more: the service was taken away,
    # or it leaves some messages to others. An outage of a night is shorter.
    missed_hours: int = 24
    most_steps: int = 4_000  # beyond it (a system that puts ids into event types) the rarest are forgotten


@dataclass(frozen=True)
class Pace:
    """How long something took, in milliseconds, in the newest of *n* examples."""

    n: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


class Share:
    """How often something happened of the times it could, the old slowly forgotten."""

    def __init__(self, habits: Habits) -> None:
        self._habits = habits
        self.n = 0.0
        self.hits = 0.0
        self._doubted = False
        self._hour = -1
        self._missed_now = False
        self._missed_hours = 0

    def add(self, hit: Mask, at: Ints) -> None:
        """Take in examples, and when each was, in nanoseconds."""
        window = self._habits.window
        self.n += len(hit)
        self.hits += int(hit.sum())
        if self.n > 2 * window:
            self.hits *= window / self.n
            self.n = float(window)
        for hour in np.unique(at // HOUR).tolist():
            self._see(hour, missed=False)

    def miss(self, at: Ints) -> None:
        """It was missed at these times, in flows that are overdue and so are no examples."""
        for hour in np.unique(at // HOUR).tolist():
            self._see(hour, missed=True)
        if self._missed_hours + self._missed_now >= self._habits.missed_hours:
            self.n = self.hits = 0.0
            self._doubted = True
            self._missed_hours, self._missed_now = 0, False

    @property
    def value(self) -> float:
        """The share; 0 without an example."""
        return self.hits / self.n if self.n else 0.0

    @property
    def is_habit(self) -> bool:
        """Enough examples agree; after it was given up once, all of the newest must."""
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
        self._minutes: Counter[int] = Counter()  # by minute: late ones in it
        self._pace: Pace | None = None

    def add(self, values: Ints, at: Ints | None = None) -> None:
        """Take in examples, and when each ended; without that, odd ones are believed at once."""
        if at is None:
            self._put(values)
            return
        odd = values > self._odd
        self._put(values[~odd])
        self._doubt(values, at, odd)

    def doubt(self, values: Ints, at: Ints) -> None:
        """See examples of overdue flows. They count once such come in many of the newest minutes."""
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
        """Longer, in nanoseconds, is no usual example; anything may be one while few are known."""
        habits = self._habits
        if self._count < habits.flows:
            return float("inf")
        return max(habits.odd_floor_ms, habits.odd_factor * self.pace.p50_ms) * MS

    @property
    def pace(self) -> Pace:
        """Percentiles of what is held."""
        if self._pace is None:
            held = self._values[: min(self._count, len(self._values))]
            found = (np.percentile(held, (50, 95, 99)) / MS).round(3).tolist() if len(held) else (0.0,) * 3
            self._pace = Pace(self._count, *found)
        return self._pace

    @property
    def deadline_ms(self) -> float:
        """Later is no longer merely slow."""
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
