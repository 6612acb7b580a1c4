"""Which days go? Those that surely are too old or too much; what only one witness says goes slowly."""

from dataclasses import replace

import pytest

from collector.model.wording import HOUR, MINUTE
from collector.store.removal import Day, Room
from collector.upkeep.even_time import EvenTime
from collector.upkeep.retention import (
    DAY,
    Limits,
    Looked,
    Reason,
    going,
    least_free_of,
    limit_of,
    over_bytes,
    rows_before,
)

TODAY = 20_787  # 2026-11-30
GB = 10**9
LIMITS = Limits(days=14, bytes=100 * GB, flow_days=90, least_free=GB)
CALM = Looked(now=TODAY * DAY + 12 * HOUR, even=True, used=30 * GB, free=50 * GB)


def days(*ago: int, size: int = GB) -> list[Day]:
    """Days that were so long ago, oldest first."""
    return [Day(TODAY - one, 1_000, size) for one in sorted(ago, reverse=True)]


def told(found: list[Day], looked: Looked = CALM, limits: Limits = LIMITS) -> list[tuple[int, Reason]]:
    return [(TODAY - one.day.number, one.reason) for one in going(found, looked, limits)]


def test_nothing_goes_that_is_neither_old_nor_too_much() -> None:
    assert told([]) == told(days(0)) == told(days(*range(15))) == []


def test_what_is_older_than_allowed_goes_at_once_if_newer_days_show_it() -> None:
    assert told(days(*range(18))) == [(ago, Reason.AGE) for ago in (17, 16, 15)]


@pytest.mark.parametrize("leap", [1, 14, 366])
def test_a_clock_that_leaps_forward_deletes_nothing(leap: int) -> None:
    """Until it has gone on evenly for an hour, and then a day an hour: somebody sees it."""
    leapt = replace(CALM, now=CALM.now + leap * DAY)

    assert told(days(*range(15)), replace(leapt, even=False)) == []
    assert len(told(days(*range(15)), leapt)) <= 1
    assert told(days(*range(15)), replace(leapt, alone=False)) == []


def test_a_wrong_day_in_the_future_costs_one_day_at_most() -> None:
    """While the clock was wrong for minutes, spans arrived: they are on a day of their own."""
    there = [*days(*range(15)), Day(TODAY + 366, 10, 1)]
    wrong = replace(CALM, now=CALM.now + 366 * DAY, even=False)

    assert told(there, wrong) == [(14, Reason.AGE)]
    assert told(there) == []


def test_a_clock_that_is_set_back_deletes_nothing() -> None:
    assert told(days(*range(15)), replace(CALM, now=CALM.now - 400 * DAY)) == []


def test_after_a_long_pause_the_past_goes_a_day_an_hour() -> None:
    """The collector was off for three weeks: only the clock says so."""
    there, looked, gone = days(*range(22, 36), 0), CALM, []
    for _ in range(20):
        found = going(there, looked, LIMITS)
        gone.append(len(found))
        there = [day for day in there if day not in [one.day for one in found]]

    assert gone == [1] * 14 + [0] * 6


def test_the_oldest_days_go_first_until_the_rest_is_allowed() -> None:
    looked = replace(CALM, used=103 * GB, even=False, alone=False)

    assert told(days(5, 4, 3, size=2 * GB), looked) == [(5, Reason.BYTES), (4, Reason.BYTES)]
    assert over_bytes(days(5, 4, 3, size=2 * GB), looked, LIMITS) == ""


def test_age_and_bytes_count_a_day_once() -> None:
    looked = replace(CALM, used=102 * GB)

    assert told(days(*range(17)), looked) == [(16, Reason.AGE), (15, Reason.AGE)]


@pytest.mark.parametrize(("hour", "goes"), [(1, []), (5, []), (7, [(1, Reason.BYTES)])])
def test_the_last_hours_stay_whatever_happens(hour: int, goes: list[tuple[int, Reason]]) -> None:
    """Just after midnight, yesterday is the last hours."""
    full = replace(CALM, now=TODAY * DAY + hour * HOUR, used=500 * GB, free=0)

    assert told(days(1, 0), full) == goes
    assert told(days(0), full) == []
    said = over_bytes(days(0), full, LIMITS)
    assert "CHOREOSCOPE_RETENTION_BYTES (100,000,000,000)" in said
    assert "no span is taken" in said


def test_the_newest_day_stays_even_if_it_is_old() -> None:
    """A collector that was off for a year still shows what it saw last."""
    assert told(days(366), replace(CALM, used=500 * GB)) == []


def test_a_disk_that_gets_short_costs_a_day_an_hour() -> None:
    """It may be another program that fills it."""
    short = replace(CALM, free=GB)

    assert told(days(3, 2, 1, 0), short) == [(3, Reason.DISK)]
    assert told(days(3, 2, 1, 0), replace(short, alone=False)) == []
    assert told(days(3, 2, 1, 0, size=10**6), short) == []  # it would help nobody


def test_rows_of_flows_go_a_day_at_a_time() -> None:
    old = (TODAY - 93) * DAY + HOUR

    assert rows_before(old, CALM, LIMITS) == (TODAY - 92) * DAY
    assert rows_before((TODAY - 90) * DAY, CALM, LIMITS) == 0
    for never in (replace(CALM, even=False), replace(CALM, alone=False)):
        assert rows_before(old, never, LIMITS) == 0
    assert rows_before(0, CALM, LIMITS) == 0


def test_limits_that_are_not_set_come_from_the_disk() -> None:
    room = Room(free=100 * GB, total=1_000 * GB)

    assert (limit_of(0, 20 * GB, room), limit_of(7, 20 * GB, room)) == (100 * GB, 7)
    assert (least_free_of(0, room), least_free_of(7, room)) == (2**28, 7)
    assert least_free_of(0, Room(GB, GB)) == GB // 10


def test_a_clock_is_even_after_an_hour_in_which_nobody_set_it() -> None:
    wall, since_boot = [CALM.now], [0]
    even = EvenTime(lambda: wall[0], lambda: since_boot[0])

    def goes_on(minutes: int, *, leap: int = 0) -> bool:
        since_boot[0] += minutes * MINUTE
        wall[0] += minutes * MINUTE + leap
        return even.look()

    assert [goes_on(1), goes_on(58), goes_on(1), goes_on(60)] == [False, False, True, True]
    assert [goes_on(1, leap=DAY), goes_on(58), goes_on(2)] == [False, False, True]
    assert [goes_on(1, leap=-DAY), goes_on(60)] == [False, True]
    assert [goes_on(60, leap=MINUTE) for _ in range(20)].count(True) >= 18  # slewed, not set
