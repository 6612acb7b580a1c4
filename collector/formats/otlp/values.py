"""Converts attribute values (`AnyValue`s) to types and octets, as `ValueType` defines them.

Attributes are the largest part of a span. Splitting its eleven values into the columns of a `oneof` costs
more than the whole rest of the span. So protobuf's values arrive here encoded, and all their headers are cut
off at once.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from collector.formats.otlp.errors import OtlpError
from collector.formats.otlp.octets import at, digits_of, pieces, varint
from collector.formats.otlp.rows import Bools, Ints, Octets, parts, with_entries, with_fields
from collector.model.spans import ValueType

_NO_BYTES = pa.scalar(b"", pa.binary())
_BOOLS = pa.array([b"false", b"true"], pa.binary())
_UNUSUAL = 255  # not a ValueType: an unusual encoding, or a kind that is not known yet

# A value begins with its tag: the number of its field, which is also its `ValueType`, and its wire type.
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
    """Encoded `AnyValue`s (null: no value) -> structs of `type` (uint8) and `octets` (binary).

    Raise `OtlpError` if one is not an `AnyValue`. Text that is not UTF-8 is repaired.
    """
    starts, data = parts(column)
    return of_parts(data, starts[:-1], starts[1:])


def of_parts(data: Octets, begin: Ints, end: Ints) -> pa.StructArray:
    """`of_encoded` for the parts of *data* from *begin* to *end*, which ascend and do not overlap."""
    size = end - begin
    types = np.where(size, _TYPE_OF_TAG[at(data, begin)], np.uint8(ValueType.EMPTY))
    digits = digits_of(size - 1)
    length, good = varint(data, begin + 1, digits)
    delimited = _IS_DELIMITED[types]
    types[delimited & ~(good & (length == size - 1 - digits))] = _UNUSUAL

    # One array with all possible octets: headers and payloads alternating, then booleans and numbers as text.
    bounds = np.zeros(2 * len(size) + 1, np.int32)
    bounds[1::2] = begin + np.where(delimited, np.minimum(1 + digits, size), 0)
    bounds[2::2] = end
    texts = [pieces(bounds, data), _BOOLS]
    place = 2 * np.arange(len(size), dtype=np.int32) + 1
    rows = np.flatnonzero(types == ValueType.BOOL)
    said = at(data, begin[rows] + 1).astype(np.int32)
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
        strange = [data[begin[row] : end[row]].tobytes() for row in rows.tolist()]
        read_again = of_encoded(_usual(strange))
        types[rows] = read_again.field("type")
        place[rows] = sum(map(len, texts)) + np.arange(len(rows))
        texts.append(read_again.field("octets"))
    return typed(types, pa.concat_arrays(texts).take(pa.array(place)))


def of_fields(values: pa.StructArray) -> pa.StructArray:
    """`AnyValue`s with a column for each of their fields -> the same structs as from `of_encoded`."""
    types = np.zeros(len(values), np.uint8)  # ValueType.EMPTY
    spelled = []
    # A oneof: in each row, at most one field is not null.
    for kind, column in zip(_WRITTEN, values.flatten(), strict=True):
        if column.null_count < len(column):
            types[np.asarray(column.is_valid())] = kind
            binary = pa.types.is_binary(column.type)
            spelled.append(column if binary else column.cast(pa.string()).cast(pa.binary()))
    octets = pc.coalesce(*spelled, _NO_BYTES) if spelled else pa.repeat(_NO_BYTES, len(values))
    return typed(types, octets)


def with_values(read: Callable[[pa.Array], pa.StructArray]) -> Callable[[pa.ListArray], pa.ListArray]:
    """A function that applies *read* to the values in lists of attributes."""
    return lambda lists: with_entries(lists, lambda entries: with_fields(entries, {"value": read}))


def text(column: pa.Array) -> pa.Array:
    """Octets (null: empty) -> text; invalid UTF-8 becomes replacement characters, as in browsers."""
    if column.null_count:
        column = pc.fill_null(column, _NO_BYTES)
    try:
        return column.cast(pa.string())
    except pa.ArrowInvalid:
        return pa.array((octets.decode(errors="replace") for octets in column.to_pylist()), pa.string())


def typed(types: Octets, octets: pa.BinaryArray) -> pa.StructArray:
    """Structs of the *types* and *octets* of values; strings that are not UTF-8 are repaired."""
    # Nearly always, all of it is valid UTF-8, bytes included, and one check in compiled code is enough.
    try:
        octets.cast(pa.string())
    except pa.ArrowInvalid:
        strings = pa.array(types == ValueType.STRING)
        repaired = text(octets.filter(strings)).cast(pa.binary())
        octets = pc.replace_with_mask(octets, strings, repaired)
    return pa.StructArray.from_arrays([pa.array(types), octets], ["type", "octets"])


def _ints(data: Octets, begin: Ints, size: Ints) -> tuple[npt.NDArray[np.int64], Bools]:
    numbers, good = varint(data, begin + 1, np.minimum(size - 1, 10))
    return numbers.view(np.int64), good & (size > 1) & (size <= 11)


def _doubles(data: Octets, begin: Ints, size: Ints) -> tuple[npt.NDArray[np.float64], Bools]:
    good = size == 9
    octets = np.zeros((len(begin), 8), np.uint8)
    octets[good] = data[begin[good, None] + np.arange(1, 9)]
    return octets.view("<f8")[:, 0], good


def _usual(strange: Sequence[bytes]) -> pa.BinaryArray:
    """The same values re-encoded by protobuf, which writes them as exporters do."""
    values = []
    for encoded in strange:
        try:
            value = AnyValue.FromString(encoded)
        except DecodeError as error:
            raise OtlpError(f"The value of an attribute cannot be read: {error}.") from error
        value.DiscardUnknownFields()
        if value.HasField("string_value_strindex"):  # profiles only
            value.Clear()
        values.append(value.SerializeToString())
    return pa.array(values, pa.binary())
