"""Counting each span once: the window of recent keys."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from collector.recent import RecentKeys

keys = st.lists(st.integers(0, 40), max_size=30)


@given(st.lists(keys, max_size=20))
def test_within_its_capacity_it_is_a_set(groups: list[list[int]]) -> None:
    recent, seen = RecentKeys(), set[int]()

    for group in groups:
        new = recent.add(np.array(group, np.uint64))

        assert new == len(set(group) - seen)
        seen |= set(group)


def test_it_remembers_at_least_half_its_capacity_and_no_more_than_all() -> None:
    recent = RecentKeys(capacity=1_000)
    numbers = np.arange(10_000, dtype=np.uint64)

    for start in range(0, 10_000, 100):
        assert recent.add(numbers[start : start + 100]) == 100

    assert recent.add(numbers[-500:]) == 0
    assert recent.add(numbers[:1_000]) == 1_000


def test_the_largest_key_is_a_key() -> None:
    recent = RecentKeys()
    largest = np.array([2**64 - 1, 0], np.uint64)

    assert [recent.add(largest), recent.add(largest)] == [2, 0]
