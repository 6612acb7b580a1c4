"""Which spans form one business run, over however many traces, and which only share a batch or a trace?"""

from itertools import pairwise

import pytest

from collector.stitching.parts import MOST_SHARED
from tests.telling import REMOTE, Sent, consume, create, publish, react, receive, stitched, tell, work


def chain(name: str, *, key: str | None = None, steps: int = 2) -> list[Sent]:
    """Messages and reactions, one after another, each reaction in its own trace."""
    sent = [publish(f"{name}0", key=key)]
    for step in range(1, steps):
        reaction = consume(f"{name}>{step}", sent[-1])
        sent += [reaction, publish(f"{name}{step}", parent=reaction, service=reaction.service)]
    return sent


def test_traces_that_an_edge_joins_are_one_flow() -> None:
    """By default, the conventions start a new trace for each message that a service handles."""
    order = chain("order", steps=4)

    told = tell(*order)
    assert told.flows == [set(order)]
    assert len(told.document["flows"][0]["traces"]) == 4


def test_traces_with_one_key_are_one_flow() -> None:
    """The order's id reconnects a message that lost its trace context."""
    placed, paid = publish("placed", key="A-1"), publish("paid", key="A-1")

    told = tell(placed, paid)
    assert told.flows == [{placed, paid}]
    assert told.keys == ["A-1"]


def test_traces_of_one_moment_are_flows_of_their_own() -> None:
    """Being close in time joins nothing, and a flow without a key stays without one."""
    first, second = publish("first"), publish("second")

    told = tell(second, first)
    assert sorted(map(len, told.flows)) == [1, 1]
    assert told.keys == [None, None]


def test_key_on_any_span_of_a_trace_is_the_key_of_all_of_it() -> None:
    request = work("request", key="A-1")
    placed = publish("placed", parent=request)
    packing = consume("packing", placed)

    told = tell(request, placed, packing)
    assert told.keys == ["A-1"]
    assert told.flows == [{placed, packing}]


def test_two_keys_in_one_trace_are_two_flows() -> None:
    """An import places many orders in one request: each of them is a flow."""
    request = work("request")
    orders = [publish(f"placed {key}", parent=request, key=key, at=at) for at, key in enumerate("AB")]
    reactions = [react(f"packing {order}", order) for order in orders]

    told = tell(request, *orders, *reactions)
    assert told.keys == ["A", "B"]
    assert told.flows == [set(pair) for pair in zip(orders, reactions, strict=True)]


def test_key_of_the_nearest_span_above_counts() -> None:
    """Work without a key in a reaction to B belongs to B, although A is in the trace too."""
    request = work("request", key="A")
    placed = publish("placed", parent=request, at=1)
    other = publish("other", parent=request, key="B", subject="others", at=2)
    packing = react("packing", other)

    told = tell(request, placed, other, packing)
    assert told.keys == ["A", "B"]
    assert told.flows == [{placed}, {other, packing}]


@pytest.mark.parametrize("keyed", [True, False])
def test_two_flows_in_one_batch_stay_two(keyed: bool) -> None:
    """The reaction belongs to both; merging them would show one order's trouble as the other's."""
    first, second = (publish(name, key=name if keyed else None, at=at) for at, name in enumerate("ab"))
    packing = consume("packing", first, second)

    told = tell(first, second, packing)
    assert told.flows == [{first, packing}, {second, packing}]
    assert told.reaction(packing)["flows"] == ["f1", "f2"]


def test_what_a_batch_led_to_belongs_to_each_of_its_flows() -> None:
    """Without a key, nothing tells which flow the work was for, so it belongs to all of them."""
    first, second = publish("first"), publish("second", at=1)
    packing = consume("packing", first, second)
    packed = publish("packed", parent=packing, service="packing")
    shipping = consume("shipping", packed)

    told = tell(first, second, packing, packed, shipping)
    assert told.flows == [{one, packing, packed, shipping} for one in (first, second)]


def test_what_a_batch_published_with_a_key_belongs_to_that_flow_alone() -> None:
    """A courier takes ten parcels at once; each of them belongs to its own order."""
    orders = [publish(f"placed {key}", key=key, at=at) for at, key in enumerate("AB")]
    packing = consume("packing", *orders)
    parcels = [
        publish(f"packed {key}", parent=packing, service="packing", key=key, subject=key) for key in "AB"
    ]

    told = tell(*orders, packing, *parcels)
    assert told.flows == [{order, packing, parcel} for order, parcel in zip(orders, parcels, strict=True)]


