"""A machine's clock is set by an hour, at any moment: is a flow called stuck that is not, or one missed?"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from benchmarks.silence.simulated_store import simulated_stores
from collector.diagnosis import Habits
from collector.live.replay import Replay
from collector.live.tick import Pacing, Tick
from collector.model.flows import State
from collector.steady_clock import WRONG, SteadyClock
from collector.store.contracts import Known
from tests.factories import NOW, SECOND
from tests.scenes import Sent, order, table

HOUR = 3600 * SECOND
STEP_AT = 14  # seconds after the begin
SOON_S = 16

Phase = Literal["between ticks", "during a tick", "in the replay", "while stopped"]
PHASES: tuple[Phase, ...] = ("between ticks", "during a tick", "in the replay", "while stopped")


class World:
    """A collector, its machine's clock, and services on the same machine or on others."""

    def __init__(self, folder: Path, *, set_by: int, services_too: bool) -> None:
        self.stores, self.flows = simulated_stores()
        self.folder, self.set_by, self.services_too = folder, set_by, services_too
        self.passed = 0  # seconds
        self.stepped = False
        self.coming: list[tuple[float, Sent]] = []
        self.false_alarms: set[str] = set()
        self.broken: set[str] = set()
        self.start()

    def wall(self) -> int:
        return NOW + self.passed * SECOND + (self.set_by if self.stepped else 0)

    def start(self, during_replay: Callable[[], None] = lambda: None) -> None:
        """Begin a process; *during_replay* happens after it has begun to read."""
        self.clock = SteadyClock(
            self.folder / "clock", wall=self.wall, elapsed=lambda: self.passed * SECOND, boot=lambda: "one"
        )
        self.clock.follow(self.stores.spans.arrival_of_newest(1, 0, self.clock.now() + WRONG) + 1)
        self.clock.keep()
        self.tick = Tick(self.stores.flows, habits=Habits(), pacing=Pacing())
        until = self.clock.now()
        during_replay()
        replay = Replay(self.tick, self.stores, 900.0, 100_000, self.clock.now)
        replay.run(until, threading.Event())
        self.look()

    def place(self, key: str, *, down: tuple[str, ...] = ()) -> None:
        """Place an order now; what fraud does takes three seconds."""
        if down:
            self.broken.add(key)
        began = NOW + self.passed * SECOND
        for service, span in order(key, began, down=down, fraud_after=3 * SECOND):
            ends = (span.end_time_unix_nano - NOW) / SECOND
            if self.services_too:
                for name in ("start_time_unix_nano", "end_time_unix_nano"):
                    at = getattr(span, name)
                    if at >= NOW + STEP_AT * SECOND:
                        setattr(span, name, at + self.set_by)
            self.coming.append((ends, (service, span)))

    def second(self, between: Callable[[], None] = lambda: None) -> None:
        """Let a second pass; *between* happens after spans were received and before they are judged."""
        self.passed += 1
        due = [sent for ends, sent in self.coming if ends <= self.passed]
        self.coming = [(ends, sent) for ends, sent in self.coming if ends > self.passed]
        spans = table(due, self.clock.now()) if due else None
        if spans is not None:
            self.stores.spans.write(spans)
        between()
        self.tick.advance(spans, self.clock.now())
        self.look()

    def look(self) -> None:
        self.false_alarms |= self.stuck() - self.broken

    def stuck(self) -> set[str]:
        snapshot = self.tick.snapshot
        keys = snapshot.flows["key"].to_pylist()
        return {key for key, state in zip(keys, snapshot.state, strict=True) if state >= State.STUCK}

    def step(self) -> None:
        self.stepped = True


@pytest.mark.parametrize("set_by", [HOUR, -HOUR])
@pytest.mark.parametrize("phase", PHASES)
def test_a_step_raises_no_alarm_and_hides_none(tmp_path: Path, phase: Phase, set_by: int) -> None:
    """An hour forward would make every flow an hour late, an hour back would stop all judging for an hour."""
    services_too = phase in {"between ticks", "while stopped"}
    world = World(tmp_path, set_by=set_by, services_too=services_too)
    for number in range(250):  # so many that a single flow that stops is no choice
        world.place(f"first-{number}")
    broken_at = {STEP_AT - 1: "before", STEP_AT + 4: "after"}
    found: dict[str, int] = {}
    for second in range(STEP_AT + SOON_S):
        if second in broken_at:
            world.place(broken_at[second], down=("payment",))
        if second >= STEP_AT - 4:
            world.place(f"whole-{second}")
        take_a_step(world, phase) if second + 1 == STEP_AT else world.second()
        for key in world.stuck() & world.broken:
            found.setdefault(key, second)

    assert world.false_alarms == set()
    assert found.keys() == world.broken
    assert max(found[key] - at for at, key in broken_at.items()) <= SOON_S // 2 + 2
    assert len(world.tick.snapshot.flows) < 30  # what was done was evicted: judging did not stop


def take_a_step(world: World, phase: Phase) -> None:
    if phase == "during a tick":
        return world.second(between=world.step)
    if phase == "in the replay":
        world.start(during_replay=world.step)
    else:
        world.step()
    if phase == "while stopped":
        world.start()
    return world.second()


def test_one_arrival_in_a_year_to_come_hides_nothing_from_a_replay(tmp_path: Path) -> None:
    """A machine was on for a minute with a wrong clock: what arrived then must not be all of a replay."""
    world = World(tmp_path, set_by=0, services_too=False)
    world.stores.spans.write(table(order("to come", NOW + 9_000 * HOUR), NOW + 9_000 * HOUR))
    for number in range(30):
        world.place(f"first-{number}")
    for _ in range(5):
        world.second()

    world.start()

    assert "first-29" in world.tick.snapshot.flows["key"].to_pylist()
    assert "to come" not in world.tick.snapshot.flows["key"].to_pylist()
    assert world.clock.now() < NOW + HOUR


def test_a_flow_that_was_received_in_a_year_to_come_is_judged_when_more_of_it_arrives(tmp_path: Path) -> None:
    """It would be neither late nor at rest until then, and stay in memory."""
    world = World(tmp_path, set_by=0, services_too=False)
    spans = table(order("to come", NOW), NOW + 9_000 * HOUR)
    world.stores.spans.write(spans)

    known = {"to come": Known(0, frozenset())}
    world.tick.restore(known, spans, world.clock.now(), unfinished=True)

    received = world.tick.advance(None, world.clock.now()).flows["received"].to_pylist()
    assert received == [world.clock.now()]


def test_what_arrives_is_after_all_that_is_stored(tmp_path: Path) -> None:
    """After a restart with the clock set back, "received after" would leave out new spans."""
    world = World(tmp_path, set_by=-HOUR, services_too=False)
    world.place("first")
    world.second()
    world.step()
    (tmp_path / "clock").unlink()  # another boot

    world.start()
    world.place("second")
    world.second()

    stored = world.stores.spans.spans_since(0, 100)
    assert stored["received_unix_nano"].to_pylist() == sorted(stored["received_unix_nano"].to_pylist())
    assert world.clock.off < -HOUR + 60 * SECOND
