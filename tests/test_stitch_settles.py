"""Settles that clients write like handlings: do they settle, and make no reaction of their own?"""

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector import conventions
from collector.model.spans import Kind
from collector.stitching import stitch
from tests.documents import Document, document
from tests.factories import NOW, SECOND, Value, request, span, table

SYSTEM: dict[str, Value] = {"messaging.system": "gcp_pubsub", "messaging.destination.name": "parcels-sub"}


def told(*requests: ExportTraceServiceRequest) -> Document:
    return document(stitch(conventions.read(table(*requests))))


@pytest.mark.parametrize("operation", [{}, {"messaging.operation": "receive"}])
@pytest.mark.parametrize("with_receive", [True, False])
def test_a_root_that_acknowledges_what_was_received_is_no_reaction(
    operation: dict[str, Value], with_receive: bool
) -> None:
    """Google's clients write them as consumers, in traces of their own, with a link to the receive."""
    sent = span(
        "parcels create", id="sent", kind=Kind.PRODUCER, attributes={"messaging.system": "gcp_pubsub"}
    )
    taken = span(
        "parcels-sub subscribe",
        id="taken",
        parent="sent",
        kind=Kind.CONSUMER,
        start=NOW + SECOND,
        attributes={**SYSTEM, "messaging.operation": "receive"},
    )
    done = span(
        "parcels-sub process",
        id="done",
        parent="taken",
        start=NOW + SECOND,
        attributes={**SYSTEM, "messaging.operation": "process"},
    )
    later = [
        span(
            f"parcels-sub {verb}",
            trace=verb,
            kind=Kind.CONSUMER,
            links=[("trace", "taken")],
            start=NOW + 2 * SECOND,
            attributes={**SYSTEM, **operation},
        )
        for verb in ("modack", "ack")
    ]
    handled = [taken, done] if with_receive else []
    answer = told(request(sent, service="web"), request(*handled, *later, service="worker"))

    assert len(answer["messages"]) == 1
    assert [(one["attempts"], one["acked"], one["settled"]) for one in answer["reactions"]] == (
        [(1, 1, 1)] if with_receive else []
    )


@pytest.mark.parametrize(
    ("verb", "outcome"),
    [("Complete", "acked"), ("Abandon", "nacked"), ("Defer", "nacked"), ("DeadLetter", "terminated")],
)
def test_a_settle_that_only_its_name_tells_says_how_the_message_ended(verb: str, outcome: str) -> None:
    """A message that was given up looks well otherwise."""
    bus: dict[str, Value] = {"messaging.system": "servicebus", "messaging.destination.name": "invoices"}
    sent = span("send invoices", id="sent", kind=Kind.PRODUCER, attributes=bus)
    done = span(
        "ServiceBusProcessor.ProcessMessage",
        id="done",
        parent="sent",
        kind=Kind.CONSUMER,
        attributes={**bus, "messaging.operation": "process"},
    )
    end = span(f"ServiceBusReceiver.{verb}", parent="done", kind=Kind.CLIENT, attributes=bus)
    (reaction,) = told(request(sent, service="web"), request(done, end, service="ledger"))["reactions"]

    assert [name for name in ("acked", "nacked", "terminated") if reaction[name]] == [outcome]
