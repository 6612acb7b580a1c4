"""Which reaction handled which message, in whatever way instrumentations record it?"""

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.telling import LOCAL, REMOTE, Sent, consume, create, publish, react, tell, work

SENDS = {"messaging.operation.type": "send", "messaging.destination.name": "orders"}


def test_reaction_is_found_by_its_link() -> None:
    """The conventions' way: the reaction has its own trace and links to the published message."""
    placed = publish("placed")
    packing = consume("packing", placed)

    told = tell(packing, placed)
    assert told.deliveries == {(placed, packing)}
    assert told.because(placed, packing) == "link"


def test_reaction_is_found_by_its_parent() -> None:
    """Most instrumentations record it this way."""
    placed = publish("placed")
    packing = react("packing", placed)

    told = tell(packing, placed)
    assert told.deliveries == {(placed, packing)}
    assert told.because(placed, packing) == "parent"


def test_link_and_parent_to_one_message_are_one_delivery() -> None:
    """Our own instrumentation writes both; counting two would double every order."""
    placed = publish("placed")
    packing = consume("packing", placed, placed, parent=placed)

    assert tell(placed, packing).deliveries == {(placed, packing)}


def test_every_group_reacts_for_itself() -> None:
    """Choreographies are made of fan-outs, so no group may be missing."""
    placed = publish("placed")
    groups = [react(name, placed) for name in ("stock", "fraud", "mailer")]

    assert tell(placed, *groups).deliveries == {(placed, group) for group in groups}


def test_batch_consumer_keeps_every_publisher() -> None:
    """One receive of two messages is two deliveries: dropping one hides an order."""
    first, second = publish("first"), publish("second")
    packing = consume("packing", first, second)

    assert tell(packing, second, first).deliveries == {(first, packing), (second, packing)}


def test_message_that_nobody_reacted_to_stays() -> None:
    """An unhandled message is what the reader came to see."""
    placed = publish("placed")

    told = tell(placed)
    assert told.messages == {placed: {placed}}
    assert told.flows == [{placed}]


@pytest.mark.parametrize("how", ["link", "parent"])
def test_message_that_was_not_received_leaves_a_dangling_delivery(how: str) -> None:
    """The message's id is known all the same, and the edge is resolved once the message arrives."""
    lost = publish("lost")
    packing = consume("packing", lost) if how == "link" else react("packing", lost)

    told = tell(packing, known=[lost])
    assert told.deliveries == {(lost, packing)}
    assert told.edge(lost, packing) == (how, "inferred")  # it may have been something else
    assert told.messages == {}
    assert told.notes == {("missing_link_target" if how == "link" else "missing_parent", packing)}
    assert tell(packing, lost).notes == set()
    assert tell(packing, lost).edge(lost, packing) == (how, "observed")


def test_reaction_without_a_word_of_its_message_stays() -> None:
    packing = consume("packing")

    told = tell(packing)
    assert told.reactions == {packing: {packing}}
    assert told.deliveries == set()


def test_link_to_what_published_nothing_is_no_delivery() -> None:
    """A poll may link to the handling of each record, and a handler to other work around it."""
    request, lost = work("request"), publish("lost")
    record = consume("record", lost, service="packing")
    packing = consume("packing", request, record)

    told = tell(request, record, packing, known=[lost])
    assert told.deliveries == {(lost, record)}
    assert told.reactions.keys() == {record, packing}


def test_links_are_trusted_more_than_the_parent() -> None:
    """A batch's parent is whatever was active during the poll, such as another message."""
    ambient, first, second = publish("ambient"), publish("first"), publish("second")
    packing = consume("packing", first, second, parent=ambient)

    assert tell(ambient, first, second, packing).deliveries == {(first, packing), (second, packing)}


def test_link_into_the_unknown_does_not_hide_the_parent_that_is_a_message() -> None:
    """The conventions let a consumer whose message is its parent link to other work around it."""
    placed, ambient = publish("placed"), work("ambient")
    packing = consume("packing", ambient, parent=placed, flags=REMOTE)

    assert tell(placed, packing, known=[ambient]).deliveries == {(placed, packing)}


