"""How much may wait? As much as is stored soon, and no more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.ingest.admission import LEAST_BYTES, WAIT_S, Admission
from collector.web.budget import Budget, OverloadError

MIB = 1024 * 1024
MOST = 256 * MIB


def after(rate: float, groups: int, *, size: int = 16 * MIB, begin: Admission | None = None) -> Admission:
    """What is known after so many *groups* that were stored at *rate*, one after the other."""
    found = begin or Admission(MOST)
    for _ in range(groups):
        ended = found.ended + size / rate
        found = found.stored(size, found.ended - 1, ended)
    return found


@given(st.floats(1 * MIB, 400 * MIB))
def test_what_is_taken_is_stored_in_time(rate: float) -> None:
    """The limit follows the rate: a fast machine takes more, a slow one refuses sooner."""
    limit = after(rate, 400).limit

    assert LEAST_BYTES <= limit <= MOST
    assert abs(limit / rate - WAIT_S) < 0.1 or limit in {LEAST_BYTES, MOST}


def test_it_learns_within_seconds_that_storing_became_slow() -> None:
    """A disk that stalls must not fill memory with requests that their senders have given up."""
    fast = after(200 * MIB, 20)

    slow = after(20 * MIB, 6, begin=fast)

    assert slow.ended - fast.ended < 5
    assert slow.limit < 30 * MIB


def test_it_learns_within_seconds_that_storing_is_fast_again() -> None:
    slow = after(4 * MIB, 5)

    fast = after(100 * MIB, 40, begin=slow)

    assert slow.limit == LEAST_BYTES
    assert fast.ended - slow.ended < 10
    assert fast.limit > 60 * MIB


def test_small_groups_do_not_make_it_timid() -> None:
    """A quiet collector stores little at a time, slowly per byte: the next burst must still be taken."""
    found = Admission(MOST)
    limit = found.limit
    for second in range(1_000):
        found = found.stored(10_000, second, second + 0.02)

    assert found.limit == limit


def test_a_pause_is_not_taken_for_slowness() -> None:
    """The time in which nobody sent anything says nothing."""
    found = after(100 * MIB, 40)

    assert found.stored(16 * MIB, 3_600.0, 3_600.16).limit > 80 * MIB


@given(st.lists(st.tuples(st.integers(0, 64 * MIB), st.floats(0, 100), st.floats(0, 100)), max_size=30))
def test_the_limit_is_always_between_its_bounds(groups: list[tuple[int, float, float]]) -> None:
    found = Admission(MOST)
    for size, begun, took in groups:
        found = found.stored(size, begun, found.ended + took)

        assert LEAST_BYTES <= found.limit <= MOST


def test_memory_bounds_it_before_time_does() -> None:
    assert after(100 * MIB, 40, begin=Admission(32 * MIB)).limit == 32 * MIB
    assert after(100 * MIB, 4, begin=Admission(2 * MIB)).limit == 2 * MIB


async def test_a_full_queue_is_told_before_a_body_is_read() -> None:
    """Reading what is refused anyway takes the time of those that are taken."""
    counted: list[int] = []
    budget = Budget(10 * MIB, lambda: counted.append(1))
    with budget.share() as whole:
        whole.grow(10 * MIB)

        with pytest.raises(OverloadError, match="wait already"):
            budget.require_room()

    budget.require_room()
    assert len(counted) == 1


async def test_those_that_are_still_arriving_do_not_fill_the_queue() -> None:
    """They may give way to the next one, so that slow senders keep nobody out."""
    budget = Budget(10 * MIB)
    with budget.share() as slow:
        async with slow.arriving():
            slow.grow(10 * MIB)

            budget.require_room()


async def test_a_limit_that_falls_lets_go_of_nothing() -> None:
    """What was taken is stored; only what comes next is refused."""
    budget = Budget(10 * MIB)
    with budget.share() as taken, budget.share() as late:
        taken.grow(8 * MIB)
        budget.limit = 4 * MIB

        with pytest.raises(OverloadError):
            late.grow(1)

        assert budget.held == 8 * MIB
