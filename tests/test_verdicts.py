"""Which verdicts would be wrong? Each one here was, or could easily have been."""

from collections.abc import Callable, Iterable

import pytest

from collector.model.flows import State
from collector.store.clickhouse.connections import Database
from tests.factories import SECOND
from tests.scenes import MS, Sent, Watch, handling, order, publish, react, without
from tests.test_live import findings

HOUR = 3600 * SECOND


def shifted(sent: Iterable[Sent], service: str, by_s: float) -> list[Sent]:
    """*sent* with the clock of *service* off by *by_s* seconds."""
    moved = []
    for name, one in sent:
        if name == service:
            one.start_time_unix_nano += int(by_s * SECOND)
            one.end_time_unix_nano += int(by_s * SECOND)
        moved.append((name, one))
    return moved


def teach(watch: Watch, made: Callable[[str, int], list[Sent]], count: int) -> None:
    """Receive *count* flows that *made* makes of a key and a time, three in a tick: ticks take longest."""
    for first in range(0, count, 3):
        together = range(first, min(first + 3, count))
        watch.receive([one for number in together for one in made(f"L-{number}", watch.now)])


@pytest.mark.parametrize("off_s", [-300, -30, 30, 300])
def test_clock_of_a_sender_that_is_off_makes_nothing_stuck(database: Database, off_s: float) -> None:
    """Waiting counts from when we learn of a span, so minutes of a wrong clock are not minutes of waiting."""
    watch = Watch(database)
    teach(watch, lambda key, at: shifted(order(key, at), "inventory", off_s), 60)
    watch.wait(60, every_s=4)
    sent = shifted(order("A-1", watch.now), "inventory", off_s)
    watch.receive([one for one in sent if one[0] in {"order", "inventory"}])
    assert findings(watch, late=False) == []
    watch.receive([one for one in sent if one[0] not in {"order", "inventory"}], after_s=1)
    watch.wait(3)

    assert findings(watch) == []
    assert watch.state("A-1") == State.DONE


def test_telemetry_that_was_held_back_is_not_overdue_at_once(watch: Watch) -> None:
    """Senders that could not reach us for an hour deliver their backlogs, one after another."""
    watch.wait(60, every_s=4)
    placed = watch.now - HOUR
    sent = order("A-1", placed)
    for service in ("order", "inventory", "mailer", "fraud", "payment", "shipping"):
        watch.receive([one for one in sent if one[0] == service], after_s=0.9)
        assert [f for f in findings(watch) if f[0] == "A-1"] == []
    watch.wait(5)

    assert watch.state("A-1") == State.DONE


def test_pause_of_ours_makes_nothing_stuck_that_works_on(watch: Watch) -> None:
    """A laptop slept, or a collector was down: telemetry that was due then may have been lost."""
    watch.receive(order("A-1", watch.now, down={"payment"}))
    watch.now += HOUR
    watch.receive(order("B-1", watch.now))
    watch.wait(30)

    assert findings(watch, late=True) == []
    assert watch.state("A-1") == State.DONE
    assert watch.flows.named("A-1")["incomplete"].to_pylist() == [True]


def test_pause_of_ours_clears_no_reactor_that_stays_silent(watch: Watch) -> None:
    """It may have died meanwhile, and then nobody would ever be told of it."""
    watch.receive(order("A-1", watch.now, down={"payment"}))
    watch.now += HOUR
    watch.receive(order("B-1", watch.now, down={"payment"}))
    watch.wait(120, every_s=4)

    assert [(flow, service) for flow, _, service, _ in findings(watch)] == [
        ("A-1", "payment"),
        ("B-1", "payment"),
    ]


def test_flow_that_had_stopped_stays_stuck_over_a_pause_of_ours(watch: Watch) -> None:
    watch.receive(order("A-1", watch.now, down={"payment"}))
    watch.wait(8)
    watch.now += HOUR
    watch.wait(2)

    assert [flow for flow, *_ in findings(watch)] == ["A-1"]


