"""Are a request and its answer one exchange, however many spans a library makes of them?"""

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.telling import REMOTE, Sent, consume, publish, react, receive, tell, work

INBOX = "_INBOX.x7.1"


def asked() -> tuple[Sent, Sent, Sent]:
    """Some work, the request that it sends, and the consumer that takes the request."""
    working = work("working", kind=Span.SPAN_KIND_CLIENT)
    request = publish("request", parent=working, subject="score")
    return working, request, receive("scoring", parent=request, flags=REMOTE)


def answer(taken: Sent, name: str = "answer") -> tuple[Sent, Sent]:
    """An answer, and its receipt by the service that asked."""
    sent = publish(name, parent=taken, service="scoring", subject=INBOX)
    inbox = {"messaging.destination.name": INBOX}
    arrived = receive(f"{name} arrived", parent=sent, flags=REMOTE, service="order", said=inbox)
    return sent, arrived


def test_answer_is_a_part_of_its_request() -> None:
    """Otherwise every request would be two events, and nothing would ever react to the second."""
    working, request, taken = asked()
    sent, arrived = answer(taken)

    told = tell(working, request, taken, sent, arrived)
    assert told.messages == {request: {request, sent, arrived}}
    assert told.deliveries == {(request, taken)}
    assert (told.causes, set(told.reactions)) == (set(), {taken})


def test_many_answers_are_parts_of_their_request() -> None:
    _, request, taken = asked()
    answers = [*answer(taken, "one"), *answer(taken, "two")]

    assert tell(request, taken, *answers).messages == {request: {request, *answers}}


def test_what_the_asker_does_with_an_answer_is_not_the_doing_of_who_answered() -> None:
    """The score did not reject the order: the service that asked for it did."""
    _, request, taken = asked()
    sent, arrived = answer(taken)
    rejected = publish("rejected", parent=arrived, subject="rejected")

    assert tell(request, taken, sent, arrived, rejected).causes == set()


def test_confirmation_of_the_broker_is_no_answer_to_the_message_at_hand() -> None:
    """JetStream confirms a publish on an inbox: that span is in the handling, but answers no request."""
    placed = publish("placed")
    packing = react("packing", placed, service="packing")
    inbox = {"messaging.destination.name": INBOX}
    confirmed = receive("confirmed", parent=packing, service="packing", said=inbox)

    told = tell(placed, packing, confirmed)
    assert told.messages == {placed: {placed}}
    assert told.reactions == {packing: {packing}}


def test_acknowledgement_and_what_the_broker_is_asked_are_no_messages() -> None:
    placed = publish("placed")
    packing = react("packing", placed, service="packing")
    settled = publish("settled", parent=packing, service="packing", subject="$JS.ACK.SHOP.p.1.1.1.1.0")
    fetched = publish("fetched", service="packing", subject="$JS.API.CONSUMER.MSG.NEXT.SHOP.p")

    told = tell(placed, packing, settled, fetched)
    assert (set(told.messages), told.causes) == ({placed}, set())


def test_answer_to_a_batch_of_requests_is_a_part_of_none() -> None:
    """Nothing says which of the requests it answers."""
    one, other = publish("one"), publish("other")
    scoring = consume("scoring", one, other)
    sent = publish("answer", parent=scoring, service="scoring", subject=INBOX)

    assert tell(one, other, scoring, sent).messages == {one: {one}, other: {other}}
