"""What stays of flows when people delete spans, and what is said of them?"""

from collections.abc import Iterator
from typing import Any

import pytest

from collector.diagnosis import Habits
from collector.live.replay import Replay
from collector.live.tick import Pacing, Tick
from collector.model.deletions import Deletion
from collector.model.flows import State
from collector.queries import Reader
from collector.queries.deletion_run import Progress, StoppedError, run
from collector.queries.paging import Page
from collector.store.contracts import Search
from tests.documents import sources
from tests.factories import SECOND, refs, trace_id
from tests.scenes import Watch, order

UNPAID = ("A-0", "A-1", "A-2")


@pytest.fixture
def stopped(watch: Watch) -> Watch:
    """A shop that has learned; then one order went well, and payment took none of three."""
    watch.receive(order("C-0", watch.now))
    for name in UNPAID:
        watch.receive(order(name, watch.now, down={"payment"}))
    watch.wait(12)
    assert {name: watch.state(name) for name in UNPAID} == dict.fromkeys(UNPAID, State.STUCK)
    return watch


def delete(watch: Watch, **conditions: Any) -> Deletion:
    """Delete all that is stored by now for which *conditions* hold, as the collector would."""
    reader = Reader(sources(watch))
    reader.sources.live.replayed.set()
    until = watch.spans.arrival_of_newest(1, 0) + 1
    one = Deletion(watch.now, until, **conditions, author="ada", reason="a test")
    if one.flow:
        one, spans, _ = reader.deleting._of_flow(one)
        watch.stores.deletions.doom(one, spans)
    run(reader.sources, one, Progress(), lambda: False)
    watch.stores.deletions.write(_begun(one))
    watch.wait(1)
    return one


def _begun(deletion: Deletion) -> Any:
    from collector.model.deletions import Recorded

    return Recorded(deletion, "begun", deletion.id)


def restarted(watch: Watch) -> Tick:
    """The live part of a process that starts now on the same store."""
    import threading

    tick = Tick(watch.flows, habits=Habits(flows=20), pacing=Pacing())
    Replay(tick, watch.stores, 900.0, 100_000).run(watch.now, threading.Event())
    for second in range(1, 15):
        tick.advance(None, watch.now + second * SECOND)
    return tick


def stopped_in(tick: Tick) -> set[str]:
    ids = tick.snapshot.flows["id"].to_pylist()
    return {name for name, state in zip(ids, tick.snapshot.state, strict=True) if state >= State.STUCK}


def expected(tick: Tick) -> set[str]:
    """The services of which a reaction is expected."""
    known = tick.snapshot.expected
    assert known is not None
    return {one.service for one in known.steps.values() if one.progresses}


def ledger(watch: Watch) -> Iterator[tuple[str, str]]:
    """(service, ref) of every span that is stored."""
    spans = watch.spans.spans_since(0, 10**6)
    yield from zip(spans["service"].to_pylist(), refs(spans), strict=True)


@pytest.mark.parametrize("service", ["payment", "mailer", "shipping"])
def test_no_flow_stops_because_a_service_was_deleted(stopped: Watch, service: str) -> None:
    """And what had stopped for another reason still has: nobody asked to hide that."""
    others = {one for one in ledger(stopped) if one[0] != service}

    delete(stopped, service=service)

    assert set(ledger(stopped)) == others
    assert stopped_in(stopped.tick) == set(UNPAID)
    assert stopped.flows.counts(Search()) == {State.DONE: 41, State.STUCK: 3}
    named = stopped.flows.found(Search(), 100)["names"].to_pylist()
    assert not [names for names in named if service in names.splitlines()]
    flow = Reader(sources(stopped)).flow("L-0")
    assert flow is not None
    assert flow.flows[0].state == "done"
    assert not flow.flows[0].incomplete
    (note,) = flow.notes
    assert note.kind == "deleted"
    assert note.text.startswith(f"spans of {service} were deleted at ")
    assert note.text.endswith(" by ada: a test")
    assert stopped_in(restarted(stopped)) == set(UNPAID)


def test_a_flow_is_not_judged_by_what_the_deleted_service_began(stopped: Watch) -> None:
    """Inventory published what payment owes an answer to: with its spans, that is gone as well."""
    delete(stopped, service="inventory")

    for tick in (stopped.tick, restarted(stopped)):
        assert stopped_in(tick) == set()
    assert stopped.flows.counts(Search()) == {State.DONE: 44}
    assert Reader(sources(stopped)).stuck(Page(10), late=False).total == 0


