"""Does a round drop what it should, count it and say so, and does a short disk refuse in time?"""

import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from collector.counters import Counters
from collector.model.troubles import TroubleKind
from collector.model.wording import HOUR, MINUTE
from collector.store.contracts import StoreError
from collector.store.removal import Day, Room
from collector.upkeep.disk import DiskWatch
from collector.upkeep.dropping import Dropping
from collector.upkeep.health import Troubles
from collector.upkeep.retention import DAY, Limits

TODAY = 20_787  # 2026-11-30
MIB = 1024 * 1024
LIMITS = Limits(days=14, bytes=1_000 * MIB, flow_days=90, least_free=10 * MIB)


class Shelf:
    """A store whose days are numbers on a list."""

    def __init__(self, *ago: int) -> None:
        self.kept = [Day(TODAY - one, 1_000, 10 * MIB) for one in sorted(ago, reverse=True)]
        self.free = 500 * MIB
        self.merges: list[bool] = []
        self.rows = self.rows_size = 0
        self.ids_before: list[int] = []
        self.rows_before: list[int] = []
        self.fails = False
        self.half: int | None = None

    def days(self) -> list[Day]:
        if self.fails:
            raise StoreError("The store could not answer a query: it is unwell")
        return list(self.kept)

    def size(self) -> int:
        return sum(day.bytes for day in self.kept) + self.rows_size

    def allow_merges(self, allowed: bool) -> None:
        self.merges.append(allowed)

    def room(self) -> Room:
        if self.fails:
            raise StoreError("The store could not answer a query: it is unwell")
        return Room(self.free, 1_000 * MIB)

    def oldest(self) -> int:
        return self.kept[0].number * DAY if self.kept else 0

    def half_dropped(self) -> int | None:
        return self.half

    def drop_day(self, number: int) -> None:
        self.half = None
        self.kept = [day for day in self.kept if day.number != number]
        self.free += 10 * MIB

    def forget_ids(self, before: int) -> None:
        self.ids_before.append(before)

    def oldest_flow(self) -> int:
        return self.rows

    def forget_flows(self, before: int) -> None:
        self.rows_before.append(before)
        if self.rows_size:
            self.rows = self.rows_size = 0


class Time:
    """A wall clock and the time since boot, in nanoseconds."""

    def __init__(self) -> None:
        self.wall, self.since_boot = TODAY * DAY + 12 * HOUR, 0

    def goes_on(self, nanoseconds: int) -> None:
        self.wall += nanoseconds
        self.since_boot += nanoseconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def counters() -> Counters:
    return Counters()


Made = Callable[[Shelf], Dropping]


@pytest.fixture
def made(time: Time, counters: Counters) -> Made:
    """A function that makes what drops from a shelf."""
    return lambda shelf: Dropping(
        shelf, LIMITS, counters, clock=lambda: time.wall, monotonic=lambda: time.since_boot
    )


def counted(counters: Counters, name: str, reason: str) -> Any:
    return counters.registry.get_sample_value(f"choreoscope_retention_{name}_total", {"reason": reason})


