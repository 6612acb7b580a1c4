"""Which spans are one reaction, and what does that reaction publish?"""

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.telling import REMOTE, consume, publish, react, receive, tell, work

TWICE = (("first", 1), ("second", 5))


def test_handler_within_a_receive_has_what_was_received() -> None:
    """The batch's span has the links; its only handler has none."""
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


@pytest.mark.parametrize("how", ["parent", "link"])
def test_batch_that_links_to_its_receives_has_what_was_received(how: str) -> None:
    """The links lead to the spans that received its messages, not to those that sent them."""
    placed = [publish("first"), publish("second", at=1)]
    polls = [
        receive(f"poll of {one}", parent=one, service="packing")
        if how == "parent"
        else receive(f"poll of {one}", one, service="packing")
        for one in placed
    ]
    packing = consume("packing", *polls)
    packed = publish("packed", parent=packing, service="packing", subject="totals")

    told = tell(packed, packing, *polls, *placed)
    assert told.deliveries == {(one, packing) for one in placed}
    assert told.reactions == {packing: {packing, *polls}}
    assert told.causes == {(packing, packed)}
    assert told.flows == [{one, packing, packed} for one in placed]


def test_batch_whose_receives_are_partly_here_has_what_they_received() -> None:
    placed, other = publish("first"), publish("second")
    polls = [receive(f"poll of {one}", parent=one, service="packing") for one in (placed, other)]
    packing = consume("packing", *polls)

    told = tell(placed, other, polls[0], packing, known=polls)
    assert told.deliveries == {(placed, packing), (polls[1], packing)}
    assert [told.edge(source, packing)[1] for source in (placed, polls[1])] == ["observed", "inferred"]


def test_handlings_that_link_to_one_poll_of_several_messages_took_one_each() -> None:
    """Which of them took which, nobody says: the poll stays the reaction to all."""
    placed = [publish("first"), publish("second")]
    poll = receive("poll", *placed, service="packing")
    handlings = [consume(f"packing {n}", poll, service="packing") for n in (1, 2)]

    assert tell(*placed, poll, *handlings).deliveries == {(one, poll) for one in placed}


def test_receive_of_another_service_is_not_ones_own() -> None:
    placed = publish("placed")
    poll = receive("poll", parent=placed, service="billing")
    packing = consume("packing", poll)

    assert tell(placed, poll, packing).deliveries == {(placed, poll)}


def test_dangling_delivery_through_a_receive_names_the_message_and_not_the_receive() -> None:
    lost = publish("lost")
    poll = receive("poll", parent=lost, flags=REMOTE, service="packing")
    packing = consume("packing", parent=poll)

    assert tell(poll, packing, known=[lost]).deliveries == {(lost, packing)}


def test_handlers_take_what_they_link_to_and_the_receive_keeps_the_rest() -> None:
    """A message that was received but never handled must not vanish."""
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


def test_poll_beside_the_handlings_of_its_messages_is_no_reaction() -> None:
    """Azure's clients link both spans to the message, and nest neither in the other."""
    first, second, left = publish("first"), publish("second"), publish("left")
    poll = receive("poll", first, second, left, service="packing")
    handlers = [consume(f"packing {one}", one, service="packing") for one in (first, second)]

    told = tell(first, second, left, poll, *handlers)
    assert told.deliveries == {(first, handlers[0]), (second, handlers[1]), (left, poll)}
    whole = receive("whole", first, second, service="packing")
    assert set(tell(first, second, whole, *handlers).reactions) == set(handlers)


def test_poll_of_another_group_or_destination_reacts_for_itself() -> None:
    placed = publish("placed")
    handling = consume("handling", placed, service="packing")
    audit = receive("audit", placed, service="packing", group="audit")
    copy = receive("copy", placed, service="packing", said={"messaging.destination.name": "copies"})

    assert set(tell(placed, handling, audit, copy).reactions) == {handling, audit, copy}


def test_receive_whose_handlers_do_not_say_which_message_is_the_reaction_itself() -> None:
    """Giving every message to each handler would invent deliveries."""
    first, second = publish("first"), publish("second")
    poll = receive("poll", first, second, service="packing")
    handlers = [consume(name, parent=poll, service="packing") for name in ("one", "other")]
    packed = publish("packed", parent=handlers[0], service="packing")

    told = tell(first, second, poll, packed, *handlers)
    assert told.deliveries == {(first, poll), (second, poll)}
    assert told.causes == {(poll, packed)}


@pytest.mark.parametrize("operation", ["receive", "settle"])
def test_empty_poll_and_settle_are_no_reactions(operation: str) -> None:
    """Idle consumers poll a hundred times a second, and no poll handles anything."""
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
    """It failed, was redelivered and succeeded: one reaction with two attempts."""
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
    """The broker's ack timeout ended before the handler did."""
    placed = publish("placed")
    slow, again = (react(name, placed, service="packing", group="g", at=at, took=9) for name, at in TWICE)

    assert tell(placed, again, slow).reactions == {slow: {slow, again}}


def test_handlers_of_one_service_without_groups_react_each_for_itself() -> None:
    """A service that packs and bills may subscribe twice; taking one for a retry would hide a reaction."""
    placed = publish("placed")
    packing, billing = (react(name, placed, service="shop", at=at) for name, at in TWICE)

    assert tell(placed, packing, billing).deliveries == {(placed, packing), (placed, billing)}


def test_two_processes_that_both_get_a_message_react_each_for_itself() -> None:
    """Without a group, a broker gives every subscriber its own copy, all at once."""
    placed = publish("placed")
    here, there = (react(name, placed, service="shop", at=at, took=9, called="process") for name, at in TWICE)

    assert tell(placed, here, there).deliveries == {(placed, here), (placed, there)}


def test_messages_that_one_span_sent_are_told_apart_by_their_ids() -> None:
    """A batch without creates has one send, and one reaction of a group for each message."""
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
    """Between the handler and the publish lie database calls, retries and requests to other services."""
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
    """Its own reaction was lost; saying that we published its message would hide the gap."""
    packing = consume("packing")
    packed = publish("packed", parent=packing, service="packing")
    shipped = publish("shipped", parent=packed, service="shipping")

    assert tell(packing, packed, shipped).causes == {(packing, packed)}


def test_message_that_links_to_work_of_a_reaction_is_caused_by_it() -> None:
    """An outbox: another process later publishes what the handler stored."""
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
