"""Which bodies are refused before the decoder sees them?"""

import random

import pytest
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.formats.otlp import Body, Encoding, OtlpError, bounds, decode
from tests.factories import NOW, field, json_body, protobuf, request, span
from tests.mutating import mutated

SPAN = span(
    id="a", parent="p", links=[("t", "b")], error="no", attributes={"n": -1, "s": "x", "l": [1, {"k": 2}]}
)
WHOLE = protobuf(request(SPAN, span(id="b")), request(span(id="c"), service="other"))
_SCOPE = '{"resourceSpans":[{"scopeSpans":[{"spans":['


def spans(octets: bytes) -> bytes:
    return field(1, field(2, octets))


def hollow(part: bytes) -> bytes:
    return spans(field(2, SPAN.SerializeToString() + part * 40_000))


HOLLOW = {
    "spans": (Encoding.PROTOBUF, spans(b"\x12\x00" * 40_000)),
    "spans, their tags in two bytes": (Encoding.PROTOBUF, spans(b"\x92\x00\x00" * 40_000)),
    "scopes": (Encoding.PROTOBUF, field(1, b"\x12\x00" * 40_000)),
    "resources": (Encoding.PROTOBUF, b"\x0a\x00" * 40_000),
    "attributes": (Encoding.PROTOBUF, hollow(b"\x4a\x00")),
    "links": (Encoding.PROTOBUF, hollow(b"\x6a\x00")),
    "objects": (Encoding.JSON, f"{_SCOPE}{'{},' * 40_000}{{}}]}}]}}]}}".encode()),
    "lists": (Encoding.JSON, b'{"x":[' + b"[]," * 40_000 + b"[]]}"),
}


@pytest.mark.parametrize("name", HOLLOW)
def test_a_body_of_empty_parts_is_refused_as_a_whole_and_alone(name: str) -> None:
    """Sixteen megabytes of empty spans took 4 s and 0.9 GB, so that they could be refused one by one."""
    encoding, body = HOLLOW[name]
    good = Body(WHOLE, Encoding.PROTOBUF)

    decoded = decode([good, Body(body, encoding), good], NOW)

    assert decoded.spans.num_rows == 6
    assert [verdict.error is None for verdict in decoded.verdicts] == [True, False, True]
    assert "most of them are empty" in str(decoded.verdicts[1].error)


@pytest.mark.parametrize(
    "name", ["{" * 100_000, "}{][" * 50_000, '"{[\\' * 50_000, "\x12\x0a" * 50_000, "\\" * 99_999]
)
def test_what_is_only_text_is_no_part(name: str) -> None:
    sent = request(span(name=name))
    bodies = [Body(protobuf(sent), Encoding.PROTOBUF), Body(json_body(sent), Encoding.JSON)]

    decoded = decode(bodies, NOW)

    assert [verdict.error for verdict in decoded.verdicts] == [None, None]
    assert decoded.spans["name"].to_pylist() == [name, name]


def test_what_protobuf_takes_is_taken_and_what_it_refuses_is_refused() -> None:
    """Of 5,000 damaged bodies, none makes the decoder panic, which would write to the log."""
    rng = random.Random(7)
    outcomes = set()
    for _ in range(5_000):
        body = mutated(rng, WHOLE)
        framed = is_framed(body)
        if not framed:
            assert not by_protobuf(body), body
        else:
            (verdict,) = decode([Body(body, Encoding.PROTOBUF)], NOW).verdicts
            assert "decoder failed" not in str(verdict.error), body
        outcomes.add(framed)

    assert outcomes == {True, False}


def is_framed(body: bytes) -> bool:
    try:
        bounds.require_framed(body)
    except OtlpError:
        return False
    return True


def by_protobuf(body: bytes) -> bool:
    try:
        ExportTraceServiceRequest.FromString(body)
    except DecodeError:
        return False
    return True
