"""Are attribute values decoded, both as exporters write them and as protobuf allows?"""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from collector.formats.otlp.errors import OtlpError
from collector.formats.otlp.values import of_encoded
from collector.model.spans import ValueType

TEXTS = st.text(max_size=5) | st.sampled_from([125, 127, 128, 16_381, 16_384, 40_000]).map("é".rjust)
INTS = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([-1, 0, 127, 128, 2**62])


@st.composite
def values(draw: st.DrawFn) -> tuple[bytes, int, bytes]:
    """An encoded value, its type and its bytes."""
    kind = draw(st.sampled_from(ValueType))
    value = AnyValue()
    octets = b""
    match kind:
        case ValueType.STRING:
            value.string_value = draw(TEXTS)
            octets = value.string_value.encode()
        case ValueType.BOOL:
            value.bool_value = draw(st.booleans())
            octets = b"true" if value.bool_value else b"false"
        case ValueType.INT:
            value.int_value = draw(INTS)
            octets = str(value.int_value).encode()
        case ValueType.DOUBLE:
            value.double_value = draw(st.sampled_from([0.5, -1e300, float("inf")]))
            octets = {0.5: b"0.5", -1e300: b"-1e+300"}.get(value.double_value, b"inf")
        case ValueType.ARRAY:
            value.array_value.values.add(string_value=draw(TEXTS))
            octets = value.array_value.SerializeToString()
        case ValueType.KVLIST:
            value.kvlist_value.values.add(key="k").value.int_value = draw(INTS)
            octets = value.kvlist_value.SerializeToString()
        case ValueType.BYTES:
            octets = draw(st.binary(max_size=9))
            value.bytes_value = octets
    encoded = value.SerializeToString()
    # A protobuf writer may put other fields before the one that counts, and unknown ones after it.
    before, after = draw(st.sampled_from([(b"", b""), (b"", b"\x78\x01"), (b"\x18\x05", b"")]))
    return (before + encoded + after if encoded else encoded), kind, octets


@given(st.lists(values(), max_size=6), st.integers(0, 3))
def test_what_is_encoded_is_found(some: list[tuple[bytes, int, bytes]], skipped: int) -> None:
    column = pa.array([encoded for encoded, _, _ in some], pa.binary())[skipped:]

    found = of_encoded(column)

    found.validate(full=True)
    assert found.to_pylist() == [{"type": kind, "octets": octets} for _, kind, octets in some[skipped:]]


@pytest.mark.parametrize(
    ("encoded", "kind", "octets"),
    [
        (None, ValueType.EMPTY, b""),
        (b"\x0a\x00", ValueType.STRING, b""),
        (b"\x0a\x82\x00ab", ValueType.STRING, b"ab"),  # a length with a redundant byte
        (b"\x10\x02", ValueType.BOOL, b"true"),
        (b"\x10\x81\x00", ValueType.BOOL, b"true"),
        (b"\x18\x85\x80\x00", ValueType.INT, b"5"),
        (b"\x0a\x01a\x0a\x01b", ValueType.STRING, b"b"),  # the last one counts
        (b"\x40\x07", ValueType.EMPTY, b""),  # an index into the dictionary of a profile
        (b"\x98\x06\x01", ValueType.EMPTY, b""),  # a field of the future
        (b"\x0a\x02\xff\xfe", ValueType.STRING, "\ufffd\ufffd".encode()),
        (b"\x3a\x02\xff\xfe", ValueType.BYTES, b"\xff\xfe"),
    ],
)
def test_unusual_ways_to_write(encoded: bytes | None, kind: ValueType, octets: bytes) -> None:
    neighbour = AnyValue(string_value="x").SerializeToString()

    found = of_encoded(pa.array([neighbour, encoded, neighbour], pa.binary())).to_pylist()

    assert found[1] == {"type": kind, "octets": octets}
    assert found[0] == found[2] == {"type": ValueType.STRING, "octets": b"x"}


@pytest.mark.parametrize(
    "broken", [b"\x0a", b"\x0a\x05ab", b"\x18", b"\x18\xff", b"\x21\x00", b"\x0b", b"\xff"]
)
def test_what_is_no_value_is_an_error(broken: bytes) -> None:
    with pytest.raises(OtlpError, match="The value of an attribute cannot be read"):
        of_encoded(pa.array([b"", broken], pa.binary()))