def test_failed_batch_that_went_well_in_another_is_no_finding(watch: Watch) -> None:
    """A redelivered message may be in another batch: the group handled it, whichever span says so."""
    placed = watch.now
    healthy = order("A-1", placed)
    service, failed = react("inventory", "OrderPlaced", "A-1", at=placed + MS, error="full")
    failed.span_id = b"failed!!"
    failed.ClearField("parent_span_id")
    failed.links.extend(react("inventory", "OrderPlaced", "A-2", at=placed)[1].links)
    watch.receive([*healthy, *order("A-2", placed), (service, failed)])
    watch.wait(10)

    assert findings(watch) == []


def test_error_that_leads_on_is_no_failure(watch: Watch) -> None:
    """A declined payment is an error to its handler, but an event to every other service."""
    sent = order("A-1", watch.now)
    declined = [
        react("payment", "StockReserved", "A-1", at=one.start_time_unix_nano, error="declined")
        if service == "payment" and one.name.startswith("process")
        else (service, one)
        for service, one in sent
    ]
    watch.receive(declined)
    watch.wait(10)

    assert findings(watch) == []


def test_half_of_a_join_owes_nothing_before_the_join_is_known(database: Database) -> None:
    """Shipping waits for fraud; it must not get the blame because payment has always come last so far."""
    watch = Watch(database)
    watch.learn(orders=25, fraud_first=1.0)
    watch.receive(order("A-1", watch.now, down={"fraud"}))
    watch.wait(10)

    assert findings(watch) == [("A-1", "consumer_down", "fraud", "OrderCleared")]


def renamed(sent: Iterable[Sent], group: bool) -> list[Sent]:
    """*sent* with payment replaced by another service, in the same group or in its own."""
    named = []
    for service, one in sent:
        if group and service == "payment" and one.name.startswith("process"):
            said = one.attributes.add()
            said.key, said.value.string_value = "messaging.consumer.group.name", "payment"
        named.append(("payments" if service == "payment" else service, one))
    return named


@pytest.mark.parametrize("group", [True, False])
def test_service_with_a_new_name_is_not_missed(watch: Watch, group: bool) -> None:
    """A flow that goes on is not stuck, whichever service continued it."""
    for number in range(0, 80, 2):
        two = order(f"N-{number}", watch.now) + order(f"N-{number + 1}", watch.now)
        watch.receive(renamed(two, group))
        assert findings(watch) == []
    watch.wait(10)
    assert findings(watch, late=True) == []
    watch.receive(renamed(order("A-1", watch.now, down={"payment"}), group))
    watch.wait(8)

    assert [(flow, service) for flow, _, service, _ in findings(watch)] == [("A-1", "payments")]


def lines(key: str, at: int, *, slow: int = 0, lost: bool = False, silent: bool = False) -> list[Sent]:
    """An order of three lines, each reserved by itself; packing waits for all of them."""
    sent = [publish("order", "LineAdded", f"{key}/{n}", at=at) for n in range(3)]
    for n in range(3):
        if lost and n == 2:
            continue
        start = at + (n + 1) * 10 * MS + (slow if n == 2 else 0)
        sent.append(react("stock", "LineAdded", f"{key}/{n}", at=start))
        by = handling("stock", "LineAdded", f"{key}/{n}")
        sent.append(publish("stock", "LineReserved", f"{key}/{n}", at=start + 5 * MS, by=by))
        sent.append(react("packing", "LineReserved", f"{key}/{n}", at=start + 10 * MS))
        if n == 2 and not silent:
            by = handling("packing", "LineReserved", f"{key}/{n}")
            sent.append(publish("packing", "OrderPacked", f"{key}/{n}", at=start + 15 * MS, by=by))
    for _, one in sent:
        one.attributes[-1].value.string_value = key
    return sent


