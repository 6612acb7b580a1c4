"""Does the document keep its promise to scripts? Its fields, its order and its words stay."""

import json

import numpy as np
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.model import answers as shapes
from tests.documents import document, fields
from tests.telling import Sent, consume, create, publish, react, receive, stitched, tell, work


def order() -> list[Sent]:
    """Two orders that share a batch, a redelivery, a lost message, and a span without a flow."""
    request = work("request", key="A-1", kind=Span.SPAN_KIND_SERVER)
    placed = create("placed", parent=request, at=1)
    sending = publish("sending", parent=placed, at=2)
    other = publish("other", key="A-2", at=3)
    failed = react("packing", placed, at=4, error="no paper", group="packers")
    second = {"messaging.nats.delivery_count": 2}
    again = react("again", placed, service="packing", at=8, group="packers", said=second)
    batch = consume("batch", placed, other, at=6, service="stats", said={"messaging.nats.outcome": "ack"})
    stray = consume("stray", publish("lost"), at=7)
    return [request, placed, sending, other, failed, again, batch, stray, work("cron")]


def test_document_has_the_fields_and_the_words_of_the_promise() -> None:
    """Scripts rely on them for years: fields may be added, but none renamed."""
    _, placed, sending, other, failed, again, batch, stray, _ = sent = order()
    lost = publish("lost")
    start = {one: one.span.start_time_unix_nano for one in sent}
    end = {one: one.span.end_time_unix_nano for one in sent}

    def message(one: Sent, spans: list[Sent], flow: str) -> dict[str, object]:
        return {
            "ref": one.ref,
            "spans": [part.ref for part in spans],
            "event_type": "orders",
            "destination": "orders",
            "system": None,
            "service": "order",
            "request": False,
            "time_unix_nano": start[one],
            "flow": flow,
        }

    def delivery(source: Sent, target: Sent, because: str) -> dict[str, object]:
        certainty = {
            "because": because,
            "certainty": "inferred" if source is lost else "observed",
            "across_clocks": source is not lost,
        }
        return {"from": source.ref, "to": target.ref, "kind": "delivery", **certainty}

    def reaction(one: Sent, spans: list[Sent], **more: object) -> dict[str, object]:
        return {
            "ref": one.ref,
            "spans": [part.ref for part in spans],
            "service": one.service,
            "group": "packers" if one is failed else one.service,
            "attempts": len(spans),
            "start_unix_nano": start[one],
            "end_unix_nano": end[spans[-1]],
            "status": "ok",
            "settled": 1 if one is batch else 0,
            "acked": 1 if one is batch else 0,
            "nacked": 0,
            "terminated": 0,
            "deliveries": 2 if one is failed else None,
            **more,
        }

    def clock(service: str, other: str, at_most: float, edges: int) -> dict[str, object]:
        bounds = {"ahead_ms": None, "at_least_ms": None, "at_most_ms": at_most}
        return {"service": service, "other": other, **bounds, "edges": edges}

    edges = [
        delivery(placed, failed, "parent"),
        delivery(placed, batch, "link"),
        delivery(other, batch, "link"),
        delivery(lost, stray, "link"),
    ]
    assert tell(*sent).document == {
        "spans": 9,
        "shown": 9,
        "before": 0,
        "next_cursor": None,
        "earlier_cursor": None,
        "later_cursor": None,
        "traces": 5,
        "messages": [message(placed, [placed, sending], "f1"), message(other, [other], "f2")],
        "reactions": [
            reaction(failed, [failed, again], flow="f1"),
            reaction(batch, [batch], flow="f1", flows=["f1", "f2"]),
            reaction(stray, [stray], flow="f3"),
        ],
        "edges": sorted(edges, key=lambda edge: (str(edge["from"]), str(edge["to"]))),
        "flows": [
            {
                "id": "f1",
                "key": "A-1",
                "traces": sorted(one.span.trace_id.hex() for one in (placed, batch)),
                "messages": 1,
                "reactions": 2,
            },
            {
                "id": "f2",
                "key": "A-2",
                "traces": sorted(one.span.trace_id.hex() for one in (other, batch)),
                "messages": 1,
                "reactions": 1,
            },
            {"id": "f3", "key": None, "traces": [stray.span.trace_id.hex()], "messages": 0, "reactions": 1},
        ],
        "clocks": [
            clock("order", "packing", at_most=3.0, edges=1),
            clock("order", "stats", at_most=3.0, edges=2),
        ],
        "notes": [
            {
                "kind": "missing_link_target",
                "ref": stray.ref,
                "text": "it links to a span that was not received",
            }
        ],
        "unusable": 0,
    }


