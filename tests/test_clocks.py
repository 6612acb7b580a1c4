"""What do we say about clocks that differ? We show the difference and rewrite no time."""

import json
from typing import Any

from tests.factories import NOW
from tests.telling import MS, Sent, consume, create, publish, react, receive, tell, work


def exchange(there: int, back: int, *, name: str = "", off: int = 0, at: int = 0) -> list[Sent]:
    """A message to payment and one back, in transit *there* and *back* ms; its clock is *off* ms ahead."""
    asked = publish(f"asked{name}", at=at)
    paying = react(f"paying{name}", asked, service="payment", at=at + there + off)
    paid = publish(f"paid{name}", parent=paying, service="payment", at=at + there + off)
    told = react(f"told{name}", paid, service="order", at=at + there + back)
    return [asked, paying, paid, told]


def clocks(*sent: Sent) -> dict[tuple[str, str], tuple[Any, ...]]:
    """(about, at least, at most, edges) for each pair of services."""
    return {
        (one["service"], one["other"]): (one["ahead_ms"], one["at_least_ms"], one["at_most_ms"], one["edges"])
        for one in tell(*sent).document["clocks"]
    }


def skews(*sent: Sent) -> dict[str, str]:
    """The text of each note about clocks, by the ref that the note is about."""
    return {
        note["ref"]: note["text"] for note in tell(*sent).document["notes"] if note["kind"] == "clock_skew"
    }


def test_messages_both_ways_bound_a_clock_from_both_sides() -> None:
    """As with a time server: neither message can have taken less than no time."""
    assert clocks(*exchange(4, 6)) == {("order", "payment"): (-1.0, -6.0, 4.0, 2)}
    assert clocks(*exchange(4, 6, off=-20)) == {("order", "payment"): (-21.0, -26.0, -16.0, 2)}
    assert clocks(*exchange(4, 6, off=20)) == {("order", "payment"): (19.0, 14.0, 24.0, 2)}


def test_fastest_of_many_messages_tell_most() -> None:
    slow, fast = exchange(90, 2, off=50), exchange(3, 80, name="2", off=50, at=500)

    assert clocks(*slow, *fast) == {("order", "payment"): (50.5, 48.0, 53.0, 4)}


def test_messages_one_way_bound_a_clock_from_one_side() -> None:
    placed = publish("placed")

    assert clocks(placed, react("packing", placed, at=5)) == {("order", "packing"): (None, None, 5.0, 1)}
    assert clocks(placed, react("fraud", placed, at=5)) == {("fraud", "order"): (None, -5.0, None, 1)}


def test_cause_in_another_service_bounds_clocks_too() -> None:
    """A handling that asks another service to publish for it began before that service did."""
    placed = publish("placed")
    packing = react("packing", placed, at=5)
    call = work("call", service="stock", parent=packing, at=2)
    taken = publish("taken", service="stock", parent=call, at=2)

    assert clocks(placed, packing, call, taken)["packing", "stock"] == (None, None, -3.0, 1)


def test_one_service_and_what_was_not_seen_and_what_is_concluded_say_nothing_of_clocks() -> None:
    placed, lost = publish("placed"), publish("lost")
    said = {"messaging.system": "nats", "messaging.message.id": "7"}
    first, unlinked = publish("first", said=said), consume("unlinked", said=said, at=3)

    assert clocks(placed, react("again", placed, service="order", at=5)) == {}
    assert clocks(consume("packing", lost)) == {}
    assert tell(first, unlinked).edge(first, unlinked) == ("message_id", "inferred")
    assert clocks(first, unlinked) == {}


def test_time_that_was_not_set_says_nothing_of_clocks() -> None:
    """Zero means 1970, and no clock is that far off."""
    placed = publish("placed")
    packing = react("packing", placed)
    packing.span.start_time_unix_nano = 0

    assert clocks(placed, packing) == {}
    assert skews(placed, packing) == {}


