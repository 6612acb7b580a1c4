"""What do facts of a broker say about a message and a group, and when do they say nothing?"""

from dataclasses import replace

import pytest

from collector.brokers.contract import Facts, Fate, Known, Spot
from collector.model.facts import (
    FOREVER,
    Connection,
    Consumer,
    FactKind,
    Happening,
    Stored,
    Stream,
    Subscription,
)
from collector.model.subjects import meets, takes

NOW = 1_000
ORDERS = Stream("nats", "ORDERS", ("shop.>",), first=1, last=100, messages=100, as_of=NOW, valid_until=NOW)
PAYMENT = Consumer(
    "nats",
    "ORDERS",
    "payment",
    ("shop.order.*",),
    pending=0,
    in_flight=0,
    redelivered=0,
    delivered=50,
    floor=40,
    as_of=NOW,
    valid_until=NOW,
)
SPOT = Spot("ORDERS", 45)


def known(*consumers: Consumer, happenings: tuple[Happening, ...] = (), whole: int = NOW) -> Facts:
    streams, about = (ORDERS,), happenings
    return Facts(
        (Known("nats", NOW, streams, consumers, happenings=about, consumers_whole_until=whole),), NOW
    )


@pytest.mark.parametrize(
    ("pattern", "subject", "taken"),
    [
        ("shop.>", "shop.order.placed", True),
        ("shop.>", "shop", False),
        ("shop.*", "shop.order.placed", False),
        ("shop.*.placed", "shop.order.placed", True),
        (">", "shop", True),
        ("shop.order", "shop.orders", False),
        ("*.order", "shop.order", True),
    ],
)
def test_wildcards_are_those_of_nats(pattern: str, subject: str, taken: bool) -> None:
    """A filter that is read wrongly makes a group wait for what it never gets."""
    assert takes(pattern, subject) is taken


def test_a_template_meets_a_filter_that_takes_part_of_it() -> None:
    assert meets("shop.order.placed", "shop.*.placed")
    assert not meets("shop.order.placed", "shop.*.shipped")


@pytest.mark.parametrize(
    ("changed", "sequence", "fate"),
    [
        ({}, 60, Fate.WAITING),
        ({}, 40, Fate.PASSED),
        ({}, 45, Fate.PASSED),  # nothing is in flight
        ({"in_flight": 3}, 45, Fate.PERHAPS_OPEN),
        ({"in_flight": 3, "deliveries_open": 3}, 45, Fate.OPEN),
        ({"in_flight": 1}, 41, Fate.OPEN),  # the floor would have passed it
    ],
)
def test_the_place_of_a_message_says_how_far_it_came(
    changed: dict[str, int], sequence: int, fate: Fate
) -> None:
    """Between floor and last delivery it is open or was settled out of order: only some states tell which."""
    consumer = replace(PAYMENT, **changed)  # type: ignore[arg-type]
    assert known(consumer).delivery(consumer, Spot("ORDERS", sequence)).fate is fate


def test_what_happened_to_a_message_counts_more_than_the_floor() -> None:
    """The floor passes messages that were given up: it proves no acknowledgement."""
    given_up = Happening("nats", FactKind.GIVEN_UP, 900, "ORDERS", "payment", 30, deliveries=3)
    facts = known(PAYMENT, happenings=(given_up,))
    found = facts.delivery(PAYMENT, Spot("ORDERS", 30))
    assert (found.fate, found.deliveries, found.happened) == (Fate.GIVEN_UP, 3, given_up)
    acked = replace(given_up, kind=FactKind.ACKNOWLEDGED, at=950)
    both = known(PAYMENT, happenings=(acked, given_up))
    assert both.delivery(PAYMENT, Spot("ORDERS", 30)).fate is Fate.ACKNOWLEDGED


def test_a_message_that_is_not_stored_any_more_waits_no_longer() -> None:
    stored = Stored("nats", "ORDERS", 60, there=False, as_of=NOW, valid_until=FOREVER)
    facts = Facts((Known("nats", NOW, (ORDERS,), (PAYMENT,), stored=(stored,)),), NOW)
    assert facts.delivery(PAYMENT, Spot("ORDERS", 60)).fate is Fate.PURGED


def test_a_stale_fact_is_none() -> None:
    """A broker that does not answer any more proves nothing by what it said before."""
    fresh = known(PAYMENT)
    assert fresh.held("payment", "shop.order.placed").consumers == (PAYMENT,)
    stale = replace(fresh, now=NOW + 1)
    found = stale.held("payment", "shop.order.placed")
    assert (found.consumers, found.whole, stale.answering) == ((), False, False)


def test_a_group_is_found_by_its_durable_name_or_its_deliver_group() -> None:
    pushed = replace(PAYMENT, name="p1", deliver_group="payment")
    other = replace(PAYMENT, name="audit")
    found = known(pushed, other).held("payment", "shop.order.placed")
    assert (found.consumers, found.others, found.whole) == ((pushed,), (other,), True)
    assert not known(pushed).held("payment", "shop.parcel.sent").consumers


def test_a_deleted_consumer_is_gone_until_it_is_there_again() -> None:
    deleted = Happening("nats", FactKind.DELETED, 900, "ORDERS", "payment")
    assert known(happenings=(deleted,)).held("payment", "shop.order.placed").gone == deleted
    assert known(PAYMENT, happenings=(deleted,)).held("payment", "shop.order.placed").gone is None


def test_who_listens_to_everything_takes_nothing() -> None:
    """A wiretap would hide that nobody reacts."""

    def client(number: str, subject: str, closed: int | None = None) -> Connection:
        subscribed = (Subscription(subject, "", number),)
        return Connection("nats", number, "n", NOW, NOW, closed=closed, subscriptions=subscribed)

    tap, gone, mine = client("1", ">"), client("2", "shop.receipts", 900), client("3", "shop.>")
    there = Known("nats", NOW, connections=(tap, gone, mine), connections_whole_until=NOW, own=frozenset("3"))
    found = Facts((there,), NOW).takers("shop.receipts")
    assert (found.connections, found.closed, found.whole) == ((), (gone,), True)


@pytest.mark.parametrize("record", [None, "", "812", "/812", "ORDERS/x", "ORDERS/" + "9" * 30])
def test_a_record_that_is_no_place_in_a_stream_is_none(record: str | None) -> None:
    assert Spot.of(record) is None
    assert Spot.of("ORDERS/812") == Spot("ORDERS", 812)
