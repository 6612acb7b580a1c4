"""Do protobuf bodies become rows that keep everything their sender wrote?"""

import struct
from typing import Any

import pyarrow as pa
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from collector.formats.otlp import Body, Decoded, Encoding, decode
from collector.model.spans import SPANS, Kind, ValueType
from tests.factories import (
    NOW,
    Value,
    any_value,
    field,
    protobuf,
    refs,
    request,
    span,
    span_id,
    table,
    trace_id,
)


def read(*bodies: bytes, max_attributes: int = 16_384) -> Decoded:
    return decode([Body(body, Encoding.PROTOBUF) for body in bodies], NOW, max_attributes=max_attributes)


def only(decoded: pa.Table) -> dict[str, Any]:
    (row,) = decoded.to_pylist()
    assert isinstance(row, dict)
    return row


def test_a_span_becomes_a_row_with_every_field() -> None:
    sent = span(
        "send order.placed", id="a", trace="t", parent="p", kind=Span.SPAN_KIND_PRODUCER, error="no stock"
    )
    sent.trace_state, sent.flags = "k=v", 0x301
    sent.dropped_attributes_count, sent.dropped_events_count, sent.dropped_links_count = 1, 2, 3
    event = sent.events.add(name="paused", time_unix_nano=NOW)
    link = sent.links.add(trace_id=trace_id("u"), span_id=span_id("l"), attributes=[KeyValue(key="k")])
    sent.attributes.append(KeyValue(key="order.id", value=any_value("A-17")))
    shop = request(sent, service="order")

    row = only(table(shop, received=NOW + 5))

    assert row == {
        "trace_id": trace_id("t"),
        "span_id": span_id("a"),
        "parent_span_id": span_id("p"),
        "name": "send order.placed",
        "kind": Kind.PRODUCER,
        "start_unix_nano": NOW,
        "end_unix_nano": NOW + 10_000_000,
        "status_code": 2,
        "status_message": "no stock",
        "service": "order",
        "attribute_keys": ["order.id"],
        "attribute_types": [ValueType.STRING],
        "attribute_values": [b"A-17"],
        "link_trace_ids": [trace_id("u")],
        "link_span_ids": [span_id("l")],
        "link_attributes": [[link.attributes[0].SerializeToString()]],
        "events": [event.SerializeToString()],
        "dropped_attributes": 1,
        "dropped_events": 2,
        "dropped_links": 3,
        "trace_state": "k=v",
        "flags": 0x301,
        "resource": shop.resource_spans[0].resource.SerializeToString(),
        "scope": shop.resource_spans[0].scope_spans[0].scope.SerializeToString(),
        "received_unix_nano": NOW + 5,
    }


@pytest.mark.parametrize(
    ("value", "kind", "octets"),
    [
        ("", ValueType.STRING, b""),
        ("żółw\x00<b>", ValueType.STRING, "żółw\x00<b>".encode()),
        (True, ValueType.BOOL, b"true"),
        (False, ValueType.BOOL, b"false"),
        (0, ValueType.INT, b"0"),
        (-(2**63), ValueType.INT, b"-9223372036854775808"),
        (2**63 - 1, ValueType.INT, b"9223372036854775807"),
        (b"\xff\x00", ValueType.BYTES, b"\xff\x00"),
        (b"", ValueType.BYTES, b""),
        (None, ValueType.EMPTY, b""),
        (["a", 1], ValueType.ARRAY, any_value(["a", 1]).array_value.SerializeToString()),
        ([], ValueType.ARRAY, b""),
        ({"k": [1.5]}, ValueType.KVLIST, any_value({"k": [1.5]}).kvlist_value.SerializeToString()),
    ],
)
def test_attribute_types_survive(value: Value, kind: ValueType, octets: bytes) -> None:
    """An int that is stored as text could never again be found as an int."""
    row = only(table(request(span(attributes={"before": "x", "it": value, "after": 7}))))

    assert row["attribute_keys"] == ["before", "it", "after"]
    assert row["attribute_types"] == [ValueType.STRING, kind, ValueType.INT]
    assert row["attribute_values"] == [b"x", octets, b"7"]


@pytest.mark.parametrize("number", [0.1, -0.0, 1e300, 5e-324, 1.0, float("inf"), float("-inf"), float("nan")])
def test_doubles_read_back_as_the_same_double(number: float) -> None:
    row = only(table(request(span(attributes={"it": number}))))

    (octets,) = row["attribute_values"]
    assert row["attribute_types"] == [ValueType.DOUBLE]
    assert struct.pack("d", float(octets)) == struct.pack("d", number)


def test_unknown_enum_numbers_survive() -> None:
    """By OTLP, a receiver that is older than its sender keeps what it does not know."""
    sent = span()
    sent.kind = Span.SpanKind.ValueType(77)
    sent.status.code = Status.StatusCode.ValueType(9)

    row = only(table(request(sent)))

    assert (row["kind"], row["status_code"]) == (77, 9)