def test_delivery_before_its_publish_is_noted_with_both_services_and_the_estimate() -> None:
    asked, paying, paid, told = exchange(4, 6, off=-20)

    assert skews(asked, paying, paid, told) == {
        paying.ref: "it seems to have begun 16.0 ms before its message was published: "
        "the clock of payment is about 21.0 ms behind that of order (at least 16.0 ms, at most 26.0 ms)"
    }
    assert skews(asked, paying) == {
        paying.ref: "it seems to have begun 16.0 ms before its message was published: "
        "the clock of payment is at least 16.0 ms behind that of order"
    }
    asked, paying, paid, told = exchange(4, 6, off=20)
    assert skews(asked, paying, paid, told) == {
        told.ref: "it seems to have begun 14.0 ms before its message was published: "
        "the clock of order is about 19.0 ms behind that of payment (at least 14.0 ms, at most 24.0 ms)"
    }


def test_poll_that_waited_for_its_message_is_no_skew() -> None:
    """The poll begins while the queue is empty: only its end shows when the message was there."""
    placed = publish("placed", at=500)
    poll = receive("poll", placed, service="mail", at=100)
    poll.span.end_time_unix_nano = NOW + 503 * MS

    assert skews(placed, poll) == {}
    assert clocks(placed, poll) == {("mail", "order"): (None, -3.0, None, 1)}

    poll.span.end_time_unix_nano = NOW + 480 * MS
    assert "the clock of mail is at least 20.0 ms behind that of order" in skews(placed, poll)[poll.ref]


def test_clock_that_was_set_in_between_contradicts_itself() -> None:
    sent = [*exchange(4, 6, off=-20), *exchange(4, 6, name="2", off=20, at=500)]

    assert clocks(*sent) == {("order", "payment"): (None, 14.0, -16.0, 4)}
    assert {text.partition(": ")[2] for text in skews(*sent).values()} == {
        "the clocks of order and payment differ, and not by the same all the time"
    }


def test_clocks_that_tick_once_a_millisecond_are_no_skew() -> None:
    """A note for each step of a flow would hide the notes that matter."""
    placed = publish("placed", at=5)
    plausible, early = (consume(name, placed, at=5) for name in ("plausible", "early"))
    plausible.span.start_time_unix_nano = NOW + 4 * MS
    early.span.start_time_unix_nano = NOW + 4 * MS - 1

    assert set(skews(placed, plausible, early)) == {early.ref}


def test_two_hosts_of_one_service_may_differ_as_well() -> None:
    placed = publish("placed", at=5)
    again = react("again", placed, service="order", at=1)

    (text,) = skews(placed, again).values()
    assert text.endswith("the hosts of order have clocks that differ")


def test_batch_has_a_note_for_each_service_whose_message_seems_to_come_later() -> None:
    first, second = publish("first", at=9), publish("second", at=7, service="stock")
    third = create("third", at=8, service="stock")
    batch = consume("batch", first, second, third, at=2)

    notes = [n for n in tell(first, second, third, batch).document["notes"] if n["kind"] == "clock_skew"]
    assert [(note["ref"], note["text"].partition(" before")[0]) for note in notes] == [
        (batch.ref, "it seems to have begun 6.0 ms"),
        (batch.ref, "it seems to have begun 7.0 ms"),
    ]


def test_edge_between_two_services_is_measured_with_two_clocks() -> None:
    placed, lost = publish("placed"), publish("lost")
    packing, own = react("packing", placed), react("own", placed, service="order")
    packed = publish("packed", service="packing", parent=packing)
    stray = consume("stray", lost)

    told = tell(placed, packing, own, packed, stray, known=[lost])
    across = {(told.sent[e["from"]], told.sent[e["to"]]): e["across_clocks"] for e in told.document["edges"]}
    assert across == {
        (placed, packing): True,
        (placed, own): False,
        (packing, packed): False,
        (lost, stray): False,
    }


def test_times_stay_as_they_came_and_every_edge_stays() -> None:
    asked, _, paid, _ = sent = exchange(4, 6, off=-3_600_000)
    document = tell(*sent).document

    assert [message["time_unix_nano"] for message in document["messages"]] == [
        paid.span.start_time_unix_nano,
        asked.span.start_time_unix_nano,
    ]
    assert len(document["edges"]) == 3
    assert len(document["flows"]) == 1
    assert "3,600.0 s behind" in json.dumps(document["notes"])
