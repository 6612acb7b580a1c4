"""Is the live part's memory bounded? What fails is retried, and no flow takes others down with it."""

import copy
import time

import pytest

from collector.diagnosis import Habits
from collector.live.tick import Pacing, Tick
from collector.model.flows import State
from collector.queries.flow_list import flows
from collector.queries.lines import Asked
from collector.queries.paging import Page
from collector.stitching import Keying
from collector.store.clickhouse.connections import Database
from collector.store.contracts import Search
from tests.documents import plain, sources
from tests.factories import pairs
from tests.scenes import MS, Sent, Watch, order, publish, react, table
from tests.test_live import findings


def bounded(watch: Watch, **limits: int) -> None:
    """Give *watch* other limits after it has learned."""
    watch.tick._pacing = Pacing(**limits)


def test_stuck_flows_stay_when_there_are_too_many(watch: Watch) -> None:
    """Stuck flows are what the reader came for: evict finished flows first, then running ones."""
    bounded(watch, most_spans=40)
    watch.receive(order("S-1", watch.now, down={"payment"}))
    watch.wait(8)
    for number in range(20):
        watch.receive([one for n in range(5) for one in order(f"B-{number}-{n}", watch.now)], after_s=0.1)
        assert watch.snapshot.effort.spans_held < 1500

    assert watch.snapshot.effort.evicted_early > 0
    assert [flow for flow, *_ in findings(watch)] == ["S-1"]
    watch.wait(20)
    assert {watch.state(f"B-{number}-{n}") for number in range(20) for n in range(5)} == {State.DONE}


def test_flows_that_stopped_are_counted_though_too_many_to_be_held(watch: Watch) -> None:
    """If evicted while they run, they are stored with the state that they reach if nothing more comes."""
    bounded(watch, most_spans=400)
    names = [f"S-{number}" for number in range(100)]
    for first in range(0, len(names), 20):
        some = names[first : first + 20]
        watch.receive([one for name in some for one in order(name, watch.now, down={"payment"})], after_s=0.1)
    watch.wait(8)

    assert watch.snapshot.effort.evicted_early > 0
    assert watch.snapshot.flows.num_rows < len(names)
    assert {watch.state(name) for name in names} == {State.STUCK}
    answer = plain(flows(sources(watch), Asked(Search(states=(State.STUCK,))), Page(limit=1000)))
    assert answer["total"] == answer["counts"]["stuck"] == len(names)
    assert {flow["key"] for flow in answer["flows"]} == set(names)


def test_a_flood_teaches_though_it_fills_the_memory_before_its_flows_would_rest(database: Database) -> None:
    """They left the memory unlearned, all as done: from then on nothing could be called stuck."""
    watch = Watch(database)
    bounded(watch, most_spans=2_000)
    for number in range(12):
        some = [one for n in range(60) for one in order(f"B-{number}-{n}", watch.now)]
        stopped = order(f"S-{number}", watch.now, down={"payment"}) if number > 6 else []
        watch.receive([*some, *stopped])
    watch.wait(12)

    assert watch.snapshot.learned >= 500
    assert {watch.state(f"S-{number}") for number in range(7, 12)} == {State.STUCK}


def test_flow_that_is_put_away_while_it_runs_is_stuck_at_its_time_only(watch: Watch) -> None:
    """An incident fills the memory, but must not make flows look stuck that are merely on their way."""
    bounded(watch, most_spans=300)
    watch.receive([one for n in range(60) for one in order(f"S-{n}", watch.now, down={"payment"})])
    watch.wait(10)
    sent = {f"R-{number}": order(f"R-{number}", watch.now) for number in range(30)}
    watch.receive([one for spans in sent.values() for one in spans[:3]], after_s=0.1)
    watch.wait(1)
    away = set(sent) - set(watch.snapshot.flows["id"].to_pylist())
    assert away
    assert {watch.state(name) for name in sent} <= {State.RUNNING, State.LATE}

    finished = min(away)
    watch.receive(sent[finished][3:], after_s=0.1)
    watch.wait(20)
    assert {watch.state(name) for name in away} == {State.DONE, State.STUCK}
    assert [name for name in sorted(away) if watch.state(name) == State.DONE] == [finished]


def test_memory_is_given_back_though_one_flow_of_many_stays(watch: Watch) -> None:
    """One stuck flow must not keep its whole chunk of a thousand flows in memory."""
    for number in range(5):
        sent = [one for n in range(150) for one in order(f"B-{number}-{n}", watch.now)]
        watch.receive([*sent, *order(f"S-{number}", watch.now, down={"payment"})])
    watch.wait(30)

    assert watch.snapshot.flows.num_rows == 5
    assert watch.snapshot.effort.spans_held < 1000


def shared(number: int, at: int) -> list[Sent]:
    """An order whose spans carry a tenant's name as their key, instead of the order's own."""
    sent = order(f"T-{number}", at)
    for _, one in sent:
        one.attributes[-1].value.string_value = "tenant-7"
    return sent


