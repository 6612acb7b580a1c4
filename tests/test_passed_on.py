"""When is a parent doubted? Only where a framework passed a context on, as everything else shows."""

from typing import Any

import pytest

from tests.telling import REMOTE, Sent, publish, receive, tell

EXCHANGE, QUEUE = "Shop:PlaceOrder", "place-order"


def talk(destination: str, conversation: str = "c-7") -> dict[str, str]:
    """What a span says of its destination and its conversation, by the names of MassTransit."""
    return {"messaging.destination.name": destination, "messaging.conversation_id": conversation}


def send(name: str, subject: str, **more: Any) -> Sent:
    return publish(name, subject=subject, said=talk(subject), **more)


def take(name: str, message: Sent, **more: Any) -> Sent:
    usual = {"parent": message, "flags": REMOTE, "service": "orders", "said": talk(QUEUE)}
    return receive(name, **{**usual, **more})


def redelivered() -> list[Sent]:
    """A handler fails, and sends the message to its own queue again, while it is still being handled."""
    placed = send("placed", EXCHANGE, service="web")
    failing = take("failing", placed, at=10, took=20, error="locked")
    again = send("again", QUEUE, parent=failing, service="orders", at=25)
    return [placed, failing, again, take("trying", again, at=60)]


def test_handler_is_not_delivered_by_what_it_publishes_itself() -> None:
    """An exchange and its queue have different names, and the retry is in the same conversation."""
    placed, failing, again, trying = redelivered()

    told = tell(trying, again, failing, placed)
    assert told.deliveries == {(placed, failing), (again, trying)}
    assert told.causes == {(failing, again)}
    assert {told.edge(*pair) for pair in told.deliveries} == {("parent", "observed")}
    assert [told.reaction(one)["status"] for one in (failing, trying)] == ["error", "ok"]


@pytest.mark.parametrize("lost", ["", "trying", "failing"])
def test_parent_of_another_reader_of_the_queue_is_not_doubted(lost: str) -> None:
    """A copy of the message is handled after the retry was sent: the retry fits by all words that it has."""
    sent = redelivered()
    slow = take("slow", sent[0], at=90)

    told = tell(*(one for one in sent if one.name != lost), slow, known=sent)
    assert (sent[0], slow) in told.deliveries


def passed_on() -> list[Sent]:
    """Each handler returns an event, which is sent with the context of the first one."""
    placed = send("placed", "orders")
    paying = take("paying", placed, service="payment", said=talk("orders"), at=1)
    paid = send("paid", "payments", parent=paying, service="payment", at=2)
    packing = take("packing", placed, service="packing", said=talk("payments"), at=3)
    packed = send("packed", "parcels", parent=packing, service="packing", at=4)
    shipping = take("shipping", placed, service="shipping", said=talk("parcels"), at=5)
    return [placed, paying, paid, packing, packed, shipping]


def test_context_may_be_passed_on_more_than_once() -> None:
    placed, paying, paid, packing, packed, shipping = passed_on()

    told = tell(placed, paying, paid, packing, packed, shipping)
    assert told.deliveries == {(placed, paying), (paid, packing), (packed, shipping)}
    assert told.edge(packed, shipping) == ("conversation", "inferred")


def test_later_message_delivers_nothing() -> None:
    placed, paying, _, packing, *_ = passed_on()
    paid = send("paid", "payments", parent=paying, service="payment", at=30)

    assert (placed, packing) in tell(placed, paying, paid, packing).deliveries


def test_message_that_nothing_made_of_the_parent_does_not_replace_it() -> None:
    """Another part of the same run published it, with the context that was its own."""
    placed, _, _, packing, *_ = passed_on()
    paid = send("paid", "payments", parent=placed, service="payment", at=2)

    assert (placed, packing) in tell(placed, paid, packing).deliveries
