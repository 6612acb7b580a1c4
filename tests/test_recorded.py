"""Does a log record count for the span that it names, whichever of the two comes first, or long after?"""

from dataclasses import replace

import pyarrow as pa
import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from collector import conventions
from collector.conventions import DEFAULT_NAMING
from collector.formats.otlp import Body, Encoding, decode, opened
from collector.model.hiding import NOTHING_HIDDEN, Hiding
from collector.stitching import stitch
from tests.documents import Document, document
from tests.factories import NOW, pairs, ref, span_id
from tests.log_requests import exception, log_request, record
from tests.scenes import MS, Sent, Watch, handling, order, publish, react, table
from tests.test_live import findings

HANDLING = ("A-1", handling("stock", "OrderPlaced", "A-1"))
PAYING = ("A-1", handling("payment", "StockReserved", "A-1"))


def joined(*sent: Sent, records: list[LogRecord], service: str = "stock") -> pa.Table:
    """SPANS of *sent*, and of the log records of a service."""
    body = log_request(*records, service=service).SerializeToString()
    made = decode([Body(body, Encoding.PROTOBUF, logs=True)], NOW, flow_keys=DEFAULT_NAMING.flow_key).spans
    return pa.concat_tables([table(sent, NOW), made])


def told(*sent: Sent, records: list[LogRecord], service: str = "stock") -> Document:
    """The document of *sent*, and of the log records of a service."""
    return document(stitch(conventions.read(joined(*sent, records=records, service=service))))


def halted(key: str, at: int) -> list[Sent]:
    """An order that payment handled without a word: neither an error nor an event."""
    return order(key, at, silent={"payment"})


def test_a_failure_that_only_a_record_tells_of_is_that_of_the_handling(watch: Watch) -> None:
    """Services that send exceptions as logs leave the status unset if the handler's author forgot it."""
    watch.receive([*halted("A-1", watch.now), *order("B-1", watch.now, failing={"payment"})])
    watch.hear(exception(PAYING, "no connection"), service="payment")
    watch.wait(20)

    (a, *cause), (b, *same) = sorted(findings(watch))
    assert (a, b) == ("A-1", "B-1")
    assert cause == same == ["handler_failed", "payment", "PaymentCaptured"]


@pytest.mark.parametrize("late_s", [-1, 1, 30])
def test_whichever_comes_first_the_verdict_is_the_same(watch: Watch, late_s: float) -> None:
    """The record of a long handling comes before its span, which is sent when the handling ends."""
    sent = halted("A-1", watch.now)
    if late_s < 0:
        watch.hear(exception(PAYING), service="payment")
        watch.wait(1)
        watch.receive(sent)
    else:
        watch.receive(sent)
        watch.wait(late_s)
        assert "handler_failed" not in str(findings(watch))
        watch.hear(exception(PAYING), exception(PAYING), service="payment")
    watch.wait(40)

    assert findings(watch) == [("A-1", "handler_failed", "payment", "PaymentCaptured")]


def test_a_record_restores_a_flow_that_was_evicted(watch: Watch) -> None:
    """As a late span does."""
    watch.receive(order("A-1", watch.now))
    watch.wait(30)
    assert "A-1" not in watch.snapshot.flows["id"].to_pylist()
    watch.hear(record("parcel.weighed", of=PAYING), service="payment")

    assert "A-1" in watch.snapshot.flows["id"].to_pylist()


def test_a_record_of_a_span_that_never_comes_makes_nothing(watch: Watch) -> None:
    watch.hear(exception(("A-1", "nowhere")), record("ack", of=("A-1", "nowhere")), service="payment")
    watch.wait(40)

    assert watch.snapshot.flows.num_rows == 0
    assert watch.flows.named("A-1").num_rows == 0
    assert findings(watch) == []


def test_business_events_are_messages_of_the_flow_that_their_key_names(watch: Watch) -> None:
    watch.receive([publish("order", "OrderPlaced", "A-1", at=watch.now)])
    watch.hear(
        record("StockCounted", at=watch.now + MS, attributes={"order.id": "A-1"}),
        record("StockCounted", at=watch.now + MS, attributes={"order.id": "A-1"}),
        record("Unrelated", at=watch.now),
        service="stock",
    )
    (flow,) = watch.snapshot.flows.to_pylist()

    assert (flow["key"], flow["messages"], flow["last_event_type"]) == ("A-1", 2, "StockCounted")


def messages(said: Document) -> list[tuple[str, str]]:
    return [(one["service"], one["event_type"]) for one in said["messages"]]


def test_a_cloud_event_within_a_handling_is_what_the_handling_published() -> None:
    taken = [
        publish("order", "OrderPlaced", "A-1", at=NOW),
        react("stock", "OrderPlaced", "A-1", at=NOW + MS),
    ]
    said = told(
        *taken,
        records=[
            record(
                of=HANDLING,
                at=NOW + 2 * MS,
                attributes={"cloudevents.event_type": "StockReserved"},
            )
        ],
        service="stock",
    )

    assert messages(said) == [("order", "OrderPlaced"), ("stock", "StockReserved")]
    assert sorted(edge["kind"] for edge in said["edges"]) == ["cause", "delivery"]


