"""Which spans are certainly about different messages, although one context came with both?

A span that publishes a batch gives one context to all of its messages, and a worker may keep the context of
the last message open. What tells such messages apart is what identifies each: its id, its event's id, its
place in a partition or a stream.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.columns.dictionary import coded
from collector.columns.joins import Ints, Mask, alike
from collector.columns.keys import whole

# Ids of which a message has one, and the place that its broker gave it.
NAMES = ("message_id", "event_id", "record")


def identity_codes(table: pa.Table, rows: Ints) -> Ints:
    """A number for what identifies the message of each of *rows* of *table* (READINGS); -1 if nothing does.

    Two are equal if all of what identifies them is.
    """
    taken = table.select([*NAMES, "destination"]).take(pa.array(rows))
    codes = [_codes(taken[name]) for name in NAMES]
    # Every topic counts its records from 0.
    codes.append(np.where(codes[-1] >= 0, _codes(taken["destination"]), -1))
    kind, _ = alike(codes)
    return np.where(np.logical_and.reduce([code < 0 for code in codes[:-1]]), -1, kind)


def apart_codes(table: pa.Table, rows: Ints, source: Ints) -> Ints:
    """`identity_codes` of consumers *rows* of the messages *source*, where -1 is left only for one message.

    Of several messages that share one span, those that nothing identifies are told apart by their deliveries.
    """
    identity, several = identity_codes(table, rows), _are_several(table, source)
    if not several.any():
        return identity
    tag = _codes(table["delivery_tag"].take(pa.array(rows)))
    by_delivery = np.where(tag >= 0, -2 - tag, len(rows) + rows)
    return np.where(several & (identity < 0), by_delivery, identity)


def differ(table: pa.Table, one: Ints, other: Ints) -> Mask:
    """Whether each span of *one* has something of `NAMES` that its span of *other* has, but another."""
    found = np.zeros(len(one), np.bool_)
    for name in NAMES:
        column = whole(table[name])
        if column.null_count < len(column):
            codes, _ = coded(column.take(pa.array(np.concatenate([one, other]))))
            mine, theirs = np.split(codes, 2)
            found |= (mine >= 0) & (theirs >= 0) & (mine != theirs)
    return found


def _are_several(table: pa.Table, source: Ints) -> Mask:
    """Which of the messages *source* (-1 for one that is not here) are several that share one span."""
    several = table["several"]
    if not pc.any(several).as_py():
        return np.zeros(len(source), np.bool_)
    return np.append(np.asarray(several.to_numpy()), False)[source]


def _codes(column: pa.Array | pa.ChunkedArray) -> Ints:
    column = whole(column)
    return np.full(len(column), -1) if column.null_count == len(column) else coded(column)[0]
