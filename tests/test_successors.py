"""When is something no longer expected? When another service has taken over, or a person says so."""

import threading
from collections.abc import Sequence

import pytest

from collector.diagnosis.declared import Declared, DeclaredReaction
from collector.diagnosis.standing import Standing
from collector.live.replay import Replay
from collector.model.decisions import Decision, Word
from collector.store.clickhouse.connections import Database
from tests.factories import SECOND
from tests.scenes import MS, Sent, Watch, order
from tests.test_live import findings
from tests.test_verdicts import renamed

DAY = 24 * 3600 * SECOND


def orders(watch: Watch, prefix: str, number: int, *, down: set[str] | None = None) -> list[list[Sent]]:
    """So many orders, 50 ms apart."""
    return [order(f"{prefix}-{n}", watch.now + n * 50 * MS, down=down or set()) for n in range(number)]


def standing_of(watch: Watch, service: str, event_type: str) -> Standing:
    (found,) = [
        one
        for one in watch.snapshot.standings.standings
        if (one.kind, one.service, one.triggers) == ("reaction", service, (event_type,))
    ]
    return found


def history(watch: Watch, service: str, event_type: str) -> Sequence[tuple[str, str]]:
    return [(one.state, one.text) for one in standing_of(watch, service, event_type).history]


def said(watch: Watch, word: Word, service: str = "payment", event_type: str = "StockReserved") -> Decision:
    """A person's word, stored and applied."""
    decision = Decision(watch.now, word, event_type, service, "ada", "it was retired")
    watch.stores.decisions.write(decision)
    watch.tick.decide(decision)
    return decision


def test_service_that_was_replaced_is_not_expected_and_its_history_says_by_whom(watch: Watch) -> None:
    """A group removed on purpose alarmed for a day: 405 of 405."""
    for number in range(4):
        for sent in orders(watch, f"N{number}", 10):
            watch.receive(renamed(sent, False), after_s=0.05)
        watch.wait(5)
        assert findings(watch) == []
    watch.wait(70, every_s=5)

    assert standing_of(watch, "payment", "StockReserved").state == "forgotten"
    assert history(watch, "payment", "StockReserved")[-1] == (
        "forgotten",
        "no longer expected: payments has taken over",
    )
    assert standing_of(watch, "payments", "StockReserved").state == "always"


def test_outage_of_the_successor_is_found(watch: Watch) -> None:
    for sent in orders(watch, "N", 30):
        watch.receive(renamed(sent, False), after_s=0.05)
    watch.wait(70, every_s=5)
    watch.receive(renamed(order("A-1", watch.now, down={"payment"}), False))
    watch.wait(30)

    assert [(flow, service) for flow, _, service, _ in findings(watch)] == [("A-1", "payments")]


def test_few_that_another_service_handled_end_no_expectation(watch: Watch) -> None:
    """A manual replay by a script is no successor."""
    for sent in orders(watch, "N", 10):
        watch.receive(renamed(sent, False), after_s=0.05)
    watch.wait(70, every_s=5)
    watch.receive(order("A-1", watch.now, down={"payment"}))
    watch.wait(30)

    assert standing_of(watch, "payment", "StockReserved").state == "always"
    assert [(flow, service) for flow, _, service, _ in findings(watch)] == [("A-1", "payment")]


def test_outage_of_a_day_ends_no_expectation(watch: Watch) -> None:
    """It ended after 24 hours of misses: the page asks instead, and the flows stay stuck."""
    for hour in range(30):
        watch.receive(order(f"A-{hour}", watch.now, down={"payment"}))
        watch.wait(8, every_s=4)
        watch.now += 3600 * SECOND
    watch.receive([])
    watch.wait(2)

    payment = standing_of(watch, "payment", "StockReserved")
    assert (payment.state, payment.disused) == ("always", True)
    assert len(findings(watch)) >= 29


def test_what_was_missed_for_a_week_and_never_seen_is_forgotten(watch: Watch) -> None:
    for number in range(9):
        watch.receive(order(f"A-{number}", watch.now, down={"payment"}))
        watch.wait(8, every_s=4)
        watch.now += DAY
    watch.receive([])
    watch.wait(2)

    assert standing_of(watch, "payment", "StockReserved").state == "forgotten"
    assert history(watch, "payment", "StockReserved")[-1][1] == "no longer expected: not seen for 7 days"


