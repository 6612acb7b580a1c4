"""What is said of a service that is silent, and does it stay said until there is new evidence?"""

from collections.abc import Sequence

import pytest

from collector.store.clickhouse.connections import Database
from tests import documents as answers
from tests.chains import Link, chain
from tests.documents import Document
from tests.scenes import Watch, order
from tests.test_live import findings

PLACED = "shop", "OrderPlaced"
LINKS = Link("billing", "OrderPlaced", "Invoiced"), Link("letters", "Invoiced", "Printed")


def told(watch: Watch) -> Document:
    """The only finding."""
    found: Sequence[Document] = answers.stuck(watch.snapshot)["stuck"]
    assert len(found) == 1
    return found[0]


def a_flow_each(watch: Watch, seconds: float, flows: int, every_s: float = 5) -> None:
    """So many healthy flows, *seconds* apart."""
    for number in range(flows):
        watch.receive(chain(f"L-{watch.now}-{number}", watch.now, PLACED, *LINKS))
        watch.wait(seconds - 0.5, every_s=every_s)


def test_last_service_of_a_chain_is_down_or_its_telemetry_is(database: Database) -> None:
    """Where only absence is known, more was said: of 405 exporters that died, 405 services were down."""
    watch = Watch(database)
    a_flow_each(watch, 1, 30)
    watch.wait(60, every_s=5)
    watch.receive(chain("A-1", watch.now, PLACED, *LINKS, down={"letters"}))
    watch.wait(30)

    finding = told(watch)
    assert (finding["cause"], finding["missing"]["service"]) == ("consumer_down", "letters")
    assert "No span of letters for Invoiced since" in finding["sentence"]
    assert finding["sentence"].endswith("it is down, or its telemetry is.")
    assert any("last seen" in one["text"] for one in finding["evidence"])


@pytest.fixture
def rare(database: Database) -> Watch:
    """A flow comes every two minutes."""
    watch = Watch(database)
    a_flow_each(watch, 120, 24)
    return watch


def test_service_with_little_to_do_is_not_down_before_its_usual_pause_is_over(rare: Watch) -> None:
    """A flow every two minutes: that it took nothing for five seconds is no sign of its death."""
    rare.receive(chain("A-1", rare.now, PLACED, *LINKS, down={"billing"}))
    for _ in range(11):  # it took the one before two minutes earlier, and pauses vary by half
        rare.wait(5, every_s=5)
        assert not [one for one in findings(rare, late=True) if one[1] == "consumer_down"]
    rare.wait(240, every_s=5)

    assert findings(rare) == [("A-1", "consumer_down", "billing", "Invoiced")]


def test_healthy_flow_every_two_minutes_raises_no_alarm(rare: Watch) -> None:
    for number in range(6):
        rare.receive(chain(f"A-{number}", rare.now, PLACED, *LINKS))
        for _ in range(24):
            rare.wait(5, every_s=5)
            assert findings(rare, late=True) == []


def causes(watch: Watch, key: str) -> list[str]:
    """The causes that the finding about *key* had, oldest first."""
    found = answers.stuck(watch.snapshot)["stuck"]
    (finding,) = [one for one in found if one["flow"] == key]
    return [change["cause"] for change in finding["history"]]


def test_verdict_does_not_flip_as_traffic_pauses(sure: Watch) -> None:
    """It was `unknown` and `consumer_down` by turns, as nothing came for some seconds."""
    sure.receive(order("A-1", sure.now, down={"payment"}))
    for number in range(5):
        sure.receive(order(f"B-{number}", sure.now), after_s=1)
    sure.wait(8)
    for _ in range(40):
        sure.wait(3, every_s=3)
        assert told_of(sure, "A-1") == "unknown"
    for number in range(5):
        sure.receive(order(f"C-{number}", sure.now), after_s=1)

    assert told_of(sure, "A-1") == "unknown"
    assert causes(sure, "A-1") == ["unknown"]


def told_of(watch: Watch, key: str) -> str:
    return next(cause for flow, cause, *_ in findings(watch) if flow == key)


def test_history_says_when_and_why_the_cause_changed(watch: Watch) -> None:
    """What is new is that payment takes later messages: it was down, and is not any more."""
    for number in range(6):
        watch.receive(order(f"A-{number}", watch.now, down={"payment"}), after_s=1)
    watch.wait(20)
    assert {told_of(watch, f"A-{number}") for number in range(6)} == {"consumer_down"}
    before = watch.now
    watch.receive(order("B-1", watch.now))
    watch.wait(20)

    found = answers.stuck(watch.snapshot)["stuck"]
    (finding,) = [one for one in found if one["flow"] == "A-2"]
    assert finding["history"][0]["cause"] == "consumer_down"
    assert "payment" in finding["history"][0]["because"]
    times = [change["time_unix_nano"] for change in finding["history"]]
    assert times == sorted(times)
    assert all(time > before for time in times[1:])
    assert finding["history"][-1]["cause"] == finding["cause"]
