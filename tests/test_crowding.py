"""What becomes of names when there are more than can be told apart?"""

import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.silence.simulated_store import simulated_stores
from collector.diagnosis import Habits, Names
from collector.diagnosis.vocabulary import (
    OTHER,
    OTHER_NAME,
    Codes,
    Vocabulary,
    codes_of_steps,
    reactor_of,
    step_of,
)
from collector.live import crowding
from collector.live.snapshot import Effort
from collector.live.tick import Pacing, Tick
from collector.model.flows import State
from collector.queries.expectation_list import rests_on
from tests.factories import NOW, SECOND
from tests.scenes import MS, Sent, order, publish, react, table

HOUR = 3600 * SECOND


def test_names_beyond_the_limit_are_counted_together() -> None:
    """A map of a million names is no map: it is memory."""
    few = Vocabulary(limit=3)

    assert few.codes(pa.array(["a", "b", "c", None, "a"])).tolist() == [1, 2, OTHER, -1, 1]
    assert few.names == [OTHER_NAME, "a", "b"]
    assert few.refused == 1


def test_the_longest_unused_names_make_room() -> None:
    """Or a service that is deployed today would never be known, because of ids of a month ago."""
    few = Vocabulary(limit=4)
    for turn, name in enumerate(["old", "kept", "new"]):
        few.turn = turn
        few.code(name)
    few.turn = 9
    few.codes(pa.array(["old"]))  # used again

    gone = few.unused(np.array([few.code("kept")]), 1)

    assert [few.names[code] for code in gone] == ["new"]
    few.forget(gone)
    assert few.code("next") == OTHER  # a reader may still ask for the name of its code
    few.release()
    assert few.names[few.code("next")] == "next"


@given(st.lists(st.one_of(st.sampled_from("abcdefgh"), st.none()), max_size=60), st.randoms())
def test_a_code_has_one_name_whatever_is_forgotten(said: list[str | None], rng: random.Random) -> None:
    """Two names with one code would be one step, and its flows would be judged by each other."""
    few = Vocabulary(limit=5)
    for name in said:
        few.turn += 1
        if name is None:
            few.release()
            few.forget(few.unused(np.empty(0, np.int64), rng.randint(0, 3)))
        else:
            code = few.code(name)
            assert few.names[code] == (name if code != OTHER else OTHER_NAME)
    known = [few.code(name) for name in few._codes]

    assert len(set(known)) == len(known) <= few.limit - 1


def test_codes_find_the_steps_they_are_part_of() -> None:
    names = Names()
    types = names.event_types.codes(pa.array(["A", "B", "C"]))
    reactor = names.reactor(
        names.services.codes(pa.array(["s", "t", "u"])), names.groups.codes(pa.array(["g", "g", "h"]))
    )
    steps = step_of(types, reactor)
    nothing = np.empty(0, np.int64)
    of = dict.fromkeys(steps.tolist(), 0)

    Codes(types[:1], names.services.codes(pa.array(["t"])), nothing).drop_steps(names, of)

    assert list(of) == [steps[2]]
    assert codes_of_steps(names, steps[2:]).types.tolist() == [types[2]]
    Codes(nothing, nothing, names.groups.codes(pa.array(["h"]))).drop_steps(names, of)
    assert of == {}


class Room:
    """A live part with room for few names, and no database."""

    def __init__(self, *, most_steps: int = 4_000, types: int = 60, services: int = 30) -> None:
        stores, _ = simulated_stores()
        self.tick = Tick(stores.flows, habits=Habits(most_steps=most_steps), pacing=Pacing(unsure_s=3))
        names = self.tick.learner.known.names
        names.event_types.limit, names.services.limit = types, services
        self.now = NOW

    def receive(self, sent: list[Sent], then_s: int = 5) -> None:
        self.now += SECOND
        self.tick.advance(table(sent, self.now) if sent else None, self.now)
        for _ in range(then_s):
            self.now += SECOND
            self.tick.advance(None, self.now)

    def strangers(self, batch: int, count: int, *, service: str = "iot") -> list[Sent]:
        """Flows with an event type that never recurs, and a service that never recurs."""
        sent = []
        for n in range(count):
            key = f"{batch}-{n}"
            sent += [publish(service, f"seen.{key}", key, at=self.now)]
            sent += [react(f"worker-{key}", f"seen.{key}", key, at=self.now + MS)]
        return sent

    def texts(self) -> list[str]:
        return [crowd.text for crowd in self.tick.snapshot.standings.crowds]

    def stuck(self) -> set[str]:
        snapshot = self.tick.snapshot
        keys = snapshot.flows["key"].to_pylist()
        return {key for key, state in zip(keys, snapshot.state, strict=True) if state >= State.STUCK}


