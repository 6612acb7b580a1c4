"""Do we read what the Collector's file exporter writes, and what a search of stored spans returns?"""

import json
from collections.abc import Callable
from typing import Any

import pytest

from collector import conventions, formats
from collector.formats import FormatError
from collector.model.spans import Kind
from collector.stitching import stitch
from tests.documents import Document, document
from tests.factories import NOW, protobuf, request, span
from tests.filing import LONG_TRACE, MICROS, SHORT_TRACE, reference

SENT, TAKEN = "a1" * 8, "b2" * 8


def exported(*messages: bytes) -> bytes:
    """The messages as the file exporter writes them."""
    return b"".join(len(message).to_bytes(4, "big") + message for message in messages)


def messages() -> list[bytes]:
    said = {"messaging.system": "kafka", "messaging.destination.name": "parcels"}
    sent = span("parcels send", id="sent", kind=Kind.PRODUCER, attributes=said)
    taken = span("parcels process", id="taken", parent="sent", kind=Kind.CONSUMER, attributes=said)
    return [protobuf(request(sent, service="web")), protobuf(request(taken, service="packing"))]


def names(data: bytes) -> list[str]:
    found: list[str] = formats.read(data, NOW).spans["name"].to_pylist()
    return found


def test_messages_after_their_lengths_are_read() -> None:
    assert names(exported(*messages())) == ["parcels send", "parcels process"]
    assert names(exported(messages()[0])) == ["parcels send"]
    # Larger than what two bytes can tell.
    many = protobuf(request(*(span(f"n{number}") for number in range(2_000))))
    assert len(names(exported(many, *messages()))) == 2_002


@pytest.mark.parametrize("cut", [1, 4, 5, 30])
def test_a_file_that_is_still_written_to_gives_what_is_whole(cut: int) -> None:
    first, second = messages()
    found = formats.read(exported(first) + exported(second)[:cut], NOW)

    assert found.spans["name"].to_pylist() == ["parcels send"]
    (problem,) = found.problems
    assert problem.text.startswith("Message 2 of 2 cannot be read: ")


def test_a_message_that_cannot_be_read_costs_the_others_nothing() -> None:
    first, second = messages()
    found = formats.read(exported(first, b"\n\xff\xff", second), NOW)

    assert found.spans["name"].to_pylist() == ["parcels send", "parcels process"]
    assert [problem.text.split(" cannot")[0] for problem in found.problems] == ["Message 2 of 3"]


@pytest.mark.parametrize("data", [b"\0\0\0\0" * 9, b"\0\0\0\x05hello", b"\0\0\1\0\n\x05", b"\0" * 3])
def test_what_only_begins_like_a_length_is_no_such_file(data: bytes) -> None:
    with pytest.raises(FormatError):
        formats.read(data, NOW)


def stored(own: str, tags: dict[str, Any], dot: str = "@", **fields: Any) -> dict[str, Any]:
    """A span as Jaeger stores it in Elasticsearch, with its tags as fields."""
    return {
        "traceID": LONG_TRACE,
        "spanID": own,
        "operationName": "work",
        "references": [],
        "startTime": MICROS,
        "startTimeMillis": MICROS // 1000,
        "duration": 250,
        "tags": [],
        "tag": {name.replace(".", dot): value for name, value in tags.items()},
        "logs": [],
        "process": {"serviceName": "packing", "tags": [], "tag": {f"host{dot}name": "h-1"}},
        **fields,
    }


def pair(dot: str = "@") -> list[dict[str, Any]]:
    system = {"messaging.system": "kafka", "messaging.destination.name": "parcels"}
    sent = stored(SENT, {"span.kind": "producer", **system}, dot)
    said = {"span.kind": "consumer", "error": True, "messaging.kafka.consumer.group": "packers", **system}
    return [sent, stored(TAKEN, said, dot, references=[reference("CHILD_OF", SENT)])]


def nested(tags: dict[str, Any]) -> dict[str, Any]:
    """Fields with dots in their names, as objects."""
    made: dict[str, Any] = {}
    for name, value in tags.items():
        *above, last = name.split(".")
        here = made
        for part in above:
            here = here.setdefault(part, {})
        here[last] = value
    return made


def told(data: bytes) -> Document:
    found = formats.read(data, NOW)
    assert found.problems == []
    return document(stitch(conventions.read(found.spans)))


def lines(*documents: Any) -> bytes:
    return b"\n".join(json.dumps(one).encode() for one in documents)


def hit(source: dict[str, Any]) -> dict[str, Any]:
    return {"_index": "jaeger-span-2026-12-01", "_id": "x", "_score": 1.0, "_source": source}


WAYS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "lines": lambda spans: lines(*spans),
    "a list": lines,
    "lines of hits": lambda spans: lines(*map(hit, spans)),
    "a list of hits": lambda spans: lines([hit(one) for one in spans]),
    "a search": lambda spans: lines({"took": 3, "hits": {"total": 2, "hits": [hit(one) for one in spans]}}),
    "several searches": lambda spans: lines(
        {"took": 3, "responses": [{"status": 200, "hits": {"hits": [hit(one)]}} for one in spans]}
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dot", ["@", "#", "_", "."])
def test_tags_as_fields_say_what_tags_in_a_list_say(way: str, dot: str) -> None:
    """The same facts in another form are the same graph."""
    spans = pair(dot)
    if dot == ".":
        for one in spans:
            one["tag"] = nested(one["tag"])
    answer = told(WAYS[way](spans))
    listed = [
        {
            **one,
            "tag": None,
            "tags": [
                {"key": key.replace("@", "."), "type": "string", "value": value}
                for key, value in one["tag"].items()
            ],
        }
        for one in pair()
    ]

    assert answer == told(lines(listed))
    assert [one["event_type"] for one in answer["messages"]] == ["parcels"]
    assert [(one["group"], one["status"]) for one in answer["reactions"]] == [("packers", "error")]


def test_zipkins_documents_are_found_in_a_search_as_well() -> None:
    one = {"traceId": SHORT_TRACE, "id": "c" * 16, "name": "work", "timestamp": MICROS, "timestamp_millis": 1}

    assert names(lines({"hits": {"hits": [hit(one)]}})) == names(lines(hit(one))) == ["work"]


def test_fields_that_are_no_object_are_named() -> None:
    found = formats.read(lines({**pair()[0], "tag": 7}, pair()[1]), NOW)

    assert found.spans.num_rows == 1
    assert [problem.text for problem in found.problems] == ["The tag of a span is '7': expected an object."]
