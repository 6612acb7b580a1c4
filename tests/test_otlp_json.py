"""Do JSON bodies become the same rows as protobuf ones, whatever liberties senders take?"""

import json
from typing import Any

import pyarrow as pa
import pytest

from collector.formats.otlp import Body, Decoded, Encoding, decode
from collector.model.spans import Kind, Status, ValueType
from tests.factories import NOW, Value, as_json, json_body, request, span, table, trace_id


def read(*bodies: bytes) -> Decoded:
    return decode([Body(body, Encoding.JSON) for body in bodies], NOW)


def body_of(*spans: Any) -> bytes:
    return json_body({"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]})


def ids(name: str = "a") -> dict[str, str]:
    (written,) = as_json(request(span(id=name)))["resourceSpans"][0]["scopeSpans"][0]["spans"]
    return {"traceId": written["traceId"], "spanId": written["spanId"], "name": name}


def only(decoded: Decoded) -> dict[str, Any]:
    (row,) = decoded.spans.to_pylist()
    assert isinstance(row, dict)
    return row


def test_json_and_protobuf_give_the_same_rows() -> None:
    """Node sends JSON, Java sends protobuf, and both may be in one flow."""
    nested: dict[str, Value] = {
        "list": ["a", 1, 2.5, True, None, b"\xff", {"k": ["v"]}],
        "empty": [],
        "none": {},
    }
    sent = span(
        "s", parent="p", links=[("t", "a"), ("u", "b")], error="no", attributes={**nested, "bytes": b"\x00"}
    )
    sent.events.add(name="e", time_unix_nano=NOW).attributes.add(key="k").value.int_value = 2**60
    sent.links[0].attributes.add(key="l").value.double_value = 0.1
    sent.trace_state, sent.flags, sent.dropped_links_count = "k=v", 0x301, 4
    shop = request(span("before", attributes={"i": -(2**63), "d": 1e300}), sent, resource={"tags": ["a"]})

    assert read(json_body(shop)).spans.equals(table(shop))


@pytest.mark.parametrize(
    "empty", [b"{}", b'{"resourceSpans": []}', b'{"resourceSpans": null}', b' {"new": 1} ']
)
def test_an_empty_request_succeeds(empty: bytes) -> None:
    decoded = read(empty)

    assert (decoded.spans.num_rows, decoded.verdicts[0].error) == (0, None)


def test_ids_are_hex_of_either_case() -> None:
    written = ids()
    written["traceId"] = written["traceId"].upper()

    assert only(read(body_of(written)))["trace_id"] == trace_id("trace")


@pytest.mark.parametrize(
    ("value", "kind", "octets"),
    [
        ({"intValue": "7"}, ValueType.INT, b"7"),
        ({"intValue": 7}, ValueType.INT, b"7"),
        ({"intValue": "-9223372036854775808"}, ValueType.INT, b"-9223372036854775808"),
        ({"doubleValue": 1}, ValueType.DOUBLE, b"1"),
        ({"doubleValue": "NaN"}, ValueType.DOUBLE, b"nan"),
        ({"doubleValue": "-Infinity"}, ValueType.DOUBLE, b"-inf"),
        ({"boolValue": False}, ValueType.BOOL, b"false"),
        ({"bytesValue": "/+8="}, ValueType.BYTES, b"\xff\xef"),
        ({"bytesValue": "_-8"}, ValueType.BYTES, b"\xff\xef"),
        ({"stringValue": ""}, ValueType.STRING, b""),
        ({"stringValue": None}, ValueType.EMPTY, b""),
        ({"arrayValue": {"values": []}}, ValueType.ARRAY, b""),
        ({"arrayValue": {"future": 1}}, ValueType.ARRAY, b""),
        ({"futureValue": 1}, ValueType.EMPTY, b""),
        ({}, ValueType.EMPTY, b""),
        (None, ValueType.EMPTY, b""),
    ],
)
def test_values_are_read_as_protobuf_reads_json(value: Any, kind: ValueType, octets: bytes) -> None:
    row = only(read(body_of({**ids(), "attributes": [{"key": "it", "value": value}]})))

    assert (row["attribute_types"], row["attribute_values"]) == ([kind], [octets])


def test_64_bit_numbers_are_text_or_numbers() -> None:
    written = {**ids(), "startTimeUnixNano": str(NOW), "endTimeUnixNano": NOW + 1}

    row = only(read(body_of(written)))

    assert (row["start_unix_nano"], row["end_unix_nano"]) == (NOW, NOW + 1)


@pytest.mark.parametrize(
    ("written", "time"),
    [(str(2**64 - 1), 2**64 - 1), (2**64 - 1, 2**64 - 1), (1.7e18, 17 * 10**17), ("0", 0), (None, 0)],
)
def test_times_that_the_quick_way_can_not_read_are_read_patiently(written: Any, time: int) -> None:
    assert only(read(body_of({**ids(), "startTimeUnixNano": written})))["start_unix_nano"] == time


def test_enums_may_be_names() -> None:
    """OTLP allows only numbers, but protobuf's own JSON writers send names, which are unambiguous."""
    written = {**ids(), "kind": "SPAN_KIND_CONSUMER", "status": {"code": "STATUS_CODE_ERROR"}}

    row = only(read(body_of(written)))

    assert (row["kind"], row["status_code"]) == (Kind.CONSUMER, Status.ERROR)


def test_null_is_the_same_as_nothing() -> None:
    """Some serializers write every field."""
    fields = ("parentSpanId", "kind", "attributes", "events", "links", "status", "droppedLinksCount", "flags")
    written = {**ids(), **dict.fromkeys(fields)}

    assert read(body_of(written)).spans.equals(read(body_of(ids())).spans)


def test_half_a_surrogate_pair_is_repaired() -> None:
    """JavaScript writes this for a text that was cut inside an emoji."""
    body = body_of({**ids(), "name": "cut"}, ids("b")).replace(b'"cut"', rb'"cut \ud83d"')

    decoded = read(body)

    assert decoded.spans["name"].to_pylist() == ["cut \ufffd", "b"]
    assert decoded.verdicts[0].rejected == 0


@pytest.mark.parametrize(
    "bad",
    [
        {"name": 5},
        {"kind": "SPAN_KIND_NEW"},
        {"startTimeUnixNano": -1},
        {"startTimeUnixNano": 2**64},
        {"startTimeUnixNano": "soon"},
        {"startTimeUnixNano": float("inf")},
        {"attributes": {}},
        {"attributes": [None]},
        {"attributes": [{"key": "k", "value": {"intValue": 2**63}}]},
        {"attributes": [{"key": "k", "value": {"arrayValue": 5}}]},
        {"events": [{"timeUnixNano": "never"}]},
        {"flags": 2**32},
        {"links": [{"attributes": [{"value": 5}]}]},
    ],
)
def test_a_span_that_can_not_be_read_is_refused_alone(bad: dict[str, Any]) -> None:
    decoded = read(body_of(ids("first"), {**ids("bad"), **bad}, ids("last")), body_of(ids("other")))

    verdict, clean = decoded.verdicts
    assert decoded.spans["name"].to_pylist() == ["first", "last", "other"]
    assert (verdict.spans, verdict.rejected, verdict.error) == (2, 1, None)
    assert "1 span(s) refused" in verdict.message
    assert clean.rejected == 0


@pytest.mark.parametrize("bad", ["a span", 5, None, []])
def test_what_is_no_span_is_refused_alone(bad: Any) -> None:
    decoded = read(body_of(ids("first"), bad))

    assert decoded.spans["name"].to_pylist() == ["first"]
    assert decoded.verdicts[0].rejected == 1


@pytest.mark.parametrize("bad", ["", "xyz", "0" * 32, "ab" * 15, "a" * 31, "ą" * 16, "g" * 32])
def test_an_invalid_trace_id_is_named_as_it_was_written(bad: str) -> None:
    decoded = read(body_of(ids("first"), {**ids("bad"), "traceId": bad}))

    (verdict,) = decoded.verdicts
    assert decoded.spans["name"].to_pylist() == ["first"]
    assert verdict.rejected == 1
    assert f"trace_id '{bad}'" in verdict.message
    assert "32 hex digits" in verdict.message


def test_invalid_links_and_parents_cost_nothing_else() -> None:
    written = {**ids(), "parentSpanId": "zz", "links": [{"traceId": "00"}, {**ids("b")}]}

    row = only(read(body_of(written)))

    assert row["parent_span_id"] == bytes(8)
    assert (len(row["link_span_ids"]), row["dropped_links"]) == (1, 1)


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b'{"resourceSpans": [',
        b'{"resourceSpans": {}}',
        b'{"resourceSpans": [5]}',
        b'{"resourceSpans": [{"resource": 5}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": "all"}]}]}',
        b"\xff\xfe\xfd",
        b'{"a": ' * 100_000,
        b"[" * 5_000_000,
    ],
)
def test_what_is_no_request_fails_alone(bad: bytes) -> None:
    decoded = read(bad, body_of(ids()))

    assert decoded.spans.num_rows == 1
    assert decoded.verdicts[1].error is None
    assert "ExportTraceServiceRequest in JSON" in str(decoded.verdicts[0].error)


