"""Which reaction does a settle describe? The one whose message it settles."""

from collections.abc import Mapping
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.factories import Value
from tests.telling import LOCAL, Sent, consume, publish, react, receive, tell, work

FACTS = ("settled", "acked", "nacked", "terminated", "deliveries")
STREAM = "$JS.ACK.SHOP.packing.{}.17.20.1795406423355166396.0"


def settle(name: str, how: str | None = "ack", said: Mapping[str, Value] = {}, **more: Any) -> Sent:
    """A settle span of the packing service."""
    verb = {} if how is None else {"messaging.operation.name": how}
    said = {"messaging.operation.type": "settle", **verb, **said}
    return work(name, **{"service": "packing", "kind": Span.SPAN_KIND_CLIENT, "said": said, **more})


def facts(*sent: Sent, of: Sent) -> dict[str, Any]:
    """What the document says about how a reaction's messages were settled, without empty fields."""
    reaction = tell(*sent).reaction(of)
    return {name: reaction[name] for name in FACTS if reaction[name]}


def test_settle_within_a_handling_is_about_what_that_handles() -> None:
    placed = publish("placed")
    packing = react("packing", placed)
    inner = work("inner", parent=packing, service="packing")
    settling = settle("settling", parent=inner)

    told = tell(placed, packing, inner, settling)
    assert facts(placed, packing, inner, settling, of=packing) == {"settled": 1, "acked": 1}
    assert set(told.reactions) == {packing}
    assert told.document["reactions"][0]["spans"] == [packing.ref]


def test_nobody_said_is_not_zero_deliveries() -> None:
    placed = publish("placed")
    packing = react("packing", placed)

    assert tell(placed, packing).reaction(packing)["deliveries"] is None


def test_settle_in_a_trace_of_its_own_is_known_by_the_message_it_links_to() -> None:
    """A consumer that acknowledges only when all its work is done does so outside any handling."""
    placed = publish("placed")
    packing, stats = consume("packing", placed), consume("stats", placed)
    settling = settle("settling", "nack", links=[placed])

    assert facts(placed, packing, stats, settling, of=packing) == {"settled": 1, "nacked": 1}
    assert facts(placed, packing, stats, settling, of=stats) == {}
    assert facts(packing, stats, settling, of=packing) == {"settled": 1, "nacked": 1}, (
        "nobody saw the message"
    )


def test_settle_whose_parent_is_the_message_is_about_that() -> None:
    """Some consumers restore the context that came with a message in order to settle it."""
    placed = publish("placed")
    packing = react("packing", placed)
    settling = settle("settling", "term", parent=placed)

    assert facts(placed, packing, settling, of=packing) == {"settled": 1, "terminated": 1}


def test_settle_that_links_to_a_handling_is_about_that() -> None:
    placed = publish("placed")
    packing = react("packing", placed)

    assert facts(placed, packing, settle("settling", links=[packing]), of=packing)["acked"] == 1


def test_link_counts_more_than_where_it_happened() -> None:
    """A worker settles one message late, when it has already taken the next one."""
    first, second = publish("first"), publish("second")
    early = consume("early", first, service="packing")
    late = consume("late", second, service="packing")
    settling = settle("settling", parent=late, links=[first])

    assert facts(first, second, early, late, settling, of=early) == {"settled": 1, "acked": 1}
    assert facts(first, second, early, late, settling, of=late) == {}


def test_two_groups_of_a_service_leave_a_link_to_their_message_open() -> None:
    placed = publish("placed")
    one, other = (consume(name, placed, service="packing", group=name) for name in ("one", "other"))
    settling = settle("settling", links=[placed])

    assert facts(placed, one, other, settling, of=one) == facts(placed, one, other, settling, of=other) == {}


def test_settle_of_another_service_below_a_handling_is_not_its_own() -> None:
    """A service that was called acknowledges messages of its own."""
    placed = publish("placed")
    packing = react("packing", placed)
    settling = settle("settling", service="stock", parent=packing)

    assert facts(placed, packing, settling, of=packing) == {}


def test_each_attempt_and_each_message_of_a_batch_is_settled() -> None:
    """A redelivered message is settled once per attempt, and a batch once per message or all at once."""
    placed = publish("placed")
    first = react("first", placed, at=1, service="packing", group="packers", error="no paper")
    again = react("again", placed, at=9, service="packing", group="packers")
    given_back, done = settle("given back", "nak", parent=first), settle("done", parent=again)
    assert facts(placed, first, again, given_back, done, of=first) == {"settled": 2, "acked": 1, "nacked": 1}

    other = publish("other")
    batch = consume("batch", placed, other, service="packing")
    one, two = settle("one", parent=batch, links=[placed]), settle("two", parent=batch, links=[other])
    assert facts(placed, other, batch, one, two, of=batch) == {"settled": 2, "acked": 2}

    together = settle("together", links=[placed, other])
    assert facts(placed, other, batch, together, of=batch) == {"settled": 1, "acked": 1}


def test_receive_around_a_handling_settles_for_it() -> None:
    """A Kafka client commits under the poll, not under the handler."""
    placed = publish("placed")
    poll = receive("poll", placed, service="packing")
    packing = consume("packing", parent=poll, flags=LOCAL)

    assert facts(placed, poll, packing, settle("commit", "commit", parent=poll), of=packing)["acked"] == 1


def test_subject_of_an_acknowledgement_counts_deliveries_and_tells_no_more() -> None:
    """`otel-instrumentation-nats` records an acknowledgement as a publish, without its body."""
    placed = publish("placed")
    packing = react("packing", placed)
    subject = STREAM.format(4)
    said: dict[str, Value] = {"messaging.system": "nats", "messaging.operation": "publish"}
    settling = settle("x", parent=packing, kind=Span.SPAN_KIND_PRODUCER, called=f"{subject} send", said=said)
    settling.span.attributes.pop(0)
    settling.span.attributes.pop(0)

    told = tell(placed, packing, settling)
    assert facts(placed, packing, settling, of=packing) == {"settled": 1, "deliveries": 4}
    assert set(told.messages) == {placed}


def test_acknowledgement_that_two_libraries_saw_is_one() -> None:
    """The outer span says that it is an ack, the inner one how often the message was delivered."""
    placed = publish("placed")
    packing = react("packing", placed)
    outer = settle("outer", parent=packing)
    inner = settle("inner", None, parent=outer, said={"messaging.destination.name": STREAM.format(2)})

    assert facts(placed, packing, outer, inner, of=packing) == {"settled": 1, "acked": 1, "deliveries": 2}


def test_settle_that_failed_is_counted_and_settled_nothing() -> None:
    placed = publish("placed")
    packing = react("packing", placed)

    assert facts(placed, packing, settle("settling", parent=packing, error="timeout"), of=packing) == {
        "settled": 1
    }


@pytest.mark.parametrize("with_a_settle", [False, True])
def test_what_a_handling_says_of_itself_is_not_counted_again(with_a_settle: bool) -> None:
    placed = publish("placed")
    said = {"messaging.nats.outcome": "ack", "messaging.nats.delivery_count": 3}
    packing = react("packing", placed, said=said)
    sent = [placed, packing, *([settle("settling", parent=packing)] if with_a_settle else [])]

    assert facts(*sent, of=packing) == {"settled": 1, "acked": 1, "deliveries": 3}


def test_settles_without_any_handling_change_nothing() -> None:
    placed = publish("placed")
    told = tell(placed, settle("alone"), settle("linked", links=[placed]), settle("child", parent=placed))

    assert not told.reactions
