"""Trace and span ids as matrices of bytes, one row an id."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.otlp.rows import Bools, Octets, parts

_NIBBLES = np.full(256, 255, np.uint8)
for _place, _digit in enumerate(b"0123456789abcdef"):
    _NIBBLES[_digit] = _NIBBLES[ord(chr(_digit).upper())] = _place


def matrix(column: pa.BinaryArray, size: int) -> tuple[Octets, Bools]:
    """The ids of *column* as rows of *size* bytes, and which of them are valid.

    OTLP: an id of another length is invalid, and so is one of zeros alone. Invalid rows are zeros.
    """
    starts, data = parts(column)
    found = np.diff(starts)
    right = found == size
    rows = np.zeros((len(column), size), np.uint8)
    if right.all():
        rows[:] = data[starts[0] : starts[-1]].reshape(-1, size)
    elif (right | (found == 0)).all():  # a parent, or none
        rows[right] = data[starts[0] : starts[-1]].reshape(-1, size)
    else:
        rows[right] = data[starts[:-1][right, None] + np.arange(size)]
    return rows, (rows.view(np.uint64) != 0).any(axis=1)


def fixed(rows: Octets) -> pa.FixedSizeBinaryArray:
    """*rows* as an Arrow column, sharing their memory."""
    rows = np.ascontiguousarray(rows)
    return pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(rows.shape[1]), rows.shape[0], [None, pa.py_buffer(rows)]
    )


def unhex(column: pa.BinaryArray) -> pa.BinaryArray:
    """Hex digits of either case -> the bytes they spell; what is no hex becomes empty: no valid id."""
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


def keys(trace_ids: npt.NDArray[np.uint8], span_ids: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """A 64-bit hash of both ids a span. Equal spans have equal keys, and nearly only they have."""
    traces = np.ascontiguousarray(trace_ids).view(np.uint64)
    mixed: npt.NDArray[np.uint64] = traces[:, 0] ^ (traces[:, 1] * np.uint64(0x9E3779B97F4A7C15))
    mixed ^= np.ascontiguousarray(span_ids).view(np.uint64)[:, 0] * np.uint64(0xC2B2AE3D27D4EB4F)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(32)
    return mixed