def test_batch_keeps_flows_apart_before_all_of_its_messages_have_come() -> None:
    """Otherwise one order would swallow the other while the other's telemetry is late."""
    first, late = publish("first", key="A"), publish("late", key="B")
    packing = consume("packing", first, late)
    packed = publish("packed", parent=packing, service="packing", key="B", at=5)

    told = tell(first, packing, packed, known=[late])
    assert told.keys == ["A", "B"]
    assert told.flows == [{first, packing}, {packed}]


def test_batch_of_a_batch_belongs_to_all_flows_behind_it() -> None:
    first, second, third = (publish(name, at=at) for at, name in enumerate("abc"))
    picking = consume("picking", first, second)
    picked = publish("picked", parent=picking, service="picking")
    shipping = consume("shipping", picked, third)
    shipped = publish("shipped", parent=shipping, service="shipping")

    told = tell(first, second, third, picking, picked, shipping, shipped)
    assert told.flows == [
        {first, picking, picked, shipping, shipped},
        {second, picking, picked, shipping, shipped},
        {third, shipping, shipped},
    ]


def test_consumer_of_several_messages_of_one_flow_holds_it_together() -> None:
    """A join is not a batch: shipping needs the payment and the clearance of one order."""
    placed = publish("placed")
    branches = [consume(name, placed) for name in ("payment", "fraud")]
    results = [publish(f"{one} done", parent=one, service=one.service) for one in branches]
    shipping = consume("shipping", *results)
    shipped = publish("shipped", parent=shipping, service="shipping")

    everything = {placed, *branches, *results, shipping, shipped}
    assert tell(*everything).flows == [everything]


def test_joins_after_joins_hold_one_flow_together() -> None:
    """Each join can be recognised only after the joins before it."""
    sent = [publish("start")]
    for step in range(20):
        branches = [consume(f"{side}{step}", sent[-1]) for side in "lr"]
        results = [publish(f"{one} done", parent=one, service=one.service) for one in branches]
        join = consume(f"join{step}", *results)
        sent += [*branches, *results, join, publish(f"out{step}", parent=join, service=join.service)]

    assert tell(*sent).flows == [set(sent)]


def test_batches_that_feed_each_other_in_a_circle_are_one() -> None:
    """Real causes never form a cycle, but damaged data may, and stitching must still end."""
    first, second = publish("first"), publish("second", at=1)
    one = consume("one", first, publish("from other", trace="other"))
    other = consume("other", second, publish("from one", trace="one"))
    made = [publish(f"from {by}", parent=by, service=by.service, at=5) for by in (one, other)]

    told = tell(first, second, one, other, *made)
    assert told.flows == [{first, one, other, *made}, {second, one, other, *made}]


def test_poll_that_brought_messages_of_two_flows_does_not_join_them() -> None:
    """The handlers share a poll and its trace, and nothing else."""
    first, second = publish("first"), publish("second", at=1)
    poll = receive("poll", first, second, service="packing")
    handlers = [consume(f"packing {one}", one, parent=poll, service="packing") for one in (first, second)]
    packed = publish("packed", parent=handlers[1], service="packing", at=2)

    told = tell(first, second, poll, *handlers, packed)
    assert told.flows == [{first, handlers[0]}, {second, handlers[1], packed}]
    assert told.reactions == {handler: {handler, poll} for handler in handlers}


def test_worker_that_never_ends_its_trace_does_not_join_flows() -> None:
    """One span around a worker's loop puts every order of the day in its trace."""
    loop = work("loop", service="packing")
    orders = [publish(f"placed {at}", at=at) for at in range(3)]
    reactions = [consume(f"packing {one}", one, parent=loop, service="packing") for one in orders]

    told = tell(loop, *orders, *reactions)
    assert told.flows == [set(pair) for pair in zip(orders, reactions, strict=True)]


def test_poll_that_is_an_attempt_keeps_what_happened_in_it() -> None:
    """The message's span is lost; one attempt is in its trace, the other links to it: one flow."""
    placed = publish("placed")
    first = consume("first", placed, service="packing", group="packing")
    said = {"messaging.destination.name": "orders.packing"}
    again = receive("again", parent=placed, flags=REMOTE, service="packing", group="packing", at=5, said=said)
    inside = work("inside", parent=again, service="packing", at=6)

    flows = stitched(first, again, inside).flows

    assert (flows.count, flows.row.tolist()) == (1, [0, 1, 2])


