"""Does a restarted process know again what it knew?"""

import random
import time
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from collector.diagnosis import Expectation, Habits
from collector.live import runner
from collector.live.runner import Live
from collector.live.snapshot import Snapshot
from collector.model.flows import State
from collector.store.clickhouse.connections import Database
from collector.store.clickhouse.embedded import Engine
from collector.store.clickhouse.opening import stores_over
from tests import documents as answers
from tests.conftest import new_database
from tests.factories import NOW, SECOND
from tests.scenes import MS, Sent, Watch, order, publish, react, table


def restarted(watch: Watch, **settings: Any) -> Live:
    """A live part that started on the store of *watch*, replayed the past, and was stopped."""
    live = Live(
        watch.stores,
        habits=Habits(deadline_floor_ms=5000),
        tick_s=0.05,
        **settings,
    )
    live.start()
    assert live.replayed.wait(60)
    until = time.monotonic() + 30
    first = live.snapshot.now
    # The last flows are quiet by now, and teach in the first ticks.
    while live.snapshot.now in {None, first} or live.snapshot.learned < watch.tick.learner.flows:
        assert time.monotonic() < until, "less was learned from the store"
        time.sleep(0.05)
    live.stop()
    return live


def expectations(snapshot: Snapshot) -> list[Expectation]:
    assert snapshot.expected is not None
    every = [*snapshot.expected.steps.values(), *(expectation for _, expectation in snapshot.expected.joins)]
    return sorted(every, key=lambda e: (e.triggers, e.service, e.group))


def stuck(snapshot: Snapshot) -> set[tuple[str, str, str | None]]:
    found = answers.stuck(snapshot)["stuck"]
    return {(f["flow"], f["missing"]["service"], f["missing"]["next_event_type"]) for f in found}


def a_history(watch: Watch, rng: random.Random) -> None:
    """A few minutes of a shop whose services break, are mended, and send late."""
    down: set[str] = set()
    silent: set[str] = set()
    late = {service: rng.choice([0, 0, 3]) for service in ("payment", "fraud")}
    coming: list[tuple[int, list[Sent]]] = []
    for number in range(rng.randint(60, 80)):
        if number >= 30 and rng.random() < 0.08:
            down, silent = ({rng.choice(["payment", "fraud"])} if rng.random() < 0.6 else set()), set()
            if rng.random() < 0.2:
                silent = {"payment"}
        sent = order(f"H-{number}", watch.now, down=down, silent=silent)
        for service in sorted({service for service, _ in sent}):  # so that a seed gives one history
            ready = watch.now + (rng.randint(0, 1) + late.get(service, 0)) * SECOND
            coming.append((ready, [one for one in sent if one[0] == service]))
        due = [part for ready, part in coming if ready <= watch.now]
        coming = [(ready, part) for ready, part in coming if ready > watch.now]
        watch.receive([one for part in due for one in part], after_s=1)
        if rng.random() < 0.1:
            watch.wait(rng.randint(1, 20))
    watch.receive([one for _, part in coming for one in part], after_s=1)
    watch.wait(rng.choice([20, 40]))  # flows that stopped are past their deadlines
    # A flow that becomes quiet only after the restart teaches only there, and might create a new habit.
    while (watch.snapshot.state < State.STUCK).any():
        watch.wait(1)


