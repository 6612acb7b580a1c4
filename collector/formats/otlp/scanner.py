"""Where does everything lie in a body? One walk over its bytes, compiled, that fills the columns of spans.

The walk takes what exporters write: each field of a message at most once and in its own wire type, values as
protobuf writes them, ids that are valid. A body with anything else in it is left to protobuf's parser and
`ptars`, which decide what is accepted: nothing is refused here. Unknown fields are skipped, and a length may
have more digits than it needs (.NET's exporter reserves four).

It is walked twice. The first time everything is counted, so that the columns can be allocated, and the second
time they are filled. Both are the same code. Nothing is read before its place was compared with the end of
what holds it, nor written before its place was compared with its array: no bytes can lead it elsewhere.

All that is compiled is in this file, and needs nothing of others: numba keeps the compiled form until this
file changes, and looks at no other. Only `scanning` imports it, and only if it is used: numba takes a quarter
of a second to import, and 50 MB.
"""

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeAlias, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core.caching import FunctionCache
from numba.core.registry import cpu_target
from numba.extending import intrinsic, register_jitable

Octets: TypeAlias = npt.NDArray[np.uint8]
Counts: TypeAlias = npt.NDArray[np.int64]
FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


# As `Count` and `Area` in `scanning` say.
_RESOURCES, _SCOPES, _SPANS, _ATTRIBUTES = range(4)
_LINKS, _LINK_ATTRIBUTES, _EVENTS, _DOUBLES = range(4, 8)
_NAME, _STATE, _MESSAGE, _KEY, _VALUE, _LINK_ATTRIBUTE, _EVENT, _RESOURCE, _SCOPE, _WRONG = range(8, 18)
_FIRST_TEXT, _FIRST_OFFSETS = _NAME, 3
_BODY_OF, _RESOURCE_OF, _SCOPE_OF = range(3)
_OF_ATTRIBUTES, _OF_LINKS, _OF_EVENTS, _OF_LINK_ATTRIBUTES = range(12, 16)
_EMPTY, _STRING, _BOOL, _INT, _DOUBLE, _ARRAY, _KVLIST, _BYTES = range(8)  # as in ValueType
_FEW, _SMALLEST_SPAN, _SMALLEST_ATTRIBUTE, _SMALLEST_LINK = 1_024, 30, 4, 16  # as in bounds
_whole: Any = np.int64

_VARINT, _FIXED64, _DELIMITED, _FIXED32 = 0, 1, 2, 5  # wire types
_PIECE = 16  # bytes that a processor copies at once
_MOST_32 = 2**32 - 1
_ODD = -1  # a place that is none: leave the body to protobuf


class Walk(NamedTuple):
    """What a walk reads and fills. In compiled code, arrays are pointers: their sizes stand beside them."""

    data: Octets
    length: int
    fill: bool  # or only count
    most_attributes: int
    # For each `Count`: how far we are, and all that there is.
    at: Counts
    size: Counts
    limits: Counts  # where the bytes of each text begin
    starts: Counts  # where each `Area` of the integers begins
    ids: Octets  # trace ids, span ids and parents' ids of spans; trace ids and span ids of links
    kinds: Octets  # kinds and status codes of spans; types of attributes
    ints: npt.NDArray[np.int32]
    halves: npt.NDArray[np.uint32]  # dropped attributes, events and links; flags
    words: npt.NDArray[np.uint64]  # starts and ends of spans
    texts: Octets
    bits: npt.NDArray[np.uint64]  # doubles
    most_bits: int
    decimals: Octets  # the same doubles in decimal
    decimal_ends: npt.NDArray[np.int32]