def test_flow_that_grows_without_end_is_not_stitched_at_every_tick(watch: Watch) -> None:
    """A shared key makes one flow of all runs; the cost must not grow with the square of its size."""
    watch.tick._memory.keying = Keying(most=10**6)
    stitched = []
    number = 0
    for _ in range(60):
        sent = [one for n in range(10) for one in shared(number + n, watch.now)]
        number += 10
        before = {id(chunk) for chunk in watch.tick._memory.chunks}
        watch.receive(sent, after_s=1)
        stitched.append(sum(c.spans for c in watch.tick._memory.chunks if id(c) not in before))
    watch.wait(70, every_s=4)

    spans = number * len(order("x", 0))
    assert sum(stitched) < 12 * spans
    assert {row["messages"] for row in watch.snapshot.flows.to_pylist() if row["id"] == "tenant-7"} in (
        {5 * number},
        set(),
    )


def test_key_of_too_many_flows_names_none_of_them(watch: Watch) -> None:
    """A tenant's id used as an order's id: each order is judged by itself, as if it had no key."""
    watch.tick._memory.keying = Keying(most=5)
    watch.receive([one for n in range(5) for one in shared(n, watch.now)])
    assert watch.snapshot.flows["id"].to_pylist() == ["tenant-7"]
    watch.wait(30)  # it is quiet, so it is evicted as one flow
    assert watch.flows.named("tenant-7")["messages"].to_pylist() == [25]

    watch.receive([*shared(5, watch.now), *order("A-1", watch.now)])

    flows = {row["id"]: row for row in watch.snapshot.flows.to_pylist()}
    assert len(flows) == 7
    assert {row["messages"] for row in flows.values()} == {5}
    assert {row["key"] for row in flows.values()} == {"A-1", None}
    assert watch.flows.named("tenant-7").num_rows == 0
    # From now on, the key joins nothing.
    before = watch.tick._memory.chunks[:]
    watch.receive(shared(6, watch.now))
    assert all(chunk in watch.tick._memory.chunks for chunk in before)
    assert watch.tick._memory.chunks[-1].spans == len(order("x", 0))


def test_key_that_was_refused_is_refused_after_a_restart(watch: Watch) -> None:
    watch.tick._memory.keying = Keying(most=5)
    watch.receive([one for n in range(6) for one in shared(n, watch.now)])
    assert watch.flows.refused_keys() == ["tenant-7"]

    again = Tick(watch.flows, habits=Habits(), pacing=Pacing())
    again.refuse(watch.flows.refused_keys())
    snapshot = again.advance(table(shared(7, watch.now), watch.now), watch.now)
    assert snapshot.flows["key"].to_pylist() == [None]


