"""Joins on columns: which entries hold a value, and which entries hold the same one."""

from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

IntT = TypeVar("IntT", bound=np.integer[Any])
Ints: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]


def matches(values: Ints, wanted: Ints) -> tuple[Ints, Ints]:
    """(place in *wanted*, place in *values*) of each pair of equals, in the order of these places."""
    order = np.argsort(values, kind="stable")
    which, place = matches_in_order(values[order], wanted)
    return which, order[place]


def matches_in_order(ascending: Ints, wanted: Ints) -> tuple[Ints, Ints]:
    """`matches` for values that ascend: nothing is sorted."""
    left = np.searchsorted(ascending, wanted, "left")
    return spread(left, np.searchsorted(ascending, wanted, "right") - left)


def spread(begin: Ints, count: Ints) -> tuple[Ints, Ints]:
    """(which, place) of all places of runs: each has *count* of them, from *begin* on."""
    which = np.repeat(np.arange(len(begin)), count)
    within = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
    return which, begin[which] + within


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
    lefts, rights = np.divmod(pairs[np.diff(pairs, prepend=-1) != 0], width)
    return lefts, rights
