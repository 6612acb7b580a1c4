"""Do we read Jaeger's JSON? Its tags and references say what OTLP has fields for."""

from typing import Any

import pytest

from collector.formats.otlp import opened as details
from collector.model.spans import Kind, Status
from tests.factories import NOW
from tests.filing import LONG_TRACE, MICROS, edges, jaeger, read, reference, span_of, told, trace

OTHER = "b" * 32


def test_a_span_keeps_what_its_sender_said() -> None:
    log = [{"key": "event", "type": "string", "value": "retry"}, {"key": "n", "type": "int64", "value": 2}]
    row = span_of(
        trace(
            jaeger(
                "c" * 16,
                ("span.kind", "string", "producer"),
                ("otel.library.name", "string", "shop"),
                ("w3c.tracestate", "string", "a=b"),
                flags=1,
                logs=[{"timestamp": MICROS + 5, "fields": log}],
            )
        )
    )

    assert (row["name"], row["kind"], row["service"]) == ("work", Kind.PRODUCER, "order")
    assert (row["start_unix_nano"], row["end_unix_nano"]) == (NOW, NOW + 250_000)
    assert (row["trace_state"], row["flags"], details.scope(row)["name"]) == ("a=b", 1, "shop")
    assert details.resource(row) == {"service.name": "order", "host": "h-1"}
    assert details.attributes(row) == {}
    assert details.events(row) == [
        {"name": "retry", "time_unix_nano": NOW + 5000, "attributes": {"n": 2}, "dropped_attributes": 0}
    ]


@pytest.mark.parametrize(
    ("kind", "written", "value"),
    [
        ("string", "7", "7"),
        ("bool", True, True),
        ("bool", "true", True),
        ("int64", 7, 7),
        ("int64", "9007199254740993", 9007199254740993),
        ("int64", 2**63, str(2**63)),
        ("float64", 0.5, 0.5),
        ("float64", 3, 3.0),
        ("float64", "1.5", 1.5),
        ("binary", "AP8=", {"base64": "AP8="}),
        ("binary", "no base64!", "no base64!"),
        ("string", None, None),
        ("string", ["a", 1], '["a",1]'),
    ],
)
def test_tags_keep_their_types(kind: str, written: Any, value: Any) -> None:
    """JavaScript cannot hold an int64, so some writers put it into a string."""
    said = details.attributes(span_of(trace(jaeger("c" * 16, ("x", kind, written)))))["x"]

    assert said == value
    assert type(said) is type(value)


@pytest.mark.parametrize(
    ("tags", "code", "message"),
    [
        ([], Status.UNSET, ""),
        ([("error", "bool", True)], Status.ERROR, ""),
        ([("error", "string", "true")], Status.ERROR, ""),
        ([("error", "string", "card declined")], Status.ERROR, "card declined"),
        ([("error", "bool", False)], Status.UNSET, ""),
        ([("otel.status_code", "string", "OK")], Status.OK, ""),
        (
            [
                ("otel.status_code", "string", "ERROR"),
                ("otel.status_description", "string", "late"),
                ("error", "bool", True),
            ],
            Status.ERROR,
            "late",
        ),
    ],
)
def test_tags_tell_how_a_span_ended(tags: list[tuple[str, str, Any]], code: Status, message: str) -> None:
    row = span_of(trace(jaeger("c" * 16, *tags)))

    assert (row["status_code"], row["status_message"]) == (code, message)


@pytest.mark.parametrize(
    ("references", "parent", "links"),
    [
        ([], "", []),
        ([("CHILD_OF", "1")], "1", []),
        ([("CHILD_OF", "1"), ("CHILD_OF", "2")], "1", ["2"]),
        ([("FOLLOWS_FROM", "1"), ("CHILD_OF", "2")], "2", ["1"]),
        ([("FOLLOWS_FROM", "1"), ("FOLLOWS_FROM", "2")], "1", ["1", "2"]),
        ([("CHILD_OF", "1", OTHER)], "", ["1"]),
        ([("CHILD_OF", "1", OTHER), ("CHILD_OF", "2")], "2", ["1"]),
    ],
)
def test_references_are_a_parent_and_links(
    references: list[tuple[str, ...]], parent: str, links: list[str]
) -> None:
    """A span has one parent; whatever else it refers to is a message that it may have handled."""
    written = [reference(word, span * 16, *other) for word, span, *other in references]
    row = span_of(trace(jaeger("c" * 16, references=written)))

    assert row["parent_span_id"].hex().strip("0") == parent * 16
    assert [link.hex() for link in row["link_span_ids"]] == [link * 16 for link in links]


