"""Which variant is a flow of? Flows with the same set of event types are of one variant.

A variant has a number that depends on nothing else: not on the process, nor on the order in which names were
first seen. So it can be stored, and asked for by a link.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from collector.columns.joins import Ints, distinct_pairs
from collector.columns.keys import PUBLIC, Keys, mixed, text_keys

UNKNOWN = 0  # of flows without messages, and of those that an older version stored


def variant_keys(flow: Ints, kind: Ints, names: Sequence[str], count: int) -> Keys:
    """The variant of each of *count* flows; *kind* is the event type, a place in *names*, of each message."""
    found = np.zeros(count, np.uint64)
    if not len(flow):
        return found
    flow, kind = distinct_pairs(flow, kind)
    kinds, which = np.unique(kind, return_inverse=True)
    keys = _keys([names[one] for one in kinds.tolist()])
    with np.errstate(over="ignore"):
        np.add.at(found, flow, keys[which])
    return np.where(found == 0, found, mixed(found))


def variant_of(event_types: Iterable[str]) -> int:
    """The variant of flows with exactly these event types; case does not matter."""
    names = sorted({name.lower() for name in event_types})
    places = np.arange(len(names))
    return int(variant_keys(np.zeros(len(names), np.int64), places, names, 1)[0])


def spelled(variant: int) -> str:
    """The id of *variant*."""
    return f"{variant:016x}"


def _keys(names: Sequence[str]) -> Keys:
    return text_keys(pa.array([name.lower() for name in names], pa.string()), PUBLIC)
