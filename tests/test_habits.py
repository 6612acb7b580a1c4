"""Which habits are believed? What lasts is a habit; what comes and goes is not."""

import numpy as np
import pytest

from collector.diagnosis.habits import Durations, Habits, Share
from collector.model.wording import HOUR, MINUTE, MS
from tests.factories import NOW, SECOND

HABITS = Habits()
START = NOW - NOW % HOUR


def seen(share: Share, hits: list[bool], at: int = START) -> None:
    share.add(np.array(hits, np.bool_), np.full(len(hits), at))


def test_first_examples_must_all_agree() -> None:
    """If four in five do something, 18 of 20 is not rare: chance would be taken for a rule."""
    all_agree, most_agree = Share(HABITS), Share(HABITS)
    seen(all_agree, [True] * 20)
    seen(most_agree, [True] * 19 + [False])

    assert all_agree.is_habit
    assert not most_agree.is_habit
    seen(most_agree, [True] * 20)
    assert most_agree.is_habit


def test_what_a_third_does_is_a_choice() -> None:
    share = Share(HABITS)
    seen(share, [True, False, False] * 300)

    assert not share.is_habit
    assert share.value == pytest.approx(1 / 3)


@pytest.mark.parametrize(("hours", "habit"), [(23, True), (24, False)])
def test_what_is_missed_in_every_hour_of_a_day_is_no_habit_any_more(hours: int, habit: bool) -> None:
    """A service was removed, or leaves some messages to others; an outage of one night is shorter."""
    share = Share(HABITS)
    seen(share, [True] * 100)
    for hour in range(1, hours + 1):
        share.miss(np.array([START + hour * HOUR + MINUTE]))

    assert share.is_habit is habit


def test_hour_in_which_all_went_well_begins_the_day_anew() -> None:
    share = Share(HABITS)
    seen(share, [True] * 100)
    for hour in range(1, 60):
        if hour % 20 == 0:
            seen(share, [True], START + hour * HOUR)
        else:
            share.miss(np.array([START + hour * HOUR]))

    assert share.is_habit


def test_habit_that_was_given_up_comes_back_only_without_exception() -> None:
    """Otherwise something that one in fifty omits would raise a false alarm again a minute later."""
    share = Share(HABITS)
    seen(share, [True] * 100)
    for hour in range(1, 25):
        share.miss(np.array([START + hour * HOUR]))
    seen(share, ([True] * 49 + [False]) * 30, START + 30 * HOUR)
    assert not share.is_habit
    other = Share(HABITS)
    other.miss(START + np.arange(24) * HOUR)
    seen(other, [True] * 1000, START + 30 * HOUR)

    assert other.is_habit


def slow(durations: Durations, minutes: int, *, a_minute: int = 5, from_minute: int = 1) -> None:
    for minute in range(from_minute, from_minute + minutes):
        at = np.full(a_minute, START + minute * MINUTE)
        durations.doubt(np.full(a_minute, 20 * SECOND), at)


@pytest.mark.parametrize(("minutes", "a_minute", "deadline_s"), [(9, 300, 5), (10, 5, 60), (2, 5000, 5)])
def test_service_that_is_slow_for_many_minutes_has_a_new_pace(
    minutes: int, a_minute: int, deadline_s: float
) -> None:
    """The backlog of an outage, however long, is processed within a few minutes and changes no pace."""
    durations = Durations(HABITS)
    durations.add(np.full(100, 50 * MS), np.full(100, START))
    slow(durations, minutes, a_minute=a_minute)

    assert durations.deadline_ms == deadline_s * 1000


def test_slow_minutes_that_are_rare_among_many_count_for_nothing() -> None:
    durations = Durations(HABITS)
    for minute in range(600):
        durations.add(np.full(5, 50 * MS), np.full(5, START + minute * MINUTE))
        if minute % 60 == 0:
            slow(durations, 2, from_minute=minute)

    assert durations.deadline_ms == 5000


def test_odd_examples_are_believed_once_they_go_on_for_long() -> None:
    """A slow minute does not change a service's pace; ten slow minutes do."""
    durations = Durations(HABITS)
    durations.add(np.full(100, 50 * MS), np.full(100, START))
    durations.add(np.full(200, 3 * SECOND), np.full(200, START + MINUTE))
    assert durations.deadline_ms == 5000
    for minute in range(2, 11):
        durations.add(np.full(5, 3 * SECOND), np.full(5, START + minute * MINUTE))

    assert durations.deadline_ms == 9000


def test_percentiles_are_those_of_the_newest() -> None:
    durations = Durations(HABITS)
    at = np.full(700, START)
    for value in (1, 2, 3):
        durations.add(np.full(700, value * MS), at)

    assert durations.pace.n == 2100
    assert (durations.pace.p50_ms, durations.pace.p99_ms) == (3.0, 3.0)
    durations.add(np.full(5000, 4 * MS), np.full(5000, START))
    assert durations.pace.p50_ms == 4.0