def test_document_is_what_the_api_says_it_is() -> None:
    """The OpenAPI page is drawn from these shapes."""
    fields(shapes.Stitched, json.loads(json.dumps(tell(*order()).document)))


def test_words_and_control_characters_pass_as_they_are() -> None:
    """Names are data; the part that displays them makes them harmless."""
    name = '<script>\x00"\u202e' + "x" * 5000
    placed = publish("placed", subject=name, key=name)

    told = tell(placed)
    assert told.document["messages"][0]["destination"] == name
    assert told.keys == [name]
    json.dumps(told.document).encode()


def test_one_flow_has_its_own_document() -> None:
    """Of a shared batch it shows only this flow's part, under the name that the reader knows."""
    sent = order()
    other, batch, both = sent[3], sent[6], stitched(*sent)

    alone = document(both, only=1, flow_ids=["A-1", "A-2", "t"])
    assert [item["ref"] for item in alone["messages"]] == [other.ref]
    assert [(item["ref"], item["flow"]) for item in alone["reactions"]] == [(batch.ref, "A-2")]
    assert "flows" not in alone["reactions"][0]
    assert [(edge["from"], edge["to"]) for edge in alone["edges"]] == [(other.ref, batch.ref)]
    assert [flow["id"] for flow in alone["flows"]] == ["A-2"]
    assert (alone["spans"], alone["traces"], alone["notes"]) == (2, 2, [])


def test_documents_of_flows_have_everything_of_the_document_of_all() -> None:
    """Nothing is lost, and nothing appears twice except what flows share."""
    both = stitched(*order())
    whole, each = document(both), [document(both, only=number) for number in range(3)]

    for part, name in (("messages", "ref"), ("reactions", "ref"), ("notes", "ref")):
        assert {item[name] for one in each for item in one[part]} == {item[name] for item in whole[part]}
    edges = [(edge["from"], edge["to"]) for one in each for edge in one["edges"]]
    assert sorted(edges) == sorted((edge["from"], edge["to"]) for edge in whole["edges"])


@pytest.mark.parametrize("what", ["messages", "reactions"])
def test_parts_are_sorted_by_time(what: str) -> None:
    """Two runs over one file give equal bytes, and a reader finds the beginning at the top."""
    sent = [one for at in (5, 1, 3) for one in (publish(f"m{at}", at=at), consume(f"c{at}", at=at))]
    told = tell(*sent).document[what]

    times = [item.get("time_unix_nano", item.get("start_unix_nano")) for item in told]
    assert times == sorted(times)


def test_spans_of_a_reaction_begin_with_its_own() -> None:
    """The poll began earlier, but it is not what reacted."""
    placed = publish("placed")
    poll = receive("poll", placed, service="packing", at=1)
    packing = consume("packing", parent=poll, at=2)

    (reaction,) = tell(placed, poll, packing).document["reactions"]
    assert reaction["spans"] == [packing.ref, poll.ref]


def test_numbers_are_pythons_own() -> None:
    """JSON encoders refuse NumPy's numbers."""

    def walk(value: object) -> None:
        assert not isinstance(value, np.generic)
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            walk(inner)

    walk(tell(*order()).document)
