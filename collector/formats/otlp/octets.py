"""Vectorized reads of many small pieces of a buffer: ids as matrices of bytes, and protobuf's numbers."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.formats.otlp.rows import Bools, Ints, Octets, parts

_NIBBLES = np.full(256, 255, np.uint8)
for _place, _digit in enumerate(b"0123456789abcdef"):
    _NIBBLES[_digit] = _NIBBLES[ord(chr(_digit).upper())] = _place


def matrix(column: pa.BinaryArray, size: int) -> tuple[Octets, Bools]:
    """The ids of *column* as rows of *size* bytes, and which of them are valid.

    In OTLP, an id of another length is invalid, and so is one of only zeros. Invalid rows are zeros.
    """
    starts, data = parts(column)
    found = np.diff(starts)
    right = found == size
    rows = np.zeros((len(column), size), np.uint8)
    if right.all():
        rows[:] = data[starts[0] : starts[-1]].reshape(-1, size)
    elif (right | (found == 0)).all():  # parent ids may be empty
        rows[right] = data[starts[0] : starts[-1]].reshape(-1, size)
    else:
        rows[right] = data[starts[:-1][right, None] + np.arange(size)]
    return rows, (rows.view(np.uint64) != 0).any(axis=1)


def fixed(rows: Octets) -> pa.FixedSizeBinaryArray:
    """*rows* as an Arrow column that shares their memory."""
    rows = np.ascontiguousarray(rows)
    return pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(rows.shape[1]), rows.shape[0], [None, pa.py_buffer(rows)]
    )


def unhex(column: pa.BinaryArray) -> pa.BinaryArray:
    """Decode hex digits of either case; text that is not hex becomes empty, which is not a valid id."""
    starts, data = parts(column)
    nibbles = _NIBBLES[data[starts[0] : starts[-1]]]
    starts = starts - starts[0]
    wrong = np.concatenate([[0], np.cumsum(nibbles == 255)])
    found = np.diff(starts)
    good = (wrong[starts[1:]] == wrong[starts[:-1]]) & (found % 2 == 0)
    digits = nibbles if good.all() else nibbles[np.repeat(good, found)]
    bounds = np.zeros(len(starts), np.int32)
    np.cumsum(np.where(good, found // 2, 0), out=bounds[1:])
    octets = digits[0::2] << 4 | digits[1::2]
    return pa.BinaryArray.from_buffers(
        pa.binary(), len(column), [None, pa.py_buffer(bounds), pa.py_buffer(np.ascontiguousarray(octets))]
    )


def pieces(bounds: npt.NDArray[np.int32], data: Octets) -> pa.BinaryArray:
    """*data* cut at *bounds*, without a copy; n bounds make n - 1 pieces."""
    buffers = [None, pa.py_buffer(bounds), pa.py_buffer(data)]
    return pa.BinaryArray.from_buffers(pa.binary(), len(bounds) - 1, buffers)


def at(data: Octets, places: Ints) -> Octets:
    """The octets at *places*; a place outside *data* gives an arbitrary octet."""
    found: Octets = data.take(places, mode="clip") if len(data) else np.zeros(len(places), np.uint8)
    return found


def varint(data: Octets, places: Ints, digits: Ints) -> tuple[npt.NDArray[np.uint64], Bools]:
    """The varints at *places*, and which of them have exactly *digits* digits of seven bits."""
    numbers, good = np.zeros(len(places), np.uint64), np.ones(len(places), np.bool_)
    for digit in range(int(digits.max(initial=0))):
        # Nearly all numbers have one digit, so only the few longer ones are visited again.
        rows = slice(None) if digits.min() > digit else np.flatnonzero(digits > digit)
        octets = at(data, places[rows] + digit)
        numbers[rows] |= (octets & 127).astype(np.uint64) << np.uint64(7 * digit)
        good[rows] &= (octets > 127) == (digits[rows] > digit + 1)
    return numbers, good


def digits_of(size: Ints) -> Ints:
    """How many seven-bit digits the length prefix has, if prefix and content together take *size* octets."""
    digits = np.ones(len(size), np.int32)
    for most in (128, 16_385, 2_097_154):
        if not (longer := size > most).any():
            break
        digits += longer
    return digits
