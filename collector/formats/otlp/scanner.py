"""Where does everything lie in a body? One walk over its bytes, compiled, that fills the columns of spans.

The walk takes what exporters write: each field of a message at most once and in its own wire type, values as
protobuf writes them, ids that are valid. A body with anything else in it is left to protobuf's parser and
`ptars`, which decide what is accepted: nothing is refused here. Unknown fields are skipped, and a length may
have more digits than it needs (.NET's exporter reserves four).

It is walked twice. The first time everything is counted, so that the columns can be allocated, and the second
time they are filled. Both are the same code. Nothing is read before its place was compared with the end of
what holds it, nor written before its place was compared with its array: no bytes can lead it elsewhere.

Only `scanning` imports this, and only if it is used: numba takes a quarter of a second to import, and 50 MB.
"""

import ctypes
import zlib
from collections.abc import Callable, Sequence
from functools import cache
from types import FunctionType
from typing import Any, cast

import numba
import numpy as np
import numpy.typing as npt
from numba.core.caching import FunctionCache
from numba.core.registry import cpu_target

from collector.formats.otlp import filling, part_walk, wire
from collector.formats.otlp.bounds import FEW, SMALLEST_ATTRIBUTE, SMALLEST_LINK, SMALLEST_SPAN
from collector.formats.otlp.filling import Counts, Walk
from collector.formats.otlp.wire import Octets, jitable


@jitable
def _span(walk: Walk, place: int, end: int) -> bool:
    """Add a span; whether it can be taken."""
    data, spans = walk.data, walk.size[filling.SPANS]
    row, attributes = walk.at[filling.SPANS], walk.at[filling.ATTRIBUTES]
    seen = 0
    while place < end:
        tag, place = wire.tag(data, place, end)
        if place < 0:
            return False
        if tag == 0x4A:
            begin, place = wire.part(data, place, end)
            if begin < 0 or not part_walk.attribute(walk, begin, place):
                return False
            continue
        field = tag >> 3
        if field <= 16 and field != 11 and field != 13:
            if seen & (1 << field):
                return False
            seen |= 1 << field
        if tag == 0x0A or tag == 0x12:
            begin, place = wire.part(data, place, end)
            wide = 16 if tag == 0x0A else 8
            if begin < 0 or place - begin != wide or wire.is_zero(data, begin, wide):
                return False
            filling.put_id(walk, begin, wide, 16 * row if tag == 0x0A else 16 * spans + 8 * row)
        elif tag == 0x22:
            begin, place = wire.part(data, place, end)
            if begin < 0:
                return False
            if place - begin == 8:  # an invalid parent is none
                filling.put_id(walk, begin, 8, 24 * spans + 8 * row)
        elif tag == 0x2A or tag == 0x1A:
            begin, place = wire.part(data, place, end)
            if begin < 0:
                return False
            filling.put(walk, filling.NAME if tag == 0x2A else filling.STATE, begin, place)
        elif tag == 0x39 or tag == 0x41:
            if end - place < 8:
                return False
            if walk.fill:
                to = row if tag == 0x39 else spans + row
                filling.set_one(walk.words, 2 * spans, to, wire.little(data, place, 8), walk)
            place += 8
        elif tag == 0x30:
            kind, place = wire.small(data, place, end, 255)
            if place < 0:
                return False
            if walk.fill:
                filling.set_one(walk.kinds, spans, row, np.uint8(kind), walk)
        elif tag == 0x85:
            if end - place < 4:
                return False
            if walk.fill:
                filling.set_one(
                    walk.halves, 4 * spans, 3 * spans + row, np.uint32(wire.little(data, place, 4)), walk
                )
            place += 4
        elif tag == 0x7A:
            begin, place = wire.part(data, place, end)
            if begin < 0 or not part_walk.status(walk, begin, place, row):
                return False
        elif tag == 0x5A:
            begin, place = wire.part(data, place, end)
            if begin < 0:
                return False
            filling.put(walk, filling.EVENT, begin, place)
            if walk.fill:
                filling.end_text(walk, filling.EVENT, walk.at[filling.EVENTS])
            walk.at[filling.EVENTS] += 1
        elif tag == 0x6A:
            begin, place = wire.part(data, place, end)
            if begin < 0 or not part_walk.link(walk, begin, place):
                return False
        elif tag == 0x50 or tag == 0x60 or tag == 0x70:
            dropped, place = wire.small(data, place, end, wire.MOST_32)
            if place < 0:
                return False
            if walk.fill:
                to = (field - 10) // 2 * spans + row
                filling.set_one(walk.halves, 4 * spans, to, np.uint32(dropped), walk)
        elif field <= 16:
            return False
        else:
            place = wire.behind(data, tag, place, end)
            if place < 0:
                return False
    walk.at[filling.SPANS] += 1
    if walk.fill:
        filling.end_text(walk, filling.NAME, row)
        filling.end_text(walk, filling.STATE, row)
        filling.end_text(walk, filling.MESSAGE, row)
        filling.set_int(walk, filling.OF_ATTRIBUTES, row + 1, walk.at[filling.ATTRIBUTES])
        filling.set_int(walk, filling.OF_LINKS, row + 1, walk.at[filling.LINKS])
        filling.set_int(walk, filling.OF_EVENTS, row + 1, walk.at[filling.EVENTS])
        filling.set_int(walk, filling.RESOURCE_OF, row, walk.at[filling.RESOURCES])
        filling.set_int(walk, filling.SCOPE_OF, row, walk.at[filling.SCOPES])
    # Both ids, and no more attributes than are kept.
    return seen & 6 == 6 and walk.at[filling.ATTRIBUTES] - attributes <= walk.most_attributes


