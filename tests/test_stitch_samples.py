"""Does stitching understand what real programs sent? It finds every delivery and counts each span once.

Plain Python reads the truth from the files: message ids, correlation ids and CloudEvents, which the senders
wrote for other purposes than tracing. Files in `../shared/data` are read only if that folder exists.
"""

import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from collector import conventions
from collector.formats.otlp import Body, Encoding, decode
from collector.stitching import stitch
from tests.documents import Document, document

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
FASTSTREAM = SHARED / "captured" / "nats-faststream-small"
EXPORTED = sorted((SHARED / "wire" / "exporters").glob("*otlp*.bin"))
SHOP = Path(__file__).parent / "recorded" / "shop.jsonl"

Said = dict[str, Any]

needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is not here")


def told(*requests: Body) -> Document:
    """The document of *requests*."""
    return document(stitch(conventions.read(spans_of(*requests))))


def spans_of(*requests: Body) -> pa.Table:
    decoded = decode(requests, 0)
    assert [(verdict.error, verdict.rejected) for verdict in decoded.verdicts] == [(None, 0)] * len(requests)
    return decoded.spans


def bodies(data: bytes) -> list[Body]:
    """The requests in a file: one JSON document, or one per line."""
    try:
        json.loads(data)
    except json.JSONDecodeError:
        return [Body(line, Encoding.JSON) for line in data.splitlines() if line.strip()]
    return [Body(data, Encoding.JSON)]


def written(file: Path) -> list[Any]:
    """The requests in a JSON file, one document or one per line, as plain Python reads them."""
    text = file.read_text()
    try:
        return [json.loads(text)]
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]


def spans_in(requests: list[Any]) -> Iterator[tuple[str, Said]]:
    """(service, span) for each span, with its attributes as a flat dict under "said"."""
    for one in requests:
        for resource in one["resourceSpans"]:
            service = flat(resource["resource"].get("attributes", []))["service.name"]
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    yield service, {**span, "said": flat(span.get("attributes", []))}


def flat(attributes: list[Any]) -> Said:
    return {one["key"]: next(iter(one["value"].values()), None) for one in attributes}


def ref(span: Said) -> str:
    return f"{span['traceId']}:{span['spanId']}"


def edges(answer: Document, kind: str) -> set[tuple[str, str]]:
    found = [(edge["from"], edge["to"]) for edge in answer["edges"] if edge["kind"] == kind]
    assert len(found) == len(set(found))
    return set(found)


def carried(file: Path) -> bool:
    """Whether OTLP/HTTP could carry this file: it has OTLP's names, and hex ids of the right lengths."""
    requests = written(file)
    if not all(isinstance(one, dict) and "resourceSpans" in one for one in requests):
        return False
    ids = [(span["traceId"], span["spanId"]) for _, span in spans_in(requests)]
    hexadecimal = set("0123456789abcdefABCDEF")
    return all(
        (len(trace), len(span)) == (32, 16) and not set(trace + span) - hexadecimal for trace, span in ids
    )


OTLP_FILES = [
    *(file for file in sorted((SHARED / "traces" / "otlp").glob("*.json*")) if carried(file)),
    *FASTSTREAM.glob("otlp.jsonl"),
]


@needs_shared
def test_most_sample_files_are_what_otlp_can_carry() -> None:
    """If the files change, the tests below must not silently become empty."""
    assert len(OTLP_FILES) >= 9


@pytest.mark.parametrize("file", OTLP_FILES, ids=lambda file: file.name)
def test_spans_and_traces_of_sample_files_are_counted_once(file: Path) -> None:
    """The counts match the file's known facts, and a second copy of the file changes nothing."""
    facts = json.loads((SHARED / "facts.json").read_text())[str(file.relative_to(SHARED))]
    requests = bodies(file.read_bytes())

    answer = told(*requests)
    assert answer["spans"] == facts["span_records"] - facts["repeated_ids"]
    assert answer["traces"] == facts["traces"]
    again = requests * 2
    random.Random(7).shuffle(again)
    assert json.dumps(told(*again)) == json.dumps(answer)
    if not {"PRODUCER", "CONSUMER"} & set(facts["kinds"]):
        assert (answer["messages"], answer["reactions"], answer["flows"]) == ([], [], [])


@needs_shared
def test_faststream_has_one_message_for_each_create_and_publish() -> None:
    """Each message has two PRODUCER spans: counted twice, one would never get a reaction."""
    spans = list(spans_in(written(FASTSTREAM / "otlp.jsonl")))
    by_message: dict[tuple[str, str], list[str]] = {}
    for _, span in sorted(spans, key=lambda one: int(one[1]["startTimeUnixNano"])):
        if span["kind"] == 4:
            said = span["said"]
            name = said["messaging.message.conversation_id"], said["messaging.destination.name"]
            by_message.setdefault(name, []).append(ref(span))

    answer = told(*bodies((FASTSTREAM / "otlp.jsonl").read_bytes()))
    assert sorted(message["spans"] for message in answer["messages"]) == sorted(by_message.values())


