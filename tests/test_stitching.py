"""Who reacted to what, whatever the shape in which services say so."""

import pyarrow as pa
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector import conventions
from collector.stitching import stitch
from tests.factories import NOW
from tests.strategies import reading, table
from tests.telling import LOCAL, REMOTE, consume, create, publish, react, receive, spans_of, tell, work

TWICE = (("first", 1), ("second", 5))
SENDS = {"messaging.operation.type": "send", "messaging.destination.name": "orders"}


def test_reaction_is_found_by_its_link() -> None:
    """The conventions' own way: a trace of its own, and a link to what was published."""
    placed = publish("placed")
    packing = consume("packing", placed)

    told = tell(packing, placed)
    assert told.deliveries == {(placed, packing)}
    assert told.because(placed, packing) == "link"


def test_reaction_is_found_by_its_parent() -> None:
    """What most instrumentations do."""
    placed = publish("placed")
    packing = react("packing", placed)

    told = tell(packing, placed)
    assert told.deliveries == {(placed, packing)}
    assert told.because(placed, packing) == "parent"


def test_link_and_parent_to_one_message_are_one_delivery() -> None:
    """Our own instrumentation writes both; to count two would double every order."""
    placed = publish("placed")
    packing = consume("packing", placed, placed, parent=placed)

    assert tell(placed, packing).deliveries == {(placed, packing)}


def test_every_group_reacts_for_itself() -> None:
    """A fan-out is what a choreography is made of."""
    placed = publish("placed")
    groups = [react(name, placed) for name in ("stock", "fraud", "mailer")]

    assert tell(placed, *groups).deliveries == {(placed, group) for group in groups}


def test_batch_consumer_keeps_every_publisher() -> None:
    """One receive of two messages is two deliveries: dropping one hides an order."""
    first, second = publish("first"), publish("second")
    packing = consume("packing", first, second)

    assert tell(packing, second, first).deliveries == {(first, packing), (second, packing)}


def test_message_that_nobody_reacted_to_stays() -> None:
    """It is what the reader came to see."""
    placed = publish("placed")

    told = tell(placed)
    assert told.messages == {placed: {placed}}
    assert told.flows == [{placed}]


@pytest.mark.parametrize("how", ["link", "parent"])
def test_message_that_was_not_received_leaves_a_dangling_delivery(how: str) -> None:
    """Its id is known all the same, and resolved when it comes."""
    lost = publish("lost")
    packing = consume("packing", lost) if how == "link" else react("packing", lost)

    told = tell(packing, known=[lost])
    assert told.deliveries == {(lost, packing)}
    assert told.messages == {}
    assert told.notes == {("missing_link_target" if how == "link" else "missing_parent", packing)}
    assert tell(packing, lost).notes == set()


def test_reaction_without_a_word_of_its_message_stays() -> None:
    packing = consume("packing")

    told = tell(packing)
    assert told.reactions == {packing: {packing}}
    assert told.deliveries == set()


def test_link_to_what_published_nothing_is_no_delivery() -> None:
    """A poll links to the handling of each record, a handler to what else went on around it."""
    request, lost = work("request"), publish("lost")
    record = consume("record", lost, service="packing")
    packing = consume("packing", request, record)

    told = tell(request, record, packing, known=[lost])
    assert told.deliveries == {(lost, record)}
    assert told.reactions.keys() == {record, packing}


def test_links_are_trusted_more_than_the_parent() -> None:
    """In a batch the parent is whatever went on when it was polled, another message for instance."""
    ambient, first, second = publish("ambient"), publish("first"), publish("second")
    packing = consume("packing", first, second, parent=ambient)

    assert tell(ambient, first, second, packing).deliveries == {(first, packing), (second, packing)}


def test_link_into_the_unknown_does_not_hide_the_parent_that_is_a_message() -> None:
    """Conventions let a consumer link to what went on around it when its message is its parent."""
    placed, ambient = publish("placed"), work("ambient")
    packing = consume("packing", ambient, parent=placed, flags=REMOTE)

    assert tell(placed, packing, known=[ambient]).deliveries == {(placed, packing)}


