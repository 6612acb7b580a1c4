"""Do bounded sets keep the right keys? They deduplicate spans and remember which flows were evicted."""

from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from collector.columns.keysets import KeySet

keys = st.lists(st.integers(0, 40), max_size=30)


@given(st.lists(keys, max_size=20))
def test_within_its_capacity_it_is_a_set(groups: list[list[int]]) -> None:
    recent, seen = KeySet(), set[int]()

    for group in groups:
        new = recent.add(np.array(group, np.uint64))

        assert new == len(set(group) - seen)
        seen |= set(group)


def test_it_remembers_at_least_half_its_capacity_and_no_more_than_all() -> None:
    recent = KeySet(capacity=1_000)
    numbers = np.arange(10_000, dtype=np.uint64)

    for start in range(0, 10_000, 100):
        assert recent.add(numbers[start : start + 100]) == 100

    assert recent.add(numbers[-500:]) == 0
    assert recent.add(numbers[:1_000]) == 1_000


def test_the_largest_key_is_a_key() -> None:
    recent = KeySet()
    largest = np.array([2**64 - 1, 0], np.uint64)

    assert [recent.add(largest), recent.add(largest)] == [2, 0]


@given(st.lists(st.integers(1, 2_000), max_size=12), st.integers(0, 2**32))
def test_the_newest_keys_are_kept_however_many_come_at_once(sizes: list[int], seed: int) -> None:
    """The newest, not the largest: an id says nothing about its age."""
    kept, capacity = KeySet(capacity=1_000), 1_000
    names = Random(seed).sample(range(10**6), sum(sizes))
    given_so_far: list[int] = []
    for size in sizes:
        group, names = names[:size], names[size:]
        given_so_far += group
        assert kept.add(np.array(group, np.uint64)) == size

        assert kept.among(np.array(given_so_far[-capacity // 2 :], np.uint64)).all()
        held = kept.among(np.array(given_so_far, np.uint64)).sum()
        assert min(len(given_so_far), capacity // 2) <= held <= capacity


def test_nothing_is_in_an_empty_set() -> None:
    assert not KeySet()
    assert not KeySet().among(np.arange(3, dtype=np.uint64)).any()