def test_a_round_drops_counts_and_says_it(
    made: Made, counters: Counters, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = Shelf(*range(17))
    dropping = made(shelf)

    with caplog.at_level(logging.WARNING):
        dropping.round()

    assert shelf.kept[0].number == TODAY - 14
    assert (counted(counters, "spans", "age"), counted(counters, "days", "age")) == (2_000, 2)
    assert counted(counters, "spans", "bytes") == 0
    assert [record.message for record in caplog.records] == [
        f"Dropped 1,000 spans received on {date}. They were older than CHOREOSCOPE_RETENTION_DAYS (14)."
        for date in ("2026-11-14", "2026-11-15")
    ]
    assert shelf.ids_before == [(TODAY - 14) * DAY]
    assert (dropping.retained.since, dropping.retained.days) == ((TODAY - 14) * DAY, 15)
    dropping.round()
    assert (len(caplog.records), shelf.ids_before) == (2, [(TODAY - 14) * DAY])


def test_a_drop_that_was_interrupted_is_finished(
    made: Made, counters: Counters, caplog: pytest.LogCaptureFixture
) -> None:
    """Half a day is worse than none: flows that lost spans with it would seem to be whole."""
    shelf = Shelf(3, 2, 1, 0)
    shelf.half = TODAY - 3
    dropping = made(shelf)
    dropping.round()
    dropping.round()

    assert [TODAY - day.number for day in shelf.kept] == [2, 1, 0]
    assert counted(counters, "days", "half") == 1
    assert "Dropped 1,000 spans received on 2026-11-27. The others of that day had been" in caplog.text


def test_a_clock_set_a_year_forward_costs_a_day_an_hour(made: Made, time: Time) -> None:
    """And nothing in the first hour."""
    shelf = Shelf(*range(15))
    shelf.rows = (TODAY - 80) * DAY
    dropping = made(shelf)
    dropping.round()
    time.wall += 366 * DAY
    left = []
    for _ in range(180):
        time.goes_on(MINUTE)
        dropping.round()
        left.append(len(shelf.kept))

    assert left[:60] == [15] * 60
    assert left[-1] == 13
    assert len(shelf.rows_before) == 2  # and of rows a day an hour as well
    time.wall -= 366 * DAY
    for _ in range(180):
        time.goes_on(MINUTE)
        dropping.round()
    assert len(shelf.kept) == 13


def test_rows_of_flows_go_once_an_hour(made: Made, time: Time) -> None:
    shelf = Shelf(1, 0)
    shelf.rows = (TODAY - 92) * DAY + 5
    dropping = made(shelf)
    for _ in range(130):
        dropping.round()
        time.goes_on(MINUTE)

    assert shelf.rows_before == [(TODAY - 91) * DAY] * 2


def test_a_store_that_fails_is_asked_again(made: Made, caplog: pytest.LogCaptureFixture) -> None:
    shelf = Shelf(*range(17))
    shelf.fails = True
    dropping = made(shelf)
    for _ in range(3):
        dropping.round()
    assert [record.message for record in caplog.records] == [
        "The store could not answer a query: it is unwell. What is kept too long stays until that works."
    ]
    shelf.fails = False
    dropping.round()

    assert len(shelf.kept) == 15


def test_what_is_being_stored_while_nothing_is_there_is_not_gone(made: Made, time: Time) -> None:
    """The first flows of a collector seemed to be gone for a minute: received before a look, found after."""
    dropping = made(Shelf())
    dropping.look()

    assert dropping.retained.since <= time.wall - 60 * 10**9


def watched(shelf: Shelf, dropping: Dropping) -> SimpleNamespace:
    """A watch of the disk of *shelf*, and what it says."""
    troubles = Troubles()
    disk = DiskWatch(shelf, dropping, troubles, Counters(), LIMITS)

    def at(free: int) -> bool:
        shelf.free = free
        disk.look()
        return troubles.refusing() is not None

    return SimpleNamespace(at=at, troubles=troubles, look=disk.look)


def test_a_short_disk_refuses_until_there_is_clearly_more(made: Made) -> None:
    """Not on and off with every merge."""
    shelf = Shelf(0)
    disk = watched(shelf, made(shelf))

    assert [disk.at(free * MIB) for free in (50, 11, 9, 10, 12, 13, 11, 9)] == [
        False, False, True, True, True, False, False, True,
    ]  # fmt: skip
    assert shelf.merges == [False, True, False]
    (trouble,) = disk.troubles.now()
    assert trouble.kind == TroubleKind.DISK_SHORT
    assert "CHOREOSCOPE_MIN_FREE_BYTES" in trouble.text
    shelf.fails = True
    disk.look()  # who cannot look does not change its mind
    assert disk.troubles.refusing() is not None


def test_the_oldest_day_makes_room_before_anything_is_refused(made: Made, time: Time) -> None:
    shelf = Shelf(3, 2, 1, 0)
    disk = watched(shelf, made(shelf))

    assert disk.at(19 * MIB) is False
    assert [TODAY - day.number for day in shelf.kept] == [2, 1, 0]
    disk.at(500 * MIB)
    disk.at(19 * MIB)
    assert len(shelf.kept) == 3  # not twice an hour
    time.goes_on(HOUR)
    disk.at(500 * MIB)
    disk.at(19 * MIB)
    assert len(shelf.kept) == 2


def test_rows_whose_spans_are_gone_go_before_anything_is_refused(
    made: Made, caplog: pytest.LogCaptureFixture
) -> None:
    """There may be more of them than the store may hold, and no day of spans is left to drop."""
    shelf = Shelf(0)
    shelf.rows, shelf.rows_size = (TODAY - 30) * DAY, 2_000 * MIB
    dropping = made(shelf)

    dropping.round()

    assert (dropping.full, shelf.rows_before) == ("", [TODAY * DAY])
    assert "Forgot the flows that were stored before 2026-11-30" in caplog.text


def test_a_store_that_today_alone_fills_refuses_rather_than_to_drop_it(made: Made) -> None:
    shelf = Shelf(0)
    shelf.kept = [Day(TODAY, 1_000, 2_000 * MIB)]
    dropping = made(shelf)
    disk = watched(shelf, dropping)
    dropping.round()

    assert disk.at(900 * MIB) is True
    assert "CHOREOSCOPE_RETENTION_BYTES" in disk.troubles.now()[0].text
    shelf.kept = [Day(TODAY, 1_000, 500 * MIB)]
    dropping.round()
    assert disk.at(900 * MIB) is False