def test_link_into_the_unknown_is_the_message_when_the_parent_is_at_home() -> None:
    """A span that is still open around the poll is not a message from elsewhere."""
    ambient, lost = publish("ambient"), publish("lost")
    packing = consume("packing", lost, parent=ambient, flags=LOCAL)

    assert tell(ambient, packing, known=[lost]).deliveries == {(lost, packing)}


# One message, several spans


def test_create_and_the_send_that_links_to_it_are_one_message() -> None:
    """Batches in today's conventions: reactions refer to the create spans."""
    first, second = create("first"), create("second")
    sending = work("sending", kind=Span.SPAN_KIND_CLIENT, links=[first, second], said=SENDS)
    packing = consume("packing", second)

    told = tell(first, second, sending, packing)
    assert told.messages == {first: {first, sending}, second: {second, sending}}
    assert told.deliveries == {(second, packing)}


def test_messages_of_azure_and_the_send_beside_them_are_counted_once() -> None:
    """Only their names say that they are messages, and one client span sends them together."""
    said = {"messaging.system": "servicebus", "messaging.destination.name": "orders"}
    first, second = (
        work(name, called="Message", kind=Span.SPAN_KIND_PRODUCER, said=said) for name in ("first", "second")
    )
    sends = said | {"messaging.operation": "publish"}
    send = work("ServiceBusSender.Send", kind=Span.SPAN_KIND_CLIENT, links=(first, second), said=sends)
    handling = consume("ServiceBusProcessor.ProcessMessage", first)

    told = tell(first, second, send, handling)
    assert told.messages == {first: {first, send}, second: {second, send}}
    assert told.deliveries == {(first, handling)}


def test_create_and_the_publish_within_it_are_one_message() -> None:
    """FastStream writes two spans per message, and its consumers are children of the first."""
    placed = create("placed")
    sending = publish("sending", parent=placed)
    packing = react("packing", placed)

    told = tell(sending, placed, packing)
    assert told.messages == {placed: {placed, sending}}
    assert told.deliveries == {(placed, packing)}


def test_create_is_one_message_however_often_it_is_sent() -> None:
    """A send failed and was retried: the context that travels is the create's."""
    placed = create("placed")
    tries = [publish(name, parent=placed) for name in ("first try", "second try")]

    assert tell(placed, *tries).messages == {placed: {placed, *tries}}


def test_send_within_the_first_of_the_creates_that_it_links_to_is_a_part_of_all() -> None:
    first, second = create("first"), create("second")
    sending = publish("sending", parent=first, links=[first, second])

    assert tell(first, second, sending).messages == {first: {first, sending}, second: {second, sending}}


def test_publish_that_two_libraries_saw_is_one_message() -> None:
    """The inner span's context travels, but the outer span is the message."""
    outer = publish("outer")
    inner = publish("inner", parent=outer)
    packing = react("packing", inner)

    told = tell(outer, inner, packing)
    assert told.messages == {outer: {outer, inner}}
    assert told.deliveries == {(outer, packing)}


@pytest.mark.parametrize(
    ("inner", "why"),
    [
        ({"subject": "payments"}, "another destination"),
        ({"service": "payment"}, "another service: somebody whose own reaction was lost"),
    ],
)
def test_message_within_another_ones_span_is_its_own(inner: dict[str, str], why: str) -> None:
    placed = publish("placed")
    paid = publish("paid", parent=placed, **inner)

    assert tell(placed, paid).messages == {placed: {placed}, paid: {paid}}, why


def test_publishes_within_one_span_are_messages_of_their_own() -> None:
    """A span around a loop of publishes does not repeat any one of them."""
    loop = publish("loop")
    turns = [publish(name, parent=loop) for name in ("once", "twice")]

    assert tell(loop, *turns).messages.keys() == {loop, *turns}


def named(message_id: str, system: str = "rabbitmq") -> dict[str, str]:
    """What a span says about the id of its message."""
    return {"messaging.system": system, "messaging.message.id": message_id}


def test_reaction_without_a_context_is_found_by_the_id_of_its_message() -> None:
    """The broker drops headers, or the consumer's instrumentation does not read them."""
    placed, paid = publish("placed", said=named("m-1")), publish("paid", said=named("m-2"), at=1)
    packing = consume("packing", said=named("m-1"))

    told = tell(packing, paid, placed)

    assert told.deliveries == {(placed, packing)}
    assert told.edge(placed, packing) == ("message_id", "inferred")
    assert told.flows == [{placed, packing}, {paid}]