def test_fields_of_the_future_are_ignored() -> None:
    future = b"\xf2\x7f\x03abc"  # field 2046, three bytes

    decoded = read(protobuf(request(span())) + future)

    assert decoded.spans.num_rows == 1


def test_each_span_has_its_own_resource_and_scope() -> None:
    """An agent that collects for several services sends them in one body."""
    orders, payments = request(span("o"), service="order"), request(span("p"), service="payment")

    spans = table(orders, ExportTraceServiceRequest(), payments)
    merged = read(protobuf(orders, payments)).spans

    for found in (spans, merged):
        assert found["service"].to_pylist() == ["order", "payment"]
        assert found["resource"].to_pylist() == [
            sent.resource_spans[0].resource.SerializeToString() for sent in (orders, payments)
        ]


def test_without_a_service_name_the_service_is_unknown() -> None:
    assert only(table(request(span(), service=None)))["service"] == "unknown_service"


@pytest.mark.parametrize("empty", [b"", protobuf(request()), b"\x0a\x00"])
def test_an_empty_request_succeeds(empty: bytes) -> None:
    """OTLP requires this, and some exporters send an empty request to probe the endpoint."""
    decoded = read(empty)

    assert decoded.spans.schema == SPANS
    assert decoded.spans.num_rows == 0
    assert decoded.verdicts[0].error is None


def test_no_body_at_all_is_no_span() -> None:
    assert decode([], NOW).spans.num_rows == 0


@pytest.mark.parametrize("bad", [b"\xff\xff", b"hello world", b"{}", protobuf(request(span()))[:-3]])
def test_a_body_that_can_not_be_read_fails_alone(bad: bytes) -> None:
    first, last = request(span("first")), request(span("last"))

    decoded = read(protobuf(first), bad, protobuf(last), bad)

    assert decoded.spans["name"].to_pylist() == ["first", "last"]
    assert [verdict.error is None for verdict in decoded.verdicts] == [True, False, True, False]
    assert "ExportTraceServiceRequest" in str(decoded.verdicts[1].error)


@pytest.mark.parametrize("bad", [b"", b"\x00" * 16, b"\x01" * 15, b"\x01" * 17])
def test_a_span_with_an_invalid_trace_id_is_refused_alone(bad: bytes) -> None:
    decoded = read(protobuf(request(span("first"), span("bad", trace=bad), span("last"))))

    (verdict,) = decoded.verdicts
    assert decoded.spans["name"].to_pylist() == ["first", "last"]
    assert (verdict.spans, verdict.rejected, verdict.error) == (2, 1, None)
    assert f"trace_id '{bad.hex()}'" in verdict.message
    assert "16 bytes" in verdict.message


@pytest.mark.parametrize("bad", [b"", b"\x00" * 8, b"\x01" * 7, b"\x01" * 16])
def test_a_span_with_an_invalid_span_id_is_refused_alone(bad: bytes) -> None:
    sent = span("bad")
    sent.span_id = bad
    decoded = read(
        protobuf(request(span("other body"))), protobuf(request(span("first"), sent, span("last")))
    )

    clean, verdict = decoded.verdicts
    assert decoded.spans["name"].to_pylist() == ["other body", "first", "last"]
    assert (clean.spans, clean.rejected, clean.message) == (1, 0, "")
    assert (verdict.spans, verdict.rejected) == (2, 1)
    assert f"span_id '{bad.hex()}'" in verdict.message


@pytest.mark.parametrize("bad", [b"\x00" * 8, b"\x01" * 7, b"\x01" * 16])
def test_an_invalid_parent_counts_as_none(bad: bytes) -> None:
    """The span is worth keeping, although its parent is unknown."""
    spans = table(request(span("other", parent="p"), span(parent=bad), span("last", parent="q")))

    assert spans["parent_span_id"].to_pylist() == [span_id("p"), bytes(8), span_id("q")]


def test_invalid_links_are_dropped_and_counted() -> None:
    good, other = ("t", "a"), ("u", "b")
    sent = span("linked", links=[good, (b"", "x"), ("t", b"\x00" * 8), other, (b"\x01" * 3, b"\x02")])
    sent.dropped_links_count = 2

    spans = table(request(span("none"), sent, span("one", links=[good])))

    assert spans["dropped_links"].to_pylist() == [0, 5, 0]
    assert spans["link_trace_ids"].to_pylist() == [[], [trace_id("t"), trace_id("u")], [trace_id("t")]]
    assert spans["link_span_ids"].to_pylist() == [[], [span_id("a"), span_id("b")], [span_id("a")]]


@pytest.mark.parametrize(("start", "end"), [(0, 0), (2**64 - 1, 2**64 - 1), (NOW, 0), (NOW, NOW - 1)])
def test_times_are_kept_as_they_are(start: int, end: int) -> None:
    """A repair would hide a wrong clock from the user."""
    row = only(table(request(span(start=start, end=end))))

    assert (row["start_unix_nano"], row["end_unix_nano"]) == (start, end)


