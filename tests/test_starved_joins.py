"""What does a join wait for whose other input never comes, if nobody else owes that?"""

from collections.abc import Sequence
from typing import Any

import pytest

from collector.model.flows import State
from collector.store.clickhouse.connections import Database
from tests import documents as answers
from tests.factories import SECOND
from tests.scenes import MS, Sent, Watch, handling, order, publish, react
from tests.test_live import findings


def parcel(key: str, at: int, *, customs: bool = True, outside: bool = False, way: str = "") -> list[Sent]:
    """Depot sends a parcel on once it is packed and cleared; customs clears by itself, some time later."""
    sent = [publish("shop", "Packed", key, at=at), react("depot", "Packed", key, at=at + 5 * MS)]
    if way:
        sent.append(publish("shop", way, key, at=at + 20 * MS))
    if not customs:
        return sent
    cleared = at + 2 * SECOND
    if not outside:
        sent.append(publish("customs", "Cleared", key, at=cleared))
    taken = react("depot", "Cleared", key, at=cleared + 5 * MS)
    if outside:  # its sender sends no spans, so the handling is a root
        taken[1].ClearField("parent_span_id")
        taken[1].ClearField("links")
    by = handling("depot", "Cleared", key)
    return [*sent, taken, publish("depot", "Sent", key, at=cleared + 15 * MS, by=by)]


def taught(database: Database, flows: int = 40, **how: Any) -> Watch:
    watch = Watch(database)
    watch.receive([one for n in range(flows) for one in parcel(f"L-{n}", watch.now + n * MS, **how)], 2.5)
    watch.wait(70, every_s=5)
    return watch


def evidence(watch: Watch) -> Sequence[str]:
    (finding,) = answers.stuck(watch.snapshot)["stuck"]
    return [finding["sentence"], *(one["text"] for one in finding["evidence"])]


def test_input_that_nobody_owes_is_named_with_its_publisher(database: Database) -> None:
    """26 of 26 starved joins were done: each service had done all that was expected of it."""
    watch = taught(database)
    watch.receive(parcel("A-1", watch.now, customs=False))
    watch.wait(15)

    assert findings(watch) == [("A-1", "waiting_for_other", "customs", "Cleared")]
    sentence, *_ = evidence(watch)
    assert sentence.startswith("depot has handled Packed and waits for Cleared to publish Sent.")
    assert "customs normally publishes it" in sentence


def test_starved_join_waits_as_long_as_its_input_usually_takes(database: Database) -> None:
    watch = taught(database)
    watch.receive(parcel("A-1", watch.now, customs=False))
    watch.wait(4)

    assert watch.state("A-1") == State.RUNNING
    assert findings(watch, late=True) == []


def test_input_that_comes_after_all_clears_the_flow(database: Database) -> None:
    watch = taught(database)
    placed = watch.now
    watch.receive(parcel("A-1", placed, customs=False))
    watch.wait(15)
    watch.receive(parcel("A-1", placed))

    assert findings(watch) == []
    assert watch.state("A-1") == State.DONE


def test_flow_that_took_another_way_waits_for_nothing(database: Database) -> None:
    """A parcel that was returned is never cleared, and an event that clears none tells so."""
    watch = taught(database)
    at = watch.now
    returned = [parcel(f"R-{n}", at + n * MS, customs=False, way="Returned") for n in range(30)]
    watch.receive([one for sent in returned for one in sent])
    watch.wait(80, every_s=5)
    watch.receive(parcel("A-1", watch.now, customs=False, way="Returned"))
    watch.receive(parcel("A-2", watch.now, customs=False))
    watch.wait(15)

    assert [flow for flow, *_ in findings(watch)] == ["A-2"]


@pytest.mark.parametrize(("broken", "service"), [("down", "fraud"), ("silent", "payment")])
def test_input_that_somebody_owes_is_theirs_alone(watch: Watch, broken: str, service: str) -> None:
    """Two findings about one stop would send somebody to the service that only waits."""
    watch.receive(order("A-1", watch.now, **{broken: {service}}))  # type: ignore[arg-type]  # both are sets
    watch.wait(15)

    ((flow, cause, missing, _),) = findings(watch)
    assert (flow, missing) == ("A-1", service)
    assert cause != "waiting_for_other"


def test_input_from_outside_counts_as_well(database: Database) -> None:
    """Nobody is seen to publish it, and the flow waits for it all the same."""
    watch = taught(database, outside=True)
    watch.receive(parcel("A-1", watch.now, customs=False))
    watch.wait(15)

    assert findings(watch) == [("A-1", "waiting_for_other", "depot", "Cleared")]
    assert "it comes from outside" in evidence(watch)[0]
