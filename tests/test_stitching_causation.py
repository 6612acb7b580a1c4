"""When do causation ids count? Only where spans say nothing, and only if the ids are unambiguous."""

from tests.telling import Sent, consume, publish, react, tell, work


def event(name: str, because: str | None = None) -> dict[str, str]:
    """What a span says about the id of its event, and about that event's cause."""
    cause = {} if because is None else {"messaging.message.causation_id": because}
    return {"cloudevents.event_id": name, **cause}


def paid_without_a_context() -> tuple[Sent, Sent, Sent]:
    """Payment reacts to an order, and publishes in its own trace."""
    placed = publish("placed", said=event("e-1"))
    paying = react("paying", placed, service="payment")
    return placed, paying, publish("paid", service="payment", said=event("e-2", because="e-1"))


def test_message_came_of_the_reaction_of_its_service_to_what_it_names() -> None:
    """A handler that hands work to a thread pool loses the context; the event still names its cause."""
    placed, paying, paid = paid_without_a_context()
    mailing = react("mailing", placed, service="mailer")

    told = tell(paid, mailing, paying, placed)

    assert told.causes == {(paying, paid)}
    assert told.edge(paying, paid) == ("causation_id", "inferred")
    assert told.flows == [{placed, paying, mailing, paid}]


def test_message_may_be_named_by_its_message_id_and_cross_from_one_system_to_another() -> None:
    """An event that came by Kafka goes on by RabbitMQ."""
    placed = publish("placed", said={"messaging.system": "kafka", "messaging.message.id": "m-1"})
    paying = react("paying", placed, service="payment")
    said = {"messaging.system": "rabbitmq", "messaging.message.causation_id": "m-1"}
    paid = publish("paid", service="payment", said=said)

    assert tell(placed, paying, paid).causes == {(paying, paid)}


def test_what_spans_say_of_a_cause_is_trusted_more() -> None:
    placed, paying, _ = paid_without_a_context()
    other = publish("other", said=event("e-9"))
    paid = publish("paid", parent=paying, service="payment", said=event("e-2", because="e-9"))

    told = tell(placed, other, paying, paid)

    assert told.causes == {(paying, paid)}
    assert told.edge(paying, paid) == ("parent", "observed")
    assert told.flows == [{placed, paying, paid}, {other}]


def test_unseen_reaction_leaves_one_flow_and_a_note_in_place_of_an_edge() -> None:
    """Payment's reaction was not recorded, so no edge may claim it; but it is the same order."""
    placed, _, paid = paid_without_a_context()

    told = tell(placed, paid)

    assert told.causes == set()
    assert told.flows == [{placed, paid}]
    assert told.notes == {("unclear_cause", paid)}


def test_one_of_two_groups_is_not_guessed() -> None:
    placed, paying, paid = paid_without_a_context()
    auditing = react("auditing", placed, service="payment", group="audit")

    told = tell(placed, paying, auditing, paid)

    assert told.causes == set()
    assert told.notes == {("unclear_cause", paid)}


def test_attempts_of_one_reaction_are_one() -> None:
    placed, paying, paid = paid_without_a_context()
    again = react("again", placed, service="payment", called="paying", at=5)

    assert tell(placed, paying, again, paid).causes == {(paying, paid)}


def test_id_of_two_events_tells_nothing() -> None:
    placed, paying, paid = paid_without_a_context()
    other = publish("other", said=event("e-1"), at=1)

    told = tell(placed, other, paying, paid)

    assert (told.causes, told.notes) == (set(), set())
    assert {frozenset(flow) for flow in told.flows} == {
        frozenset(flow) for flow in ({placed, paying}, {other}, {paid})
    }


def test_event_that_names_itself_began_a_conversation() -> None:
    """A first event's correlation and causation ids are often its own id."""
    placed = publish("placed", said=event("e-1", because="e-1"))

    told = tell(placed)

    assert (told.causes, told.notes) == (set(), set())


def test_reaction_without_a_context_was_to_what_its_messages_name() -> None:
    placed = publish("placed", said=event("e-1"))
    paying = consume("paying", service="payment")
    working = work("working", parent=paying, service="payment")
    paid = publish("paid", parent=working, service="payment", said=event("e-2", because="e-1"))
    also = publish("also", parent=paying, service="payment", said=event("e-3", because="e-2"))

    told = tell(also, paid, working, paying, placed)

    assert told.deliveries == {(placed, paying)}
    assert told.edge(placed, paying) == ("causation_id", "inferred")
    assert told.causes == {(paying, paid), (paying, also)}


def test_no_handling_is_delivered_by_what_it_led_to() -> None:
    """The ids of two messages name one another: a handling would be its own cause."""
    asking = consume("asking", service="order")
    asked = publish("asked", parent=asking, service="order", said=event("e-1", because="e-2"))
    scoring = consume("scoring", asked, service="score", at=5)
    scored = publish("scored", parent=scoring, service="score", said=event("e-2"), at=6)

    assert tell(asking, asked, scoring, scored).deliveries == {(asked, scoring)}


def test_no_handling_is_delivered_by_what_was_published_after_it() -> None:
    paying = consume("paying", service="payment")
    paid = publish("paid", parent=paying, service="payment", said=event("e-2", because="e-1"))
    placed = publish("placed", said=event("e-1"), at=50)

    assert tell(paying, paid, placed).deliveries == set()


def test_batch_keeps_orders_apart_whose_effects_lost_the_context() -> None:
    """Each parcel's event names its own order: two orders in one batch stay two."""
    orders = [publish(f"placed {n}", said=event(f"e-{n}"), at=n) for n in (1, 2)]
    packing = consume("packing", *orders)
    packed = [
        publish(f"packed {n}", at=9, service="packing", said=event(f"p-{n}", because=f"e-{n}"))
        for n in (1, 2)
    ]

    told = tell(*orders, packing, *packed)

    assert told.causes == {(packing, packed[0]), (packing, packed[1])}
    assert told.flows == [{order, packing, effect} for order, effect in zip(orders, packed, strict=True)]


def test_worker_whose_trace_goes_on_and_on_joins_no_orders() -> None:
    """A loop in one trace publishes for many orders: each effect belongs to its own order."""
    orders = [publish(f"placed {n}", said=event(f"e-{n}"), at=n) for n in (1, 2)]
    loop = work("loop", service="packing")
    packed = [
        publish(f"packed {n}", at=9, parent=loop, service="packing", said=event(f"p-{n}", because=f"e-{n}"))
        for n in (1, 2)
    ]

    assert tell(*orders, loop, *packed).flows == [
        {order, effect} for order, effect in zip(orders, packed, strict=True)
    ]