def test_ten_thousand_attributes_are_kept() -> None:
    many = {f"key.{number}": number for number in range(10_000)}

    spans = table(request(span("before"), span("many", attributes=many), span("after")))

    assert spans["name"].to_pylist() == ["before", "many", "after"]
    assert spans["attribute_keys"][1].as_py() == list(many)
    assert spans["dropped_attributes"].to_pylist() == [0, 0, 0]


def test_attributes_above_the_limit_are_counted_as_dropped() -> None:
    """Better a span that says what it lost than a hole in the flow."""
    sent = span("many", attributes={"a": 1, "b": 2, "c": 3, "d": 4})
    sent.dropped_attributes_count = 10

    spans = read(
        protobuf(request(span("few", attributes={"x": 1}), sent, span("none"))), max_attributes=2
    ).spans

    assert spans["attribute_keys"].to_pylist() == [["x"], ["a", "b"], []]
    assert spans["attribute_values"].to_pylist() == [[b"1"], [b"1", b"2"], []]
    assert spans["dropped_attributes"].to_pylist() == [0, 12, 0]


def test_text_that_is_no_utf8_is_repaired() -> None:
    """Some languages allow any bytes in a string: one such attribute must not cost a request."""
    good = protobuf(request(span("before", attributes={"it": "value"}), service="shop"))
    broken = good.replace(b"before", b"be\xffore").replace(b"value", b"\xc3\x28lue").replace(b"it", b"\xfft")

    decoded = read(good, broken)

    assert decoded.spans["name"].to_pylist() == ["before", "be\ufffdore"]
    assert decoded.spans["attribute_keys"].to_pylist() == [["it"], ["\ufffdt"]]
    assert decoded.spans["attribute_values"].to_pylist() == [[b"value"], ["\ufffd(lue".encode()]]
    decoded.spans.validate(full=True)


def test_control_characters_and_markup_are_data() -> None:
    nasty = "<script>alert(1)</script>\x00\x1b[31m\r\n'; DROP TABLE spans; --"

    row = only(table(request(span(nasty, attributes={nasty: nasty}), service=nasty)))

    assert (row["name"], row["service"]) == (nasty, nasty)
    assert (row["attribute_keys"], row["attribute_values"]) == ([nasty], [nasty.encode()])


def test_deep_nesting_is_kept_and_can_not_exhaust_a_stack() -> None:
    """Nested values are only decoded for display, so their depth costs nothing here."""
    value = AnyValue(string_value="core")
    encoded = value.SerializeToString()
    for _ in range(5_000):
        encoded = field(5, field(1, encoded))
    attribute = field(1, b"deep") + field(2, encoded)
    body = _body_with_attribute(attribute)

    decoded = read(body)

    row = only(decoded.spans)
    assert row["attribute_types"] == [ValueType.ARRAY]


def test_a_service_name_that_can_not_be_read_is_unknown() -> None:
    deep = b""
    for _ in range(300):
        deep = field(5, field(1, deep))
    shop = request(span())
    shop.resource_spans[0].ClearField("resource")
    resource = field(1, field(1, b"deep") + field(2, deep))
    body = field(1, field(1, resource) + shop.resource_spans[0].SerializeToString())

    assert only(read(body).spans)["service"] == "unknown_service"


def _body_with_attribute(attribute: bytes) -> bytes:
    sent = span().SerializeToString() + field(9, attribute)
    return field(1, field(2, field(2, sent)))


def test_the_refs_of_a_request_are_its_spans() -> None:
    """Guards the factories: a name in a test becomes the same id everywhere."""
    assert refs(table(request(span(id="a", trace="t")))) == [f"{trace_id('t').hex()}:{span_id('a').hex()}"]


# Every field with a length, by its path of field numbers. Field start plus length overflows in the test
# below.
NESTED = {
    "resource_spans": (1,),
    "resource": (1, 1),
    "scope_spans": (1, 2),
    "scope": (1, 2, 1),
    "span": (1, 2, 2),
    "name": (1, 2, 2, 5),
    "attribute": (1, 2, 2, 9),
    "event": (1, 2, 2, 11),
    "link": (1, 2, 2, 13),
    "status message": (1, 2, 2, 15, 2),
}


@pytest.mark.parametrize("path", NESTED.values(), ids=NESTED)
@pytest.mark.parametrize("length", [2**63, 2**64 - 10, 2**64 - 5, 2**64 - 1])
def test_a_length_near_the_largest_number_costs_one_request(path: tuple[int, ...], length: int) -> None:
    """The decoder panics, which is no `Exception`: that once ended the decoding task for all senders."""
    bad = field(path[-1], b"", length)
    for number in reversed(path[:-1]):
        bad = field(number, bad)
    good = protobuf(request(span(id="a")))

    decoded = decode([Body(one, Encoding.PROTOBUF) for one in (good, bad, good)], NOW)

    assert [verdict.error is None for verdict in decoded.verdicts] == [True, False, True]
    assert decoded.spans.num_rows == 2
