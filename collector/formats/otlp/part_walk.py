"""Walks over the parts of a span, for compiled code: attributes, links and the status, one at a time.

Of attributes, only what protobuf writes is taken: a key before its value, and the shortest lengths.
"""

import numpy as np

from collector.formats.otlp import filling, wire
from collector.formats.otlp.filling import Walk
from collector.formats.otlp.wire import inlined, jitable

EMPTY, STRING, BOOL, INT, DOUBLE, ARRAY, KVLIST, BYTES = range(8)  # as in ValueType


@inlined
def value(walk: Walk, place: int, end: int) -> int:
    """Add an `AnyValue` as `ValueType` says; return its type, or `wire.ODD`."""
    if place == end:
        return EMPTY
    kind: int = wire.whole(walk.data[place]) >> 3
    way: int = wire.whole(walk.data[place]) & 7
    place += 1
    if kind == INT and way == wire.VARINT:
        value, place = wire.number(walk.data, place, end)
        if place != end:
            return wire.ODD
        filling.put_decimal(walk, wire.whole(value))
    elif kind == DOUBLE and way == wire.FIXED64 and end - place == 8:
        filling.put_double(walk, place)
    elif kind == BOOL and way == wire.VARINT and end - place == 1 and walk.data[place] <= 1:
        if walk.data[place]:
            filling.put_word(walk, 0x65757274, 4)
        else:
            filling.put_word(walk, 0x65736C6166, 5)
    elif (kind == STRING or ARRAY <= kind <= BYTES) and way == wire.DELIMITED:
        begin, stop = wire.part(walk.data, place, end)
        if begin < 0 or stop != end or not wire.is_short(walk.data, place, begin):
            return wire.ODD
        filling.put(walk, filling.VALUE, begin, stop)
    else:
        return wire.ODD
    return kind


@inlined
def attribute(walk: Walk, place: int, end: int) -> bool:
    """Add a `KeyValue`; whether it can be taken."""
    if place < end and walk.data[place] == 0x0A:
        begin, place = wire.part(walk.data, place + 1, end)
        if begin < 0:
            return False
        filling.put(walk, filling.KEY, begin, place)
    kind = EMPTY
    if place < end:
        if walk.data[place] != 0x12:
            return False
        begin, stop = wire.part(walk.data, place + 1, end)
        if begin < 0 or stop != end or not wire.is_short(walk.data, place + 1, begin):
            return False
        kind = value(walk, begin, stop)
        if kind < 0:
            return False
    row = walk.at[filling.ATTRIBUTES]
    walk.at[filling.ATTRIBUTES] += 1
    if walk.fill:
        all_kinds = 2 * walk.size[filling.SPANS] + walk.size[filling.ATTRIBUTES]
        filling.set_one(walk.kinds, all_kinds, 2 * walk.size[filling.SPANS] + row, np.uint8(kind), walk)
        filling.end_text(walk, filling.KEY, row)
        filling.end_text(walk, filling.VALUE, row)
    return True


@jitable
def status(walk: Walk, place: int, end: int, row: int) -> bool:
    """Read the `Status` of a span; whether it can be taken."""
    seen = 0
    while place < end:
        tag, place = wire.tag(walk.data, place, end)
        if place < 0:
            return False
        field = tag >> 3
        if field == 2 or field == 3:
            if seen & (1 << field):
                return False
            seen |= 1 << field
        if tag == 0x12:
            begin, place = wire.part(walk.data, place, end)
            if begin < 0:
                return False
            filling.put(walk, filling.MESSAGE, begin, place)
        elif tag == 0x18:
            code, place = wire.small(walk.data, place, end, 255)
            if place < 0:
                return False
            if walk.fill:
                spans = walk.size[filling.SPANS]
                filling.set_one(walk.kinds, 2 * spans, spans + row, np.uint8(code), walk)
        elif field == 2 or field == 3:
            return False
        else:
            place = wire.behind(walk.data, tag, place, end)
            if place < 0:
                return False
    return True


@jitable
def link(walk: Walk, place: int, end: int) -> bool:
    """Add a link; whether it can be taken."""
    row = walk.at[filling.LINKS]
    seen = 0
    while place < end:
        tag, place = wire.tag(walk.data, place, end)
        if place < 0:
            return False
        field = tag >> 3
        if field <= 6 and field != 4:
            if seen & (1 << field):
                return False
            seen |= 1 << field
        if tag == 0x0A or tag == 0x12:
            begin, place = wire.part(walk.data, place, end)
            wide = 16 if tag == 0x0A else 8
            if begin < 0 or place - begin != wide or wire.is_zero(walk.data, begin, wide):
                return False
            # Behind the three ids of all spans.
            to = 16 * row if tag == 0x0A else 16 * walk.size[filling.LINKS] + 8 * row
            filling.put_id(walk, begin, wide, 32 * walk.size[filling.SPANS] + to)
        elif tag == 0x22:
            begin, place = wire.part(walk.data, place, end)
            if begin < 0:
                return False
            filling.put(walk, filling.LINK_ATTRIBUTE, begin, place)
            if walk.fill:
                filling.end_text(walk, filling.LINK_ATTRIBUTE, walk.at[filling.LINK_ATTRIBUTES])
            walk.at[filling.LINK_ATTRIBUTES] += 1
        elif tag == 0x28:
            _, place = wire.small(walk.data, place, end, wire.MOST_32)
            if place < 0:
                return False
        elif field <= 6 and tag != 0x1A and tag != 0x35:
            return False
        else:
            place = wire.behind(walk.data, tag, place, end)
            if place < 0:
                return False
    walk.at[filling.LINKS] += 1
    if walk.fill:
        filling.set_int(walk, filling.OF_LINK_ATTRIBUTES, row + 1, walk.at[filling.LINK_ATTRIBUTES])
    return seen & 6 == 6  # both ids