def _holding(
    add: Callable[[Walk, int, int], bool], text: int, count: int
) -> Callable[[Walk, int, int], bool]:
    """What adds a part that consists of a header, kept as *text*, and of further parts that *add* adds."""

    def holder(walk: Walk, place: int, end: int) -> bool:
        has_header = False
        while place < end:
            tag, place = wire.tag(walk.data, place, end)
            if place < 0:
                return False
            if tag == 0x12:
                begin, place = wire.part(walk.data, place, end)
                if begin < 0 or not add(walk, begin, place):
                    return False
            elif tag == 0x0A and not has_header:
                begin, place = wire.part(walk.data, place, end)
                if begin < 0:
                    return False
                filling.put(walk, text, begin, place)
                has_header = True
            elif tag >> 3 <= 2:
                return False
            else:
                place = wire.behind(walk.data, tag, place, end)
                if place < 0:
                    return False
        if walk.fill:
            filling.end_text(walk, text, walk.at[count])
        walk.at[count] += 1
        return True

    return jitable(holder)


_scope_spans = _holding(_span, filling.SCOPE, filling.SCOPES)
_resource_spans = _holding(_scope_spans, filling.RESOURCE, filling.RESOURCES)


@jitable
def _body(walk: Walk, place: int, end: int) -> bool:
    """Add the spans of a body; whether it can be taken."""
    while place < end:
        tag, place = wire.tag(walk.data, place, end)
        if place < 0:
            return False
        if tag == 0x0A:
            begin, place = wire.part(walk.data, place, end)
            if begin < 0 or not _resource_spans(walk, begin, place):
                return False
        elif tag >> 3 == 1:
            return False
        else:
            place = wire.behind(walk.data, tag, place, end)
            if place < 0:
                return False
    return True


@jitable
def _is_filled(at: Counts, before: Counts, length: int) -> bool:
    """Whether a body of *length* bytes has no more parts than can mean anything: what `bounds` asks."""
    parts = at[filling.RESOURCES] - before[filling.RESOURCES] + at[filling.SCOPES] - before[filling.SCOPES]
    return bool(
        max(parts, at[filling.SPANS] - before[filling.SPANS]) <= max(FEW, length // SMALLEST_SPAN)
        and at[filling.ATTRIBUTES] - before[filling.ATTRIBUTES] <= max(FEW, length // SMALLEST_ATTRIBUTE)
        and at[filling.LINKS] - before[filling.LINKS] <= max(FEW, length // SMALLEST_LINK)
    )


def _scan_of(version: int) -> Callable[..., None]:
    """The walk. numba keeps compiled code by what a function encloses, and knows nothing of what it calls."""

    def scan(
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
            for one in range(filling.WRONG):
                before[one] = at[one]
            good = _body(walk, 0, length)
            if fill != 0:
                for row in range(before[filling.SPANS], at[filling.SPANS]):
                    filling.set_int(walk, filling.BODY_OF, row, body)
                if not good:
                    at[filling.WRONG] += 1
            elif good and _is_filled(at, before, length):
                taken[body] = 1
            else:
                for one in range(filling.WRONG):
                    at[one] = before[one]

    return scan


def _version() -> int:
    """A number that changes with anything that is compiled."""
    parts = []
    for module in (wire, filling, part_walk):
        parts += [(name, *_form(value)) for name, value in sorted(vars(module).items())]
    parts += [(name, *_form(value)) for name, value in sorted(globals().items())]
    return zlib.crc32(repr(parts).encode())


def _form(value: object) -> tuple[object, ...]:
    """What of a module's *value* becomes a part of compiled code."""
    if isinstance(value, FunctionType):
        return (
            value.__code__.co_code,
            value.__code__.co_names,
            *map(repr, filter(_is_plain, value.__code__.co_consts)),
        )
    return (value,) if _is_plain(value) else ()


def _is_plain(value: object) -> bool:
    return isinstance(value, int | str | tuple)


_scan = _scan_of(_version())


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
