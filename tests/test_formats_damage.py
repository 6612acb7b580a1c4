"""Is a damaged file read, or its fault reported? Nothing else may ever be raised."""

import copy
import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector import conventions, formats
from collector.formats import FormatError, Found
from collector.formats.otlp import opened as details
from collector.model.answers import Note
from collector.model.hiding import NOTHING_HIDDEN
from collector.stitching import stitch
from tests.documents import document
from tests.factories import NOW, as_json, request, span
from tests.filing import at, jaeger, reference, said, trace, v1, zipkin
from tests.test_formats_otlp import WAYS

JAEGER = trace(
    jaeger("1" * 16, ("span.kind", "string", "producer"), ("n", "int64", 7), ("b", "binary", "AP8=")),
    jaeger(
        "2" * 16,
        ("error", "bool", True),
        references=[reference("CHILD_OF", "1" * 16), reference("FOLLOWS_FROM", "3" * 16)],
        logs=[{"timestamp": 5, "fields": [{"key": "event", "type": "string", "value": "x"}]}],
        parentSpanID="1" * 16,
    ),
)
ZIPKIN = [
    zipkin("1", "PRODUCER", tags={"otlp.link.0": f"{'b' * 32}|{'1' * 16}|||0", "error": "x"}),
    zipkin("2", "CLIENT", annotations=[{"timestamp": 5, "value": "x"}], remoteEndpoint={"port": 1}),
    zipkin("2", "SERVER", "stock", parentId="1" * 16, shared=True),
    v1(annotations=[at("a", "cs", 0), at("b", "sr", 1)], binaryAnnotations=[said("a", "sa", True)]),
]
OTLP = as_json(request(span("x", attributes={"a": 1, "b": [1.5, b"x"]}, links=[("t", "y")], error="late")))
DOCUMENTS = [JAEGER, {"data": [JAEGER]}, ZIPKIN, [ZIPKIN, ZIPKIN], OTLP, *WAYS.values()]

rubbish = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([2**63, 2**64, -1, 10**400, 1e308, float("nan"), float("inf")]),
    st.text(st.characters(exclude_categories=[]), max_size=6),
    st.sampled_from(["\ud800", "\x00", "0", "9" * 50, "é" * 40]),
    st.sampled_from([[], {}, [None], [[]], {"": None}, [[[1]]], {"a": [{}]}]),
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """(holder, key) for everything in *value*."""
    entries: list[tuple[Any, Any]] = []
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            entries += [(value, key), *places(value[key])]
    return entries


def used(data: bytes) -> Found | None:
    """Read *data* and put the result to every use that it has; None if it is refused."""
    try:
        found = formats.read(data, NOW)
    except FormatError:
        return None
    problems = [Note(kind=one.kind.value, ref=one.ref, text=one.text) for one in found.problems]
    graph = stitch(conventions.read(found.spans))
    json.dumps(document(graph, spelled=found.spelled, notes=problems)).encode()
    for row in details.rows(found.spans, NOTHING_HIDDEN).values():
        for look in (details.attributes, details.events, details.links, details.resource, details.scope):
            look(row)
    return found


@given(st.sampled_from(DOCUMENTS), st.lists(rubbish, min_size=1, max_size=4), st.randoms())
def test_rubbish_anywhere_in_a_document_is_told(written: Any, values: list[Any], random: Random) -> None:
    """Wrong types, nulls, numbers of any size, invalid text."""
    damaged = copy.deepcopy(written)
    for value in values:
        holder, key = random.choice(places(damaged) or [({}, 0)])
        holder[key] = copy.deepcopy(value)

    used(json.dumps(damaged).encode())


@given(st.sampled_from(DOCUMENTS), st.randoms())
def test_a_document_that_is_cut_off_or_scratched_is_told(written: Any, random: Random) -> None:
    data = bytearray(json.dumps(written, indent=random.choice([None, 1])).encode())
    for _ in range(random.randrange(3)):
        data[random.randrange(len(data))] = random.randrange(256)

    used(bytes(data[: random.randrange(len(data) + 1)]))


@given(st.binary(max_size=60), st.sampled_from([b"", b"\n", b"{", b"[", b"\n{", b"{}\n", b"\xef\xbb\xbf"]))
def test_any_bytes_are_told(data: bytes, start: bytes) -> None:
    used(start + data)


@pytest.mark.parametrize("depth", [300, 900, 1500, 100_000])
@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("", ""),
        ('{"resourceSpans":', "}"),
        ('{"data":', "}"),
        ('[{"traceId":"1","id":"1","tags":{"x":', "}}]"),
        ('{"traceID":"1","spanID":"1","tags":[{"key":"x","value":', "}]}"),
        ('{"traceID":"1","spans":[{"traceID":"1","spanID":"1","process":{"tags":[{"value":', "}]}}]}"),
        ('{"batches":[{"scopeSpans":[{"spans":[{"attributes":[{"value":', "}]}]}]}]}"),
    ],
)
def test_documents_of_any_depth_are_told(start: str, end: str, depth: int) -> None:
    """Some are nested deeper than Python's stack."""
    used(f"{start}{'[' * depth}{']' * depth}{end}".encode())
    opening = '{"a":' * depth
    used(f"{start}{opening}1{'}' * depth}{end}".encode())


def test_a_good_span_survives_a_bad_neighbour() -> None:
    """The tests above must not pass by refusing everything."""
    damaged = copy.deepcopy(JAEGER)
    damaged["spans"][1]["startTime"] = "\ud800"
    found = used(json.dumps(damaged).encode())

    assert found is not None
    assert (found.spans.num_rows, len(found.problems)) == (1, 1)
