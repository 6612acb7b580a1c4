"""Joins on columns: which entries hold a value, and which entries hold the same one."""

from collections.abc import Sequence
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

IntT = TypeVar("IntT", bound=np.integer[Any])
Ints: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]

_MOST_KINDS = 2**62
_MOST_STEPS = 32  # beyond, values are not spread


def matches(values: Ints, wanted: Ints) -> tuple[Ints, Ints]:
    """(place in *wanted*, place in *values*) of each pair of equals, in the order of these places."""
    order = ascending(values)
    which, place = matches_in_order(values[order], wanted)
    return which, order[place]


def matches_in_order(ascending: Ints, wanted: Ints) -> tuple[Ints, Ints]:
    """`matches` for values that ascend: nothing is sorted."""
    left = np.searchsorted(ascending, wanted, "left")
    return spread(left, np.searchsorted(ascending, wanted, "right") - left)


def find(values: npt.NDArray[IntT], wanted: npt.NDArray[IntT]) -> Ints:
    """The place of each of *wanted* in the ascending *values*, the first of equals; -1 if there is none."""
    if not len(values):
        return np.full(len(wanted), -1)
    within = np.clip(wanted, values[0], values[-1])
    place = _first_not_below(values, within)
    return np.where(values[place] == wanted, place, -1)


def _first_not_below(values: npt.NDArray[IntT], wanted: npt.NDArray[IntT]) -> Ints:
    """`np.searchsorted`, of what lies between the first and the last of *values*.

    Keys are spread evenly, so that counting how many begin with the same bits tells where to look, but for a
    step or two: a million are found among a million in a quarter of the time.
    """
    if len(wanted) * 4 < len(values):
        return np.searchsorted(values, wanted)
    lowest, differing = values[0].astype(np.uint64), (int(values[-1]) - int(values[0])).bit_length()
    shift = np.uint64(max(differing - len(values).bit_length(), 0))

    def bucket(of: npt.NDArray[IntT]) -> Ints:
        begins: Ints = ((of.astype(np.uint64, copy=False) - lowest) >> shift).astype(np.int64)
        return begins

    counts = np.bincount(bucket(values))
    if counts.max() > _MOST_STEPS:
        return np.searchsorted(values, wanted)
    place = (np.cumsum(counts) - counts)[bucket(wanted)]
    below = np.flatnonzero(values[place] < wanted)
    while len(below):
        place[below] += 1
        below = below[values[place[below]] < wanted[below]]
    return place


def ascending(values: npt.NDArray[IntT]) -> Ints:
    """The places of *values* in ascending order; equals stay in their own order.

    Counting puts keys nearly in order, by the highest of the bits in which they differ: the sort that follows
    has runs to merge and next to nothing to look for. Of a million it takes a third of the time of one alone.
    """
    if not len(values):
        return np.empty(0, np.int64)
    differing = (int(values.max()) ^ int(values.min())).bit_length()
    highest = (values >> max(differing - 16, 0)).astype(np.uint16)
    nearly = np.argsort(highest, kind="stable")
    return nearly[np.argsort(values[nearly], kind="stable")]


def alike(columns: Sequence[npt.NDArray[Any]]) -> tuple[Ints, Ints]:
    """Which rows say the same in all *columns* of small numbers: (kind of each row, a row of each kind)."""
    kind, kinds = np.zeros(len(columns[0]), np.int64), 1
    for column in columns:
        lowest, highest = int(column.min(initial=0)), int(column.max(initial=0))
        if lowest == highest:
            continue
        if kinds * (highest - lowest + 1) > _MOST_KINDS:
            kind, kinds = _numbered(kind)
        kind = kind * (highest - lowest + 1) + (column.astype(np.int64) - lowest)
        kinds *= highest - lowest + 1
    kind, kinds = _numbered(kind)
    example = np.empty(kinds, np.int64)
    example[kind] = np.arange(len(kind))
    return kind, example


def _numbered(values: Ints) -> tuple[Ints, int]:
    encoded = pa.array(values).dictionary_encode()
    return np.asarray(encoded.indices.to_numpy(), np.int64), len(encoded.dictionary)


def spread(begin: Ints, count: Ints) -> tuple[Ints, Ints]:
    """(which, place) of all places of runs: each has *count* of them, from *begin* on."""
    which = np.repeat(np.arange(len(begin)), count)
    within = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
    return which, begin[which] + within


def taken_lists(column: pa.ListArray, rows: Ints) -> pa.ListArray:
    """*rows* of a column without nulls, most of whose lists are empty: `take` asks each for its elements."""
    offsets = np.asarray(column.offsets)
    lengths = np.diff(offsets)
    # Small numbers lie near each other.
    count = lengths.astype(np.min_scalar_type(-1 - int(lengths.max(initial=0))))[rows]
    some = np.flatnonzero(count)
    _, place = spread(offsets[rows[some]], count[some])
    ends = np.append(0, np.cumsum(count)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), column.values.take(pa.array(place)))


def groups(values: Ints, taken: Mask) -> list[tuple[int, Ints]]:
    """(value, its places in order) for each value of the entries that *taken* marks; below 0 is no value."""
    places = np.flatnonzero(taken & (values >= 0))
    places = places[np.argsort(values[places], kind="stable")]
    if not len(places):
        return []
    first = np.flatnonzero(values[places][1:] != values[places][:-1]) + 1
    return [(int(values[part[0]]), part) for part in np.split(places, first)]


def last_of_runs(values: Ints) -> Mask:
    """Which entries are the last of a run of equal *values*."""
    return np.append(values[1:] != values[:-1], True)[: len(values)]


def once(values: npt.NDArray[IntT]) -> npt.NDArray[IntT]:
    """Each of *values* once, ascending; `np.unique` takes ten times as long, looking each up in a table."""
    ordered = np.sort(values)
    found: npt.NDArray[IntT] = ordered[np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]]
    return found


def among(values: npt.NDArray[IntT], wanted: npt.NDArray[IntT]) -> Mask:
    """Which of *values*, spread over all 64 bits, are among *wanted*: `np.isin` in a fifth of the time."""
    return np.asarray(pc.is_in(pa.array(values), value_set=pa.array(wanted)))


def sole_pairs(left: Ints, right: Ints) -> tuple[Ints, Ints]:
    """The different pairs of *left* and *right*, not negative, whose left one is in no other; ascending."""
    left, right = distinct_pairs(left, right)
    sole = np.append(True, left[1:] != left[:-1])[: len(left)] & last_of_runs(left)
    return left[sole], right[sole]


def _nearly_ascend(values: Ints) -> bool:
    """Whether they consist of few ascending runs, which a sort that merges runs puts in order at once."""
    return int(np.count_nonzero(values[1:] < values[:-1])) * 16 < len(values)


def distinct_pairs(left: Ints, right: Ints) -> tuple[Ints, Ints]:
    """Each different pair of *left* and *right*, which are not negative, once and ascending."""
    width = int(right.max(initial=0)) + 1
    pairs = left * width + right  # less than rows squared
    pairs.sort(kind="stable" if _nearly_ascend(pairs) else None)
    pairs = pairs[np.append(True, pairs[1:] != pairs[:-1])[: len(pairs)]]
    lefts = pairs // width  # numpy divides by one number faster than it gives remainders
    return lefts, pairs - lefts * width