def test_link_into_the_unknown_is_the_message_when_the_parent_is_at_home() -> None:
    """A span still open around the poll is no message that came from elsewhere."""
    ambient, lost = publish("ambient"), publish("lost")
    packing = consume("packing", lost, parent=ambient, flags=LOCAL)

    assert tell(ambient, packing, known=[lost]).deliveries == {(lost, packing)}


# One message, several spans


def test_create_and_the_send_that_links_to_it_are_one_message() -> None:
    """Batches of today's conventions: who reacts, refers to the create."""
    first, second = create("first"), create("second")
    sending = work("sending", kind=Span.SPAN_KIND_CLIENT, links=[first, second], said=SENDS)
    packing = consume("packing", second)

    told = tell(first, second, sending, packing)
    assert told.messages == {first: {first, sending}, second: {second, sending}}
    assert told.deliveries == {(second, packing)}


def test_create_and_the_publish_within_it_are_one_message() -> None:
    """FastStream writes two spans a message, and its consumers are children of the first."""
    placed = create("placed")
    sending = publish("sending", parent=placed)
    packing = react("packing", placed)

    told = tell(sending, placed, packing)
    assert told.messages == {placed: {placed, sending}}
    assert told.deliveries == {(placed, packing)}


def test_create_is_one_message_however_often_it_is_sent() -> None:
    """A send that failed and was tried again: the context that travels is the create's."""
    placed = create("placed")
    tries = [publish(name, parent=placed) for name in ("first try", "second try")]

    assert tell(placed, *tries).messages == {placed: {placed, *tries}}


def test_send_within_the_first_of_the_creates_that_it_links_to_is_a_part_of_all() -> None:
    first, second = create("first"), create("second")
    sending = publish("sending", parent=first, links=[first, second])

    assert tell(first, second, sending).messages == {first: {first, sending}, second: {second, sending}}


def test_publish_that_two_libraries_saw_is_one_message() -> None:
    """The context that travels is the inner one's, the message is the outer one."""
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
    """A loop that publishes is no second word for one message."""
    loop = publish("loop")
    turns = [publish(name, parent=loop) for name in ("once", "twice")]

    assert tell(loop, *turns).messages.keys() == {loop, *turns}


# One reaction, several spans


def test_handler_within_a_receive_has_what_was_received() -> None:
    """A batch's own span holds the links; its handler, the only one, has none."""
    first, second = publish("first"), publish("second")
    poll = receive("poll", first, second, service="packing")
    packing = consume("packing", parent=poll)

    told = tell(first, second, poll, packing)
    assert told.deliveries == {(first, packing), (second, packing)}
    assert told.reactions == {packing: {packing, poll}}


def test_handler_within_a_receive_has_the_message_that_is_the_parent_of_the_receive() -> None:
    placed = publish("placed")
    poll = receive("poll", parent=placed, service="packing")
    packing = consume("packing", parent=poll)

    assert tell(placed, poll, packing).deliveries == {(placed, packing)}


def test_dangling_delivery_through_a_receive_names_the_message_and_not_the_receive() -> None:
    lost = publish("lost")
    poll = receive("poll", parent=lost, flags=REMOTE, service="packing")
    packing = consume("packing", parent=poll)

    assert tell(poll, packing, known=[lost]).deliveries == {(lost, packing)}


def test_handlers_take_what_they_link_to_and_the_receive_keeps_the_rest() -> None:
    """A message that was handed over and never handled must not vanish."""
    first, second = publish("first"), publish("second")
    poll = receive("poll", first, second, service="packing")
    packing = consume("packing", first, parent=poll)

    assert tell(first, second, poll, packing).deliveries == {(first, packing), (second, poll)}