@pytest.mark.parametrize("depth", [60, 150])
def test_a_value_nested_too_deeply_costs_its_span_only(depth: int) -> None:
    """Protobuf readers stop at a hundred levels, so no reader could ever show it."""
    value: Any = {"stringValue": "core"}
    for _ in range(depth):
        value = {"arrayValue": {"values": [value]}}
    deep = {**ids("deep"), "attributes": [{"key": "deep", "value": value}]}

    decoded = read(body_of(ids("first"), deep))

    assert decoded.spans["name"].to_pylist() == ["first"]
    assert decoded.verdicts[0].rejected == 1


def test_nesting_beyond_the_stack_is_an_error_and_no_crash() -> None:
    deep = '{"arrayValue": {"values": [' * 200_000 + "]}}" * 200_000
    body = json.dumps({"resourceSpans": []}).replace("[]", deep).encode()

    decoded = read(body)

    assert decoded.verdicts[0].error is not None


def test_both_encodings_in_one_group_keep_their_verdicts() -> None:
    bodies = [
        Body(json_body(request(span("json"))), Encoding.JSON),
        Body(b"bad", Encoding.PROTOBUF),
        Body(request(span("protobuf")).SerializeToString(), Encoding.PROTOBUF),
        Body(b"bad", Encoding.JSON),
    ]

    decoded = decode(bodies, NOW)

    assert sorted(decoded.spans["name"].to_pylist()) == ["json", "protobuf"]
    assert [(v.spans, v.error is None) for v in decoded.verdicts] == [
        (1, True),
        (0, False),
        (1, True),
        (0, False),
    ]
    assert isinstance(decoded.spans, pa.Table)
