"""Is a flow stuck if it ended another way, and a service still owes it something?

The worst mistake would be to call a flow ended that is stuck. So here are the ways in which an event that
nothing follows looks like an end, and is none.
"""

from collections.abc import Callable, Collection

import pytest

from collector.diagnosis.declared import Declared
from collector.model.flows import State
from collector.store.clickhouse.connections import Database
from tests.documents import stuck
from tests.scenes import MS, Sent, Watch, handling, order, publish, react
from tests.test_live import findings


def step(sent: list[Sent], service: str, event: str, then: str | None, key: str, at: int) -> None:
    """Add that *service* took *event* at *at*, and published *then*."""
    sent.append(react(service, event, key, at=at, took=MS))
    if then is not None:
        sent.append(publish(service, then, key, at=at + MS, by=handling(service, event, key)))


def cancelled(key: str, at: int, *, down: Collection[str] = (), refund: bool = False) -> list[Sent]:
    """An order whose payment is declined: it is cancelled, whatever fraud says, and refunded if wanted."""
    sent = order(key, at, down={*down, "payment"})
    if "payment" not in down:
        step(sent, "payment", "StockReserved", "PaymentDeclined", key, at + 20 * MS)
        step(sent, "order", "PaymentDeclined", "OrderCancelled", key, at + 25 * MS)
    if refund:
        step(sent, "payment", "OrderCancelled", "PaymentRefunded", key, at + 30 * MS)
    return sent


def booking(key: str, at: int) -> list[Sent]:
    """What is booked of an order: nothing follows it, and it is the end of no order."""
    sent: list[Sent] = []
    step(sent, "ledger", "OrderPlaced", "OrderBooked", key, at + 2 * MS)
    return sent


def booked(key: str, at: int, *, down: Collection[str] = ()) -> list[Sent]:
    """An order that is also booked."""
    return [*order(key, at, down=down), *booking(key, at)]


def teach(watch: Watch, made: Callable[[str, int], list[Sent]], flows: int, name: str = "T") -> None:
    """Teach the live part *flows* of a kind."""
    watch.receive([one for number in range(flows) for one in made(f"{name}-{number}", watch.now)])
    watch.wait(12, every_s=3)


def said(watch: Watch) -> list[tuple[str, str, list[str]]]:
    """(service, text, flows) of what services owe flows that had ended."""
    notes = stuck(watch.snapshot)["rests_on"]["notes"]
    return [(n["service"], n["text"], n["flows"]) for n in notes if n["kind"] == "ended_flows_owed"]


def test_cancelled_orders_are_not_stuck_because_fraud_never_answered(watch: Watch) -> None:
    """Nobody waits for the answer. That fraud owes it is said of fraud."""
    teach(watch, cancelled, 30)
    for number in range(3):
        watch.receive(cancelled(f"A-{number}", watch.now, down={"fraud"}))
    watch.receive(order("B-1", watch.now, down={"fraud"}))
    watch.wait(2)
    assert [flow for flow, *_ in findings(watch, late=True)] == ["B-1"]
    assert said(watch) == []  # its time is not over
    watch.wait(9)

    assert findings(watch) == [("B-1", "consumer_down", "fraud", "OrderCleared")]
    assert {watch.state(f"A-{number}") for number in range(3)} == {State.DONE}
    assert watch.flows.named("A-1")["outcome"].to_pylist() == ["OrderCancelled"]
    (service, text, flows), *others = said(watch)
    assert (service, sorted(flows), others) == ("fraud", ["A-0", "A-1", "A-2"], [])
    assert text.startswith("fraud did not react to OrderPlaced in 3 flows that had ended (OrderCancelled), ")
    assert text.endswith(" UTC: none is stuck by that.")