def test_only_handler_without_a_link_takes_what_the_others_left() -> None:
    first, second = publish("first"), publish("second")
    poll = receive("poll", first, second, service="packing")
    one, other = (
        consume("one", first, parent=poll, service="packing"),
        consume("other", parent=poll, service="packing"),
    )

    assert tell(first, second, poll, one, other).deliveries == {(first, one), (second, other)}


def test_receive_whose_handlers_do_not_say_which_message_is_the_reaction_itself() -> None:
    """To give each handler every message would invent deliveries."""
    first, second = publish("first"), publish("second")
    poll = receive("poll", first, second, service="packing")
    handlers = [consume(name, parent=poll, service="packing") for name in ("one", "other")]
    packed = publish("packed", parent=handlers[0], service="packing")

    told = tell(first, second, poll, packed, *handlers)
    assert told.deliveries == {(first, poll), (second, poll)}
    assert told.causes == {(poll, packed)}


@pytest.mark.parametrize("operation", ["receive", "settle"])
def test_empty_poll_and_settle_are_no_reactions(operation: str) -> None:
    """Nobody reacts a hundred times a second."""
    placed = publish("placed")
    nothing = consume("nothing", operation=operation)

    assert tell(placed, nothing).reactions == {}


def test_settle_of_a_message_is_no_reaction() -> None:
    placed = publish("placed")
    ack = consume("ack", placed, operation="settle", kind=Span.SPAN_KIND_CLIENT)

    assert tell(placed, ack).deliveries == set()


@pytest.mark.parametrize("linked", [True, False])
def test_handler_that_two_libraries_saw_is_one_reaction_and_one_attempt(linked: bool) -> None:
    placed = publish("placed")
    outer = consume("outer", placed, service="packing", took=9)
    inner = consume("inner", *[placed] * linked, parent=outer, service="packing")

    told = tell(placed, inner, outer)
    assert told.deliveries == {(placed, outer)}
    assert told.reactions.keys() == {outer}
    assert told.reaction(outer)["attempts"] == 1


def test_redelivery_is_another_attempt_of_one_reaction() -> None:
    """It failed, came again, and went well: that is one reaction that took two attempts."""
    placed = publish("placed")
    failed = react("packing", placed, at=5, error="no stock", called="process")
    again = react("again", placed, service="packing", at=20, took=3, called="process")

    told = tell(again, placed, failed)
    assert told.deliveries == {(placed, failed)}
    assert told.reactions == {failed: {failed, again}}
    reaction = told.reaction(failed)
    assert (reaction["attempts"], reaction["status"]) == (2, "ok")
    assert reaction["start_unix_nano"] == failed.span.start_time_unix_nano
    assert reaction["end_unix_nano"] == again.span.end_time_unix_nano


def test_redelivery_within_a_group_may_overlap_the_attempt_before() -> None:
    """The broker's patience ended before the handler did."""
    placed = publish("placed")
    slow, again = (react(name, placed, service="packing", group="g", at=at, took=9) for name, at in TWICE)

    assert tell(placed, again, slow).reactions == {slow: {slow, again}}


def test_handlers_of_one_service_without_groups_react_each_for_itself() -> None:
    """A service that packs and bills may subscribe twice; to take one for a repetition hides a reaction."""
    placed = publish("placed")
    packing, billing = (react(name, placed, service="shop", at=at) for name, at in TWICE)

    assert tell(placed, packing, billing).deliveries == {(placed, packing), (placed, billing)}


def test_two_processes_that_both_get_a_message_react_each_for_itself() -> None:
    """Without a group a broker gives every subscriber its own copy, and all of them at once."""
    placed = publish("placed")
    here, there = (react(name, placed, service="shop", at=at, took=9, called="process") for name, at in TWICE)

    assert tell(placed, here, there).deliveries == {(placed, here), (placed, there)}