@needs_shared
def test_faststream_deliveries_and_causes_are_all_found_and_none_invented() -> None:
    """A consumer's message id is its publisher's conversation id: evidence that stitching does not need."""
    spans = list(spans_in(written(FASTSTREAM / "otlp.jsonl")))
    creates = {
        (span["said"]["messaging.message.conversation_id"], span["said"]["messaging.destination.name"]): span
        for _, span in spans
        if span["kind"] == 4 and "messaging.operation" not in span["said"]
    }
    consumers = {ref(span): span for _, span in spans if span["kind"] == 5}
    deliveries = {
        (
            ref(
                creates[
                    span["said"]["messaging.message.id"], span["said"]["messaging.destination_publish.name"]
                ]
            ),
            one,
        )
        for one, span in consumers.items()
    }
    parents = {ref(span): f"{span['traceId']}:{span.get('parentSpanId')}" for _, span in spans}
    causes = {(parents[ref(c)], ref(c)) for c in creates.values() if parents[ref(c)] in consumers}

    answer = told(*bodies((FASTSTREAM / "otlp.jsonl").read_bytes()))
    assert len(deliveries) == 19
    assert edges(answer, "delivery") == deliveries
    assert edges(answer, "cause") == causes
    assert {reaction["ref"] for reaction in answer["reactions"]} == set(consumers)
    assert [flow["traces"] for flow in answer["flows"]] == [[trace] for trace in by_time(spans)]
    assert answer["notes"] == []


def by_time(spans: list[tuple[str, Said]]) -> list[str]:
    """The traces, in the order of their first messages."""
    producers = [span for _, span in spans if span["kind"] == 4]
    return list(
        dict.fromkeys(
            span["traceId"] for span in sorted(producers, key=lambda s: int(s["startTimeUnixNano"]))
        )
    )


@needs_shared
def test_faststreams_bodies_as_sent_give_the_same_graph() -> None:
    """The bodies on the wire, zipped or not, must read like the JSON file that was written later."""
    sent = []
    for head in sorted((FASTSTREAM / "wire").glob("*.json")):
        data = head.with_suffix(".bin").read_bytes()
        zipped = json.loads(head.read_text()).get("headers", {}).get("content-encoding") == "gzip"
        sent.append(Body(gzip.decompress(data) if zipped else data, Encoding.PROTOBUF))

    assert told(*reversed(sent)) == told(*bodies((FASTSTREAM / "otlp.jsonl").read_bytes()))


@needs_shared
@pytest.mark.parametrize("file", EXPORTED, ids=lambda file: file.stem)
def test_exporters_of_other_languages_tell_one_flow(file: Path) -> None:
    """Each file has a message, a reaction that is its child, and a linked reaction in a second trace."""
    head = json.loads(file.with_suffix(".json").read_text()).get("headers", {})
    data = file.read_bytes()
    data = gzip.decompress(data) if head.get("content-encoding") == "gzip" else data
    encoding = Encoding.JSON if head.get("content-type") == "application/json" else Encoding.PROTOBUF

    answer = told(Body(data, encoding))
    (message,) = answer["messages"]
    assert (answer["spans"], answer["traces"], len(answer["flows"])) == (4, 2, 1)
    assert {edge["because"] for edge in answer["edges"]} == {"link", "parent"}
    assert {source for source, _ in edges(answer, "delivery")} == {message["ref"]}
    assert [reaction["status"] for reaction in answer["reactions"]].count("error") == 1
    assert len(answer["flows"][0]["traces"]) == 2
    assert answer["notes"] == []


def test_shops_deliveries_are_all_found_and_none_invented() -> None:
    """Each event has an id, and each reaction names the event it handles; a batch names one on each link."""
    spans = list(spans_in(written(SHOP)))
    messages = {span["said"]["cloudevents.event_id"]: span for _, span in spans if span["kind"] == 4}
    expected = set()
    for _, span in spans:
        if span["kind"] != 5:
            continue
        events = [span["said"].get("cloudevents.event_id")]
        if events == [None]:
            events = [flat(link.get("attributes", []))["messaging.message.id"] for link in span["links"]]
        expected |= {(ref(messages[event]), ref(span)) for event in events}

    answer = told(*bodies(SHOP.read_bytes()))
    assert len(expected) > 30
    assert edges(answer, "delivery") == expected
    assert {message["ref"] for message in answer["messages"]} == {ref(span) for span in messages.values()}


def test_shops_orders_are_one_flow_each_and_a_batch_is_each_ones() -> None:
    """Two parcels that left together are still two orders."""
    spans = list(spans_in(written(SHOP)))
    orders: dict[str, set[str]] = {}
    for _, span in spans:
        if span["kind"] == 4:
            orders.setdefault(span["said"]["order.id"], set()).add(ref(span))

    answer = told(*bodies(SHOP.read_bytes()))
    assert {flow["key"]: flow["messages"] for flow in answer["flows"]} == {
        order: len(messages) for order, messages in orders.items()
    }
    name = {flow["id"]: flow["key"] for flow in answer["flows"]}
    for message in answer["messages"]:
        assert message["ref"] in orders[name[message["flow"]]]
    batches = [span for _, span in spans if len(span.get("links", [])) > 1]
    assert batches
    for batch in batches:
        (reaction,) = (item for item in answer["reactions"] if item["ref"] == ref(batch))
        links = {f"{link['traceId']}:{link['spanId']}" for link in batch["links"]}
        assert {name[flow] for flow in reaction["flows"]} == {o for o, m in orders.items() if m & links}


def test_shops_spans_in_any_order_give_the_same_bytes() -> None:
    """The exporters of eight services send in no fixed order."""
    requests = bodies(SHOP.read_bytes())
    spans = spans_of(*requests, *requests)
    order = list(range(spans.num_rows))
    random.Random(3).shuffle(order)

    shuffled = document(stitch(conventions.read(spans.take(pa.array(order)))))
    assert json.dumps(shuffled) == json.dumps(told(*requests))