def test_ids_in_names_hide_no_stuck_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was learned is not forgotten for names that come once, and what is new can still be learned."""
    monkeypatch.setattr(crowding, "_PAUSE", 20 * SECOND)
    room = Room()
    room.receive([one for n in range(220) for one in order(f"L-{n}", room.now)], then_s=8)
    steps = set(room.tick.learner.expected().steps)
    for batch in range(8):
        room.receive([*room.strangers(batch, 15), *order(f"O-{batch}", room.now)])
    room.receive(order("stuck", room.now, down={"payment"}), then_s=9)

    assert steps <= set(room.tick.learner.expected().steps)
    assert room.stuck() == {"stuck"}
    assert room.tick.crowding.forgotten > 0
    names = room.tick.learner.known.names
    assert names.event_types.count < names.event_types.limit
    assert names.services.count < names.services.limit

    def shop(key: str) -> list[Sent]:
        made = publish("tenant", "TenantAdded", key, at=room.now)
        return [made, react("billing", "TenantAdded", key, at=room.now + MS)]

    for day in range(4):
        room.receive([one for n in range(15) for one in shop(f"T-{day}-{n}")], then_s=9)
    known = room.tick.learner.known
    services = {known.names.of_reactor(reactor_of(step))[0] for step in known.steps}
    assert "billing" in services


def test_what_is_counted_together_is_expected_of_nobody_and_told() -> None:
    """No page may say that nothing is stuck while it does not know half of the services."""
    room = Room(services=6)
    room.receive([one for n in range(40) for one in order(f"L-{n}", room.now)], then_s=8)
    for batch in range(3):
        room.receive(room.strangers(batch, 30))

    assert room.stuck() == set()
    services = {one.service for one in room.tick.learner.expected().steps.values()}
    assert OTHER_NAME not in services
    assert any("More than 6 services were seen" in text for text in room.texts())
    notes = rests_on(room.tick.snapshot.standings, room.now).notes
    assert {(note.kind, note.service) for note in notes} == {("crowded", OTHER_NAME)}


def test_steps_that_are_still_learned_give_way_before_those_that_are_known() -> None:
    room = Room(most_steps=40, types=1_000, services=1_000)
    room.receive([one for n in range(30) for one in order(f"L-{n}", room.now)], then_s=8)
    known = set(room.tick.learner.expected().steps)

    room.receive(room.strangers(0, 80), then_s=9)

    assert known
    assert known <= set(room.tick.learner.known.steps)
    assert len(room.tick.learner.known.steps) <= 40
    assert room.tick.learner.forgotten > 0
    assert room.tick.learner.unlearned == 0
    assert any("Only 40 steps are known at a time" in text for text in room.texts())


def test_a_limit_is_told_for_an_hour_after_it_was_exceeded() -> None:
    """A note that never ends is a note that nobody reads."""
    room = Room()
    told = room.tick.crowding
    told.thin([], Effort(set_aside=1), NOW)
    assert [crowd.text for crowd in told.told(NOW)] == [
        "1 flow with very many spans cannot be judged, and may be stuck."
    ]

    told.thin([], Effort(set_aside=1), NOW + HOUR)
    assert told.told(NOW + HOUR) == ()

    told.thin([], Effort(set_aside=2, evicted_early=3, spans_lost=1), NOW + HOUR)
    assert len(told.told(NOW + HOUR)) == 3