def test_messages_that_one_span_sent_are_told_apart_by_their_ids() -> None:
    """A batch without creates: one send, and as many reactions of one group as there were messages."""
    sending = publish("sending")
    reactions = [
        react(
            f"{name}{at}", sending, service="packing", group="g", at=at, said={"messaging.message.id": name}
        )
        for at, name in enumerate(["one", "other", "one"])
    ]

    told = tell(sending, *reactions)
    assert told.reactions == {reactions[0]: {reactions[0], reactions[2]}, reactions[1]: {reactions[1]}}


def test_groups_of_one_service_react_each_for_itself() -> None:
    placed = publish("placed")
    packing, billing = (react(name, placed, service="shop", group=name) for name in ("packing", "billing"))

    assert tell(placed, packing, billing).deliveries == {(placed, packing), (placed, billing)}


def test_batches_that_share_a_message_are_no_attempts_of_each_other() -> None:
    first, second, third = (publish(name) for name in ("first", "second", "third"))
    batch, other = consume("batch", first, second, service="p"), consume("other", second, third, service="p")

    assert tell(first, second, third, batch, other).reactions.keys() == {batch, other}


# What a reaction publishes


def test_what_is_published_at_any_depth_of_a_reaction_is_caused_by_it() -> None:
    """Between the handler and the publish lie database calls, retries, and other services' requests."""
    placed = publish("placed")
    packing = react("packing", placed)
    step = work("step", parent=packing, service="packing")
    request = work("request", parent=step, service="printer", kind=Span.SPAN_KIND_SERVER)
    printed = publish("printed", parent=request, service="printer")

    assert tell(placed, packing, step, request, printed).causes == {(packing, printed)}


def test_nearest_reaction_is_the_cause() -> None:
    placed = publish("placed")
    packing = react("packing", placed)
    packed = publish("packed", parent=packing, service="packing")
    shipping = react("shipping", packed)
    shipped = publish("shipped", parent=shipping, service="shipping")

    assert tell(placed, packing, packed, shipping, shipped).causes == {(packing, packed), (shipping, shipped)}


def test_what_another_service_published_after_our_message_is_not_our_doing() -> None:
    """Its own reaction was lost; to say that we published it would hide the gap."""
    packing = consume("packing")
    packed = publish("packed", parent=packing, service="packing")
    shipped = publish("shipped", parent=packed, service="shipping")

    assert tell(packing, packed, shipped).causes == {(packing, packed)}


def test_message_that_links_to_work_of_a_reaction_is_caused_by_it() -> None:
    """An outbox: another process publishes later what the handler wrote down."""
    placed = publish("placed")
    packing = react("packing", placed)
    writing = work("writing", parent=packing, service="packing")
    relayed = publish("relayed", service="relay", links=[writing])

    told = tell(placed, packing, writing, relayed)
    assert told.causes == {(packing, relayed)}
    assert told.because(packing, relayed) == "link"


def test_message_that_links_to_a_message_is_not_caused_by_whoever_published_that() -> None:
    packing = consume("packing")
    packed = publish("packed", parent=packing, service="packing")
    copied = publish("copied", service="mirror", links=[packed])

    assert tell(packing, packed, copied).causes == {(packing, packed)}


def test_what_a_poll_publishes_after_its_only_handler_is_caused_by_that() -> None:
    placed = publish("placed")
    poll = receive("poll", placed, service="packing")
    packing = consume("packing", parent=poll)
    packed = publish("packed", parent=poll, service="packing")

    assert tell(placed, poll, packing, packed).causes == {(packing, packed)}


# Repairs and doubts


def test_span_that_names_itself_is_noted_and_does_no_harm() -> None:
    placed = publish("placed")
    placed.span.parent_span_id = placed.span.span_id
    packing = consume("packing", placed)
    packing.span.links.add(trace_id=packing.span.trace_id, span_id=packing.span.span_id)

    told = tell(placed, packing)
    assert told.deliveries == {(placed, packing)}
    assert told.notes == {("self_link", placed), ("self_link", packing)}


