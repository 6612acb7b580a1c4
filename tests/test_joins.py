"""Do joins return what a loop would? Every later step relies on them."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from collector.columns.joins import (
    alike,
    ascending,
    find,
    groups,
    last_of_runs,
    matches,
    matches_in_order,
    taken_lists,
)

numbers = st.lists(st.integers(-3, 6), max_size=30)
# Some crowded and some far apart: the lookup is tuned for keys that are spread evenly.
keys = st.lists(
    st.integers(0, 2**64 - 1) | st.integers(0, 9) | st.integers(2**63 - 40, 2**63 + 40), max_size=60
)


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


@given(numbers | keys)
def test_ascending_keeps_equals_in_their_order(values: list[int]) -> None:
    expected = sorted(range(len(values)), key=values.__getitem__)

    assert ascending(array(values)).tolist() == expected


@given(keys, keys)
def test_the_first_of_equals_is_found(values: list[int], others: list[int]) -> None:
    values, wanted = sorted(values), [*others, *values, *(value - 1 for value in values if value)]
    expected = [values.index(want) if want in values else -1 for want in wanted]

    assert find(array(values), array(wanted)).tolist() == expected


@given(numbers, numbers)
def test_negative_numbers_are_found_too(values: list[int], wanted: list[int]) -> None:
    values = sorted(values)
    expected = [values.index(want) if want in values else -1 for want in wanted]

    found = find(np.array(values, np.int64), np.array(wanted, np.int64))
    assert found.tolist() == expected


def test_many_are_found_however_they_are_spread() -> None:
    random = np.random.default_rng(7)
    even = np.sort(random.integers(0, 2**64, 5_000, np.uint64))
    crowded = np.sort(np.append(even[:50], random.integers(2**40, 2**40 + 10_000, 5_000, np.uint64)))
    for values in (even, crowded):
        wanted = random.permutation(np.concatenate([values, values + np.uint64(1), even]))
        place = np.searchsorted(values, wanted)
        there = values[np.minimum(place, len(values) - 1)] == wanted

        assert find(values, wanted).tolist() == np.where(there, place, -1).tolist()


@given(st.lists(st.tuples(st.integers(-1, 3), st.booleans(), st.sampled_from([0, 5, 2**31 - 1]))))
def test_rows_that_say_the_same_are_alike(rows: list[tuple[int, bool, int]]) -> None:
    first, second, third = (np.array([row[place] for row in rows]) for place in range(3))
    columns = [first.astype(np.int32), second.astype(np.bool_), *[third.astype(np.int64)] * 4]

    kind, example = alike(columns)

    assert [rows[place] for place in example[kind].tolist()] == rows
    assert len(example) == len(set(rows))


def array(values: list[int]) -> npt.NDArray[Any]:
    return np.array(values, np.int64 if min(values, default=0) < 0 else np.uint64)


@given(st.lists(st.lists(st.integers(0, 9), max_size=3), min_size=1), st.data())
def test_lists_are_taken_as_they_are(lists: list[list[int]], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(lists) - 1))
    rows = data.draw(st.lists(st.integers(0, len(lists) - cut - 1)))
    column = pa.array(lists, pa.list_(pa.int64())).slice(cut)

    found = taken_lists(column, np.array(rows, np.int64))

    found.validate(full=True)
    assert found.to_pylist() == [lists[cut:][row] for row in rows]
