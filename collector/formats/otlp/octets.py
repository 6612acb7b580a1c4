"""Vectorized reads of many small pieces of one protobuf buffer."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.formats.otlp.rows import Bools, Ints, Octets


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