def test_circle_of_parents_is_noted_where_it_is_and_passed_over() -> None:
    """What hangs on a circle is not on it."""
    first, second = work("first", trace="t"), work("second", trace="t")
    first.span.parent_span_id, second.span.parent_span_id = second.span.span_id, first.span.span_id
    placed = publish("placed", parent=first)

    told = tell(first, second, placed)
    assert told.notes == {("cycle", first), ("cycle", second)}
    assert told.causes == set()


def test_copies_of_a_span_are_one_span() -> None:
    """Exporters send again when an answer is lost; nobody has to know."""
    placed = publish("placed")
    packing = consume("packing", placed)

    assert tell(placed, packing, placed, packing, packing).document == tell(placed, packing).document


def test_copy_that_came_first_says_when_a_span_came() -> None:
    """What is late is judged by it, and an exporter's second try must not make it younger."""
    spans = spans_of(publish("placed"))
    column = spans.schema.get_field_index("received_unix_nano")
    later = spans.set_column(column, spans.schema.field(column), pa.array([NOW + 9], pa.uint64()))

    for copies in ([spans, later], [later, spans]):
        graph = stitch(conventions.read(pa.concat_tables(copies))).graph
        assert graph.spans["received"].to_pylist() == [NOW]


def test_span_without_an_id_is_nobodys_parent() -> None:
    """No decoder lets one through; were there one, every root would seem to be its child."""
    nobody, root = reading(0, 0, span_id=bytes(8)), reading(0, 1)

    assert stitch(table([nobody, root])).graph.parent.tolist() == [-1, -1]


def test_one_id_with_two_contents_is_noted_and_the_later_one_shown() -> None:
    """Some programs copy their ids; which one came first is chance."""
    early, late = publish("placed", service="early"), publish("placed", service="late", at=3)

    told = tell(early, late)
    assert told.document == tell(late, early).document
    assert told.document["messages"][0]["service"] == "late"
    assert [note["kind"] for note in told.document["notes"]] == ["id_reused"]


def test_contents_that_differ_in_links_alone_are_two_contents() -> None:
    """The choice between them may not fall to whichever came first."""
    first, second = publish("first"), publish("second")
    one, other = consume("packing", first), consume("packing", second)

    told = tell(first, second, one, other)
    assert told.document == tell(other, second, one, first).document
    assert ("id_reused", "packing") in {(kind, sent.name) for kind, sent in told.notes}


def test_reaction_before_its_message_is_a_matter_of_clocks() -> None:
    """The edge stays: clocks differ, and causes do not."""
    placed = publish("placed", at=10)
    packing = consume("packing", placed, at=5)

    told = tell(placed, packing)
    assert told.deliveries == {(placed, packing)}
    assert told.notes == {("clock_skew", packing)}


def test_end_before_the_start_is_noted() -> None:
    backwards = publish("backwards", took=-1)

    assert tell(backwards).notes == {("end_before_start", backwards)}


def test_links_that_the_sender_dropped_are_noted() -> None:
    """An SDK keeps 128 links: a batch of 200 has lost some of its messages without a word."""
    packing = consume("packing", publish("placed"))
    packing.span.dropped_links_count = 72

    assert ("dropped_links", packing) in tell(packing, known=[publish("placed")]).notes


def test_times_of_nothing_and_beyond_the_calendar_are_times() -> None:
    """Whatever a clock says, nothing may break."""
    placed, packing = publish("placed"), consume("packing", publish("placed"))
    placed.span.start_time_unix_nano, placed.span.end_time_unix_nano = 0, 2**64 - 1
    packing.span.start_time_unix_nano, packing.span.end_time_unix_nano = 2**64 - 1, 0

    told = tell(placed, packing)
    assert told.deliveries == {(placed, packing)}
    assert told.notes == {("end_before_start", packing)}


def test_nothing_is_a_graph() -> None:
    assert tell().document == {
        "spans": 0,
        "traces": 0,
        "messages": [],
        "reactions": [],
        "edges": [],
        "flows": [],
        "notes": [],
    }
