"""Is an outage found, whatever happened to telemetry before it, and whenever the collector starts?"""

import threading
from collections.abc import Collection

import pytest

from collector.live.replay import Replay
from collector.model.flows import State
from collector.store.clickhouse.connections import Database
from tests.factories import SECOND
from tests.scenes import Watch, order
from tests.test_live import findings


def a_second_each(watch: Watch, prefix: str, seconds: int, down: Collection[str] = ()) -> list[str]:
    """Receive an order a second; return their keys."""
    keys = [f"{prefix}-{number}" for number in range(seconds)]
    for key in keys:
        watch.receive(order(key, watch.now, down=down), after_s=1)
    return keys


def unseen(watch: Watch, prefix: str, seconds: int, service: str) -> None:
    """An order a second goes well, and the spans of *service* are lost; they arrive four at a time."""
    for number in range(0, seconds, 4):
        sent = [one for n in range(4) for one in order(f"{prefix}-{number + n}", watch.now + n * SECOND)]
        watch.receive([one for one in sent if one[0] != service], after_s=4)


def stuck(watch: Watch) -> dict[str, tuple[str, str]]:
    return {flow: (cause, service) for flow, cause, service, _ in findings(watch)}


@pytest.mark.parametrize("service", ["payment", "shipping"])
def test_gap_in_telemetry_hides_no_outage_that_follows(database: Database, service: str) -> None:
    """What happened unseen taught that the step is a choice: 0 of 209 dead orders were found."""
    watch = Watch(database)
    watch.learn(orders=225)
    unseen(watch, "gap", 60, service)
    a_second_each(watch, "good", 5)
    keys = a_second_each(watch, "dead", 15, down={service})
    watch.wait(100, every_s=5)

    found = stuck(watch)
    assert {found.get(key) for key in keys} == {("consumer_down", service)}


def test_gap_in_telemetry_of_a_step_that_others_go_on_from_makes_nothing_stuck(database: Database) -> None:
    watch = Watch(database)
    watch.learn(orders=225)
    unseen(watch, "gap", 60, "payment")
    a_second_each(watch, "good", 10)
    watch.wait(30)

    assert stuck(watch) == {}
    assert watch.flows.named("gap-30")["incomplete"].to_pylist() == [True]


@pytest.mark.parametrize("lost", [1, 5])
def test_killed_process_takes_its_last_batch_along_and_is_found_all_the_same(
    database: Database, lost: int
) -> None:
    """The orders of that batch went on unseen, and the later ones looked as if that was normal."""
    watch = Watch(database)
    watch.learn(orders=200)
    a_second_each(watch, "good", 5)
    for number in range(lost):
        sent = order(f"lost-{number}", watch.now)
        watch.receive([one for one in sent if one[0] != "payment"], after_s=0.2)
    keys = a_second_each(watch, "dead", 30, down={"payment"})
    watch.wait(30, every_s=5)

    assert stuck(watch) == dict.fromkeys(keys, ("consumer_down", "payment"))


def restarted(watch: Watch, began: int | None = None) -> Watch:
    """The live part of a process that *began* then, or now, on the store of *watch*."""
    again = Watch(watch.database)
    again.now = watch.now
    Replay(again.tick, again.stores, 900.0, 100_000).run(began or again.now, threading.Event())
    return again


def test_outage_during_a_replay_is_found(database: Database) -> None:
    """What a replay received was forgiven: 93 of 93 dead orders were done."""
    watch = Watch(database)
    watch.learn(orders=200)
    a_second_each(watch, "good", 10)
    watch.now += 3 * SECOND
    began = watch.now
    keys = [f"dead-{number}" for number in range(20)]
    for key in keys:
        watch.store(order(key, watch.now, down={"payment"}), after_s=1)
    again = restarted(watch, began)
    again.wait(100, every_s=5)

    assert stuck(again) == dict.fromkeys(keys, ("consumer_down", "payment"))


@pytest.mark.parametrize("pause_s", [2, 600])
@pytest.mark.parametrize("when", ["before", "after"])
def test_outage_around_a_restart_is_found(database: Database, pause_s: int, when: str) -> None:
    """A collector that is updated during an outage must not take that for the new normal."""
    watch = Watch(database)
    watch.learn(orders=200)
    dead = a_second_each(watch, "before", 10, down={"payment"} if when == "before" else set())
    watch.now += pause_s * SECOND
    again = restarted(watch)
    later = a_second_each(again, "after", 10, down={"payment"})
    again.wait(150, every_s=5)

    assert stuck(again).keys() == {*later, *(dead if when == "before" else ())}
    assert {service for _, service in stuck(again).values()} == {"payment"}


@pytest.mark.parametrize("pause_s", [2, 600])
def test_healthy_orders_around_a_restart_raise_no_alarm(database: Database, pause_s: int) -> None:
    """Half of their spans wait in exporters while nobody listens; for ten minutes no exporter waits."""
    watch = Watch(database)
    watch.learn(orders=200)
    a_second_each(watch, "before", 10)
    sent = [one for number in range(10) for one in order(f"half-{number}", watch.now)]
    early = {"order", "fraud", "inventory"}
    watch.receive([one for one in sent if one[0] in early], after_s=0.1)
    watch.now += pause_s * SECOND
    again = restarted(watch)
    if pause_s < 60:
        again.receive([one for one in sent if one[0] not in early])
    a_second_each(again, "after", 20)
    again.wait(150, every_s=5)

    assert stuck(again) == {}


def test_half_done_order_is_running_while_it_is_not_known_whether_anybody_listened(watch: Watch) -> None:
    """After a pause exporters take their time: neither stuck nor done before they are heard again."""
    watch.receive(order("A-1", watch.now, down={"payment"}))
    watch.now += 600 * SECOND
    watch.wait(5)

    assert watch.state("A-1") in {State.RUNNING, State.LATE}
    assert stuck(watch) == {}
