"""Splits attributes (encoded `KeyValue`s) into keys and values, a whole column at once.

A span has about eleven of them, and parsing each as a message of its own took longer than the whole rest of
the span.
"""

import numpy as np
import pyarrow as pa
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from collector.formats.otlp.errors import OtlpError
from collector.formats.otlp.octets import at, digits_of, pieces, varint
from collector.formats.otlp.rows import Bools, Ints, Octets, parts
from collector.formats.otlp.values import of_parts

_KEY, _VALUE = 0x0A, 0x12  # the tags of fields 1 and 2, both length-delimited
_MOST_DIGITS = 5  # of the length of anything that fits into a body


def of_pairs(column: pa.BinaryArray) -> pa.StructArray:
    """Encoded `KeyValue`s -> structs of `key` (binary) and `value`, as `values.of_encoded` returns it.

    Raise `OtlpError` if one is not a `KeyValue`.
    """
    starts, data = parts(column)
    begin, end = starts[:-1], starts[1:]
    key_begin, key_end, good = _key(data, begin, end)
    has_value = key_end < end
    digits = digits_of(end - key_end - 1)
    size, fits = varint(data, key_end + 1, digits)
    value_begin = key_end + 1 + digits
    good &= ~has_value | ((at(data, key_end) == _VALUE) & fits & (size == end - value_begin))
    if not good.all():
        return of_pairs(_usual(column, ~good))
    bounds = np.zeros(2 * len(begin) + 1, np.int32)
    bounds[1::2], bounds[2::2] = key_begin, key_end
    keys = pieces(bounds, data).take(pa.array(np.arange(1, len(bounds), 2)))
    values = of_parts(data, np.where(has_value, value_begin, end), end)
    return pa.StructArray.from_arrays([keys, values], ["key", "value"])


def _key(data: Octets, begin: Ints, end: Ints) -> tuple[Ints, Ints, Bools]:
    """Where each key begins and ends, and which keys lie within their pair. Empty keys are not encoded."""
    written = (at(data, begin) == _KEY) & (begin < end)
    digits = np.ones(len(begin), np.int32)
    more = written & (at(data, begin + 1) > 127)
    while more.any() and digits.max() < _MOST_DIGITS:
        digits += more
        more &= at(data, begin + digits) > 127
    size, good = varint(data, begin + 1, digits)
    key_begin = np.where(written, begin + 1 + digits, begin)
    good = ~written | (good & (key_begin <= end) & (size <= np.maximum(end - key_begin, 0)))
    key_end = np.where(written & good, key_begin + size.astype(np.int32), key_begin)
    return key_begin, key_end, good


def _usual(column: pa.BinaryArray, strange: Bools) -> pa.BinaryArray:
    """*column* with its *strange* pairs re-encoded by protobuf, which writes them as exporters do."""
    encoded = column.to_pylist()
    for row in np.flatnonzero(strange).tolist():
        try:
            pair = KeyValue.FromString(encoded[row])
        except DecodeError as error:
            raise OtlpError(f"An attribute cannot be read: {error}.") from error
        pair.DiscardUnknownFields()
        pair.ClearField("key_strindex")  # profiles only
        encoded[row] = pair.SerializeToString()
    return pa.array(encoded, pa.binary())
