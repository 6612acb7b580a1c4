"""How long does something usually take? Milliseconds and weeks alike, and an outage is not believed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.columns.joins import Ints
from collector.diagnosis.habits import Habits
from collector.diagnosis.paces import Durations, Sketch
from collector.diagnosis.step_habits import StepHabits
from collector.model.wording import HOUR, MINUTE, MS
from tests.factories import NOW, SECOND
from tests.weighing import bytes_of

HABITS = Habits()
START = NOW - NOW % HOUR
DAY = 24 * HOUR


def test_buckets_are_fine_enough_from_milliseconds_to_weeks() -> None:
    """A nightly job and a human's approval of two days have deadlines of their own."""
    usual = [MS, 80 * MS, 5 * SECOND, 90 * SECOND, 3 * MINUTE, DAY, 2 * DAY, 21 * DAY, 100 * DAY]
    for value in usual:
        sketch = Sketch(1000)
        sketch.add(np.full(50, value))

        assert sketch.percentiles_ms(1, 50, 99) == pytest.approx([value / MS] * 3, rel=0.02)


@given(st.lists(st.integers(MS, 60 * DAY), min_size=1, max_size=300))
def test_percentiles_are_right_to_two_percent(values: list[int]) -> None:
    """Whatever the mixture: the value at that rank, and not one between two modes that never occurs."""
    sketch = Sketch(1000)
    sketch.add(np.array(values))
    ranked = np.sort(values) / MS

    for wanted, found in zip((50, 95, 99), sketch.percentiles_ms(50, 95, 99), strict=True):
        exact = ranked[max(int(np.ceil(len(values) * wanted / 100 - 1e-3)) - 1, 0)]
        assert found == pytest.approx(exact, rel=0.021)


def test_what_takes_less_than_a_clock_shows_takes_no_time() -> None:
    """Clocks that are off make negative durations into 0, and 0 ms is said, not 0.1."""
    sketch = Sketch(1000)
    assert sketch.percentiles_ms(50) == [0.0]
    sketch.add(np.zeros(30, np.int64))

    assert sketch.percentiles_ms(50, 99) == [0.0, 0.0]


def test_old_examples_fade() -> None:
    """A service that was made faster is judged by its new pace, though it ran for months before."""
    durations = Durations(HABITS)
    for value, times in ((900 * MS, 50), (90 * MS, 80)):
        for _ in range(times):
            durations.add(np.full(100, value))

    assert durations.pace.n == 13_000
    assert durations.pace.p99_ms == pytest.approx(90, rel=0.02)


def test_million_examples_take_less_than_four_kilobytes() -> None:
    """A system has thousands of steps. Counted: all numpy data of one, and what its slices keep alive."""
    rng, seen = np.random.default_rng(11), StepHabits.new(HABITS, START)
    for number in range(200):
        at = START + (np.arange(5_000) + number * 5_000) * SECOND
        hit = rng.random(5_000) < 0.99
        seen.reacted.add(at[hit], at[~hit], int(at[-1]))
        seen.emitted.add(at[hit], at[~hit], int(at[-1]))
        seen.react.add((rng.lognormal(0, 1, 5_000) * 200 * MS).astype(np.int64), at)
        seen.delay.add((rng.lognormal(0, 1, 5_000) * 90 * SECOND).astype(np.int64))

    assert seen.reacted.recent[1] == 240
    assert bytes_of(seen) < 4_096


def slow(durations: Durations, minutes: int, *, a_minute: int = 5, from_minute: int = 1) -> None:
    for minute in range(from_minute, from_minute + minutes):
        at = np.full(a_minute, START + minute * MINUTE)
        durations.doubt(np.full(a_minute, 20 * SECOND), at)


def usually(value: int, n: int = 100) -> Durations:
    durations = Durations(HABITS)
    durations.add(np.full(n, value), at(0, n))
    return durations


def at(minute: int, n: int) -> Ints:
    return np.full(n, START + minute * MINUTE)


@pytest.mark.parametrize(("minutes", "a_minute", "deadline_s"), [(9, 300, 5), (10, 5, 60), (2, 5000, 5)])
def test_service_that_is_slow_for_many_minutes_has_a_new_pace(
    minutes: int, a_minute: int, deadline_s: float
) -> None:
    """The backlog of an outage, however long, is processed within a few minutes and changes no pace."""
    durations = usually(50 * MS)
    slow(durations, minutes, a_minute=a_minute)

    assert durations.deadline_ms == pytest.approx(deadline_s * 1000, rel=0.02)


def test_slow_minutes_that_are_rare_among_many_count_for_nothing() -> None:
    durations = Durations(HABITS)
    for minute in range(600):
        durations.add(np.full(5, 50 * MS), at(minute, 5))
        if minute % 60 == 0:
            slow(durations, 2, from_minute=minute)

    assert durations.deadline_ms == 5000


def test_odd_examples_are_believed_once_they_go_on_for_long() -> None:
    """A slow minute does not change a service's pace; ten slow minutes do."""
    durations = usually(50 * MS)
    durations.add(np.full(200, 3 * SECOND), at(1, 200))
    assert durations.deadline_ms == 5000
    assert durations.pace.n == 100
    for minute in range(2, 11):
        durations.add(np.full(5, 3 * SECOND), at(minute, 5))

    assert durations.deadline_ms == pytest.approx(9000, rel=0.02)


@pytest.mark.parametrize("n", [0, 19])
def test_first_examples_are_never_odd(n: int) -> None:
    """Too few are known to say what is usual: a pace that began too fast would make the rest odd."""
    durations = usually(50 * MS, n)
    durations.add(np.full(20, 90 * SECOND), at(1, 20))

    assert durations.pace.n == n + 20
    assert durations.deadline_ms == pytest.approx(270_000, rel=0.02)


def test_what_is_long_by_its_nature_is_not_odd() -> None:
    """Ten times the median, not ten seconds: a timer of 90 s varies by more than an outage of one here."""
    durations = usually(90 * SECOND)
    durations.add(np.full(5, 200 * SECOND), at(3, 5))

    assert durations.pace.n == 105
    assert durations.pace.p99_ms == pytest.approx(200_000, rel=0.02)


def test_without_a_time_odd_examples_are_believed_at_once() -> None:
    """They came after their flow had come to rest, so nobody was told that they were missing."""
    durations = usually(50 * MS)
    durations.add(np.full(30, 90 * SECOND))

    assert durations.pace.n == 130
    assert durations.deadline_ms == pytest.approx(270_000, rel=0.02)
