"""Which spans are certainly about different messages, although one context came with both?

A span that publishes a batch gives one context to all of its messages, and a worker may keep the context of
the last message open. What tells such messages apart is what identifies each: its id, its event's id, its
place in a partition or a stream.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.columns.dictionary import coded
from collector.columns.joins import Ints, Mask, alike, once
from collector.columns.keys import whole
from collector.conventions.same_broker import brokers
from collector.stitching.graph import climb

# Ids of which a message has one, and the place that its broker gave it.
NAMES = ("message_id", "event_id", "record")


def identity_codes(table: pa.Table, rows: Ints) -> Ints:
    """A number for what identifies the message of each of *rows* of *table* (READINGS); -1 if nothing does.

    Two are equal if all of what identifies them is.
    """
    codes = [codes_at(table, name, rows) for name in NAMES]
    nothing = np.logical_and.reduce([code < 0 for code in codes])
    if nothing.all():
        return codes[0]
    # Every topic counts its records from 0.
    codes.append(np.where(codes[-1] >= 0, codes_at(table, "destination", rows), -1))
    kind, _ = alike(codes)
    return np.where(nothing, -1, kind)


def apart_codes(table: pa.Table, rows: Ints, source: Ints) -> Ints:
    """`identity_codes` of consumers *rows* of the messages *source*, where -1 is left only for one message.

    Of several messages that share one span, those that nothing identifies are told apart by their deliveries.
    """
    identity, several = identity_codes(table, rows), _are_several(table, source)
    if not several.any():
        return identity
    tag = codes_at(table, "delivery_tag", rows)
    by_delivery = np.where(tag >= 0, -2 - tag, len(rows) + rows)
    return np.where(several & (identity < 0), by_delivery, identity)


def differ(table: pa.Table, one: Ints, other: Ints) -> Mask:
    """Whether each span of *one* has something of `NAMES` that its span of *other* has, but another."""
    found = np.zeros(len(one), np.bool_)
    for name in NAMES:
        mine, theirs = np.split(codes_at(table, name, np.concatenate([one, other])), 2)
        found |= (mine >= 0) & (theirs >= 0) & (mine != theirs)
    return found


def _are_several(table: pa.Table, source: Ints) -> Mask:
    """Which of the messages *source* (-1 for one that is not here) are several that share one span."""
    several = table["several"]
    if not pc.any(several).as_py():
        return np.zeros(len(source), np.bool_)
    return np.append(np.asarray(several.to_numpy()), False)[source]


def same_message(table: pa.Table, one: Ints, other: Ints) -> Mask:
    """Whether each span of *one* names the same message or event of one system as its span of *other*.

    Of nothing that identifies them one says another thing than the other one; nor of their destination.
    """
    sides = np.concatenate([one, other])
    mine, its = (np.split(codes_at(table, name, sides), 2) for name in ("message_id", "event_id"))
    system = np.split(coded(brokers(whole(table["system"]).take(pa.array(sides))))[0], 2)
    named = ((mine[0] >= 0) & (mine[0] == mine[1])) | ((its[0] >= 0) & (its[0] == its[1]))
    to = np.split(codes_at(table, "destination", sides), 2)
    found = named & (system[0] == system[1]) & ((to[0] == to[1]) | (to[0] < 0) | (to[1] < 0))
    mask: Mask = found & ~differ(table, one, other)
    return mask


def without_others(table: pa.Table, above: Ints, inner: Mask) -> Mask:
    """*inner* without the spans that are certainly not the same message as the span *above*.

    What identifies that may be said only further above. If spans inside one span that says nothing differ
    from each other, none of them is what that span is.
    """
    rows = np.flatnonzero(inner)
    if not len(rows):
        return inner
    involved = once(np.concatenate([rows, above[rows]]))
    chain, left = np.where(inner, above, -1), inner.copy()
    for code in _identifying(table, involved, len(inner)):
        said = climb(np.where(code >= 0, np.arange(len(code)), chain))[above[rows]]
        theirs, mine = np.append(code, -1)[said], code[rows]
        left[rows[(mine >= 0) & (theirs >= 0) & (mine != theirs)]] = False
    for code in _identifying(table, involved, len(inner)):
        said = np.flatnonzero(left & (code >= 0))
        low, high = np.full(len(code), len(code)), np.full(len(code), -1)
        np.minimum.at(low, above[said], code[said])
        np.maximum.at(high, above[said], code[said])
        left[rows[(low < high)[above[rows]]]] = False
    return left


def _identifying(table: pa.Table, involved: Ints, count: int) -> Iterator[Ints]:
    """For each of `NAMES` that any of the spans *involved* has, and the event type: the code of each span."""
    for name in (*NAMES, "event_type"):
        codes = codes_at(table, name, involved)
        if name == "event_type":
            codes = np.where(np.asarray(table["typed"].to_numpy())[involved], codes, -1)
        if (codes >= 0).any():
            code = np.full(count, -1)
            code[involved] = codes
            yield code


def codes_at(table: pa.Table, name: str, rows: Ints) -> Ints:
    """A small integer for each text of a column at *rows*; -1 for none."""
    column = whole(table[name])
    if column.null_count == len(column):  # of most columns of ids, few senders write any
        return np.full(len(rows), -1)
    return coded(column.take(pa.array(rows)))[0]
