"""Protobuf's wire format for compiled code: what is at a place, and at which place does the next thing begin?

A place that is `ODD` is none: what is there is cut off, or no exporter writes it. Every function looks
whether it is before the *end* that it is given.
"""

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.extending import intrinsic, register_jitable

Octets: TypeAlias = npt.NDArray[np.uint8]
FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

VARINT, FIXED64, DELIMITED, FIXED32 = 0, 1, 2, 5  # wire types
PIECE = 16  # bytes that a processor copies at once
MOST_32 = 2**32 - 1
ODD = -1
whole: Any = np.int64


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


def jitable(function: FunctionT) -> FunctionT:
    """*function*, such that compiled code can call it."""
    return cast("FunctionT", register_jitable(function))


def inlined(function: FunctionT) -> FunctionT:
    """*function*, such that it becomes a part of the compiled code that calls it."""
    return cast("FunctionT", register_jitable(forceinline=True)(function))


copy_16, copy_8 = _copies(16), _copies(8)


@jitable
def number(data: Octets, place: int, end: int) -> tuple[np.uint64, int]:
    """The varint at *place*, and the place behind it."""
    value = np.uint64(0)
    for digit in range(10):
        if place >= end:
            return value, ODD
        octet = data[place]
        place += 1
        value |= np.uint64(octet & 127) << np.uint64(7 * digit)
        if octet < 128:
            return value, ODD if digit == 9 and octet > 1 else place  # more than 64 bits
    return value, ODD


@jitable
def small(data: Octets, place: int, end: int, most: int) -> tuple[int, int]:
    """The varint at *place* if it is *most* or less, and the place behind it."""
    value, place = number(data, place, end)
    if place < 0 or value > np.uint64(most):
        return 0, ODD
    return whole(value), place


@inlined
def part(data: Octets, place: int, end: int) -> tuple[int, int]:
    """Where the part begins and stops whose length is at *place*."""
    if place >= end:
        return ODD, ODD
    size = whole(data[place])
    place += 1
    if size > 127:
        size &= 127
        shift = 7
        while True:
            if place >= end or shift > 28:  # five digits: enough for anything that fits into a body
                return ODD, ODD
            octet = whole(data[place])
            place += 1
            size |= (octet & 127) << shift
            shift += 7
            if octet < 128:
                break
    if size > end - place:
        return ODD, ODD
    return place, place + size


@inlined
def tag(data: Octets, place: int, end: int) -> tuple[int, int]:
    """The tag at *place*, which is before *end*, and the place behind it."""
    tag = whole(data[place])
    place += 1
    if tag < 128:
        return tag, place if tag > 7 else ODD  # there is no field 0
    tag &= 127
    shift = 7
    while place < end and shift <= 28:
        octet = whole(data[place])
        place += 1
        tag |= (octet & 127) << shift
        shift += 7
        if octet < 128:
            return tag, ODD if octet == 0 or tag > MOST_32 else place
    return tag, ODD


@jitable
def behind(data: Octets, tag: int, place: int, end: int) -> int:
    """The place behind an unknown field."""
    wire = tag & 7
    if wire == VARINT:
        return number(data, place, end)[1]
    if wire == DELIMITED:
        return part(data, place, end)[1]
    if wire == FIXED64:
        return place + 8 if end - place >= 8 else ODD
    if wire == FIXED32:
        return place + 4 if end - place >= 4 else ODD
    return ODD  # a group


@inlined
def little(data: Octets, place: int, size: int) -> np.uint64:
    """The *size* bytes at *place*, which are there, as a number."""
    value = np.uint64(0)
    for octet in range(size):
        value |= np.uint64(data[place + octet]) << np.uint64(8 * octet)
    return value


@inlined
def is_zero(data: Octets, place: int, size: int) -> bool:
    """Whether all of the *size* bytes at *place*, which are there, are zeros."""
    found = 0
    for octet in range(size):
        found |= data[place + octet]
    return found == 0


@inlined
def is_short(data: Octets, place: int, begin: int) -> bool:
    """Whether the length from *place* to *begin* has no digits that it does not need."""
    return begin - place == 1 or data[begin - 1] != 0


@inlined
def copy(data: Octets, length: int, begin: int, size: int, to: Octets, place: int, end: int) -> bool:
    """Copy *size* bytes from *begin* to *place*; whether they are there, and have their place."""
    if begin < 0 or place < 0 or size > length - begin or size > end - place:
        return False
    if size <= PIECE and begin + PIECE <= length and place + PIECE <= end:
        # One instruction. What is copied too much is overwritten by what is put behind it.
        copy_16(to, place, data, begin)
    else:
        done = 0
        while size - done >= PIECE:
            copy_16(to, place + done, data, begin + done)
            done += PIECE
        while done < size:
            to[place + done] = data[begin + done]
            done += 1
    return True