@settings(
    max_examples=1,
    deadline=None,
    # Shrinking a history would take minutes and tell nothing.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 2**32))
@example(seed=16)  # a habit forms while nothing comes, and judges flows that become quiet in the same silence
def test_past_that_is_lived_again_gives_what_was_known(engine: Engine, seed: int) -> None:
    """State is a cache of the store: expectations, verdicts and the number of learned flows come back."""
    with new_database(engine) as database:
        watch = Watch(database)
        a_history(watch, random.Random(seed))
        before = watch.snapshot
        live = restarted(watch)
        after = live.snapshot

        assert stuck(after) == stuck(before)
        known = [(e.triggers, e.service, e.group, e.emits, e.progresses) for e in expectations(before)]
        assert [(e.triggers, e.service, e.group, e.emits, e.progresses) for e in expectations(after)] == known
        for one, other in zip(expectations(before), expectations(after), strict=True):
            assert abs(one.deadline_ms - other.deadline_ms) <= 1


def test_order_that_stopped_long_before_the_replay_is_stuck_again(database: Database) -> None:
    """Days later its spans are not among the newest; calling it done would hide it for ever."""
    watch = Watch(database)
    watch.learn()
    watch.receive(order("A-1", watch.now, down={"payment"}))
    watch.wait(10)
    for number in range(60):
        watch.receive(order(f"B-{number}", watch.now), after_s=30)
    watch.wait(20)
    live = restarted(watch, replay_s=300.0)

    assert stuck(live.snapshot) == {("A-1", "payment", "PaymentCaptured")}
    assert watch.flows.named("A-1")["state"].to_pylist() == [int(State.STUCK)]


def test_what_is_rare_is_known_after_a_restart(database: Database) -> None:
    """The last minutes show one or none, but the flows in the store show many."""
    watch = Watch(database)

    def returned(key: str, at: int, *, down: bool = False) -> list[Sent]:
        sent = [publish("customer", "ParcelReturned", key, at=at)]
        if not down:
            by = f"{key}/refunds/ParcelReturned"
            sent += [react("refunds", "ParcelReturned", key, at=at + MS)]
            sent += [publish("refunds", "Refunded", key, at=at + 9 * MS, by=by)]
        return sent

    for number in range(25):
        watch.receive(returned(f"R-{number}", watch.now))
        watch.wait(70, every_s=5)
        watch.now += 3600 * SECOND
        watch.receive(order(f"O-{number}", watch.now))
    watch.wait(2)
    watch.receive(returned("R-stuck", watch.now, down=True))
    # The jump of an hour was a pause of ours, after which exporters are slow to come back; and where there is
    # little to take, whether a message is left out by choice shows late.
    watch.wait(380, every_s=5)
    assert ("R-stuck", "refunds", "Refunded") in stuck(watch.snapshot)
    live = restarted(watch)

    assert ("R-stuck", "refunds", "Refunded") in stuck(live.snapshot)


def test_late_span_of_an_old_flow_joins_it_after_a_restart(database: Database) -> None:
    """Otherwise it would be a flow of its own under the same key, and hide the complete one."""
    watch = Watch(database)
    watch.learn()
    watch.wait(30)
    for number in range(40):
        watch.receive(order(f"B-{number}", watch.now), after_s=30)
    watch.wait(20)
    again = Watch(database)
    again.now = watch.now
    keys, traces = watch.flows.newest_names(watch.now, 1000)
    again.tick.archive.remember_names(keys, traces)
    again.receive([react("analytics", "OrderPlaced", "L-0", at=again.now)])

    rows = {row["id"]: row for row in again.snapshot.flows.to_pylist()}
    assert (rows["L-0"]["messages"], rows["L-0"]["reactions"]) == (5, 7)


@pytest.mark.parametrize("hours", [-1, 1])
def test_step_of_the_clock_during_a_tick_does_not_hold_up_the_next(
    database: Database, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """An hour without a tick is an hour in which nothing is found to be stuck."""
    ahead = 0
    clock = SimpleNamespace(time_ns=lambda: time.time_ns() + ahead, monotonic=time.monotonic)
    monkeypatch.setattr(runner, "time", clock)
    live = Live(stores_over(database), tick_s=0.01)
    ticks = 0
    advance = live._tick.advance

    def stepping(spans: pa.Table | None, now: int, *, more: bool = False) -> Snapshot:
        nonlocal ahead, ticks
        ticks += 1
        ahead = hours * 3600 * SECOND
        return advance(spans, now)

    monkeypatch.setattr(live._tick, "advance", stepping)

    live.start()

    until = time.monotonic() + 30
    while ticks < 5:
        assert time.monotonic() < until, "it waits by the clock that was stepped"
        time.sleep(0.02)
    live.stop()


def test_what_comes_at_once_is_taken_in_by_several_ticks(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "_TICK_SPANS", 6)
    live = Live(stores_over(database), tick_s=0.01)
    taken = []
    advance = live._tick.advance

    def noted(spans: pa.Table | None, now: int, *, more: bool = False) -> Snapshot:
        taken.append(spans.num_rows if spans is not None else 0)
        return advance(spans, now)

    monkeypatch.setattr(live._tick, "advance", noted)
    for number in range(8):
        key = f"A-{number}"
        sent = [publish("order", "OrderPlaced", key, at=NOW), react("mailer", "OrderPlaced", key, at=NOW)]
        live.feed(table(sent, NOW))
    assert live.behind()

    live.start()

    until = time.monotonic() + 30
    while sum(taken) < 16:
        assert time.monotonic() < until, "not all was taken in"
        time.sleep(0.02)
    live.stop()
    assert not live.behind()
    assert max(taken) == 6
