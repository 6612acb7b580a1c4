"""Twelve orders through the whole shop, checked by the spans of its services."""

from collections import Counter

import pytest

from .harness import NatsServer, Receiver, Seen, plain, running, until

ORDERS = 12
DECLINED = 3

# Which services react to which event; the order service reacts to the last event of the others.
REACTS = {
    "OrderPlaced": {"inventory", "fraud", "analytics", "notification"},
    "StockReserved": {"payment", "analytics"},
    "OrderCleared": {"shipping", "analytics"},
    "PaymentCaptured": {"shipping", "analytics"},
    "PaymentDeclined": {"inventory", "analytics"},
    "ShipmentPrepared": {"warehouse", "analytics"},
    "ParcelPicked": {"order", "analytics"},
    "StockReleased": {"order", "analytics"},
    "OrderShipped": {"analytics"},
    "OrderCancelled": {"analytics"},
    "EmailComposed": {"notification"},
}
SCORE = "score.order"


@pytest.fixture(scope="module")
def shop(nats: NatsServer, receiver: Receiver) -> Receiver:
    """The spans of a shop that has placed its orders and was stopped."""
    options = ("--rate", "10", "--orders", str(ORDERS), "--expired-cards", str(DECLINED / ORDERS))
    with running(nats, receiver, *options):
        until(lambda: len(ended(receiver)) == ORDERS, 60, "the end of every order")
    return receiver


def too_early(seen: Seen) -> bool:
    """Whether a request was sent while the service that answers was still starting."""
    return seen.name == f"request {SCORE}" and "NoRespondersError" in seen.span.status.message


def ended(receiver: Receiver) -> set[str]:
    return receiver.orders("OrderShipped") | receiver.orders("OrderCancelled")


def by_id(seen: list[Seen]) -> dict[bytes, Seen]:
    return {one.span.span_id: one for one in seen}


def test_every_order_is_shipped_or_cancelled(shop: Receiver) -> None:
    assert len(shop.orders("OrderPlaced")) == ORDERS
    assert len(shop.orders("OrderCancelled")) == DECLINED
    assert len(shop.orders("OrderShipped")) == ORDERS - DECLINED
    assert not shop.orders("OrderShipped") & shop.orders("OrderCancelled")


def test_declined_payment_is_compensated(shop: Receiver) -> None:
    """Nobody tells inventory to release the stock: it reacts to the declined payment."""
    declined = shop.orders("PaymentDeclined")
    assert declined == shop.orders("StockReleased") == shop.orders("OrderCancelled")
    assert not declined & shop.orders("PaymentCaptured")
    assert not declined & shop.orders("ShipmentPrepared")


def test_reactions_are_linked_to_the_facts_they_react_to(shop: Receiver) -> None:
    """Links alone show which service reacts to what, across processes and brokers."""
    messages = by_id([seen for seen in shop.spans if seen.is_message])
    found: dict[str, set[str]] = {}
    for seen in shop.spans:
        if seen.is_reaction and seen.attributes["messaging.destination.name"] != SCORE:
            assert seen.span.links
            for link in seen.span.links:
                event_type = messages[link.span_id].event_type
                assert event_type is not None
                found.setdefault(event_type, set()).add(seen.service)
    assert found == REACTS


def test_join_publishes_exactly_once(shop: Receiver) -> None:
    """Payment and clearance come in either order; only the later one prepares the shipment."""
    prepared = shop.messages("ShipmentPrepared")
    assert Counter(seen.order for seen in prepared) == Counter(shop.orders("PaymentCaptured"))
    reactions = by_id(shop.reactions("shipping"))
    for seen in prepared:
        cause = reactions[seen.span.parent_span_id]
        assert cause.event_type in ("PaymentCaptured", "OrderCleared")
        assert seen.attributes["messaging.message.causation_id"] == cause.attributes["messaging.message.id"]
        others = [
            one
            for one in reactions.values()
            if one.order == seen.order and one.span.span_id != cause.span.span_id
        ]
        assert len(others) == 1


def test_two_payment_processes_share_one_consumer(shop: Receiver) -> None:
    handled = Counter(seen.instance for seen in shop.reactions("payment"))
    assert set(handled) == {"payment-1", "payment-2"}
    assert sum(handled.values()) == ORDERS


