"""Does reading a whole column of attributes give what protobuf's own reader gives for each?"""

import pyarrow as pa
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as s
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from collector.formats.otlp.errors import OtlpError
from collector.formats.otlp.pairs import of_pairs
from collector.formats.otlp.values import of_encoded

keys = s.one_of(s.text(max_size=8), s.integers(0, 300).map("k".__mul__), s.just("k" * 20_000))
values = s.one_of(
    s.none(),
    s.just(AnyValue()),
    s.text(max_size=150).map(lambda text: AnyValue(string_value=text)),
    s.integers(-(2**63), 2**63 - 1).map(lambda number: AnyValue(int_value=number)),
    s.booleans().map(lambda yes: AnyValue(bool_value=yes)),
    s.binary(max_size=20_000).map(lambda octets: AnyValue(bytes_value=octets)),
)


@s.composite
def written(draw: s.DrawFn) -> bytes:
    """A pair as exporters write it, or its fields reordered or repeated, with unknown ones between."""
    pair = KeyValue(key=draw(keys), value=draw(values))
    parts = [pair.SerializeToString()]
    if draw(s.booleans()):
        key, value = KeyValue(key=pair.key), KeyValue(value=pair.value)
        unknown = b"\x7a\x02ab"  # field 15
        fields = [key.SerializeToString(), value.SerializeToString(), unknown]
        parts = draw(s.lists(s.sampled_from(fields), max_size=4))
    return b"".join(parts)


@given(s.lists(written(), max_size=12))
def test_pairs_are_what_protobuf_reads(encoded: list[bytes]) -> None:
    pairs = [KeyValue.FromString(one) for one in encoded]

    found = of_pairs(pa.array(encoded, pa.binary()))

    assert found.field("key").to_pylist() == [pair.key.encode() for pair in pairs]
    alone = of_encoded(pa.array([pair.value.SerializeToString() for pair in pairs], pa.binary()))
    assert found.field("value").to_pylist() == alone.to_pylist()


@given(s.lists(written(), min_size=1, max_size=4), s.binary(max_size=12), s.data())
def test_what_is_no_pair_is_refused_and_never_read_beyond_its_end(
    encoded: list[bytes], noise: bytes, data: s.DataObject
) -> None:
    """The next value follows in memory: a length that is too large must not reach into it."""
    place = data.draw(s.integers(0, len(encoded)))
    column = pa.array([*encoded[:place], noise, *encoded[place:]], pa.binary())
    try:
        pair = KeyValue.FromString(noise)
    except DecodeError:
        _refused_or_repaired(column, noise, place)
    else:
        assert of_pairs(column).field("key")[place].as_py() == pair.key.encode()


def _refused_or_repaired(column: pa.BinaryArray, noise: bytes, place: int) -> None:
    """Bytes that are not UTF-8 pass here; they are repaired where all text is."""
    try:
        found = of_pairs(column)
    except OtlpError:
        return
    assert found.field("key")[place].as_py() in noise


@pytest.mark.parametrize(
    "octets", [b"\x0a\x05ab", b"\x0a\xff\xff\xff\xff\xff", b"\x0a\x01a\x12\x7f", b"\x0a"]
)
def test_a_length_beyond_the_end_is_said_to_be_unreadable(octets: bytes) -> None:
    with pytest.raises(OtlpError, match="attribute cannot be read"):
        of_pairs(pa.array([KeyValue(key="before").SerializeToString(), octets], pa.binary()))