def test_answer_that_comes_after_all_is_owed_no_more(watch: Watch) -> None:
    """A-1 gets it within its time, A-2 later, and A-3 never."""
    teach(watch, cancelled, 30)
    at, keys = watch.now, ("A-1", "A-2", "A-3")
    answers = {key: [one for one in cancelled(key, at) if one[0] in {"fraud", "shipping"}] for key in keys}
    watch.receive([one for key in keys for one in cancelled(key, at, down={"fraud"})])
    watch.wait(1)
    watch.receive(answers["A-1"])
    watch.wait(8)
    assert [sorted(flows) for _, _, flows in said(watch)] == [["A-2", "A-3"]]
    watch.receive(answers["A-2"])
    watch.wait(2)

    assert [flows for _, _, flows in said(watch)] == [["A-3"]]
    assert watch.state("A-2") == State.DONE


def test_what_a_join_needs_is_not_waited_for_either(database: Database) -> None:
    """Shipping should have taken OrderCleared, which nothing ever followed from: the payment comes later."""
    watch = Watch(database)
    watch.learn(fraud_first=1.0)
    teach(watch, cancelled, 30)
    watch.receive(cancelled("A-1", watch.now, down={"shipping"}))
    watch.wait(9)

    assert findings(watch) == []
    assert [(service, flows) for service, _, flows in said(watch)] == [("shipping", ["A-1"])]


def test_order_that_was_stuck_is_so_no_more_once_it_is_cancelled(watch: Watch) -> None:
    """Payment hangs, and somebody cancels the order an hour later."""
    teach(watch, cancelled, 30)
    sent = cancelled("A-1", watch.now)
    later = [one for one in sent if one[1].name.endswith(("PaymentDeclined", "OrderCancelled"))]
    watch.receive([one for one in sent if one not in later and one[0] != "payment"])
    watch.wait(8)
    assert findings(watch) == [("A-1", "consumer_down", "payment", "PaymentCaptured")]
    watch.receive([publish("order", "OrderCancelled", "A-1", at=watch.now)])
    watch.wait(2)

    assert findings(watch) == []
    assert watch.state("A-1") == State.DONE
    assert [service for service, *_ in said(watch)] == ["payment"]


@pytest.mark.parametrize("service", ["payment", "fraud", "shipping"])
def test_end_of_a_branch_is_no_end_of_the_flow(database: Database, service: str) -> None:
    """Each order is booked at once, and nothing follows that: orders are stuck all the same."""
    watch = Watch(database)
    teach(watch, booked, 40)
    teach(watch, lambda key, at: [*cancelled(key, at), *booking(key, at)], 30, "C")
    watch.receive(booked("A-1", watch.now, down={service}))
    watch.wait(9)

    assert {(flow, missing) for flow, _, missing, _ in findings(watch)} == {("A-1", service)}
    assert said(watch) == []


def test_completed_flow_may_lack_a_branch_that_always_comes(database: Database) -> None:
    """Nobody can tell whether the booking or the shipment ends the order: whichever is missing is missed."""
    watch = Watch(database)
    teach(watch, booked, 40)
    watch.receive(order("A-1", watch.now))
    watch.wait(9)

    assert findings(watch) == [("A-1", "consumer_down", "ledger", "OrderBooked")]


def test_refund_is_owed_after_the_cancellation(database: Database) -> None:
    """What normally follows an event makes it no end."""
    watch = Watch(database)
    watch.learn()
    teach(watch, lambda key, at: cancelled(key, at, refund=True), 30)
    watch.receive(cancelled("A-2", watch.now, down={"fraud"}, refund=True))
    watch.receive(cancelled("A-1", watch.now, down={"fraud"}))
    watch.wait(9)

    found = {(flow, missing) for flow, _, _, missing in findings(watch)}
    assert found == {("A-1", "PaymentRefunded"), ("A-1", "OrderCleared")}
    assert [flows for _, _, flows in said(watch)] == [["A-2"]]


def test_order_that_is_placed_again_is_stuck(watch: Watch) -> None:
    """Its first run was cancelled; the second one stopped."""
    teach(watch, cancelled, 30)
    watch.receive(cancelled("A-1", watch.now))
    watch.wait(1)
    again = [publish("order", "OrderPlaced", "A-1/again", at=watch.now)]
    again[0][1].attributes[-1].value.string_value = "A-1"
    watch.receive(again)
    watch.wait(9)

    assert {(flow, service) for flow, _, service, _ in findings(watch)} == {
        ("A-1", "inventory"),
        ("A-1", "fraud"),
    }