def test_poll_within_the_work_of_another_flow_does_not_join_them() -> None:
    """A loop surrounds the polls, or a library polls in the context that the last message left open."""
    loop = work("loop", service="packing")
    orders = [publish(f"placed {at}", at=at) for at in range(3)]
    around, polls, handlers = loop, [], []
    for place, order in enumerate(orders):
        polls.append(receive(f"poll {place}", service="packing", parent=around))
        handlers.append(consume(f"packing {place}", order, service="packing", parent=polls[-1]))
        around = handlers[-1] if place else loop

    told = tell(loop, *orders, *polls, *handlers)
    assert told.flows == [set(pair) for pair in zip(orders, handlers, strict=True)]
    assert [polls[place] in told.reactions[handler] for place, handler in enumerate(handlers)] == [True] * 3


def test_message_that_a_worker_sends_itself_stays_with_the_order_it_is_of() -> None:
    """It is sent for one order, and taken in the same trace during the work for the next one."""
    loop = work("loop", service="packing")
    first, second = publish("first"), publish("second", at=1)
    one = consume("one", first, service="packing", parent=loop, at=2)
    packed = publish("packed", service="packing", parent=one, at=3)
    other = consume("other", second, service="packing", parent=loop, at=4)
    taken = consume("taken", packed, service="packing", parent=other, at=5)

    told = tell(loop, first, second, one, packed, other, taken)
    assert told.flows == [{first, one, packed, taken}, {second, other}]


def test_request_around_one_reaction_belongs_to_its_flow() -> None:
    """A broker that pushes over HTTP wraps the handling in a request that starts a trace."""
    placed = publish("placed")
    request = work("request", service="packing")
    packing = consume("packing", placed, parent=request)

    flows = stitched(placed, request, packing).flows
    assert (flows.count, len(flows.row)) == (1, 3)


def test_messages_of_two_flows_that_are_sent_together_stay_two() -> None:
    first, second = create("first", key="A"), create("second", key="B", at=1)
    sending = publish("sending", links=[first, second])

    told = tell(first, second, sending)
    assert told.flows == [{first}, {second}]
    assert told.messages == {first: {first, sending}, second: {second, sending}}


def test_key_of_a_batch_names_its_own_flow_only() -> None:
    """Handlers often record the first order of a batch; the other messages do not belong to that order."""
    first, second = publish("first", key="A"), publish("second", at=1)
    packing = consume("packing", first, second, key="A", at=-5)

    told = tell(first, second, packing)
    assert told.keys == ["A", None]


def test_batch_of_very_many_flows_begins_a_flow() -> None:
    """Membership in everything says nothing, and would cost an entry for each span and flow."""
    orders = [publish(f"placed {number}") for number in range(MOST_SHARED + 1)]
    counting = consume("counting", *orders)
    counted = publish("counted", parent=counting, service="counting")

    few, many = tell(*orders[1:], consume("counting", *orders[1:]), counted), tell(*orders, counting, counted)
    assert (len(few.flows), len(many.flows)) == (MOST_SHARED, MOST_SHARED + 2)
    assert {counted} in many.flows
    assert sum(counting in flow for flow in many.flows) == MOST_SHARED + 1


def test_spans_that_have_to_do_with_no_message_are_no_flow() -> None:
    """A health check is not somebody's order."""
    check = work("check", key="A-1")
    query = work("query", parent=check)

    told = tell(check, query)
    assert told.flows == []
    assert (told.document["spans"], told.document["traces"]) == (2, 1)


def test_flows_are_in_the_order_of_their_first_messages() -> None:
    """Neither random ids nor a consumer's skewed clock may change the order."""
    orders = [publish(f"placed {at}", at=at) for at in range(9)]
    early = consume("early", orders[8], at=-50)

    told = tell(early, *reversed(orders))
    assert [min(flow, key=repr) for flow in told.flows][:8] == orders[:8]
    starts = [min(o.span.start_time_unix_nano for o in flow if o is not early) for flow in told.flows]
    assert all(one < other for one, other in pairwise(starts))


def test_flow_is_incomplete_when_a_span_of_it_was_lost() -> None:
    """Lost telemetry is not a stalled order, and the reader must be able to tell."""
    whole, broken = publish("whole"), react("broken", publish("lost"), flags=REMOTE)

    flows = stitched(whole, broken).flows
    assert sorted(flows.incomplete.tolist()) == [False, True]
