"""What is said of a flow that is too large to be judged?"""

import threading

from collector.conventions import DEFAULT_NAMING
from collector.live import trimmed
from collector.live.replay import Replay
from collector.model.flows import State
from collector.queries import Page, Reader
from collector.store.contracts import Search
from tests.documents import sources
from tests.scenes import Watch, order
from tests.test_memory import bounded, shared

BIG = "tenant-7"


def set_aside(watch: Watch) -> None:
    """Let `watch` meet a flow that is too large, in the middle of which payment has stopped."""
    bounded(watch, most_flow_spans=30)
    watch.receive([one for number in range(6) for one in shared(number, watch.now)])
    watch.receive(order("A-1", watch.now))


def test_flow_that_was_set_aside_is_found_and_not_called_well(watch: Watch) -> None:
    """It was called done before, and `why` said that nothing was wrong with it."""
    set_aside(watch)
    reader = Reader(sources(watch))

    why, flow = reader.why(BIG), reader.flow(BIG)
    listed = {item.key: item for item in reader.flows(Search(text=BIG), Page()).flows}

    assert why is not None
    assert why.set_aside
    assert why.stuck == []
    assert flow is not None
    assert flow.flows[0].set_aside
    assert (listed[BIG].state, listed[BIG].set_aside) == ("running", True)
    assert watch.flows.named(BIG)["taught"].to_pylist() == [False]
    watch.wait(60)
    assert watch.state(BIG) == State.RUNNING  # and never stuck by what had been owed then


def test_spans_that_waited_for_a_flow_do_not_become_it_again(watch: Watch) -> None:
    """New spans of a large flow wait. Afterwards they would be a flow of that name, and look well."""
    set_aside(watch)
    rest = watch.tick._read(watch.store(shared(8, watch.now)))
    assert [rows.num_rows for rows in rest] == [0]
    waiting = trimmed.read(watch.store(shared(9, watch.now)), DEFAULT_NAMING)
    watch.tick._memory.hold_at_once(waiting)
    watch.wait(60)

    assert BIG not in watch.snapshot.flows["id"].to_pylist()
    assert watch.flows.named(BIG)["set_aside"].to_pylist() == [True]


def test_flow_that_was_set_aside_stays_so_after_a_restart(watch: Watch) -> None:
    """A restart must not fetch a million spans of it because one more arrives, nor judge a piece of it."""
    set_aside(watch)
    watch.wait(20)
    restarted = Watch(watch.database)
    restarted.now = watch.now + 10**9
    bounded(restarted, most_flow_spans=30)
    Replay(restarted.tick, restarted.stores, 900, 100_000).run(restarted.now, threading.Event())
    restarted.receive(shared(7, restarted.now))

    assert BIG not in restarted.snapshot.flows["id"].to_pylist()
    assert restarted.flows.named(BIG)["set_aside"].to_pylist() == [True]
    why = Reader(sources(restarted)).why(BIG)
    assert why is not None
    assert why.set_aside