def test_parents_of_old_exports_are_parents() -> None:
    assert span_of(trace(jaeger("c" * 16, parentSpanID="d" * 16)))["parent_span_id"].hex() == "d" * 16
    assert span_of(trace(jaeger("c" * 16, parentSpanID="0")))["parent_span_id"] == bytes(8)


def test_messages_are_delivered_along_references() -> None:
    """A consumer in the same trace is found by its parent, one in another trace by its reference."""
    publish = jaeger("1" * 16, ("span.kind", "string", "producer"))
    process = ("span.kind", "string", "consumer")
    child = jaeger("2" * 16, process, references=[reference("CHILD_OF", "1" * 16)], processID="p2")
    followed = jaeger(
        "3" * 16,
        process,
        traceID=OTHER,
        references=[reference("FOLLOWS_FROM", "1" * 16)],
        process={"serviceName": "audit"},
    )
    answer = told({"data": [trace(publish, child), {**trace(followed), "traceID": OTHER}]})

    assert edges(answer) == {("delivery", "1" * 16, "2" * 16), ("delivery", "1" * 16, "3" * 16)}
    assert {reaction["service"] for reaction in answer["reactions"]} == {"packing", "audit"}
    assert len(answer["flows"]) == 1


def test_ids_are_shown_as_they_were_written() -> None:
    """Ids may lack their leading zeros, while a reference to the same id has them."""
    publish = jaeger("F1", ("span.kind", "string", "producer"), traceID="3E8")
    process = jaeger(
        "0" * 14 + "f2",
        ("span.kind", "string", "consumer"),
        traceID="3e8",
        references=[reference("CHILD_OF", "00000000000000f1", "0" * 29 + "3e8")],
    )
    answer = told(trace(publish, process))

    assert [(edge["from"], edge["to"]) for edge in answer["edges"]] == [("3e8:f1", "3e8:" + "0" * 14 + "f2")]
    assert (answer["traces"], answer["flows"][0]["traces"]) == (1, ["3e8"])


@pytest.mark.parametrize(
    "document",
    [
        trace(jaeger()),
        [trace(jaeger())],
        {"data": [trace(jaeger())], "errors": None},
        {"data": trace(jaeger())},
        {"data": [None, {"traceID": LONG_TRACE, "spans": None}, trace(None, jaeger())]},
        [jaeger(process={"serviceName": "order"})],
        jaeger(process={"serviceName": "order"}),
    ],
)
def test_traces_come_in_many_wrappings(document: Any) -> None:
    found = read(document)

    assert found.spans["service"].to_pylist() == ["order"]
    assert all(problem.text.startswith("A span is") for problem in found.problems)


def test_a_span_whose_process_is_missing_is_still_a_span() -> None:
    assert span_of(trace(jaeger(processID="p9")))["service"] == "unknown_service"


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        ({"spanID": ""}, "invalid_id"),
        ({"spanID": "0000000000000000"}, "invalid_id"),
        ({"traceID": None}, "invalid_id"),
        ({"traceID": ["x"]}, "invalid_id"),
        ({"references": [{"refType": "CHILD_OF"}]}, "invalid_id"),
        ({"startTime": "yesterday"}, "unreadable"),
        ({"startTime": -1}, "unreadable"),
        ({"duration": 2**64}, "unreadable"),
        ({"startTime": 1e300}, "unreadable"),
        ({"tags": "x"}, "unreadable"),
        ({"logs": [7]}, "unreadable"),
    ],
)
def test_a_bad_span_is_named_and_costs_no_other(damage: dict[str, Any], kind: str) -> None:
    found = read(trace(jaeger("1" * 16), jaeger("2" * 16, **damage), jaeger("3" * 16)))

    assert [one.hex()[0] for one in found.spans["span_id"].to_pylist()] == ["1", "3"]
    (problem,) = found.problems
    assert problem.kind == kind
    assert "xpected" in problem.text
    assert problem.ref is None or problem.ref.startswith(LONG_TRACE)
