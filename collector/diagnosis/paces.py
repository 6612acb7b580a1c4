"""How long does something usually take? Percentiles over milliseconds to weeks, in a bounded sketch."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from collector.columns.joins import Ints, Mask
from collector.diagnosis.habits import Habits
from collector.model.wording import MINUTE, MS

# Each bucket is 4 % wide, so a percentile is right to 2 %. From 0.1 ms to 120 days there are 648 of them, of
# which a step uses some dozens.
_LOWEST, _RATIO = 0.1 * MS, 1.04
_BUCKETS = 648
_FADED = 0.05  # of an example: it weighs nothing any more
_NONE: Ints = np.empty(0, np.int64)
_MINUTES = 60  # the newest ones, in which late examples are counted


@dataclass(frozen=True)
class Pace:
    """How long something took, in milliseconds, in the newest of *n* examples."""

    n: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


class Sketch:
    """Counts of durations by their logarithm. Old ones fade: about the newest *window* weigh."""

    __slots__ = ("_counts", "_first", "_window")

    def __init__(self, window: int) -> None:
        self._window = window
        self._first = 0  # the bucket of the first count
        self._counts: npt.NDArray[np.float32] = np.zeros(0, np.float32)

    def add(self, values: Ints) -> None:
        """Count each of *values*, nanoseconds."""
        if not len(values):
            return
        buckets = np.ceil(np.log(np.maximum(values, _LOWEST) / _LOWEST) / np.log(_RATIO)).astype(np.int64)
        buckets = np.minimum(buckets, _BUCKETS - 1)
        self._cover(int(buckets.min()), int(buckets.max()))
        np.add.at(self._counts, buckets - self._first, 1.0)
        if (total := float(self._counts.sum())) > 2 * self._window:
            self._counts *= self._window / total
            self._trim()

    def percentiles_ms(self, *wanted: float) -> list[float]:
        """The values, in milliseconds, below which these percentages lie; 0 without examples."""
        total = float(self._counts.sum())
        if not total:
            return [0.0] * len(wanted)
        reached = np.searchsorted(np.cumsum(self._counts), np.array(wanted) / 100 * total - 1e-3)
        buckets = self._first + np.minimum(reached, len(self._counts) - 1)
        middle = np.where(buckets > 0, _LOWEST * _RATIO ** (buckets - 0.5), 0.0) / MS
        return [float(f"{value:.4g}") for value in middle.tolist()]

    def _trim(self) -> None:
        """Let go of the buckets at both ends in which only faded examples are left."""
        kept = np.flatnonzero(self._counts > _FADED)
        self._first += int(kept[0])
        self._counts = self._counts[kept[0] : kept[-1] + 1].copy()

    def _cover(self, low: int, high: int) -> None:
        if not len(self._counts):
            self._first, self._counts = low, np.zeros(high - low + 1, np.float32)
            return
        before, after = max(self._first - low, 0), max(high - self._first - len(self._counts) + 1, 0)
        if before or after:
            self._counts = np.pad(self._counts, (before, after))
            self._first -= before


class Durations:
    """The newest examples of a duration, in nanoseconds, and what is late by them."""

    __slots__ = ("_count", "_habits", "_late", "_late_minutes", "_minutes", "_pace", "_sketch")

    def __init__(self, habits: Habits) -> None:
        self._habits = habits
        self._sketch = Sketch(habits.window)
        self._count = 0
        self._late: Ints = _NONE
        self._minutes: Ints = _NONE  # the newest minutes with examples, ascending,
        self._late_minutes: Ints = _NONE  # and those with late ones
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
        if late.any():
            self._late = np.append(self._late, values[late])[-200:].copy()  # not a slice of all of them
        if len(self._late_minutes) >= self._habits.slow_minutes:
            self._put(self._late)
            self._late = self._minutes = self._late_minutes = _NONE

    @property
    def _odd(self) -> float:
        """Anything longer, in nanoseconds, is odd; infinite while few examples are known."""
        habits = self._habits
        if self._count < habits.flows:
            return float("inf")
        return max(habits.odd_floor_ms, habits.odd_factor * self.pace.p50_ms) * MS

    @property
    def pace(self) -> Pace:
        """Percentiles of the newest examples."""
        if self._pace is None:
            self._pace = Pace(self._count, *self._sketch.percentiles_ms(50, 95, 99))
        return self._pace

    @property
    def deadline_ms(self) -> float:
        """Anything later is no longer merely slow."""
        habits, usual = self._habits, self.pace.p99_ms
        # What takes days is not given days more.
        longest = habits.long_factor * usual + habits.long_slack_ms
        return max(habits.deadline_floor_ms, round(min(habits.deadline_factor * usual, longest), 3))

    def _put(self, values: Ints) -> None:
        self._sketch.add(values)
        self._count += len(values)
        self._pace = None

    def _see(self, at: Ints, late: Mask) -> None:
        self._minutes = np.union1d(self._minutes, at // MINUTE)[-_MINUTES:].copy()
        if not late.any() and not len(self._late_minutes):
            return
        late_minutes = np.union1d(self._late_minutes, at[late] // MINUTE)
        self._late_minutes = late_minutes[late_minutes >= self._minutes[:1]] if len(at) else late_minutes
