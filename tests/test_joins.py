"""Joins are what every later step stands on: they must be what a loop would give."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from collector.joins import groups, last_of_runs, matches, matches_in_order

numbers = st.lists(st.integers(-3, 6), max_size=30)


@given(numbers, numbers)
def test_every_pair_of_equals_is_found_once_and_in_order(values: list[int], wanted: list[int]) -> None:
    expected = [(w, v) for w, want in enumerate(wanted) for v, value in enumerate(values) if value == want]

    which, place = matches(np.array(values, np.int64), np.array(wanted, np.int64))
    assert list(zip(which.tolist(), place.tolist(), strict=True)) == expected
    which, place = matches_in_order(np.array(sorted(values), np.int64), np.array(wanted, np.int64))
    assert [(w, sorted(values)[v]) for w, v in zip(which.tolist(), place.tolist(), strict=True)] == [
        (w, values[v]) for w, v in expected
    ]


@given(st.lists(st.tuples(st.integers(-3, 6), st.booleans()), max_size=30))
def test_groups_hold_the_places_of_each_value(entries: list[tuple[int, bool]]) -> None:
    expected: dict[int, list[int]] = {}
    for place, (value, taken) in enumerate(entries):
        if taken and value >= 0:
            expected.setdefault(value, []).append(place)
    values = np.array([value for value, _ in entries], np.int64)
    found = groups(values, np.array([taken for _, taken in entries], np.bool_))

    assert [(value, places.tolist()) for value, places in found] == sorted(expected.items())


@given(numbers)
def test_last_of_each_run_is_marked(values: list[int]) -> None:
    expected = [i + 1 == len(values) or values[i + 1] != values[i] for i in range(len(values))]

    assert last_of_runs(np.array(values, np.int64)).tolist() == expected