def test_flow_that_went_on_as_no_cancelled_one_does_has_not_ended(watch: Watch) -> None:
    """It was reopened: what never happened after this end shows that it was none."""
    teach(watch, cancelled, 30)
    watch.receive(
        [*cancelled("A-1", watch.now, down={"fraud"}), publish("desk", "Reopened", "A-1", at=watch.now)]
    )
    watch.wait(9)

    assert findings(watch) == [("A-1", "consumer_down", "fraud", "OrderCleared")]


def test_too_few_examples_make_no_end(watch: Watch) -> None:
    """Once there are enough, what had been called stuck is judged by them."""
    teach(watch, cancelled, 15)
    watch.receive(cancelled("A-1", watch.now, down={"fraud"}))
    watch.wait(9)
    assert findings(watch) == [("A-1", "consumer_down", "fraud", "OrderCleared")]
    teach(watch, cancelled, 15, "U")
    watch.wait(10)

    assert findings(watch) == []


def test_what_is_new_is_excluded_by_nothing_that_was_before(database: Database) -> None:
    """A step that is new after OrderShipped is in none of the flows with a booking: they are older."""
    watch = Watch(database)

    def late(key: str, at: int, *, down: Collection[str] = ()) -> list[Sent]:
        return [*order(key, at, down=down), *booking(key, at + 70 * MS)]

    def taxed(key: str, at: int) -> list[Sent]:
        sent = order(key, at)
        step(sent, "tax", "OrderShipped", "TaxReported", key, at + 80 * MS)
        return sent

    for day in range(5):  # every other order is booked
        teach(
            watch, lambda key, at: (late if key.endswith(tuple("13579")) else order)(key, at), 10, f"D{day}"
        )
    teach(watch, taxed, 22, "X")
    watch.receive(late("A-1", watch.now, down={"shipping"}))
    watch.wait(9)

    assert [(flow, service) for flow, _, service, _ in findings(watch)] == [("A-1", "shipping")] * 2


def test_debts_of_ended_flows_weaken_no_expectation(watch: Watch) -> None:
    """Fraud is down while most orders are cancelled: the outage is found, and fraud is still expected."""
    teach(watch, cancelled, 30)
    for number in range(12):
        watch.receive(cancelled(f"A-{number}", watch.now, down={"fraud"}))
    watch.receive(order("B-1", watch.now, down={"fraud"}))
    watch.wait(8, every_s=2)
    watch.receive([one for number in range(5) for one in order(f"C-{number}", watch.now)])
    watch.wait(8, every_s=2)

    assert [flow for flow, *_ in findings(watch)] == ["B-1"]
    assert stuck(watch.snapshot)["drops"] == []
    watch.receive(order("D-1", watch.now, down={"fraud"}))
    watch.wait(9)
    assert {flow for flow, *_ in findings(watch)} == {"B-1", "D-1"}


@pytest.mark.parametrize("ends", [{"OrderCancelled"}, {"OrderCancelled", "OrderShipped"}])
def test_declared_end_needs_no_examples(watch: Watch, ends: set[str]) -> None:
    watch.tick.declare(Declared(ends=frozenset(ends)))
    watch.receive(cancelled("A-1", watch.now, down={"fraud"}))
    watch.receive(order("B-1", watch.now, down={"payment"}))
    watch.wait(9)

    assert [(flow, service) for flow, _, service, _ in findings(watch)] == [("B-1", "payment")]
    assert watch.state("A-1") == State.DONE


def test_declared_end_that_flows_are_seen_to_outlive_excuses_nothing(database: Database) -> None:
    """A booking was declared as an end by mistake: what always comes beside it is still owed."""
    watch = Watch(database)
    teach(watch, booked, 40)
    watch.tick.declare(Declared(ends=frozenset({"OrderBooked", "OrderShipped"})))
    watch.receive(booked("A-1", watch.now, down={"fraud"}) + booked("A-2", watch.now, down={"shipping"}))
    watch.wait(9)

    assert {flow for flow, *_ in findings(watch)} == {"A-1", "A-2"}