def test_flows_without_spans_are_gone(stopped: Watch) -> None:
    """By time: in memory and in the store, and no restart brings them back."""
    stopped.receive(order("D-0", stopped.now))
    before = stopped.now

    delete(stopped, before=before)

    assert [ref for _, ref in ledger(stopped)]
    assert {name for name in ("C-0", *UNPAID, "L-0") if stopped.state(name) is not None} == set()
    assert stopped_in(stopped.tick) == stopped_in(restarted(stopped)) == set()
    stopped.wait(12)
    assert stopped.state("D-0") is State.DONE
    assert stopped.flows.counts(Search()) == {State.DONE: 1}
    found = stopped.database.query("SELECT count() AS n FROM flows", columns=["n"])
    assert found["n"].to_pylist() == [1]


def test_one_flow_goes_alone(stopped: Watch) -> None:
    others = {one for one in ledger(stopped) if one[1].split(":")[0] != trace_id("A-1").hex()}

    delete(stopped, flow="A-1")

    assert set(ledger(stopped)) == others
    assert stopped_in(stopped.tick) == stopped_in(restarted(stopped)) == {"A-0", "A-2"}
    assert stopped.state("A-1") is None
    assert Reader(sources(stopped)).flow("A-1") is None


def test_all_conditions_must_hold(stopped: Watch) -> None:
    delete(stopped, flow="C-0", service="payment", before=stopped.now)
    delete(stopped, flow="L-0", service="payment", before=1)

    gone = Reader(sources(stopped)).flow("C-0")
    untouched = Reader(sources(stopped)).flow("L-0")
    assert gone is not None
    assert untouched is not None
    assert (gone.spans, untouched.spans) == (9, 11)
    assert untouched.notes == []


def test_what_arrives_later_is_not_meant(stopped: Watch) -> None:
    """A sender that goes on after the deletion is still seen; its flow stops if it stops."""
    delete(stopped, service="payment")
    stopped.receive(order("E-0", stopped.now))
    stopped.wait(12)

    flow = Reader(sources(stopped)).flow("E-0")
    assert flow is not None
    assert (flow.flows[0].state, flow.notes) == ("done", [])
    for number in range(3):
        stopped.receive(order(f"F-{number}", stopped.now, down={"payment"}))
    stopped.wait(12)
    assert stopped_in(stopped.tick) == {*UNPAID, "F-0", "F-1", "F-2"}


def test_a_late_span_brings_nothing_back(stopped: Watch) -> None:
    """It restores its flow from the store, where the others are gone, and raises no alarm."""
    delete(stopped, service="payment")
    late = order("L-1", stopped.now)[-1]
    assert late[0] == "shipping"
    stopped.receive([late])
    stopped.wait(12)

    assert "payment" not in {service for service, _ in ledger(stopped)}
    assert stopped_in(stopped.tick) == set(UNPAID)


def test_spans_that_wait_for_a_tick_are_forgotten_too(stopped: Watch) -> None:
    """What was acknowledged, and is in the store, may not have been looked at yet."""
    sent = order("G-0", stopped.now)
    stopped.tick._memory.hold_at_once(stopped.tick._read(stopped.store(sent))[0])

    delete(stopped, before=stopped.now + 1)
    stopped.wait(5)

    assert stopped.state("G-0") is None


def test_what_was_deleted_is_no_miss(stopped: Watch) -> None:
    """Else payment would seem to take no orders, and the next outage would be no news."""
    before = stopped.snapshot.learned

    delete(stopped, service="payment")

    assert stopped.snapshot.learned == before
    assert expected(stopped.tick) >= {"payment", "inventory", "fraud"}
    assert expected(restarted(stopped)) == expected(stopped.tick) - {"payment"}


def test_an_interrupted_deletion_is_done_again(stopped: Watch) -> None:
    """At whichever step the process ended: each may be done again."""
    source = sources(stopped)
    until = stopped.spans.arrival_of_newest(1, 0) + 1
    one = Deletion(stopped.now, until, service="payment", author="ada", reason="a test")
    for left in range(6):
        asked = iter(range(left))
        with pytest.raises(StoppedError):
            run(source, one, Progress(), lambda asked=asked: next(asked, None) is None)  # type: ignore[misc]
    run(source, one, Progress(), lambda: False)
    stopped.wait(1)

    assert "payment" not in {service for service, _ in ledger(stopped)}
    assert stopped_in(stopped.tick) == set(UNPAID)
