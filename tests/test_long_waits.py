"""Is a step expected that is slow by its nature, and is nobody alarmed before its own deadline?"""

from collections.abc import Sequence

import pytest

from collector.model.flows import State
from collector.store.clickhouse.connections import Database
from tests.chains import Link, chain, since, until
from tests.factories import SECOND
from tests.scenes import MS, Sent, Watch
from tests.test_live import findings

PLACED = "shop", "OrderPlaced"
HOUR = 3600


def slow(wait_s: float) -> Sequence[Link]:
    """Billing sends its reminder after *wait_s*, and letters prints it."""
    return Link("billing", "OrderPlaced", "ReminderSent", wait_s), Link("letters", "ReminderSent", "Printed")


def taught(database: Database, wait_s: float, flows: int = 30) -> Watch:
    """A live part that has seen both parts of so many flows, *wait_s* apart."""
    watch, links = Watch(database), slow(wait_s)
    begun = watch.now
    sent = [one for n in range(flows) for one in chain(f"L-{n}", begun + n * MS, PLACED, *links)]
    middle = begun + SECOND
    watch.receive(until(sent, middle))
    watch.wait(wait_s, every_s=5)
    watch.receive(since(sent, middle))
    watch.wait(80, every_s=4)
    return watch


def run(watch: Watch, key: str, wait_s: float, **broken: set[str]) -> list[Sent]:
    """A flow of which only the part before the wait has been received."""
    sent = chain(key, watch.now, PLACED, *slow(wait_s), **broken)
    first = until(sent, watch.now + SECOND)
    watch.receive(first)
    return [one for one in sent if one not in first]


@pytest.mark.parametrize("wait_s", [90, 180, 0.5 * HOUR])
def test_flow_within_a_long_wait_is_running_until_its_own_deadline(database: Database, wait_s: float) -> None:
    """Steps behind a wait of 90 s were not expected: 0 of 119 dead flows were found."""
    watch = taught(database, wait_s)
    run(watch, "A-1", wait_s, silent={"billing"})
    watch.wait(wait_s * 0.95, every_s=5)
    assert watch.state("A-1") == State.RUNNING
    assert findings(watch, late=True) == []
    watch.wait(wait_s * 2.5, every_s=5)

    assert findings(watch) == [("A-1", "handler_silent", "billing", "ReminderSent")]


def test_step_behind_a_long_wait_has_a_deadline_of_its_own(database: Database) -> None:
    """Letters takes milliseconds: it is missed after seconds, however long billing waits."""
    watch = taught(database, 90)
    rest = run(watch, "A-1", 90, down={"letters"})
    watch.wait(89, every_s=4)
    watch.receive(rest, after_s=2)
    watch.wait(10)

    assert findings(watch) == [("A-1", "consumer_down", "letters", "Printed")]


def test_healthy_flow_with_a_long_wait_is_done_at_its_end(database: Database) -> None:
    watch = taught(database, 90)
    rest = run(watch, "A-1", 90)
    watch.wait(89, every_s=4)
    assert watch.state("A-1") == State.RUNNING
    watch.receive(rest, after_s=2)
    watch.wait(10)

    assert findings(watch, late=True) == []
    assert watch.state("A-1") == State.DONE
