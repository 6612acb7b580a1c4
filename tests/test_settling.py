"""How was a message settled, and how often had it been delivered? In the words of every broker."""

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector import conventions
from collector.conventions.settling import MOST_DELIVERIES
from collector.model.readings import Settled
from tests.factories import Value, request, span, table

CLIENT, CONSUMER, PRODUCER = Span.SPAN_KIND_CLIENT, Span.SPAN_KIND_CONSUMER, Span.SPAN_KIND_PRODUCER
SETTLE = {"messaging.operation.type": "settle"}
NATS = {"messaging.system": "nats"}


def said(one: Span) -> tuple[Settled, int]:
    """How a span says that its message was settled, and after how many deliveries."""
    (row,) = conventions.read(table(request(one))).to_pylist()
    return Settled(row["settled"]), row["deliveries"]


@pytest.mark.parametrize(
    ("name", "attributes", "settled"),
    [
        ("ack orders", SETTLE, Settled.ACKED),
        ("orders ack", SETTLE, Settled.ACKED),
        ("settle orders", SETTLE | {"messaging.operation.name": "nack"}, Settled.NACKED),
        ("ack orders", SETTLE | {"messaging.operation.name": "nak"}, Settled.NACKED),
        ("commit orders", {"messaging.operation": "commit"}, Settled.ACKED),
        ("", {"messaging.operation.name": "Reject"}, Settled.NACKED),
        ("", SETTLE | {"messaging.operation.name": "term"}, Settled.TERMINATED),
        ("DeleteMessage", SETTLE | {"messaging.operation.name": "delete"}, Settled.ACKED),
        ("settle orders", SETTLE, Settled.UNSAID),
        ("settle", SETTLE | {"messaging.operation.name": "defer"}, Settled.NACKED),
        ("settle", SETTLE | {"messaging.operation.name": "ponder"}, Settled.UNSAID),
    ],
)
def test_settle_says_how_by_its_verb_else_by_its_name(
    name: str, attributes: dict[str, Value], settled: Settled
) -> None:
    """The operation type is the same for an acknowledgement and a refusal."""
    assert said(span(name, kind=CLIENT, attributes=attributes)) == (settled, 0)


def test_settle_that_failed_settled_nothing() -> None:
    """The broker may deliver the message again."""
    assert said(span("ack orders", kind=CLIENT, attributes=SETTLE, error="timeout"))[0] is Settled.UNSAID


def test_word_for_a_settle_means_nothing_on_other_spans() -> None:
    """An order may be rejected, and a transaction committed, without any broker."""
    assert said(span("reject orders", kind=CONSUMER, attributes=NATS))[0] is Settled.UNSAID
    assert said(span("commit"))[0] is Settled.UNSAID


@pytest.mark.parametrize(
    ("word", "settled"),
    [("ack", Settled.ACKED), ("nak", Settled.NACKED), ("term", Settled.TERMINATED), ("", Settled.UNSAID)],
)
def test_handling_says_itself_how_it_was_settled(word: str, settled: Settled) -> None:
    """`opentelemetry-instrumentation-nats` makes no settle spans: the handling has the outcome."""
    attributes: dict[str, Value] = {**NATS, "messaging.nats.outcome": word}

    assert said(span("process orders", kind=CONSUMER, attributes=attributes))[0] is settled


@pytest.mark.parametrize(
    ("subject", "deliveries"),
    [
        ("$JS.ACK.SHOP.packing.3.17.20.1795406423355166396.0", 3),
        ("$JS.ACK._.x7Hf2.SHOP.packing.3.17.20.1795406423355166396.0", 3),
        ("$JS.ACK.hub.x7Hf2.SHOP.packing.12.17.20.1795406423355166396.0.r4nd0m", 12),
        ("$JS.ACK.hub.x7Hf2.SHOP.packing.99999999.17.20.1795406423355166396.0.r4nd0m", MOST_DELIVERIES),
        ("$JS.ACK.SHOP.packing.3.17", 0),
        ("$JS.ACK.SHOP.packing.x.17.20.1795406423355166396.0", 0),
    ],
)
def test_subject_of_a_settle_counts_the_deliveries(subject: str, deliveries: int) -> None:
    """Only the body says whether it was acknowledged, and spans do not record the body."""
    by_name = span(f"{subject} send", kind=PRODUCER, attributes=NATS)
    by_attribute = span("send", kind=PRODUCER, attributes={"messaging.destination.name": subject})

    assert said(by_name) == said(by_attribute) == (Settled.UNSAID, deliveries)


@pytest.mark.parametrize(
    "attribute",
    [
        "messaging.nats.delivery_count",
        "messaging.servicebus.message.delivery_count",
        "messaging.gcp_pubsub.message.delivery_attempt",
    ],
)
@pytest.mark.parametrize(
    ("value", "deliveries"), [(3, 3), ("3", 3), (0, 0), (-1, 0), ("many", 0), (2**60, 0), (1.5, 0)]
)
def test_attributes_count_the_deliveries(attribute: str, value: Value, deliveries: int) -> None:
    assert said(span(kind=CONSUMER, attributes={attribute: value}))[1] == deliveries