def _copies(size: int) -> Any:
    """An instruction for compiled code: copy *size* bytes, between places that need not be aligned."""

    def copy(_: Any, to: Any, place: Any, data: Any, begin: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            wide = ir.IntType(8 * size).as_pointer()
            to_there, from_there = (
                builder.bitcast(builder.gep(array, [index]), wide)
                for array, index in ((given[0], given[1]), (given[2], given[3]))
            )
            builder.store(builder.load(from_there, align=1), to_there, align=1)
            return context.get_dummy_value()

        return numba.types.void(to, place, data, begin), code

    return intrinsic(copy)


def _jitable(function: FunctionT) -> FunctionT:
    """*function*, such that compiled code can call it."""
    return cast("FunctionT", register_jitable(function))


def _inlined(function: FunctionT) -> FunctionT:
    """*function*, such that it becomes a part of the compiled code that calls it."""
    return cast("FunctionT", register_jitable(forceinline=True)(function))


_copy_16, _copy_8 = _copies(16), _copies(8)


@_jitable
def _number(data: Octets, place: int, end: int) -> tuple[np.uint64, int]:
    """The varint at *place*, and the place behind it."""
    value = np.uint64(0)
    for digit in range(10):
        if place >= end:
            return value, _ODD
        octet = data[place]
        place += 1
        value |= np.uint64(octet & 127) << np.uint64(7 * digit)
        if octet < 128:
            return value, _ODD if digit == 9 and octet > 1 else place  # more than 64 bits
    return value, _ODD


@_jitable
def _small(data: Octets, place: int, end: int, most: int) -> tuple[int, int]:
    """The varint at *place* if it is *most* or less, and the place behind it."""
    value, place = _number(data, place, end)
    if place < 0 or value > np.uint64(most):
        return 0, _ODD
    return _whole(value), place


@_inlined
def _part(data: Octets, place: int, end: int) -> tuple[int, int]:
    """Where the part begins and stops whose length is at *place*."""
    if place >= end:
        return _ODD, _ODD
    size = _whole(data[place])
    place += 1
    if size > 127:
        size &= 127
        shift = 7
        while True:
            if place >= end or shift > 28:  # five digits: enough for anything that fits into a body
                return _ODD, _ODD
            octet = _whole(data[place])
            place += 1
            size |= (octet & 127) << shift
            shift += 7
            if octet < 128:
                break
    if size > end - place:
        return _ODD, _ODD
    return place, place + size


@_inlined
def _tag(data: Octets, place: int, end: int) -> tuple[int, int]:
    """The tag at *place*, which is before *end*, and the place behind it."""
    tag = _whole(data[place])
    place += 1
    if tag < 128:
        return tag, place if tag > 7 else _ODD  # there is no field 0
    tag &= 127
    shift = 7
    while place < end and shift <= 28:
        octet = _whole(data[place])
        place += 1
        tag |= (octet & 127) << shift
        shift += 7
        if octet < 128:
            return tag, _ODD if octet == 0 or tag > _MOST_32 else place
    return tag, _ODD


@_jitable
def _behind(data: Octets, tag: int, place: int, end: int) -> int:
    """The place behind an unknown field."""
    wire = tag & 7
    if wire == _VARINT:
        return _number(data, place, end)[1]
    if wire == _DELIMITED:
        return _part(data, place, end)[1]
    if wire == _FIXED64:
        return place + 8 if end - place >= 8 else _ODD
    if wire == _FIXED32:
        return place + 4 if end - place >= 4 else _ODD
    return _ODD  # a group


@_inlined
def _little(data: Octets, place: int, size: int) -> np.uint64:
    """The *size* bytes at *place*, which are there, as a number."""
    value = np.uint64(0)
    for octet in range(size):
        value |= np.uint64(data[place + octet]) << np.uint64(8 * octet)
    return value


@_inlined
def _set(array: Any, size: int, place: int, value: Any, walk: Walk) -> None:
    """Write one entry of an array of *size* entries."""
    if 0 <= place < size:
        array[place] = value
    else:
        walk.at[_WRONG] += 1


@_inlined
def _set_int(walk: Walk, area: int, place: int, value: int) -> None:
    if 0 <= place < walk.starts[area + 1] - walk.starts[area]:
        walk.ints[walk.starts[area] + place] = np.int32(value)
    else:
        walk.at[_WRONG] += 1


@_inlined
def _end_text(walk: Walk, text: int, row: int) -> None:
    """Say that the text of *row* ends here."""
    _set_int(walk, text - _FIRST_TEXT + _FIRST_OFFSETS, row + 1, walk.at[text])


@_inlined
def _copy(data: Octets, length: int, begin: int, size: int, to: Octets, place: int, end: int) -> bool:
    """Copy *size* bytes from *begin* to *place*; whether they are there, and have their place."""
    if begin < 0 or place < 0 or size > length - begin or size > end - place:
        return False
    if size <= _PIECE and begin + _PIECE <= length and place + _PIECE <= end:
        # One instruction. What is copied too much is overwritten by what is put behind it.
        _copy_16(to, place, data, begin)
    else:
        done = 0
        while size - done >= _PIECE:
            _copy_16(to, place + done, data, begin + done)
            done += _PIECE
        while done < size:
            to[place + done] = data[begin + done]
            done += 1
    return True


@_inlined
def _put(walk: Walk, text: int, begin: int, stop: int) -> None:
    """Add bytes of the body to a text."""
    if walk.fill:
        place, end = walk.limits[text - _FIRST_TEXT] + walk.at[text], walk.limits[text - _FIRST_TEXT + 1]
        if not _copy(walk.data, walk.length, begin, stop - begin, walk.texts, place, end):
            walk.at[_WRONG] += 1
    walk.at[text] += stop - begin


@_inlined
def _put_letter(walk: Walk, place: int, letter: int) -> None:
    """Write a letter of the value that is *place* bytes behind the values so far."""
    area = _VALUE - _FIRST_TEXT
    to = walk.limits[area] + walk.at[_VALUE] + place
    _set(walk.texts, walk.limits[area + 1], to, np.uint8(letter), walk)


@_jitable
def _put_decimal(walk: Walk, value: int) -> None:
    """Add a number in decimal to the values."""
    rest = np.uint64(value)
    size = 1
    if value < 0:
        rest = np.uint64(0) - rest
        size = 2
    more = rest // np.uint64(10)
    while more:
        size += 1
        more //= np.uint64(10)
    if walk.fill:
        if value < 0:
            _put_letter(walk, 0, 45)
        place = size
        while True:
            more = rest // np.uint64(10)
            place -= 1
            _put_letter(walk, place, 48 + _whole(rest - more * np.uint64(10)))
            rest = more
            if rest == 0:
                break
    walk.at[_VALUE] += size


@_jitable
def _put_word(walk: Walk, letters: int, size: int) -> None:
    """Add a word to the values; its letters are the bytes of a number."""
    if walk.fill:
        for place in range(size):
            _put_letter(walk, place, (letters >> (8 * place)) & 255)
    walk.at[_VALUE] += size


@_jitable
def _put_double(walk: Walk, place: int) -> None:
    """Keep the double at *place* or, once all are there in decimal, add it to the values."""
    row = walk.at[_DOUBLES]
    walk.at[_DOUBLES] += 1
    if not walk.fill:
        _set(walk.bits, walk.most_bits, row, _little(walk.data, place, 8), walk)
    elif row < walk.size[_DOUBLES]:
        begin, stop = _whole(walk.decimal_ends[row]), _whole(walk.decimal_ends[row + 1])
        to, end = walk.limits[_VALUE - _FIRST_TEXT] + walk.at[_VALUE], walk.limits[_VALUE - _FIRST_TEXT + 1]
        if not _copy(
            walk.decimals, walk.decimal_ends[walk.size[_DOUBLES]], begin, stop - begin, walk.texts, to, end
        ):
            walk.at[_WRONG] += 1
        walk.at[_VALUE] += stop - begin
    else:
        walk.at[_WRONG] += 1


@_inlined
def _put_id(walk: Walk, begin: int, size: int, place: int) -> None:
    """Copy an id to its place."""
    if walk.fill:
        all_ids = 32 * walk.size[_SPANS] + 24 * walk.size[_LINKS]
        if begin < 0 or place < 0 or size > walk.length - begin or size > all_ids - place:
            walk.at[_WRONG] += 1
        else:
            for octet in range(0, size, 8):
                _copy_8(walk.ids, place + octet, walk.data, begin + octet)


@_inlined
def _is_zero(data: Octets, place: int, size: int) -> bool:
    """Whether all of the *size* bytes at *place*, which are there, are zeros."""
    found = 0
    for octet in range(size):
        found |= data[place + octet]
    return found == 0


@_inlined
def _value(walk: Walk, place: int, end: int) -> int:
    """Add an `AnyValue` as `ValueType` says; return its type, or `_ODD`."""
    if place == end:
        return _EMPTY
    kind: int = _whole(walk.data[place]) >> 3
    wire = _whole(walk.data[place]) & 7
    place += 1
    if kind == _INT and wire == _VARINT:
        value, place = _number(walk.data, place, end)
        if place != end:
            return _ODD
        _put_decimal(walk, _whole(value))
    elif kind == _DOUBLE and wire == _FIXED64 and end - place == 8:
        _put_double(walk, place)
    elif kind == _BOOL and wire == _VARINT and end - place == 1 and walk.data[place] <= 1:
        if walk.data[place]:
            _put_word(walk, 0x65757274, 4)
        else:
            _put_word(walk, 0x65736C6166, 5)
    elif (kind == _STRING or _ARRAY <= kind <= _BYTES) and wire == _DELIMITED:
        begin, stop = _part(walk.data, place, end)
        if begin < 0 or stop != end or not _is_short(walk.data, place, begin):
            return _ODD
        _put(walk, _VALUE, begin, stop)
    else:
        return _ODD
    return kind


@_inlined
def _is_short(data: Octets, place: int, begin: int) -> bool:
    """Whether the length from *place* to *begin* has no digits that it does not need."""
    return begin - place == 1 or data[begin - 1] != 0


@_inlined
def _attribute(walk: Walk, place: int, end: int) -> bool:
    """Add a `KeyValue`; whether it can be taken."""
    if place < end and walk.data[place] == 0x0A:
        begin, place = _part(walk.data, place + 1, end)
        if begin < 0:
            return False
        _put(walk, _KEY, begin, place)
    kind = _EMPTY
    if place < end:
        if walk.data[place] != 0x12:
            return False
        begin, stop = _part(walk.data, place + 1, end)
        if begin < 0 or stop != end or not _is_short(walk.data, place + 1, begin):
            return False
        kind = _value(walk, begin, stop)
        if kind < 0:
            return False
    row = walk.at[_ATTRIBUTES]
    walk.at[_ATTRIBUTES] += 1
    if walk.fill:
        all_kinds = 2 * walk.size[_SPANS] + walk.size[_ATTRIBUTES]
        _set(walk.kinds, all_kinds, 2 * walk.size[_SPANS] + row, np.uint8(kind), walk)
        _end_text(walk, _KEY, row)
        _end_text(walk, _VALUE, row)
    return True


@_jitable
def _status(walk: Walk, place: int, end: int, row: int) -> bool:
    """Read the `Status` of a span; whether it can be taken."""
    seen = 0
    while place < end:
        tag, place = _tag(walk.data, place, end)
        if place < 0:
            return False
        field = tag >> 3
        if field == 2 or field == 3:
            if seen & (1 << field):
                return False
            seen |= 1 << field
        if tag == 0x12:
            begin, place = _part(walk.data, place, end)
            if begin < 0:
                return False
            _put(walk, _MESSAGE, begin, place)
        elif tag == 0x18:
            code, place = _small(walk.data, place, end, 255)
            if place < 0:
                return False
            if walk.fill:
                spans = walk.size[_SPANS]
                _set(walk.kinds, 2 * spans, spans + row, np.uint8(code), walk)
        elif field == 2 or field == 3:
            return False
        else:
            place = _behind(walk.data, tag, place, end)
            if place < 0:
                return False
    return True


@_jitable
def _link(walk: Walk, place: int, end: int) -> bool:
    """Add a link; whether it can be taken."""
    row = walk.at[_LINKS]
    seen = 0
    while place < end:
        tag, place = _tag(walk.data, place, end)
        if place < 0:
            return False
        field = tag >> 3
        if field <= 6 and field != 4:
            if seen & (1 << field):
                return False
            seen |= 1 << field
        if tag == 0x0A or tag == 0x12:
            begin, place = _part(walk.data, place, end)
            wide = 16 if tag == 0x0A else 8
            if begin < 0 or place - begin != wide or _is_zero(walk.data, begin, wide):
                return False
            # Behind the three ids of all spans.
            to = 16 * row if tag == 0x0A else 16 * walk.size[_LINKS] + 8 * row
            _put_id(walk, begin, wide, 32 * walk.size[_SPANS] + to)
        elif tag == 0x22:
            begin, place = _part(walk.data, place, end)
            if begin < 0:
                return False
            _put(walk, _LINK_ATTRIBUTE, begin, place)
            if walk.fill:
                _end_text(walk, _LINK_ATTRIBUTE, walk.at[_LINK_ATTRIBUTES])
            walk.at[_LINK_ATTRIBUTES] += 1
        elif tag == 0x28:
            _, place = _small(walk.data, place, end, _MOST_32)
            if place < 0:
                return False
        elif field <= 6 and tag != 0x1A and tag != 0x35:
            return False
        else:
            place = _behind(walk.data, tag, place, end)
            if place < 0:
                return False
    walk.at[_LINKS] += 1
    if walk.fill:
        _set_int(walk, _OF_LINK_ATTRIBUTES, row + 1, walk.at[_LINK_ATTRIBUTES])
    return seen & 6 == 6  # both ids


@_jitable
def _span(walk: Walk, place: int, end: int) -> bool:
    """Add a span; whether it can be taken."""
    data, spans = walk.data, walk.size[_SPANS]
    row, attributes = walk.at[_SPANS], walk.at[_ATTRIBUTES]
    seen = 0
    while place < end:
        tag, place = _tag(data, place, end)
        if place < 0:
            return False
        if tag == 0x4A:
            begin, place = _part(data, place, end)
            if begin < 0 or not _attribute(walk, begin, place):
                return False
            continue
        field = tag >> 3
        if field <= 16 and field != 11 and field != 13:
            if seen & (1 << field):
                return False
            seen |= 1 << field
        if tag == 0x0A or tag == 0x12:
            begin, place = _part(data, place, end)
            wide = 16 if tag == 0x0A else 8
            if begin < 0 or place - begin != wide or _is_zero(data, begin, wide):
                return False
            _put_id(walk, begin, wide, 16 * row if tag == 0x0A else 16 * spans + 8 * row)
        elif tag == 0x22:
            begin, place = _part(data, place, end)
            if begin < 0:
                return False
            if place - begin == 8:  # an invalid parent is none
                _put_id(walk, begin, 8, 24 * spans + 8 * row)
        elif tag == 0x2A or tag == 0x1A:
            begin, place = _part(data, place, end)
            if begin < 0:
                return False
            _put(walk, _NAME if tag == 0x2A else _STATE, begin, place)
        elif tag == 0x39 or tag == 0x41:
            if end - place < 8:
                return False
            if walk.fill:
                to = row if tag == 0x39 else spans + row
                _set(walk.words, 2 * spans, to, _little(data, place, 8), walk)
            place += 8
        elif tag == 0x30:
            kind, place = _small(data, place, end, 255)
            if place < 0:
                return False
            if walk.fill:
                _set(walk.kinds, spans, row, np.uint8(kind), walk)
        elif tag == 0x85:
            if end - place < 4:
                return False
            if walk.fill:
                _set(walk.halves, 4 * spans, 3 * spans + row, np.uint32(_little(data, place, 4)), walk)
            place += 4
        elif tag == 0x7A:
            begin, place = _part(data, place, end)
            if begin < 0 or not _status(walk, begin, place, row):
                return False
        elif tag == 0x5A:
            begin, place = _part(data, place, end)
            if begin < 0:
                return False
            _put(walk, _EVENT, begin, place)
            if walk.fill:
                _end_text(walk, _EVENT, walk.at[_EVENTS])
            walk.at[_EVENTS] += 1
        elif tag == 0x6A:
            begin, place = _part(data, place, end)
            if begin < 0 or not _link(walk, begin, place):
                return False
        elif tag == 0x50 or tag == 0x60 or tag == 0x70:
            dropped, place = _small(data, place, end, _MOST_32)
            if place < 0:
                return False
            if walk.fill:
                to = (field - 10) // 2 * spans + row
                _set(walk.halves, 4 * spans, to, np.uint32(dropped), walk)
        elif field <= 16:
            return False
        else:
            place = _behind(data, tag, place, end)
            if place < 0:
                return False
    walk.at[_SPANS] += 1
    if walk.fill:
        _end_text(walk, _NAME, row)
        _end_text(walk, _STATE, row)
        _end_text(walk, _MESSAGE, row)
        _set_int(walk, _OF_ATTRIBUTES, row + 1, walk.at[_ATTRIBUTES])
        _set_int(walk, _OF_LINKS, row + 1, walk.at[_LINKS])
        _set_int(walk, _OF_EVENTS, row + 1, walk.at[_EVENTS])
        _set_int(walk, _RESOURCE_OF, row, walk.at[_RESOURCES])
        _set_int(walk, _SCOPE_OF, row, walk.at[_SCOPES])
    # Both ids, and no more attributes than are kept.
    return seen & 6 == 6 and walk.at[_ATTRIBUTES] - attributes <= walk.most_attributes


@_jitable
def _scope_spans(walk: Walk, place: int, end: int) -> bool:
    """Add a `ScopeSpans`; whether it can be taken."""
    has_scope = False
    while place < end:
        tag, place = _tag(walk.data, place, end)
        if place < 0:
            return False
        if tag == 0x12:
            begin, place = _part(walk.data, place, end)
            if begin < 0 or not _span(walk, begin, place):
                return False
        elif tag == 0x0A and not has_scope:
            begin, place = _part(walk.data, place, end)
            if begin < 0:
                return False
            _put(walk, _SCOPE, begin, place)
            has_scope = True
        elif tag >> 3 <= 2:
            return False
        else:
            place = _behind(walk.data, tag, place, end)
            if place < 0:
                return False
    if walk.fill:
        _end_text(walk, _SCOPE, walk.at[_SCOPES])
    walk.at[_SCOPES] += 1
    return True


@_jitable
def _resource_spans(walk: Walk, place: int, end: int) -> bool:
    """Add a `ResourceSpans`; whether it can be taken."""
    has_resource = False
    while place < end:
        tag, place = _tag(walk.data, place, end)
        if place < 0:
            return False
        if tag == 0x12:
            begin, place = _part(walk.data, place, end)
            if begin < 0 or not _scope_spans(walk, begin, place):
                return False
        elif tag == 0x0A and not has_resource:
            begin, place = _part(walk.data, place, end)
            if begin < 0:
                return False
            _put(walk, _RESOURCE, begin, place)
            has_resource = True
        elif tag >> 3 <= 2:
            return False
        else:
            place = _behind(walk.data, tag, place, end)
            if place < 0:
                return False
    if walk.fill:
        _end_text(walk, _RESOURCE, walk.at[_RESOURCES])
    walk.at[_RESOURCES] += 1
    return True


@_jitable
def _body(walk: Walk, place: int, end: int) -> bool:
    """Add the spans of a body; whether it can be taken."""
    while place < end:
        tag, place = _tag(walk.data, place, end)
        if place < 0:
            return False
        if tag == 0x0A:
            begin, place = _part(walk.data, place, end)
            if begin < 0 or not _resource_spans(walk, begin, place):
                return False
        elif tag >> 3 == 1:
            return False
        else:
            place = _behind(walk.data, tag, place, end)
            if place < 0:
                return False
    return True


@_jitable
def _is_filled(at: Counts, before: Counts, length: int) -> bool:
    """Whether a body of *length* bytes has no more parts than can mean anything: what `bounds` asks."""
    parts = at[_RESOURCES] - before[_RESOURCES] + at[_SCOPES] - before[_SCOPES]
    return bool(
        max(parts, at[_SPANS] - before[_SPANS]) <= max(_FEW, length // _SMALLEST_SPAN)
        and at[_ATTRIBUTES] - before[_ATTRIBUTES] <= max(_FEW, length // _SMALLEST_ATTRIBUTE)
        and at[_LINKS] - before[_LINKS] <= max(_FEW, length // _SMALLEST_LINK)
    )


def _scan(
    bodies: Sequence[Octets],
    lengths: Counts,
    count: int,
    taken: Octets,
    fill: int,
    most_attributes: int,
    at: Counts,
    before: Counts,
    size: Counts,
    limits: Counts,
    starts: Counts,
    ids: Octets,
    kinds: Octets,
    ints: npt.NDArray[np.int32],
    halves: npt.NDArray[np.uint32],
    words: npt.NDArray[np.uint64],
    texts: Octets,
    bits: npt.NDArray[np.uint64],
    most_bits: int,
    decimals: Octets,
    decimal_ends: npt.NDArray[np.int32],
) -> None:
    """Walk *count* bodies of *lengths*.

    First without *fill*: say in *taken* which bodies can be taken, count in *at* what they have, and keep
    their doubles in *bits*. Then with *fill*, and the *size* that was counted: fill the other arrays.
    """
    for body in range(count):
        if fill != 0 and not taken[body]:
            continue
        length = lengths[body]
        walk = Walk(
            bodies[body], length, fill != 0, most_attributes, at, size, limits, starts, ids, kinds, ints,
            halves, words, texts, bits, most_bits, decimals, decimal_ends,
        )  # fmt: skip
        for one in range(_WRONG):
            before[one] = at[one]
        good = _body(walk, 0, length)
        if fill != 0:
            for row in range(before[_SPANS], at[_SPANS]):
                _set_int(walk, _BODY_OF, row, body)
            if not good:
                at[_WRONG] += 1
        elif good and _is_filled(at, before, length):
            taken[body] = 1
        else:
            for one in range(_WRONG):
                at[one] = before[one]


def is_kept() -> bool:
    """Whether an earlier process has compiled the walk on this machine."""
    return FunctionCache(_scan).load_overload(_signature(), cpu_target.target_context) is not None


@cache
def compiled() -> Callable[..., None]:
    """The walk, compiled, which takes many seconds, or loaded. It runs without Python's lock.

    Its arguments are those of `_scan`, arrays as addresses. It is kept beside this file or, where that folder
    belongs to somebody else, in the user's own cache.
    """
    signature = _signature()
    code = numba.cfunc(signature, nopython=True, cache=True)(_scan)
    given = [ctypes.c_int64 if kind is numba.types.int64 else ctypes.c_void_p for kind in signature.args]
    function: Any = ctypes.CFUNCTYPE(None, *given)(code.address)
    function.code = code  # the memory in which it lies
    return cast("Callable[..., None]", function)


def _signature() -> Any:
    number, pointer = numba.types.int64, numba.types.CPointer
    octets, counts = pointer(numba.types.uint8), pointer(number)
    ints, halves, words = map(pointer, (numba.types.int32, numba.types.uint32, numba.types.uint64))
    return numba.types.void(
        pointer(octets), counts, number, octets, number, number, counts, counts, counts, counts, counts,
        octets, octets, ints, halves, words, octets, words, number, octets, ints,
    )  # fmt: skip