def test_batch_is_linked_to_each_of_its_parcels(shop: Receiver) -> None:
    """One span for several orders: the links name them, and each span that follows names its own."""
    batches = shop.reactions("warehouse")
    assert max(len(batch.span.links) for batch in batches) > 1
    linked = [plain(link.attributes) for batch in batches for link in batch.span.links]
    assert {link["order.id"] for link in linked} == shop.orders("ShipmentPrepared")
    assert {link["cloudevents.event_type"] for link in linked} == {"ShipmentPrepared"}
    for batch in batches:
        assert batch.order is None
        assert not batch.span.parent_span_id
        assert batch.attributes["messaging.batch.message_count"] == len(batch.span.links)
    parts = by_id([seen for seen in shop.spans if seen.name == "pick parcel"])
    for picked in shop.messages("ParcelPicked"):
        part = parts[picked.span.parent_span_id]
        assert part.order == picked.order
        assert part.span.parent_span_id in by_id(batches)


def test_every_span_but_a_batch_carries_its_order(shop: Receiver) -> None:
    fetches = {seen.name for seen in shop.spans if seen.name.split()[0] == "fetch"}
    assert "fetch shop.shipment.prepared" in fetches
    without = {seen.name for seen in shop.spans if seen.order is None} - fetches
    assert without == {"process shop.shipment.prepared", "started shop.shipment.prepared"}


def test_facts_name_their_conversation_and_their_cause(shop: Receiver) -> None:
    messages = [seen for seen in shop.spans if seen.is_message and seen.event_type is not None]
    ids = {seen.attributes["messaging.message.id"] for seen in messages}
    conversations: dict[str | None, set[str]] = {}
    for seen in messages:
        conversations.setdefault(seen.order, set()).add(seen.attributes["messaging.message.conversation_id"])
        cause = seen.attributes.get("messaging.message.causation_id")
        assert (cause is None) == (seen.event_type == "OrderPlaced")
        assert cause is None or cause in ids
    assert all(len(found) == 1 for found in conversations.values())
    assert len({next(iter(found)) for found in conversations.values()}) == ORDERS


def test_email_is_fire_and_forget(shop: Receiver) -> None:
    """No stream stores it, so only its sending is known."""
    composed = shop.messages("EmailComposed")
    assert len(composed) == ORDERS
    assert {seen.attributes["messaging.destination.name"] for seen in composed} == {"notify.email"}
    assert not any("messaging.nats.stream" in seen.attributes for seen in composed)


def test_score_is_one_exchange(shop: Receiver) -> None:
    """Requested inside the fraud check, answered in one handling; no span shows the inbox."""
    every = [seen for seen in shop.spans if seen.name == f"request {SCORE}"]
    asked = [seen for seen in every if not too_early(seen)]
    answered = [seen for seen in shop.spans if seen.name == f"process {SCORE}"]
    assert len(every) == ORDERS
    assert 0 < len(asked) == len(answered)
    handled = by_id(shop.reactions("fraud"))
    assert {handled[seen.span.parent_span_id].event_type for seen in asked} == {"OrderPlaced"}
    assert {one.span.links[0].span_id for one in answered} == set(by_id(asked))
    assert {seen.attributes["messaging.consumer.group.name"] for seen in answered} == {"score"}
    assert not [seen for seen in shop.spans if "_INBOX" in seen.name]


def test_every_reaction_is_announced_and_records_its_outcome(shop: Receiver) -> None:
    reactions = by_id([seen for seen in shop.spans if seen.is_reaction])
    announced = [seen for seen in shop.spans if seen.name.startswith("started ")]
    assert {seen.span.links[0].span_id for seen in announced} == set(reactions)
    assert len(announced) == len(reactions)
    outcomes = {
        (seen.service, seen.attributes.get("messaging.nats.outcome"))
        for seen in reactions.values()
        if seen.service != "warehouse"
    }
    services = {"order", "inventory", "payment", "fraud", "shipping", "analytics"}
    assert outcomes == {(name, "ack") for name in services} | {("notification", None), ("score", None)}
    for batch in shop.reactions("warehouse"):
        assert [event.name for event in batch.span.events] == ["ack"] * len(batch.span.links)


def test_healthy_orders_end_within_two_seconds(shop: Receiver) -> None:
    """Slower orders would look late before anything is broken. Measured: 0.35 s."""
    started = {seen.order: seen.span.start_time_unix_nano for seen in shop.messages("OrderPlaced")}
    finished = {
        seen.order: seen.span.start_time_unix_nano
        for kind in ("OrderShipped", "OrderCancelled")
        for seen in shop.messages(kind)
    }
    took = sorted((finished[order] - begun) / 1e9 for order, begun in started.items())
    assert took[ORDERS // 2] < 2


def test_nothing_fails_in_a_healthy_shop(shop: Receiver) -> None:
    failed = [seen for seen in shop.spans if seen.span.status.code == 2]
    assert [seen.name for seen in failed if not too_early(seen)] == []
    assert {seen.attributes.get("messaging.nats.delivery_count", 1) for seen in shop.spans} == {1}
