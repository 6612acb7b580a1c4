"""Does an exported flow survive the round trip? Reading the export gives the stored spans."""

import json
import math
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector import conventions
from collector.formats.otlp import Body, Encoding, decode, to_json
from collector.model import answers as shapes
from collector.model.hiding import NOTHING_HIDDEN
from collector.model.spans import SPANS
from collector.stitching import Stitched, stitch
from tests.collecting import Collector, until
from tests.documents import document, fields
from tests.factories import NOW, Value, field, pairs, request, span, table
from tests.scenes import Sent, order
from tests.sending import attributes, spans
from tests.telling import create, publish, react, work

RECORDED = Path(__file__).parent / "recorded"


def read(written: Any) -> pa.Table:
    """SPANS of an export, which must be JSON that any reader accepts."""
    text = json.dumps(written, allow_nan=False)
    decoded = decode([Body(text.encode(), Encoding.JSON)], NOW)
    assert [(verdict.error, verdict.rejected) for verdict in decoded.verdicts] == [(None, 0)]
    return decoded.spans


def rows(table: pa.Table) -> list[str]:
    """The rows, sorted, so that their order does not matter."""
    return sorted(map(repr, table.to_pylist()))


def only(written: Any) -> dict[str, Any]:
    """The only span of an export."""
    ((one,),) = [scope["spans"] for sender in written["resourceSpans"] for scope in sender["scopeSpans"]]
    return dict(one)


@given(st.lists(st.tuples(spans(), attributes), max_size=6), st.randoms(use_true_random=False))
def test_what_is_exported_is_read_again_as_it_was(
    sent: list[tuple[Span, dict[str, Value]]], random: Random
) -> None:
    """Every field and every type that a sender may write survives."""
    stored = table(*(request(one, resource=of_sender) for one, of_sender in sent))
    shuffled = stored.take(pa.array(random.sample(range(len(sent)), len(sent)), pa.int64()))

    assert rows(read(to_json(shuffled, NOTHING_HIDDEN))) == rows(stored)


def test_equal_sets_of_spans_give_equal_exports() -> None:
    """The store answers in no particular order, yet two exports of one flow can be compared as files."""
    stored = table(request(span("a"), span("b", start=NOW + 1), service="x"), request(span("c"), service="y"))

    assert to_json(stored, NOTHING_HIDDEN) == to_json(stored.take([2, 1, 0]), NOTHING_HIDDEN)


