"""Does our clock go on whatever becomes of the machine's?"""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from collector.model.troubles import TroubleKind
from collector.steady_clock import SLEW, WRONG, Mark, SteadyClock, begun, steered, told
from collector.upkeep.health import Troubles
from collector.upkeep.timekeeping import keep_time

SECOND = 10**9
HOUR = 3600 * SECOND
NOW = 1_790_000_000 * SECOND


class Machine:
    """A machine whose wall clock a test sets."""

    def __init__(self) -> None:
        self.elapsed, self.wall, self.boot = 500 * SECOND, NOW, "boot-1"

    def passes(self, seconds: float) -> None:
        self.elapsed += int(seconds * SECOND)
        self.wall += int(seconds * SECOND)

    def clock(self, kept_in: Path | None = None) -> SteadyClock:
        return SteadyClock(
            kept_in, wall=lambda: self.wall, elapsed=lambda: self.elapsed, boot=lambda: self.boot
        )


steps = st.lists(st.tuples(st.integers(0, 2 * HOUR), st.integers(-20 * HOUR, 20 * HOUR)), max_size=20)


@given(steps)
@example([(SECOND, HOUR), (SECOND, -HOUR), (0, 0)])
def test_it_goes_on_at_its_pace_however_the_wall_clock_is_set(steps: list[tuple[int, int]]) -> None:
    """Deadlines and silences are differences of its times: they may be off by the slew and no more."""
    machine = Machine()
    clock = machine.clock()
    for passed, _ in steps:
        before = clock.now()
        machine.elapsed += passed
        machine.wall = max(before - 20 * HOUR, min(machine.wall + passed, before + 20 * HOUR))

        took = clock.now() - before

        assert (1 - SLEW) * passed - 1 <= took <= (1 + SLEW) * passed + 1


@pytest.mark.parametrize("set_by", [HOUR, -HOUR, 30 * SECOND, -30 * SECOND])
def test_it_comes_back_to_the_wall_clock(set_by: int) -> None:
    """What people read must be right again, soon enough that nobody has to restart anything."""
    machine = Machine()
    clock = machine.clock()
    machine.wall += set_by
    clock.now()
    assert clock.off == set_by
    assert told(clock.off)

    for _ in range(20 * 60):
        machine.passes(60)
        clock.now()

    assert clock.off == 0
    assert told(clock.off) is None


def test_a_clock_that_was_wrong_by_years_is_believed_once_it_is_right() -> None:
    """Small machines boot in 1970 and are set a minute later: nobody wants to read 1970 until a restart."""
    machine = Machine()
    machine.wall = 60 * SECOND
    clock = machine.clock()
    machine.wall = NOW

    assert clock.now() == NOW


def test_a_clock_set_back_by_years_lets_ours_go_on() -> None:
    """Times must not go back while the process lives; it says that a restart mends it."""
    machine = Machine()
    clock = machine.clock()
    machine.wall -= 400 * 24 * HOUR
    machine.elapsed += SECOND

    assert NOW < clock.now() <= NOW + SECOND
    assert "restart" in (told(clock.off) or "")


def test_what_is_stored_is_earlier_than_now() -> None:
    """A clock set back while the collector was stopped would put new spans before stored ones."""
    machine = Machine()
    clock = machine.clock()

    clock.follow(NOW + HOUR)
    assert clock.now() > NOW + HOUR

    clock.follow(NOW + HOUR + WRONG + SECOND)  # it was received while the clock was wrong by days
    assert clock.now() < NOW + 2 * HOUR


@pytest.mark.parametrize("set_by", [HOUR, -HOUR, 0])
def test_a_restart_knows_how_long_it_was_stopped(tmp_path: Path, set_by: int) -> None:
    """The gap in which nobody listened is as long as it was, not as the wall clock says."""
    machine = Machine()
    clock = machine.clock(tmp_path / "clock")
    clock.keep()
    before = clock.now()
    machine.passes(30)
    machine.wall += set_by

    again = machine.clock(tmp_path / "clock")

    assert abs(again.now() - before - 30 * SECOND) <= SECOND


def test_another_boot_begins_with_the_wall_clock(tmp_path: Path) -> None:
    """Nobody knows how long a machine was off, but its clock."""
    machine = Machine()
    machine.clock(tmp_path / "clock").keep()
    machine.boot, machine.elapsed = "boot-2", 20 * SECOND
    machine.wall += 5 * HOUR

    assert machine.clock(tmp_path / "clock").now() == machine.wall


@pytest.mark.parametrize("text", ["", "boot-1", "boot-1 x y", "boot-1 1 2 3", "\N{SNOWMAN} 1 2", "boot-1 1"])
def test_a_file_that_cannot_be_read_is_as_none(tmp_path: Path, text: str) -> None:
    """It is not synced, so it may be cut off; a collector must start all the same."""
    (tmp_path / "clock").write_text(text, encoding="utf-8")

    assert Machine().clock(tmp_path / "clock").now() == NOW


def test_a_folder_that_takes_nothing_is_no_trouble(tmp_path: Path) -> None:
    """The mark is a help, not a promise: a full disk must not stop the clock."""
    machine = Machine()
    clock = machine.clock(tmp_path / "none" / "clock")

    clock.keep()

    assert clock.now() == NOW


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    machine = Machine()
    machine.clock(tmp_path / "clock").keep()

    assert (tmp_path / "clock").stat().st_mode & 0o777 == 0o600


def test_it_says_how_far_it_is_off() -> None:
    """People compare what the pages say with their own watch."""
    assert told(SECOND) is None
    assert "set forward" in (told(HOUR) or "")
    assert "about 1 h 0 min behind it" in (told(HOUR) or "")
    assert "set back" in (told(-90 * SECOND) or "")
    assert "about 0 h 1 min ahead of it" in (told(-90 * SECOND) or "")


def test_a_mark_of_the_future_is_not_believed() -> None:
    """An image of a machine may bring the file of another life of the same boot."""
    mark = Mark("boot-1", 900 * SECOND, NOW)

    assert begun(NOW + HOUR, Mark("boot-1", 500 * SECOND, 0), mark) == NOW + HOUR


def test_a_real_clock_agrees_with_the_wall_clock() -> None:
    """Nothing is ever told of a machine whose clock nobody sets."""
    clock = SteadyClock()
    clock.now()

    assert told(clock.off) is None
    assert steered(0, 0, 0) == 0


def test_a_step_is_told_until_it_is_made_up_for(tmp_path: Path) -> None:
    """Whoever reads times that are off must see why, and must not see it a day later."""
    machine, troubles = Machine(), Troubles()
    clock = machine.clock(tmp_path / "clock")
    keep_time(clock, troubles)
    assert troubles.now() == ()

    machine.wall += 10 * SECOND
    keep_time(clock, troubles)
    assert [one.kind for one in troubles.now()] == [TroubleKind.CLOCK_SET]

    machine.passes(300)
    keep_time(clock, troubles)
    assert troubles.now() == ()
