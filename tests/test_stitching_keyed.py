"""What caused a message that lost its context? Its flow key and service tell, within strict limits."""

from typing import Any

import pytest

from tests.telling import Sent, consume, publish, react, receive, tell, work

HOUR = 3_600_000  # ms


def taken() -> tuple[Sent, Sent]:
    """Payment polls an order; the poll's span ends at once."""
    placed = publish("placed", key="A-17")
    return placed, receive("taking", placed, service="payment", at=2)


def paid(**more: Any) -> Sent:
    """What payment publishes next, in its own trace."""
    return publish("paid", **{"service": "payment", "key": "A-17", "at": 4, **more})


def test_message_came_of_what_its_service_had_taken_of_its_flow() -> None:
    """With most Kafka clients in Python, the poll's span is over before the handling begins."""
    (placed, taking), effect = taken(), paid()
    shipping = react("shipping", effect, at=6)

    told = tell(shipping, effect, taking, placed)

    assert told.causes == {(taking, effect)}
    assert told.edge(taking, effect) == ("flow_key", "inferred")
    assert told.flows == [{placed, taking, effect, shipping}]


def test_of_several_the_last_one_led_to_it() -> None:
    """Shipping waits for two events, and continues with the second."""
    placed = publish("placed", key="A-17")
    cleared = publish("cleared", key="A-17", service="fraud", at=1)
    first = receive("first", placed, service="shipping", at=2)
    second = receive("second", cleared, service="shipping", at=3)
    later = receive("later", placed, service="shipping", group="audit", at=9)
    prepared = publish("prepared", service="shipping", key="A-17", at=5)

    assert tell(placed, cleared, first, second, later, prepared).causes == {(second, prepared)}


def test_what_a_batch_led_to_is_told_by_the_key_of_each() -> None:
    """The poll covers both orders, and each published message belongs to one."""
    one, two = publish("one", key="A-1"), publish("two", key="A-2")
    poll = receive("poll", one, two, service="warehouse", at=2)
    picked, packed = (
        publish(name, key=key, service="warehouse", at=4)
        for name, key in (("picked", "A-1"), ("packed", "A-2"))
    )

    told = tell(one, two, poll, picked, packed)

    assert told.causes == {(poll, picked), (poll, packed)}
    assert {frozenset(flow) for flow in told.flows} == {
        frozenset({one, poll, picked}),
        frozenset({two, poll, packed}),
    }


@pytest.mark.parametrize(
    "effect",
    [
        paid(key=None),
        paid(key="A-18"),
        paid(service="fraud"),
        paid(at=1),
        paid(at=HOUR + 2),
        paid(parent=work("a request", service="payment", at=3)),
        paid(links=[publish("lost")]),
        paid(said={"messaging.message.causation_id": "e-9"}),
    ],
    ids=["no key", "another key", "another service", "before", "long after", "outside", "link", "named"],
)
def test_what_something_else_may_have_led_to_is_not_guessed(effect: Sent) -> None:
    assert tell(*taken(), effect).causes == set()


def test_who_passes_contexts_on_has_not_lost_this_one() -> None:
    """Payment published in the handling's context once, so its other message has another cause."""
    placed = publish("placed", key="A-17")
    paying = react("paying", placed, service="payment", at=2)
    captured = publish("captured", service="payment", parent=paying, at=3)

    assert tell(placed, paying, captured, paid()).causes == {(paying, captured)}


def test_key_that_is_refused_tells_nothing() -> None:
    """A tenant's id is on everything: what a service last did under it explains nothing."""
    many = [publish(f"placed {number}", key="tenant") for number in range(201)]
    taking = [consume(f"taking {n}", one, service="payment", at=2) for n, one in enumerate(many)]

    told = tell(*many, *taking, paid(key="tenant"))

    assert told.causes == set()


@pytest.mark.parametrize("at", [-1, 0])
def test_no_message_came_of_its_own_handling(at: int) -> None:
    """A service that consumes its own messages may begin within the millisecond of the publish."""
    placed = publish("placed", key="A-1")
    packing = consume("packing", placed, service="order", key="A-1", at=at)

    assert tell(placed, packing).causes == set()


def test_no_message_came_of_what_came_of_it() -> None:
    """A host whose clock lags seems to handle the last event before the first was published."""
    placed = publish("placed", key="A-1", at=10)
    packing = consume("packing", placed, service="packer", key="A-1", at=11)
    packed = publish("packed", parent=packing, service="packer", key="A-1", at=12, subject="packed")
    closing = consume("closing", packed, service="order", key="A-1", at=9)

    assert tell(placed, packing, packed, closing).causes == {(packing, packed)}
