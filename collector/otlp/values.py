"""The values of attributes: `AnyValue`s -> what each was and its octets, as `ValueType` says.

Attributes are what a span has most of. To take eleven values a span apart into the columns of a `oneof`
costs more than all the rest of the span; so protobuf's values come here encoded, and their headers are cut
off all at once.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from collector.otlp.errors import OtlpError
from collector.otlp.rows import Bools, Ints, Octets, parts, with_entries, with_fields
from collector.spans import ValueType

_NO_BYTES = pa.scalar(b"", pa.binary())
_BOOLS = pa.array([b"false", b"true"], pa.binary())
_UNUSUAL = 255  # no ValueType: written as no exporter writes it, or with what is not known yet

# A value begins with the number of its field, by which `ValueType` counts, and with how it is written.
_VARINT, _FIXED, _DELIMITED = 0, 1, 2
_WRITTEN = {
    ValueType.STRING: _DELIMITED,
    ValueType.BOOL: _VARINT,
    ValueType.INT: _VARINT,
    ValueType.DOUBLE: _FIXED,
    ValueType.ARRAY: _DELIMITED,
    ValueType.KVLIST: _DELIMITED,
    ValueType.BYTES: _DELIMITED,
}
_TYPE_OF_TAG = np.full(256, _UNUSUAL, np.uint8)
for _kind, _way in _WRITTEN.items():
    _TYPE_OF_TAG[_kind << 3 | _way] = _kind
_IS_DELIMITED = np.isin(np.arange(256), [kind for kind, way in _WRITTEN.items() if way == _DELIMITED])


def of_encoded(column: pa.BinaryArray) -> pa.StructArray:
    """Encoded `AnyValue`s (null: none) -> structs of `type` (uint8) and `octets` (binary).

    Raise `OtlpError` if one is no `AnyValue`. Text that is not UTF-8 is repaired.
    """
    starts, data = parts(column)
    begin, size = starts[:-1], np.diff(starts)
    types = np.where(size, _TYPE_OF_TAG[_at(data, begin)], np.uint8(ValueType.EMPTY))
    digits = 1 + (size > 129) + (size > 16_386) + (size > 2_097_155)  # of a length: seven bits each
    length, good = _varint(data, begin + 1, digits)
    delimited = _IS_DELIMITED[types]
    types[delimited & ~(good & (length == size - 1 - digits))] = _UNUSUAL

    # All that a value may be, one after another: headers and payloads by turns, then what is spelled out.
    bounds = np.empty(2 * len(size) + 1, np.int32)
    bounds[0::2] = starts
    bounds[1::2] = begin + np.where(delimited, np.minimum(1 + digits, size), 0)
    texts = [_binary(bounds, data), _BOOLS]
    place = 2 * np.arange(len(size), dtype=np.int32) + 1
    rows = np.flatnonzero(types == ValueType.BOOL)
    said = _at(data, begin[rows] + 1).astype(np.int32)
    types[rows[(size[rows] != 2) | (said > 1)]] = _UNUSUAL
    place[rows] = 2 * len(size) + said
    for kind, read in ((ValueType.INT, _ints), (ValueType.DOUBLE, _doubles)):
        rows = np.flatnonzero(types == kind)
        numbers, good = read(data, begin[rows], size[rows])
        types[rows[~good]] = _UNUSUAL
        place[rows] = sum(map(len, texts)) + np.arange(len(rows))
        texts.append(pa.array(numbers).cast(pa.string()).cast(pa.binary()))
    rows = np.flatnonzero(types == _UNUSUAL)
    if len(rows):
        read_again = of_encoded(_usual(column.take(pa.array(rows))))
        types[rows] = read_again.field("type")
        place[rows] = sum(map(len, texts)) + np.arange(len(rows))
        texts.append(read_again.field("octets"))
    return _values(types, pa.concat_arrays(texts).take(pa.array(place)))


def of_fields(values: pa.StructArray) -> pa.StructArray:
    """`AnyValue`s with a column for each of their fields -> the same as `of_encoded` gives."""
    types = np.zeros(len(values), np.uint8)  # ValueType.EMPTY
    spelled = []
    # A oneof: in each row one field at most is not null.
    for kind, column in zip(_WRITTEN, values.flatten(), strict=True):
        if column.null_count < len(column):
            types[np.asarray(column.is_valid())] = kind
            binary = pa.types.is_binary(column.type)
            spelled.append(column if binary else column.cast(pa.string()).cast(pa.binary()))
    octets = pc.coalesce(*spelled, _NO_BYTES) if spelled else pa.repeat(_NO_BYTES, len(values))
    return _values(types, octets)


def with_values(read: Callable[[pa.Array], pa.StructArray]) -> Callable[[pa.ListArray], pa.ListArray]:
    """What makes lists of attributes into the same with their values *read*."""
    return lambda lists: with_entries(lists, lambda entries: with_fields(entries, {"value": read}))


def text(column: pa.Array) -> pa.Array:
    """Octets (null: none) -> text; what is not UTF-8 is shown with replacement characters, as browsers do."""
    if column.null_count:
        column = pc.fill_null(column, _NO_BYTES)
    try:
        return column.cast(pa.string())
    except pa.ArrowInvalid:
        return pa.array((octets.decode(errors="replace") for octets in column.to_pylist()), pa.string())


def _values(types: Octets, octets: pa.BinaryArray) -> pa.StructArray:
    # Nearly always all of it is UTF-8, bytes included, and one look in compiled code is enough.
    try:
        octets.cast(pa.string())
    except pa.ArrowInvalid:
        strings = pa.array(types == ValueType.STRING)
        repaired = text(octets.filter(strings)).cast(pa.binary())
        octets = pc.replace_with_mask(octets, strings, repaired)
    return pa.StructArray.from_arrays([pa.array(types), octets], ["type", "octets"])


def _binary(bounds: npt.NDArray[np.int32], data: Octets) -> pa.BinaryArray:
    buffers = [None, pa.py_buffer(bounds), pa.py_buffer(data)]
    return pa.BinaryArray.from_buffers(pa.binary(), len(bounds) - 1, buffers)


def _at(data: Octets, places: Ints) -> Octets:
    """The octets at *places*; an octet of no meaning where there is none."""
    found: Octets = data.take(places, mode="clip") if len(data) else np.zeros(len(places), np.uint8)
    return found


def _varint(data: Octets, places: Ints, digits: Ints) -> tuple[npt.NDArray[np.uint64], Bools]:
    """The numbers that begin at *places*, and which of them have exactly that many *digits*."""
    numbers, good = np.zeros(len(places), np.uint64), np.ones(len(places), np.bool_)
    for digit in range(int(digits.max(initial=0))):
        octets = _at(data, places + digit)
        within = digits > digit
        numbers |= np.where(within, octets & 127, 0).astype(np.uint64) << np.uint64(7 * digit)
        good &= ~within | ((octets > 127) == (digits > digit + 1))
    return numbers, good


def _ints(data: Octets, begin: Ints, size: Ints) -> tuple[npt.NDArray[np.int64], Bools]:
    numbers, good = _varint(data, begin + 1, np.minimum(size - 1, 10))
    return numbers.view(np.int64), good & (size > 1) & (size <= 11)


def _doubles(data: Octets, begin: Ints, size: Ints) -> tuple[npt.NDArray[np.float64], Bools]:
    good = size == 9
    octets = np.zeros((len(begin), 8), np.uint8)
    octets[good] = data[begin[good, None] + np.arange(1, 9)]
    return octets.view("<f8")[:, 0], good


def _usual(column: pa.BinaryArray) -> pa.BinaryArray:
    """The same values as exporters write them, by protobuf's own reader and writer."""
    values = []
    for encoded in column.to_pylist():
        try:
            value = AnyValue.FromString(encoded)
        except DecodeError as error:
            raise OtlpError(f"The value of an attribute can not be read: {error}.") from error
        value.DiscardUnknownFields()
        if value.HasField("string_value_strindex"):  # profiles only
            value.Clear()
        values.append(value.SerializeToString())
    return pa.array(values, pa.binary())
