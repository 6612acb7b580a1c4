"""Does a replay go on while the store fails, and is nothing skipped?"""

import threading
import time
from collections import Counter
from dataclasses import replace
from typing import Any, cast

import pytest

from collector.diagnosis import Habits
from collector.live import replay
from collector.live.replay import Replay
from collector.live.tick import Pacing, Tick
from collector.model.flows import State
from collector.store.contracts import FlowStore, Search, SpanStore, StoreError
from tests.factories import SECOND, trace_id
from tests.scenes import Sent, Watch, order, publish, react, table

WRITES = ("put", "forget", "offer", "refuse")


class Failing:
    """A store of which each method in *fails* fails that often first."""

    def __init__(self, store: FlowStore | SpanStore, **fails: int) -> None:
        self._store = store
        self.left = Counter(fails)

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            if self.left[name] > 0:
                self.left[name] -= 1
                raise StoreError(f"The store could not {name}")
            return getattr(self._store, name)(*args, **kwargs)

        return call


def replayed(watch: Watch, flows: Failing, spans: Failing) -> Tick:
    """A tick that replayed the past of *watch* from stores that fail."""
    stores = replace(watch.stores, spans=cast("SpanStore", spans), flows=cast("FlowStore", flows))
    tick = Tick(stores.flows, habits=Habits(flows=20), pacing=Pacing())
    Replay(tick, stores, 900.0, 100_000).run(watch.now, threading.Event())
    return tick


def states_of(tick: Tick) -> dict[str, State]:
    snapshot = tick.snapshot
    return {
        name: State(int(state))
        for name, state in zip(snapshot.flows["id"].to_pylist(), snapshot.state, strict=True)
    }


def test_a_full_disk_does_not_end_a_replay(watch: Watch, caplog: pytest.LogCaptureFixture) -> None:
    """Orders of before were never watched again, although the store could be read."""
    watch.receive(order("A-1", watch.now, down={"payment"}))
    watch.wait(10)
    flows = Failing(watch.flows, **dict.fromkeys(WRITES, 10**9))
    tick = replayed(watch, flows, Failing(watch.spans))

    assert states_of(tick)["A-1"] == State.STUCK
    assert caplog.text.count("is done at a later tick") == 1  # and not once for each tick
    flows.left.clear()
    watch.tick = tick
    watch.receive(order("A-1", watch.now))
    watch.wait(30)
    assert watch.flows.named("A-1")["state"].to_pylist() == [State.DONE]


def test_a_read_that_fails_is_tried_again_and_nothing_is_skipped(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "_PAUSE_S", 0.001)
    watch.receive(order("A-1", watch.now, down={"payment"}))
    watch.wait(10)
    reads = ("refused_keys", "examples", "newest_names", "done_among", "unfinished")
    flows = Failing(watch.flows, **dict.fromkeys(reads, 2))
    spans = Failing(watch.spans, **dict.fromkeys(("spans_since", "spans_of", "arrival_of_newest"), 3))
    tick = replayed(watch, flows, spans)

    assert states_of(tick) == {"A-1": State.STUCK}
    assert tick.learner.flows == watch.tick.learner.flows
    assert not +flows.left
    assert not +spans.left


def test_a_replay_that_waits_for_the_store_can_be_stopped(watch: Watch) -> None:
    stop = threading.Event()
    spans = Failing(watch.spans, spans_since=10**9)
    stores = replace(watch.stores, spans=cast("SpanStore", spans))
    waiting = Replay(watch.tick, stores, 900.0, 100_000)
    running = threading.Thread(target=waiting.run, args=[watch.now, stop], daemon=True)
    running.start()
    until = time.monotonic() + 30
    while spans.left["spans_since"] > 10**9 - 2:
        assert time.monotonic() < until
        time.sleep(0.01)
    stop.set()
    running.join(2)

    assert not running.is_alive()


def without_key(sent: list[Sent]) -> list[Sent]:
    """*sent* as if no service had told the order's id: its flow is named after its trace."""
    for _, one in sent:
        told = [said for said in one.attributes if said.key != "order.id"]
        del one.attributes[:]
        one.attributes.extend(told)
    return sent


def die_before_a_key_comes(watch: Watch, *, down: tuple[str, ...]) -> str:
    """Store an order without a key, then its key, as a process does that dies then; return its former id."""
    watch.receive(without_key(order("K-1", watch.now, down=down)))
    watch.wait(30)
    former = trace_id("K-1").hex()
    assert watch.state(former) == (State.STUCK if down else State.DONE)
    watch.now += SECOND
    noted = publish("order", "OrderNoted", "K-1", at=watch.now - 40 * SECOND, by="K-1/OrderPlaced")
    watch.spans.write(table([noted], watch.now))
    return former


@pytest.mark.parametrize("down", [("payment",), ()], ids=["stuck", "done"])
def test_a_flow_that_got_its_key_as_the_process_died_is_one_flow_after_the_start(
    watch: Watch, down: tuple[str, ...]
) -> None:
    """Its row under the former id stayed for ever: one order was listed, and stuck, twice."""
    former = die_before_a_key_comes(watch, down=down)
    flows = Failing(watch.flows, forget=1)
    watch.tick = replayed(watch, flows, Failing(watch.spans))
    assert flows.left["forget"] == 0
    watch.wait(60)

    listed = [name for name in watch.flows.found(Search(), 1000)["id"].to_pylist() if name[:2] != "L-"]
    assert (former in listed, watch.state("K-1")) == (False, State.STUCK if down else State.DONE)
    assert watch.flows.named("K-1").num_rows == 1


def test_a_flow_that_was_part_of_another_only_for_a_while_stays_in_the_store(watch: Watch) -> None:
    """A key that joined it is refused later in the replay: the store would have no row of it any more."""
    watch.receive(order("A-1", watch.now))
    watch.wait(30)
    archive = watch.tick.archive
    archive.replaying = True
    archive.absorb(["A-1"])
    watch.receive([react("analytics", "OrderPlaced", "A-1", at=watch.now)])
    watch.wait(30)
    assert "A-1" not in watch.snapshot.flows["id"].to_pylist()
    archive.replaying = False
    watch.wait(2)

    assert watch.flows.named("A-1")["state"].to_pylist() == [State.DONE]
