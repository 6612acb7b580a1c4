"""Does silence prove as much after a restart as before? What was heard is remembered."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from collector.diagnosis import Habits
from collector.live import listening
from collector.live.listening import pauses
from collector.live.tick import Pacing, Tick
from collector.model.flows import State
from collector.store.contracts import FlowStore, Stretch
from tests.factories import SECOND
from tests.scenes import Watch, order
from tests.test_cut_flows import restarted


@pytest.fixture(autouse=True)
def told_at_every_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the process were killed right after it told the store."""
    monkeypatch.setattr(listening, "_TOLD_S", 1)


def test_what_stopped_in_a_quiet_hour_is_stuck_after_a_restart(watch: Watch) -> None:
    """It counted as unheard of since its own last span, was `running` for minutes, and then excused."""
    watch.learn()
    watch.receive(order("A-1", watch.now, down={"payment"}))
    watch.wait(1)
    assert (watch.state("A-1"), watch.flows.named("A-1").num_rows) == (State.LATE, 0)

    watch.now += 20 * SECOND  # as long as it was down
    again = restarted(watch)
    again.wait(8)

    assert again.state("A-1") == State.STUCK


def test_what_may_have_gone_on_while_nobody_listened_is_not_stuck_at_once(watch: Watch) -> None:
    watch.learn()
    watch.receive(order("A-1", watch.now, down={"payment"}), after_s=0.01)
    watch.now += 20 * SECOND
    again = restarted(watch)
    again.wait(8)

    assert again.state("A-1") == State.RUNNING


def test_a_pause_before_the_last_restart_still_excuses(watch: Watch) -> None:
    """A machine slept, and its collector was started anew soon after it woke: nobody knew of the sleep."""
    watch.learn()
    watch.receive(order("A-1", watch.now, down={"payment"}), after_s=0.01)
    watch.now += 600 * SECOND
    watch.wait(3)
    assert watch.state("A-1") == State.RUNNING
    again = restarted(watch)
    again.wait(8)

    assert again.state("A-1") == State.RUNNING


def test_silence_before_a_restart_is_gone_through_in_small_steps(watch: Watch) -> None:
    """In one step the stopped order would have come to rest with the others, and taught that it is whole."""
    for number in range(30):
        watch.store(order(f"B-{number}", watch.now), after_s=0.01)
    watch.store(order("A-1", watch.now, down={"payment"}), after_s=2)
    watch.now += 60 * SECOND
    watch.stores.flows.listen([Stretch(watch.now - 100 * SECOND, watch.now)])
    watch.now += 20 * SECOND
    again = restarted(watch, learn_flows=60)  # more than are known before these
    again.wait(8)

    assert again.state("A-1") == State.STUCK


class Witness:
    """A store that asks *see* before each row of flows is written."""

    def __init__(self, store: FlowStore, see: Callable[[], None]) -> None:
        self._store, self._see = store, see

    def put(self, *args: Any, **kwargs: Any) -> None:
        self._see()
        self._store.put(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_no_verdict_is_shown_before_it_is_stored(watch: Watch) -> None:
    """The first page said `stuck`, the process was killed before it stored that, and nobody said it again."""
    shown: list[int] = []

    def see() -> None:
        shown.append(int((watch.snapshot.state >= State.STUCK).sum()))

    flows = cast("FlowStore", Witness(watch.flows, see))
    watch.tick = Tick(flows, habits=Habits(flows=20), pacing=Pacing())
    watch.learn()
    watch.receive(order("A-1", watch.now, down={"payment"}))
    watch.wait(10)

    assert watch.state("A-1") == State.STUCK
    assert watch.flows.named("A-1")["state"].to_pylist() == [State.STUCK]
    assert set(shown) == {0}


@pytest.mark.parametrize(
    ("stretches", "until", "silent"),
    [
        ([], 9, [(0, 9)]),
        ([(1, 4)], 9, [(4, 9)]),
        ([(1, 4), (6, 8)], 9, [(4, 6), (8, 9)]),
        ([(1, 4), (4, 8)], 9, [(8, 9)]),
        ([(1, 4), (3, 8)], 8, []),
        ([(1, 8), (3, 4)], 9, [(8, 9)]),
        ([(1, 4), (20, 30)], 9, [(4, 9)]),  # the clock was wrong
        ([(1, 40)], 9, []),
        ([(20, 30)], 9, [(0, 9)]),
    ],
)
def test_nobody_listened_between_two_stretches(
    stretches: list[tuple[int, int]], until: int, silent: list[tuple[int, int]]
) -> None:
    assert pauses([Stretch(*one) for one in stretches], until) == silent
