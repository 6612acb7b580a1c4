"""Joins on columns: which entries hold a given value, and which hold the same value?"""

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
_MOST_STEPS = 32  # more values in one bucket: they are not evenly distributed


def matches(values: Ints, wanted: Ints) -> tuple[Ints, Ints]:
    """(place in *wanted*, place in *values*) for each pair of equal values, ascending."""
    order = ascending(values)
    which, place = matches_in_order(values[order], wanted)
    return which, order[place]


def matches_in_order(ascending: Ints, wanted: Ints) -> tuple[Ints, Ints]:
    """`matches` for values that are already sorted."""
    left = np.searchsorted(ascending, wanted, "left")
    return spread(left, np.searchsorted(ascending, wanted, "right") - left)


def find(values: npt.NDArray[IntT], wanted: npt.NDArray[IntT]) -> Ints:
    """The place of each of *wanted* in the sorted *values*, the first of equals; -1 if absent."""
    if not len(values):
        return np.full(len(wanted), -1)
    within = np.clip(wanted, values[0], values[-1])
    place = _first_not_below(values, within)
    return np.where(values[place] == wanted, place, -1)


def _first_not_below(values: npt.NDArray[IntT], wanted: npt.NDArray[IntT]) -> Ints:
    """`np.searchsorted`, for *wanted* between the first and the last of *values*.

    Keys are evenly distributed, so counting how many share their leading bits locates each one to within a
    step or two. Looking up a million keys among a million takes a quarter of the time.
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
    """The places that sort *values*, stably.

    A radix sort by the highest 16 bits in which keys differ puts them nearly in order, so the second sort
    mostly merges runs. For a million keys, both together take a third of the time of a single sort.
    """
    if not len(values):
        return np.empty(0, np.int64)
    differing = (int(values.max()) ^ int(values.min())).bit_length()
    highest = (values >> max(differing - 16, 0)).astype(np.uint16)
    nearly = np.argsort(highest, kind="stable")
    return nearly[np.argsort(values[nearly], kind="stable")]


def inverse(order: Ints) -> Ints:
    """Where each entry comes to be if entries are put in *order*."""
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return place


def alike(columns: Sequence[npt.NDArray[Any]]) -> tuple[Ints, Ints]:
    """Which rows are equal in all *columns* of small integers? (kind of each row, a row of each kind)."""
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
    """(run, place) for every place in runs that start at *begin* and have *count* places."""
    which = np.repeat(np.arange(len(begin)), count)
    within = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
    return which, begin[which] + within


def taken_lists(column: pa.ListArray, rows: Ints) -> pa.ListArray:
    """*rows* of a column of mostly empty lists, without nulls; `take` is slower, as it visits every list."""
    offsets = np.asarray(column.offsets)
    lengths = np.diff(offsets)
    # Small integers stay in the processor's cache.
    count = lengths.astype(np.min_scalar_type(-1 - int(lengths.max(initial=0))))[rows]
    some = np.flatnonzero(count)
    _, place = spread(offsets[rows[some]], count[some])
    ends = np.append(0, np.cumsum(count)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), column.values.take(pa.array(place)))


def groups(values: Ints, taken: Mask) -> list[tuple[int, Ints]]:
    """(value, its places in order) for each value that *taken* marks; negative ones are skipped."""
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
    """The distinct *values*, ascending; `np.unique` takes ten times as long, because it hashes each one."""
    ordered = np.sort(values)
    found: npt.NDArray[IntT] = ordered[np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]]
    return found


def among(values: npt.NDArray[IntT], wanted: npt.NDArray[IntT]) -> Mask:
    """Which of *values*, spread over all 64 bits, are among *wanted*? Five times as fast as `np.isin`."""
    return np.asarray(pc.is_in(pa.array(values), value_set=pa.array(wanted)))


def sole_pairs(left: Ints, right: Ints) -> tuple[Ints, Ints]:
    """The distinct pairs of *left* and *right* (not negative) whose left is in no other pair; ascending."""
    left, right = distinct_pairs(left, right)
    sole = np.append(True, left[1:] != left[:-1])[: len(left)] & last_of_runs(left)
    return left[sole], right[sole]


def _nearly_ascend(values: Ints) -> bool:
    """Whether *values* consist of few ascending runs, which a stable sort only has to merge."""
    return int(np.count_nonzero(values[1:] < values[:-1])) * 16 < len(values)


def distinct_pairs(left: Ints, right: Ints) -> tuple[Ints, Ints]:
    """The distinct pairs of *left* and *right*, which must not be negative, ascending."""
    width = int(right.max(initial=0)) + 1
    pairs = left * width + right  # less than rows squared: no overflow
    pairs.sort(kind="stable" if _nearly_ascend(pairs) else None)
    pairs = pairs[np.append(True, pairs[1:] != pairs[:-1])[: len(pairs)]]
    lefts = pairs // width  # numpy divides by a scalar faster than it computes remainders
    return lefts, pairs - lefts * width