def test_spans_are_spelled_as_otlp_spells_them() -> None:
    """Other tools read the export too: it needs the forms that OTLP specifies for JSON."""
    sent = span("s", id=b"\xab" * 8, trace=b"\xcd" * 16, parent="p", kind=4, start=1, end=2, error="no")
    sent.attributes.extend(
        pairs({"n": -(2**63), "b": b"\xff\xfe", "l": [1, "x"], "m": {"k": True}, "e": None})
    )
    sent.links.add(trace_id=b"\x01" * 16, span_id=b"\x02" * 8, attributes=pairs({"offset": 7}))
    sent.events.add(name="retry", time_unix_nano=2**63, dropped_attributes_count=1)
    sent.flags, sent.trace_state = 0x301, "k=v"
    sent.dropped_attributes_count, sent.dropped_events_count, sent.dropped_links_count = 1, 2, 3
    written = to_json(table(request(sent, service="shop")), NOTHING_HIDDEN)

    (sender,) = written["resourceSpans"]
    assert sender["resource"] == {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    assert sender["scopeSpans"][0]["scope"] == {"name": "tests"}
    assert only(written) == {
        "traceId": "cd" * 16,
        "spanId": "ab" * 8,
        "parentSpanId": span(parent="p").parent_span_id.hex(),
        "traceState": "k=v",
        "flags": 0x301,
        "name": "s",
        "kind": 4,
        "startTimeUnixNano": "1",
        "endTimeUnixNano": "2",
        "attributes": [
            {"key": "n", "value": {"intValue": str(-(2**63))}},
            {"key": "b", "value": {"bytesValue": "//4="}},
            {"key": "l", "value": {"arrayValue": {"values": [{"intValue": "1"}, {"stringValue": "x"}]}}},
            {"key": "m", "value": {"kvlistValue": {"values": [{"key": "k", "value": {"boolValue": True}}]}}},
            {"key": "e", "value": {}},
        ],
        "droppedAttributesCount": 1,
        "events": [{"name": "retry", "timeUnixNano": str(2**63), "droppedAttributesCount": 1}],
        "droppedEventsCount": 2,
        "links": [
            {
                "traceId": "01" * 16,
                "spanId": "02" * 8,
                "attributes": [{"key": "offset", "value": {"intValue": "7"}}],
                "droppedAttributesCount": 0,
            }
        ],
        "droppedLinksCount": 3,
        "status": {"code": 2, "message": "no"},
    }


@pytest.mark.parametrize(
    ("number", "word"), [(math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity")]
)
def test_doubles_that_json_has_no_word_for_are_read_again(number: float, word: str) -> None:
    stored = table(request(span(attributes={"plain": number, "within": [number]})))
    written = to_json(stored, NOTHING_HIDDEN)

    plain, within = only(written)["attributes"]
    assert plain["value"] == {"doubleValue": word}
    assert within["value"] == {"arrayValue": {"values": [{"doubleValue": word}]}}
    assert rows(read(written)) == rows(stored)


def test_what_is_nested_too_deep_is_counted_as_dropped() -> None:
    """It came as bytes that nobody decoded; the rest of the flow is exported all the same."""
    deep = b""
    for _ in range(200):
        deep = field(1, field(5, deep))
    row = {
        **table(request(span(links=[("t", "a")]))).to_pylist()[0],
        "attribute_keys": ["deep", "near"],
        "attribute_types": [5, 1],
        "attribute_values": [deep, b"x"],
        "dropped_attributes": 2**32 - 1,
        "events": [field(3, field(2, field(5, deep)))],
        "link_attributes": [[field(2, field(5, deep))]],
    }
    written = to_json(pa.Table.from_pylist([row], schema=SPANS), NOTHING_HIDDEN)

    one = only(written)
    assert [pair["key"] for pair in one["attributes"]] == ["near"]
    assert (one["droppedAttributesCount"], one["droppedEventsCount"]) == (2**32 - 1, 1)
    assert (one["links"][0]["attributes"], one["links"][0]["droppedAttributesCount"]) == ([], 1)
    assert read(written).num_rows == 1


def test_no_spans_are_an_empty_request() -> None:
    assert to_json(SPANS.empty_table(), NOTHING_HIDDEN) == {"resourceSpans": []}


# With a running collector


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """A collector with a real shop's spans, batches included, and an order whose name is a trap."""
    running = Collector(tmp_path_factory.mktemp("export")).start()
    for body in sorted(RECORDED.glob("*.binpb")):
        running.post(body.read_bytes())
    running.send([*order(TRAP, time.time_ns()), *_of_all_shapes()])
    known(running, "B-1")  # sent last, so all of it is known
    yield running
    assert running.stop() == 0


TRAP = "A/17 <b>/spans"
PLAIN, BATCHED = ("A-HBL6XNL3", "A-HBL6XNL8"), ("A-HBL6XNKX", "A-HBL6XNL6")


def _of_all_shapes() -> Iterable[Sent]:
    """An order with a create, work inside a handling, two attempts, and a parent that never arrived."""
    created = create("created", key="B-1")
    send = publish("sent", parent=created, at=1)
    first = react("first", created, at=2, error="no", service="packing")
    second = react("second", created, at=9, service="packing")
    inside = work("inside", parent=second, service="packing", at=10)
    packed = publish("packed", parent=inside, service="packing", at=11)
    orphan = react("orphan", publish("lost", trace=created.trace), service="mailer", at=3, key="B-1")
    return [(one.service, one.span) for one in (created, send, first, second, inside, packed, orphan)]


def known(collector: Collector, key: str) -> Any:
    """The flow's document, once the live part knows the flow."""
    until(lambda: collector.get(f"/api/v1/flows/{_quoted(key)}").status_code != 404)
    return collector.ask(f"/flows/{_quoted(key)}")


def _quoted(key: str) -> str:
    return key.replace("<", "%3C").replace(">", "%3E").replace(" ", "%20")


def stitched(spans: pa.Table) -> Stitched:
    return stitch(conventions.read(spans))


def graph(answer: Any, name: str) -> Any:
    """The part of a flow's document that `stitch` would give, with its flow called *name*."""
    nodes = {part: [_only(node, FIELDS[part], name) for node in answer[part]] for part in FIELDS}
    (item,) = answer["flows"]
    flow = {"id": name, "key": item["key"], "traces": sorted(item["traces"])}
    flow |= {part: len(found) for part, found in nodes.items()}
    whole = {**answer, **nodes, "flows": [flow]}
    return {part: whole[part] for part in document(stitched(SPANS.empty_table()))}


FIELDS = {
    "messages": "ref spans event_type destination system service request time_unix_nano",
    "reactions": "ref spans service group attempts start_unix_nano end_unix_nano status "
    "settled acked nacked terminated deliveries",
}


def _only(node: Any, fields: str, flow: str) -> Any:
    return {**{name: node[name] for name in fields.split()}, "flow": flow}


@pytest.mark.parametrize("key", [*PLAIN, TRAP, "B-1"])
def test_the_export_is_stitched_into_the_same_graph(collector: Collector, key: str) -> None:
    """A person who gets the file sees what is seen here: every message, edge and note."""
    known(collector, key)
    written = collector.ask(f"/spans/{_quoted(key)}")
    seen = document(stitched(read(written)))
    # A span that may still be on its way is not called lost.
    until(lambda: len(known(collector, key)["notes"]) == len(seen["notes"]))

    fields(shapes.Spans, written)
    assert seen == graph(known(collector, key), "f1")


@pytest.mark.parametrize("key", BATCHED)
def test_of_a_batch_only_this_flow_is_exported(collector: Collector, key: str) -> None:
    """No customer's export may contain another customer's order: the rest of the batch is left out."""
    shown = graph(known(collector, key), "f1")
    again = document(stitched(read(collector.ask(f"/spans/{key}"))))
    refs = {message["ref"] for message in again["messages"]}

    assert [again[part] for part in ("spans", "messages", "reactions", "flows")] == [
        shown[part] for part in ("spans", "messages", "reactions", "flows")
    ]
    assert [edge for edge in again["edges"] if edge["kind"] == "cause" or edge["from"] in refs] == shown[
        "edges"
    ]
    assert {note["kind"] for note in again["notes"] if note not in shown["notes"]} == {"missing_link_target"}


def test_a_flow_that_is_not_known_has_no_export(collector: Collector) -> None:
    answer = collector.get("/api/v1/spans/nobody")

    assert answer.status_code == 404
    assert answer.json()["error"] == "no flow 'nobody': expected a flow key, a flow id or a trace id."
