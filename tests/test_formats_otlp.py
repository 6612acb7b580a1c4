"""Do we read OTLP in every spelling that programs use in files?"""

import base64
import json
from typing import Any

import pytest

from collector import formats
from collector.formats import FormatError
from collector.formats.otlp import opened as details
from collector.model.hiding import NOTHING_HIDDEN
from collector.model.spans import Kind, Status
from tests.factories import as_json, field, protobuf, ref, request, span
from tests.filing import edges, read, told

SNAKES = (
    ("resourceSpans", "resource_spans"),
    ("scopeSpans", "scope_spans"),
    ("parentSpanId", "parent_span_id"),
    ("traceId", "trace_id"),
    ("spanId", "span_id"),
    ("startTimeUnixNano", "start_time_unix_nano"),
    ("endTimeUnixNano", "end_time_unix_nano"),
    ("stringValue", "string_value"),
    ("intValue", "int_value"),
    ("arrayValue", "array_value"),
    ("timeUnixNano", "time_unix_nano"),
)


def shop() -> Any:
    placed = span("placed", kind=4, attributes={"order.id": "A-1", "lines": [1, "x"], "n": 7})
    placed.events.add(name="acked", time_unix_nano=5)
    packed = span("packed", kind=5, parent="placed", error="late")
    audited = span("audited", kind=5, trace="other", links=[("trace", "placed")])
    return request(placed, packed, audited, resource={"host": "h"})


def rewritten(*pairs: tuple[str, str]) -> Any:
    text = json.dumps(as_json(shop()))
    for old, new in pairs:
        text = text.replace(f'"{old}"', f'"{new}"')
    return json.loads(text)


def base64_ids(value: Any) -> Any:
    if isinstance(value, list):
        return [base64_ids(entry) for entry in value]
    if isinstance(value, dict):
        return {
            key: base64.b64encode(bytes.fromhex(entry)).decode() if key.endswith("Id") else base64_ids(entry)
            for key, entry in value.items()
        }
    return value


