"""Does an event of an outbox follow from what stored it, although another trace sends it, seconds later?"""

import pytest

from collector.model.flows import State
from tests.factories import span, span_id, trace_id
from tests.scenes import Watch, handling, order
from tests.telling import Sent, consume, publish, react, tell, work


def stored(name: str) -> list[Sent]:
    """An order is placed and billed, and the bill is stored."""
    placed = publish(f"placed {name}")
    billing = react(f"billing {name}", placed, service="billing", at=10)
    return [placed, billing, work(f"insert {name}", parent=billing, service="billing", at=12)]


@pytest.mark.parametrize("to", ["billing", "insert"])
@pytest.mark.parametrize("depth", [1, 2])
def test_event_follows_from_what_the_span_around_its_send_links_to(to: str, depth: int) -> None:
    placed, billing, insert = sent = stored("A")
    poll = work("poll", service="billing", at=500)
    relay = work("relay", parent=poll, service="billing", links=[insert if to == "insert" else billing])
    inner = relay if depth == 1 else work("inner", parent=relay, service="billing")
    billed = publish("billed", parent=inner, service="billing", subject="bills", at=502)
    mailing = react("mailing", billed, at=510)

    told = tell(*sent, poll, relay, *({inner} - {relay}), billed, mailing)
    assert told.causes == {(billing, billed)}
    assert told.edge(billing, billed) == ("link", "observed")
    assert told.flows == [{placed, billing, billed, mailing}]


def test_events_of_one_poll_follow_each_from_its_own() -> None:
    """The poll has one trace, and relays what two orders stored."""
    orders = [stored(name) for name in "AB"]
    poll = work("poll", service="billing", at=500)
    relays = [
        work(f"relay of {billing}", parent=poll, service="billing", links=[billing])
        for _, billing, _ in orders
    ]
    billed = [publish(f"by {one}", parent=one, service="billing", at=502) for one in relays]

    told = tell(*(one for sent in orders for one in sent), poll, *relays, *billed)
    assert told.flows == [
        {placed, billing, event} for (placed, billing, _), event in zip(orders, billed, strict=True)
    ]


def test_link_of_the_event_itself_counts_more_than_that_of_the_work_around_it() -> None:
    (_, first, _), (_, second, _) = orders = [stored(name) for name in "AB"]
    relay = work("relay", service="billing", links=[first])
    billed = publish("billed", parent=relay, service="billing", links=[second])

    assert tell(*(one for sent in orders for one in sent), relay, billed).causes == {(second, billed)}


def test_event_within_a_handling_follows_from_that_alone() -> None:
    """What the work inside links to is other work."""
    placed, billing, insert = stored("A")
    paying = consume("paying", publish("paid"), service="billing")
    relay = work("relay", parent=paying, service="billing", links=[billing])
    billed = publish("billed", parent=relay, service="billing")

    assert tell(placed, billing, insert, paying, relay, billed).causes == {(paying, billed)}


def test_live_flow_goes_on_with_what_a_relay_sends_later(watch: Watch) -> None:
    """The relay's spans come in a later batch, without a key: only its link says where they belong."""
    sent = order("A-1", watch.now)
    taken = handling("inventory", "OrderPlaced", "A-1")
    later = [
        one for one in sent if one[1].name.endswith(("StockReserved", "PaymentCaptured", "OrderShipped"))
    ]
    for _, one in later:
        one.trace_id = trace_id("poll")
        for link in one.links:
            link.trace_id = trace_id("poll")
        if one.parent_span_id == span_id(taken):
            one.parent_span_id = span_id("relay")
        kept = [said for said in one.attributes if said.key != "order.id"]
        del one.attributes[:]
        one.attributes.extend(kept)
    watch.receive([one for one in sent if one not in later])
    assert watch.state("A-1") == State.RUNNING
    relay = span("relay", trace="poll", start=watch.now, links=[("A-1", taken)])
    watch.receive([("inventory", relay), *later], after_s=1)
    watch.wait(12)

    assert watch.state("A-1") == State.DONE