def test_id_of_two_messages_tells_nothing() -> None:
    placed, other = publish("placed", said=named("m-1")), publish("other", said=named("m-1"))
    packing = consume("packing", said=named("m-1"))

    assert tell(placed, other, packing).deliveries == set()


def test_id_counts_within_its_system_only() -> None:
    """Every broker that counts its messages starts at 1."""
    placed = publish("placed", said=named("1", system="kafka"))
    packing = consume("packing", said=named("1"))

    assert tell(placed, packing).deliveries == set()


def test_what_a_span_says_itself_is_trusted_more_than_an_id() -> None:
    placed, other = publish("placed", said=named("m-1")), publish("other", said=named("m-2"))
    packing = consume("packing", placed, said=named("m-2"))

    told = tell(placed, other, packing)

    assert told.deliveries == {(placed, packing)}
    assert told.edge(placed, packing) == ("link", "observed")


def test_id_of_a_send_is_that_of_the_message_it_sends() -> None:
    placed = create("placed")
    sending = publish("sending", parent=placed, said=named("7", system="sqs"))
    packing = consume("packing", said=named("7", system="sqs"))

    assert tell(placed, sending, packing).deliveries == {(placed, packing)}


def talk(name: str = "c-1") -> dict[str, str]:
    """What a span says about the conversation of its message."""
    return {"messaging.message.conversation_id": name}


def published_by_the_framework() -> list[Sent]:
    """A handler returns an event; its framework publishes it with the context that the handler received."""
    placed = publish("placed", said=talk())
    paying = react("paying", placed, said=talk())
    paid = publish("paid", parent=paying, subject="paid", service="paying", said=talk())
    shipping = react("shipping", placed, said={"messaging.destination.name": "paid", **talk()})
    return [placed, paying, paid, shipping]


def test_context_that_a_framework_passed_on_is_repaired() -> None:
    placed, paying, paid, shipping = published_by_the_framework()

    told = tell(shipping, paid, paying, placed)

    assert told.deliveries == {(placed, paying), (paid, shipping)}
    assert told.edge(paid, shipping) == ("conversation", "inferred")
    assert told.edge(placed, paying) == ("parent", "observed")


def test_conversation_may_be_written_down_as_the_id_of_the_message() -> None:
    """FastStream's consumers record the conversation only as a message id."""
    placed, paying, paid, _ = published_by_the_framework()
    said = {"messaging.destination.name": "paid", "messaging.message.id": "c-1"}
    shipping = react("shipping", placed, said=said)

    assert (paid, shipping) in tell(placed, paying, paid, shipping).deliveries


def test_answer_that_comes_with_the_context_of_its_question_is_known_by_its_destination() -> None:
    """FastStream with Redis: the service that asked sees its reply channel as bytes."""
    asked = publish("asked", subject="score", said=talk())
    scoring = react("scoring", asked, said={"messaging.destination.name": "score", **talk()})
    answer = publish("answer", parent=scoring, subject="nU837q", service="scoring", said=talk())
    hearing = react("hearing", asked, said={"messaging.destination.name": b"nU837q", **talk()})

    assert tell(asked, scoring, answer, hearing).deliveries == {(asked, scoring), (answer, hearing)}


def test_parent_stays_where_a_conversation_has_two_such_messages() -> None:
    placed, paying, paid, shipping = published_by_the_framework()
    again = publish("again", parent=paying, subject="paid", service="paying", said=talk())

    told = tell(placed, paying, paid, again, shipping)
    assert told.deliveries == {(placed, paying), (placed, shipping)}


def test_conversation_of_another_trace_repairs_nothing() -> None:
    """Who passes a context on publishes in its trace; the live part would not look in another one."""
    placed, paying, _, shipping = published_by_the_framework()
    elsewhere = publish("elsewhere", subject="paid", service="paying", said=talk())

    told = tell(placed, paying, elsewhere, shipping)
    assert (placed, shipping) in told.deliveries


def test_parent_of_the_same_destination_is_never_doubted() -> None:
    placed = publish("placed", said=talk())
    again = publish("again", said=talk("c-2"))
    packing = react("packing", placed, said=talk("c-2"))

    assert tell(placed, again, packing).deliveries == {(placed, packing)}