def with_words(document: Any) -> Any:
    for one in document["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        one["kind"] = f"SPAN_KIND_{Kind(one['kind']).name}"
        if "status" in one:
            one["status"]["code"] = f"STATUS_CODE_{Status(one['status']['code']).name}"
    return document


PLAIN = as_json(shop())
WAYS = {
    "camel case": PLAIN,
    "snake case": rewritten(*SNAKES),
    "libraries": rewritten(
        ("scopeSpans", "instrumentationLibrarySpans"), ("scope", "instrumentationLibrary")
    ),
    "words": with_words(as_json(shop())),
    "Tempo": base64_ids({"batches": with_words(as_json(shop()))["resourceSpans"]}),
    "Tempo's second API": {"trace": base64_ids(PLAIN), "metrics": {}},
    "Jaeger's third API": {"result": PLAIN},
    "list": [PLAIN],
    "one resource": PLAIN["resourceSpans"][0],
    "a list of resources": PLAIN["resourceSpans"],
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_write_spans_gives_the_same_spans(way: str) -> None:
    """Every column is equal: what a reader sees must not depend on the program that wrote the file."""
    assert read(WAYS[way]).spans.sort_by("span_id").equals(read(PLAIN).spans.sort_by("span_id"))
    assert edges(told(WAYS[way])) == {
        ("delivery", ref("trace", "placed")[33:], ref("trace", "packed")[33:]),
        ("delivery", ref("trace", "placed")[33:], ref("trace", "audited")[33:]),
    }


@pytest.mark.parametrize("indent", [None, 2])
def test_what_exporters_send_is_read_in_compiled_code(
    monkeypatch: pytest.MonkeyPatch, indent: int | None
) -> None:
    """A cheap look decides: a day of requests must not be read span by span."""
    monkeypatch.delattr(formats, "_read_other")
    sent = as_json(
        request(span("a", links=[("t", "b")]), span("b", parent="a", attributes={"trace_id": "x"}))
    )

    assert formats.read(json.dumps(sent, indent=indent).encode(), 0).spans.num_rows == 2
    assert formats.read(protobuf(request(span("a"))), 0).spans.num_rows == 1


def test_ids_that_are_no_hex_are_shown_as_they_were_written() -> None:
    """Letters, UUIDs, decimal numbers: none has 16 bytes, but they are what a reader looks for."""
    sent = as_json(request(span("placed", kind=4), span("packed", kind=5, parent="placed")))
    first, second = sent["resourceSpans"][0]["scopeSpans"][0]["spans"]
    trace = "3F2504E0-4F89-11D3-9A0C-0305E82C3301"
    first |= {"traceId": trace, "spanId": "Place-1"}
    second |= {"traceId": trace.lower(), "spanId": 12345678901234567890, "parentSpanId": "place-1"}
    answer = told(sent)

    (edge,) = answer["edges"]
    assert edge["from"] == f"{trace.lower()}:place-1"
    assert edge["to"] == f"{trace.lower()}:12345678901234567890"
    assert answer["flows"][0]["traces"] == [trace.lower()]
    assert answer["notes"] == []


def test_stand_ins_of_an_id_are_the_same_in_every_file() -> None:
    """The message may be in one file and its reaction in another."""
    sent = as_json(request(span("x")))
    sent["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"] = "order-7"

    assert read(sent).spans.equals(read(sent).spans)
    assert read(sent).spelled == {read(sent).spans["trace_id"][0].as_py(): "order-7"}


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        ({"traceId": ""}, "invalid_id"),
        ({"traceId": "0" * 32}, "invalid_id"),
        ({"spanId": None}, "invalid_id"),
        ({"spanId": {"x": 1}}, "invalid_id"),
        ({"kind": "SPAN_KIND_SIDEWAYS"}, "unreadable"),
        ({"startTimeUnixNano": "soon"}, "unreadable"),
        ({"startTimeUnixNano": 2**70}, "unreadable"),
        ({"attributes": 7}, "unreadable"),
        ({"attributes": [{"key": "a", "value": {"intValue": "x"}}]}, "unreadable"),
        ({"events": [{"name": 5}]}, "unreadable"),
    ],
)
def test_a_bad_span_is_named_and_costs_no_other(damage: dict[str, Any], kind: str) -> None:
    sent = as_json(request(span("good"), span("bad"), span("better")))
    sent["resourceSpans"][0]["scopeSpans"][0]["spans"][1] |= damage
    found = read(sent)

    assert sorted(found.spans["name"].to_pylist()) == ["better", "good"]
    (problem,) = found.problems
    assert problem.kind == kind
    assert problem.ref is None or problem.ref.endswith(ref("trace", "bad")[33:])


def test_a_bad_span_of_protobuf_is_named_too() -> None:
    found = read(protobuf(request(span("good"), span("bad", id=b"short"), span("worse", trace=bytes(16)))))

    assert found.spans["name"].to_pylist() == ["good"]
    assert [problem.kind.value for problem in found.problems] == ["invalid_id"] * 2
    assert "73686f7274" in found.problems[0].text


def test_bad_ids_beside_broken_text_are_counted_together() -> None:
    """Python's protobuf refuses text that our decoder repairs."""
    bad = field(1, field(2, field(2, field(1, b"x" * 16) + field(2, b"short") + field(5, b"\xff"))))
    found = read(protobuf(request(span("good"))) + bad)

    assert (found.spans.num_rows, len(found.problems)) == (1, 1)


@pytest.mark.parametrize(
    "document",
    [
        {"resourceSpans": "no list"},
        {"resource_spans": 7},
        {"batches": {"a": 1}},
        {"trace": {"resourceSpans": "x"}},
        {"hello": "world"},
        [[]],
        [1, 2],
    ],
)
def test_other_documents_are_refused(document: Any) -> None:
    with pytest.raises(FormatError):
        read(document)


def test_links_that_name_nothing_are_counted() -> None:
    sent = as_json(request(span("x", links=[("t", "a"), ("t", "b")])))
    sent["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["links"][0]["spanId"] = None
    (row,) = details.rows(read(sent).spans, NOTHING_HIDDEN).values()

    assert (len(row["link_span_ids"]), row["dropped_links"]) == (1, 1)