def test_one_of_several_messages_of_a_type_is_missed(database: Database) -> None:
    """Two of three lines were reserved: the order waits for the third, and packing is not to blame."""
    watch = Watch(database)
    teach(watch, lines, 40)
    watch.wait(20)
    watch.receive(lines("A-1", watch.now, lost=True))
    watch.wait(8)

    assert [(flow, service) for flow, _, service, _ in findings(watch)] == [("A-1", "stock")]


def test_consumer_that_collects_is_silent_when_it_has_all(database: Database) -> None:
    """It publishes once per flow, so no single message of the type is always followed by an event."""
    watch = Watch(database)
    teach(watch, lines, 40)
    watch.wait(20)
    watch.receive(lines("A-1", watch.now, silent=True))
    watch.wait(8)

    assert findings(watch) == [("A-1", "handler_silent", "packing", "OrderPacked")]


def delayed(key: str, at: int, delay_s: float) -> list[Sent]:
    """A handler that is done at once and publishes later, by a timer."""
    by = handling("billing", "OrderPlaced", key)
    return [
        publish("order", "OrderPlaced", key, at=at),
        react("billing", "OrderPlaced", key, at=at + MS),
        publish("billing", "Invoiced", key, at=at + int(delay_s * SECOND), by=by),
    ]


def test_event_that_always_comes_later_is_not_missed_sooner(database: Database) -> None:
    """A timer of half a minute is as much a habit as one of a millisecond."""
    watch = Watch(database)
    for number in range(30):
        watch.receive(delayed(f"L-{number}", watch.now - 40 * SECOND, 30))
    watch.wait(80, every_s=4)
    sent = delayed("A-1", watch.now, 30)
    watch.receive(sent[:2])
    watch.wait(29)
    assert findings(watch) == []
    watch.wait(140, every_s=4)

    assert findings(watch) == [("A-1", "handler_silent", "billing", "Invoiced")]


def without_contexts(key: str, at: int, *, silent: bool = False) -> list[Sent]:
    """Payment polls, and publishes in its own trace: only the key tells which order it is for."""
    placed = publish("order", "OrderPlaced", key, at=at)
    taken = react("payment", "OrderPlaced", key, at=at + 5 * MS, took=0)
    apart = f"{key}, apart"
    paid = [publish("payment", "PaymentCaptured", apart, at=at + 30 * MS)]
    paid.append(react("mailer", "PaymentCaptured", apart, at=at + 40 * MS))
    for _, one in paid:
        one.attributes[-1].value.string_value = key
    return [placed, taken, *([] if silent else paid)]


def test_silence_is_told_of_services_that_lose_the_context(database: Database) -> None:
    """What a service publishes after it took a message is a habit, even if no span states the cause."""
    watch = Watch(database)
    teach(watch, without_contexts, 60)
    watch.wait(60, every_s=4)
    watch.receive(without_contexts("A-1", watch.now) + without_contexts("A-2", watch.now, silent=True))
    watch.wait(8)

    assert findings(watch) == [("A-2", "handler_silent", "payment", "PaymentCaptured")]


def test_lost_first_span_does_not_hide_what_is_stuck(watch: Watch) -> None:
    watch.receive(without(order("A-1", watch.now, down={"payment"}), "A-1/OrderPlaced"))
    watch.wait(8)

    assert [(flow, service) for flow, _, service, _ in findings(watch)] == [("A-1", "payment")]


def test_burst_of_orders_is_judged_in_time(watch: Watch) -> None:
    """Of two thousand at once, one in ten stopped: exactly these are stuck."""
    sent: list[Sent] = []
    for number in range(2_000):
        sent += order(f"A-{number}", watch.now, down={"payment"} if number % 10 == 0 else ())
    watch.receive(sent)
    watch.wait(7)

    assert {flow for flow, *_ in findings(watch)} == {f"A-{number}" for number in range(0, 2_000, 10)}
