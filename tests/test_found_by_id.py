"""Is a message without any context found by its id, in traces that other calls begin?"""

from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.factories import Value
from tests.scenes import Watch
from tests.telling import LOCAL, Sent, consume, publish, tell, work

QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/orders"


def call(name: str, method: str, message: str | None = "m-1", **more: Any) -> Sent:
    """A call of botocore's, which has no context of what it sends or receives."""
    said: dict[str, Value] = {"rpc.system": "aws-api", "rpc.method": method, "messaging.system": "aws.sqs"}
    said |= {"messaging.url": QUEUE} | ({"messaging.message_id": message} if message else {})
    return work(name, called=f"SQS.{method}", kind=Span.SPAN_KIND_CLIENT, said=said, **more)


@pytest.mark.parametrize("inside", [True, False])
def test_calls_of_botocore_are_joined_by_the_id_of_the_message(inside: bool) -> None:
    """Each is in a trace of its own, or in that of the work around it."""
    loop = work("loop", service="packing", took=900) if inside else None
    sent = call("sent", "SendMessage", service="shop")
    other = call("other", "SendMessage", "m-2", service="shop", at=1)
    taken = call("taken", "ReceiveMessage", service="packing", parent=loop, at=5)
    empty = call("empty", "ReceiveMessage", None, service="packing", parent=loop, at=9)

    told = tell(sent, other, taken, empty, *([loop] if loop else []))
    assert told.deliveries == {(sent, taken)}
    assert told.edge(sent, taken) == ("message_id", "inferred")
    assert told.messages.keys() == {sent, other}
    assert told.reactions == {taken: {taken}}
    assert {one["event_type"] for one in told.document["messages"]} == {"orders"}


def test_live_flows_are_joined_by_that_id(watch: Watch) -> None:
    """The calls come in batches of their own, and nothing else connects their traces."""
    loop = work("loop", service="packing", took=900)
    sent = call("sent", "SendMessage", service="shop")
    taken = call("taken", "ReceiveMessage", service="packing", parent=loop, at=5)
    for one in (taken, sent, loop):
        watch.receive([(one.service, one.span)])

    assert watch.snapshot.flows["reactions"].to_pylist() == [1]
    assert watch.snapshot.flows["messages"].to_pylist() == [1]


def named(message: str) -> dict[str, str]:
    return {"messaging.system": "kafka", "messaging.message.id": message}


def test_id_names_no_message_that_the_handling_led_to() -> None:
    """The handled message was lost, and what the handler sent on has the same id."""
    handling = consume("handling", said=named("m-1"))
    inner = work("inner", parent=handling, service="handling")
    again = publish("again", parent=inner, service="handling", said=named("m-1"))
    linked = publish("linked", links=[handling], said=named("m-2"))
    other = consume("other", said=named("m-2"), parent=None)

    told = tell(handling, inner, again, linked, other)
    assert told.deliveries == {(linked, other)}
    assert told.causes == {(handling, again), (handling, linked)}


def test_id_names_no_message_that_began_after_the_handling() -> None:
    """The sender counts its messages, and began anew."""
    handling = consume("handling", said=named("7"), took=10)
    placed = publish("placed", said=named("7"), at=50)

    assert tell(handling, placed).deliveries == set()


def test_work_at_home_around_a_handling_is_no_context() -> None:
    loop = work("loop", service="packing")
    placed = publish("placed", said=named("m-1"))
    packing = consume("packing", parent=loop, flags=LOCAL, said=named("m-1"), at=2)

    assert tell(loop, placed, packing).deliveries == {(placed, packing)}