@pytest.mark.parametrize("of", ["A-1/OrderPlaced", handling("stock", "OrderPlaced", "A-1")])
def test_a_cloud_event_that_its_span_is_about_is_no_second_message(of: str) -> None:
    """Services log what they send and what they take."""
    taken = [
        publish("order", "OrderPlaced", "A-1", at=NOW),
        react("stock", "OrderPlaced", "A-1", at=NOW + MS),
    ]
    logged = record(of=("A-1", of), at=NOW + 2 * MS, attributes={"cloudevents.event_type": "OrderPlaced"})
    service = "order" if "/OrderPlaced" in of and "stock" not in of else "stock"

    said = told(*taken, records=[logged], service=service)

    assert messages(said) == [("order", "OrderPlaced")]
    assert len(said["reactions"]) == 1


def test_a_settle_that_a_record_tells_of_settles_the_message() -> None:
    taken = [
        publish("order", "OrderPlaced", "A-1", at=NOW),
        react("stock", "OrderPlaced", "A-1", at=NOW + MS),
    ]
    done = record("ack", of=HANDLING, at=NOW + 2 * MS)

    (reaction,) = told(*taken, records=[done, done], service="stock")["reactions"]

    assert (reaction["settled"], reaction["acked"]) == (1, 1)


def pieces(failed: str) -> list[Sent]:
    """An event that was sent and handled, by two libraries each; the span *failed* says that it did."""
    placed, sent = (publish("order", "OrderPlaced", "A-1", at=NOW) for _ in range(2))
    handled, again = (react("stock", "OrderPlaced", "A-1", at=NOW + MS) for _ in range(2))
    sent[1].span_id, sent[1].parent_span_id = span_id("sent"), placed[1].span_id
    again[1].span_id, again[1].parent_span_id = span_id("again"), handled[1].span_id
    for _, one in (placed, sent, handled, again):
        if one.span_id == span_id(failed):
            one.status.code, one.status.message = one.status.STATUS_CODE_ERROR, "IOError: no connection"
    return [placed, sent, handled, again]


@pytest.mark.parametrize("name", ["A-1/OrderPlaced", "sent", HANDLING[1], "again"])
def test_a_record_says_of_any_part_what_its_status_would_have_said(name: str) -> None:
    """Also if that span is folded into another: what a sender writes where must not matter."""
    service = "stock" if name in {HANDLING[1], "again"} else "order"
    by_record = told(*pieces(""), records=[exception(("A-1", name))], service=service)
    by_status = told(*pieces(name), records=[record("note", of=("A-1", name), at=NOW)], service=service)

    for part in ("messages", "reactions", "edges", "flows", "notes"):
        assert by_record[part] == by_status[part]


def test_a_status_of_ok_is_believed() -> None:
    service, done = react("stock", "OrderPlaced", "A-1", at=NOW + MS)
    done.status.code = done.status.STATUS_CODE_OK
    placed = publish("order", "OrderPlaced", "A-1", at=NOW)

    (reaction,) = told(placed, (service, done), records=[exception(HANDLING)], service="stock")["reactions"]

    assert reaction["status"] == "ok"


def test_what_records_tell_is_shown_among_the_events_of_their_span_once() -> None:
    """With `logs/dup` an exception comes both ways."""
    service, one = react("stock", "OrderPlaced", "A-1", at=NOW)
    one.events.add(name="exception", time_unix_nano=NOW + MS, attributes=pairs({"exception.message": "x"}))
    both = [exception(HANDLING, "x"), exception(HANDLING, "y"), record("ack", of=HANDLING, at=NOW + 2 * MS)]
    rows = opened.rows(joined((service, one), records=both), NOTHING_HIDDEN)
    events = opened.events(rows[ref(*HANDLING)])

    assert [(event["name"], event["attributes"].get("exception.message")) for event in events] == [
        ("exception", "y"),
        ("exception", "x"),
        ("ack", None),
    ]


def test_a_record_does_not_tell_what_is_hidden_on_its_span() -> None:
    service, one = react("stock", "OrderPlaced", "A-1", at=NOW)
    one.attributes.add(key="card").value.string_value = "4111-1111"
    spans = joined((service, one), records=[exception(HANDLING, "declined: 4111-1111")])
    hiding = Hiding(("card",))
    (event,) = opened.events(opened.rows(spans, hiding)[ref(*HANDLING)])

    assert "4111" not in str(event)
    rows = conventions.read(spans, replace(DEFAULT_NAMING, hiding=hiding))
    assert rows.filter(rows["failed"])["quotable"].to_pylist() == [False]


@pytest.mark.parametrize("of", ["A-1/OrderPlaced", HANDLING[1]])
def test_a_record_that_came_first_is_no_message_once_its_span_is_here(watch: Watch, of: str) -> None:
    """Until then nobody knows what the span is about."""
    logged = record(of=("A-1", of), at=watch.now, attributes={"cloudevents.event_type": "OrderPlaced"})
    watch.hear(logged, service="stock" if of == HANDLING[1] else "order")
    assert watch.snapshot.flows["messages"].to_pylist() == [1]
    watch.receive([publish("order", "OrderPlaced", "A-1", at=watch.now)])
    watch.receive([react("stock", "OrderPlaced", "A-1", at=watch.now)])

    (flow,) = watch.snapshot.flows.to_pylist()
    assert (flow["messages"], flow["reactions"]) == (1, 1)


def test_a_span_that_is_sent_again_after_its_record_is_the_same_span(watch: Watch) -> None:
    """Exporters resend; what the record said is no part of the span."""
    sent = halted("A-1", watch.now)
    watch.receive(sent)
    watch.hear(exception(PAYING), service="payment")
    watch.receive(sent)

    assert not any(chunk.stitched.graph.notes.row.size for chunk in watch.tick._memory.chunks)