def test_flow_that_is_too_large_is_put_aside_and_others_are_judged(
    watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    bounded(watch, most_flow_spans=500)
    for number in range(60):
        watch.receive(shared(number, watch.now))
    watch.receive(order("A-1", watch.now, down={"payment"}))
    watch.wait(8)

    assert watch.snapshot.effort.set_aside == 1
    assert "tenant-7" in caplog.text
    assert watch.snapshot.flows["id"].to_pylist() == ["A-1"]
    assert [flow for flow, *_ in findings(watch)] == ["A-1"]


def test_flow_that_gets_its_key_late_leaves_nothing_behind(watch: Watch) -> None:
    """It was stored as stuck under its trace id: that row must not stay stuck for ever."""
    sent = order("A-1", watch.now, down={"payment"})
    nameless = []
    for service, one in sent:
        del one.attributes[-1]
        nameless.append((service, one))
    watch.receive(nameless)
    watch.wait(8)
    (trace,) = [row["id"] for row in watch.snapshot.flows.to_pylist()]
    assert watch.flows.named(trace).num_rows == 1
    watch.receive([react("audit", "OrderPlaced", "A-1", at=watch.now)])
    watch.wait(2)

    assert [flow for flow, *_ in findings(watch)] == ["A-1"]
    assert [row["id"] for row in watch.flows.unfinished(10).to_pylist()] == ["A-1"]


def test_system_that_puts_ids_into_event_types_is_survived(database: Database) -> None:
    """Event types that never recur teach nothing, and must not fill memory or slow anything down."""
    watch = Watch(database)
    habits = Habits(most_steps=200)
    watch.tick = Tick(watch.flows, habits=habits, pacing=Pacing(unsure_s=3))
    watch.learn(orders=220)
    for batch in range(8):
        sent = []
        for n in range(150):
            key = f"X-{batch}-{n}"
            sent += [publish("iot", f"device.{key}.seen", key, at=watch.now)]
            sent += [react("store", f"device.{key}.seen", key, at=watch.now + MS)]
        watch.receive([*sent, *order(f"O-{batch}", watch.now)])
        watch.wait(10)
    watch.receive(order("A-1", watch.now, down={"payment"}))
    watch.wait(8)

    assert len(watch.tick.learner.known.steps) <= 400
    assert [flow for flow, *_ in findings(watch)] == ["A-1"]


@pytest.mark.parametrize("first", ["message", "reaction"])
def test_what_only_a_message_id_joins_is_one_flow(watch: Watch, first: str) -> None:
    """It works in either order: one looks up an id that the other offers."""
    message = publish("order", "OrderPlaced", "M-1", at=watch.now)
    reaction = react("mailer", "OrderPlaced", "of its own", at=watch.now + MS)
    del reaction[1].attributes[-1], reaction[1].links[:]  # its order and its context
    reaction[1].parent_span_id = b""
    for _, one in (message, reaction):
        one.attributes.extend(pairs({"messaging.message.id": "m-1"}))

    for sent in [message, reaction] if first == "message" else [reaction, message]:
        watch.receive([sent, *order("B-1", watch.now)])

    flows = {flow["id"]: flow for flow in watch.snapshot.flows.to_pylist()}
    assert flows.keys() == {"B-1", "M-1"}
    assert (flows["M-1"]["messages"], flows["M-1"]["reactions"]) == (1, 1)


@pytest.mark.parametrize("first", ["cause", "effect"])
def test_what_only_a_causation_id_joins_is_one_flow(watch: Watch, first: str) -> None:
    """The message looks up the id that it names, whether its cause is here already or comes later."""
    placed = publish("order", "OrderPlaced", "M-1", at=watch.now)
    packed = publish("packing", "OrderPacked", "of its own", at=watch.now + MS)
    del packed[1].attributes[-1]  # its order
    placed[1].attributes.extend(pairs({"cloudevents.event_id": "e-1"}))
    packed[1].attributes.extend(pairs({"messaging.message.causation_id": "e-1"}))

    for sent in [placed, packed] if first == "cause" else [packed, placed]:
        watch.receive([sent, *order("B-1", watch.now)])
    flows = {flow["id"]: flow for flow in watch.snapshot.flows.to_pylist()}
    assert flows.keys() == {"B-1", "M-1"}
    assert flows["M-1"]["messages"] == 2

    other = publish("order", "OrderPlaced", "M-2", at=watch.now)  # now the id is ambiguous
    other[1].attributes.extend(pairs({"cloudevents.event_id": "e-1"}))
    watch.receive([other])
    ids = set(watch.snapshot.flows["id"].to_pylist())
    assert ids == {"B-1", "M-1", "M-2", packed[1].trace_id.hex()}


def test_id_leads_to_a_flow_that_was_put_away(watch: Watch) -> None:
    """Where spans without context occur, one that comes hours later still finds its order."""
    watch.receive([_without_context("m-0", "some other", watch)])
    sent = order("M-1", watch.now)
    sent[0][1].attributes.extend(pairs({"messaging.message.id": "m-1", "cloudevents.event_id": "e-1"}))
    watch.receive(sent)
    watch.wait(700, every_s=5)
    assert watch.snapshot.flows.num_rows == 0

    reaction = _without_context("m-1", "of its own", watch)
    effect = publish("audit", "OrderAudited", "another of its own", at=watch.now)
    del effect[1].attributes[-1]
    effect[1].attributes.extend(pairs({"messaging.message.causation_id": "e-1"}))
    watch.receive([reaction])
    assert [(row["id"], row["messages"]) for row in watch.snapshot.flows.to_pylist()] == [("M-1", 5)]
    watch.wait(700, every_s=5)
    assert watch.snapshot.flows.num_rows == 0
    watch.receive([effect])
    assert [(row["id"], row["messages"]) for row in watch.snapshot.flows.to_pylist()] == [("M-1", 6)]


def _without_context(message_id: str, trace: str, watch: Watch) -> Sent:
    """A reaction that names its message by id and has no other connection to it."""
    reaction = react("audit", "OrderPlaced", trace, at=watch.now)
    del reaction[1].attributes[-1], reaction[1].links[:]
    reaction[1].parent_span_id = b""
    reaction[1].attributes.extend(pairs({"messaging.message.id": message_id}))
    return reaction


def test_tick_of_many_unfinished_flows_is_short(watch: Watch) -> None:
    """Ten thousand stuck orders are judged at each tick, and must stay cheap."""
    for part in range(5):
        watch.receive(
            [one for n in range(2_000) for one in order(f"A-{part}-{n}", watch.now, down={"payment"})]
        )
    watch.wait(7)
    began = time.process_time()
    watch.wait(3)

    assert len(findings(watch)) == 10_000
    assert (time.process_time() - began) / 3 < 1.0


def test_chunks_are_told_apart_though_they_hold_the_same(watch: Watch) -> None:
    """Chunks compare by identity: comparing their columns is neither meant nor possible."""
    watch.receive(order("A-1", watch.now, down={"payment"}))
    (chunk,) = (one for one in watch.tick._memory.chunks if one.alive.any())
    twin = copy.copy(chunk)

    others = [chunk]
    assert twin not in others
    others = [twin, chunk]
    assert others.index(chunk) == 1
    assert watch.snapshot != copy.copy(watch.snapshot)