def test_quiet_week_ends_nothing(watch: Watch) -> None:
    """Nothing was missed, as nothing was published."""
    for _ in range(10):
        watch.now += DAY
        watch.wait(1)
    watch.receive(order("A-1", watch.now, down={"payment"}))
    watch.wait(130, every_s=5)

    assert [(flow, service) for flow, _, service, _ in findings(watch)] == [("A-1", "payment")]


def test_person_ends_an_expectation_at_once(watch: Watch) -> None:
    watch.receive(order("A-1", watch.now, down={"payment"}))
    watch.wait(10)
    assert findings(watch) != []
    decision = said(watch, "forget")
    watch.wait(2)

    assert findings(watch, late=True) == []
    forgotten = standing_of(watch, "payment", "StockReserved")
    assert forgotten.state == "forgotten"
    assert (forgotten.history[-1].author, forgotten.history[-1].at) == ("ada", decision.at)


def test_what_was_forgotten_stays_forgotten_whatever_is_learned(watch: Watch) -> None:
    said(watch, "forget")
    watch.learn(orders=60)
    watch.receive(order("A-1", watch.now, down={"payment"}))
    watch.wait(15)

    assert findings(watch) == []


def test_kept_step_is_expected_of_every_message(database: Database) -> None:
    """However few of them it took: after five orders nothing is learned, but a person knows."""
    watch = Watch(database)
    watch.learn(orders=5)
    said(watch, "keep")
    watch.receive(order("A-1", watch.now, down={"payment"}))
    watch.wait(30)

    assert [(flow, service) for flow, _, service, _ in findings(watch)] == [("A-1", "payment")]


def test_newer_word_counts_in_whatever_order_they_are_told(watch: Watch) -> None:
    """A restart reads them from the store, while somebody says another one."""
    newer = said(watch, "keep")
    watch.tick.decide(Decision(newer.at - 1, "forget", "StockReserved", "payment", "bob", "by mistake"))
    watch.receive(order("A-1", watch.now, down={"payment"}))
    watch.wait(15)

    assert [flow for flow, *_ in findings(watch)] == ["A-1"]


@pytest.mark.parametrize(("word", "stuck"), [("forget", []), ("keep", ["A-1"])])
def test_word_survives_a_restart(watch: Watch, word: Word, stuck: list[str]) -> None:
    """What is learned is rebuilt from the store; what people said must never be lost."""
    said(watch, word)
    again = Watch(watch.database)
    again.now = watch.now + 5 * SECOND
    Replay(again.tick, again.stores, 900.0, 100_000).run(again.now, threading.Event())
    again.receive(order("A-1", again.now, down={"payment"}))
    again.wait(130, every_s=5)

    assert [flow for flow, *_ in findings(again)] == stuck
    assert standing_of(again, "payment", "StockReserved").history[-1].author == "ada"


def test_declared_reaction_is_in_force_from_the_first_flow(database: Database) -> None:
    watch = Watch(database)
    declared = DeclaredReaction("StockReserved", "payment", publishes=("PaymentCaptured",), within_ms=9_000)
    watch.tick.declare(Declared((declared,)))
    # A collector that starts on an empty store has missed nothing.
    Replay(watch.tick, watch.stores, 900.0, 100_000).run(watch.now, threading.Event())
    watch.receive(order("A-1", watch.now, down={"payment"}))
    watch.wait(6)
    assert findings(watch) == []
    watch.wait(6)

    assert [(flow, service) for flow, _, service, _ in findings(watch)] == [("A-1", "payment")]
    assert standing_of(watch, "payment", "StockReserved").state == "declared"


def test_what_is_declared_no_more_is_as_it_was_learned(watch: Watch) -> None:
    watch.tick.declare(Declared(ignored_services=frozenset({"payment"})))
    watch.receive(order("A-1", watch.now, down={"payment"}))
    watch.wait(10)
    assert findings(watch, late=True) == []
    watch.tick.declare(Declared())
    watch.receive(order("A-2", watch.now, down={"payment"}))
    watch.wait(10)

    assert "A-2" in [flow for flow, *_ in findings(watch)]
