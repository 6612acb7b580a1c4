"""What becomes of flows whose spans are dropped? They say so, are judged by the rest, and teach nothing."""

import threading
from collections.abc import Iterable
from dataclasses import replace
from typing import cast

import numpy as np
import pytest

from collector.live.replay import Replay
from collector.live.snapshot import EMPTY
from collector.model.flows import State
from collector.model.wording import HOUR
from collector.queries import Reader
from collector.queries.paging import Page
from collector.queries.sources import LiveView
from collector.queries.stopped import Stopped
from collector.store.clickhouse.connections import Database
from collector.store.clickhouse.flow_store import ClickHouseFlows
from collector.store.clickhouse.retention_store import ClickHouseRetention
from collector.store.contracts import Search
from tests.documents import sources
from tests.factories import SECOND, span
from tests.scenes import Sent, Watch, handling, order, publish, react
from tests.test_live import findings

DAY = 24 * HOUR


def at_noon(watch: Watch, days: int) -> None:
    """Go on at noon, so many days later, with nothing received in between."""
    watch.now = (watch.now // DAY + days) * DAY + DAY // 2


def drop_first_day(watch: Watch) -> None:
    """Drop the oldest day, as retention does."""
    retention = ClickHouseRetention(watch.database, None)
    retention.drop_day(retention.days()[0].number)
    watch.tick.kept_since = retention.oldest() or watch.now


def restarted(watch: Watch, *, learn_flows: int = 20, replayed_s: float = 900.0) -> Watch:
    """The live part of another process on the store of *watch*."""
    again = Watch(watch.database, learn_flows=learn_flows)
    again.now = watch.now
    again.tick.kept_since = ClickHouseRetention(watch.database, None).oldest()
    Replay(again.tick, again.stores, replayed_s, 100_000).run(again.now, threading.Event())
    return again


def parts(sent: Iterable[Sent], *later: str) -> tuple[list[Sent], list[Sent]]:
    """The spans of *sent* other than those of these names, and those: they happen a day later, at noon."""
    ids = {span(id=name).span_id for name in later}
    every = list(sent)
    late = [one for one in every if one[1].span_id in ids]
    wait = (late[0][1].start_time_unix_nano // DAY + 1) * DAY + DAY // 2 - late[0][1].start_time_unix_nano
    for _, one in late:
        one.start_time_unix_nano += wait + 12 * SECOND
        one.end_time_unix_nano += wait + 12 * SECOND
    return [one for one in every if one[1].span_id not in ids], late


def kinds(watch: Watch, key: str) -> list[str]:
    found = Reader(sources(watch)).flow(key)
    assert found is not None
    return [note.kind for note in found.notes]


def test_a_flow_that_stopped_leaves_the_first_page_with_its_spans_and_says_so(watch: Watch) -> None:
    """Old stuck flows stayed there for good; and nothing must vanish silently."""
    watch.receive(order("A-1", watch.now, down={"payment"}))
    watch.wait(8)
    at_noon(watch, 2)
    watch.learn()
    watch.receive(order("B-1", watch.now, down={"payment"}))
    watch.wait(8)
    assert [flow for flow, *_ in findings(watch)] == ["A-1", "B-1"]
    drop_first_day(watch)
    watch.wait(2)

    for process in (watch, restarted(watch)):
        assert [flow for flow, *_ in findings(process)] == ["B-1"]
        assert process.state("A-1") == State.STUCK
        reader = Reader(sources(process))
        summary = reader.summary()
        assert (summary.states["stuck"], summary.kept.unlisted) == (1, 1)
        left = reader.stuck(Page(10), late=False).unlisted
        assert left is not None
        assert left.sentence == (
            "1 flow that stopped before 2026-11-20 is no longer listed here: what its services sent before"
            " that day is not kept any longer."
        )
        listed = {item.id: item for item in reader.flows(Search(states=(State.STUCK,)), Page(10)).flows}
        assert {key: item.spans_kept for key, item in listed.items()} == {"A-1": "none", "B-1": "all"}


def test_what_is_left_of_a_flow_is_its_row(watch: Watch) -> None:
    """It was a 404 as soon as the spans were gone."""
    watch.receive(order("A-1", watch.now))
    watch.wait(12)
    at_noon(watch, 1)
    watch.learn()
    drop_first_day(watch)
    reader = Reader(sources(watch))
    gone = "Its spans are no longer kept: all of them were received before 2026-11-19."

    flow, why, spans = reader.flow("A-1"), reader.why("A-1"), reader.spans("A-1")

    assert flow is not None
    assert why is not None
    assert spans is not None
    (row,) = flow.flows
    assert (row.state, row.messages, row.outcome, row.spans_kept) == ("done", 5, "OrderShipped", "none")
    assert (flow.spans, flow.messages, flow.findings, why.stuck) == (0, [], [], [])
    assert [note.text for note in flow.notes] == [note.text for note in why.notes] == [gone]
    assert (spans.resource_spans, [note.text for note in spans.notes or []]) == ([], [gone])
    assert [reader.flow("nobody"), reader.why("nobody"), reader.spans("nobody")] == [None] * 3


def test_a_flow_is_not_another_that_shares_its_trace(watch: Watch) -> None:
    """A worker's trace lives on: what it has now is of other orders."""
    watch.receive(order("A-1", watch.now))
    watch.wait(12)
    at_noon(watch, 1)
    for service, one in (sent := order("B-1", watch.now)):
        one.trace_id = span(trace="A-1").trace_id
        del one.links[:]
        assert service
    watch.receive(sent)
    watch.wait(12)
    drop_first_day(watch)

    found = Reader(sources(watch)).flow("A-1")

    assert found is not None
    assert (found.messages, [note.kind for note in found.notes]) == ([], ["cut"])


def test_a_flow_is_judged_from_memory_whatever_is_dropped(database: Database) -> None:
    """It is cut while it runs, and stops afterwards."""
    watch = Watch(database)
    watch.now = (watch.now // DAY + 1) * DAY - 15 * SECOND
    watch.learn()
    watch.receive(order("A-1", watch.now, down={"payment"}))
    watch.wait(2)
    watch.receive(order("B-1", watch.now, down={"payment"}))
    drop_first_day(watch)
    watch.wait(12)

    assert [flow for flow, *_ in findings(watch)] == ["A-1", "B-1"]
    cut, whole = Reader(sources(watch)).stuck(Page(9), late=False).stuck
    gone = "Its spans are no longer kept: all of them were received before 2026-11-19."
    assert cut.evidence[-1].text == gone
    assert whole.evidence[-1].text != gone


def cut_in_the_middle(watch: Watch) -> None:
    """Order A-1 is placed on one day and paid on the next, and shipping takes nothing; the first day goes."""
    early, late = parts(order("A-1", watch.now, down={"shipping"}), "A-1/PaymentCaptured")
    watch.receive(early)
    at_noon(watch, 1)
    watch.learn()
    watch.receive(late)
    watch.wait(12)
    assert {flow for flow, *_ in findings(watch)} == {"A-1"}
    drop_first_day(watch)


def test_a_flow_that_was_cut_is_stuck_for_the_same_reason_after_a_restart(watch: Watch) -> None:
    cut_in_the_middle(watch)
    learned = set(watch.snapshot.expected.steps) if watch.snapshot.expected else set()

    again = restarted(watch)

    assert [(flow, service) for flow, _, service, _ in findings(again)] == [("A-1", "shipping")]
    assert kinds(again, "A-1") == ["cut"]
    found = Reader(sources(again)).flow("A-1")
    assert found is not None
    assert found.notes[0].text == "What happened before 2026-11-19 is no longer kept."
    assert (found.flows[0].incomplete, found.flows[0].spans_kept) == (False, "some")
    assert again.snapshot.expected is not None
    assert len(again.snapshot.expected.steps) == len(learned) > 0
    again.wait(10)
    stored = again.flows.named("A-1").to_pylist()[0]  # and its row still says what it was
    assert (stored["state"], stored["messages"]) == (State.STUCK, 4)


def test_what_may_have_been_paid_by_a_span_that_is_gone_is_not_called_missing(watch: Watch) -> None:
    """Shipping had taken OrderCleared, on the day that was dropped: it does not wait for it."""
    late_names = ("A-1/PaymentCaptured", handling("shipping", "PaymentCaptured", "A-1"))
    early, late = parts(order("A-1", watch.now, silent={"shipping"}), *late_names)
    watch.receive(early)
    at_noon(watch, 1)
    watch.learn()
    watch.receive(late)
    watch.wait(12)
    assert {flow for flow, *_ in findings(watch)} == {"A-1"}
    drop_first_day(watch)

    again = restarted(watch)
    again.wait(3)

    assert findings(again, late=True) == []
    assert again.state("A-1") == State.STUCK
    assert Reader(sources(again)).summary().kept.unlisted == 1


def test_a_flow_that_nothing_explains_any_more_is_not_called_done(watch: Watch) -> None:
    """What was expected then was learned from flows that are gone as well."""
    early, late = parts(order("A-1", watch.now, down={"shipping"}), "A-1/PaymentCaptured")
    for _, one in late:
        one.start_time_unix_nano -= DAY
        one.end_time_unix_nano -= DAY
    watch.receive(early)
    at_noon(watch, 1)
    watch.learn()
    watch.receive(late)
    watch.wait(12)
    assert {flow for flow, *_ in findings(watch)} == {"A-1"}
    drop_first_day(watch)

    again = restarted(watch)
    again.wait(3)

    assert again.state("A-1") == State.STUCK
    assert Reader(sources(again)).summary().kept.unlisted == 1


def test_a_late_span_of_a_flow_that_was_dropped_is_no_orphan_and_no_lesson(watch: Watch) -> None:
    watch.receive(order("A-1", watch.now))
    watch.wait(12)
    at_noon(watch, 1)
    watch.learn()
    drop_first_day(watch)
    taught = watch.snapshot.learned

    watch.receive([react("analytics", "OrderShipped", "A-1", at=watch.now)])
    assert kinds(watch, "A-1") == ["cut"]
    watch.wait(90)

    assert watch.state("A-1") == State.DONE
    assert watch.snapshot.learned == taught
    assert watch.snapshot.flows.num_rows == 0
    assert kinds(watch, "A-1") == ["cut"]
    assert Reader(sources(watch)).flows(Search("A-1"), Page(9)).total == 1


def test_a_flow_without_a_key_keeps_its_past_under_its_new_name(watch: Watch) -> None:
    """It is named after the trace of its first span, and that one is gone."""
    first = publish("order", "OrderPlaced", "t-1", at=watch.now)
    watch.receive([_without_key(first)])
    at_noon(watch, 1)
    later = react("inventory", "OrderPlaced", "t-2", at=watch.now)
    later[1].links[0].CopyFrom(type(later[1].links[0])(trace_id=first[1].trace_id, span_id=first[1].span_id))
    later[1].parent_span_id = b""
    watch.receive([_without_key(later)])
    watch.wait(90)
    (row,) = watch.flows.found(Search(first[1].trace_id.hex()), 9).to_pylist()
    assert len(row["traces"]) == 2
    drop_first_day(watch)
    again = restarted(watch)
    again.wait(3)

    every = Reader(sources(again)).flows(Search(), Page(99)).flows
    assert [item.spans_kept for item in every if item.traces == [later[1].trace_id.hex()]] == ["some"]
    assert not [item for item in every if item.id == first[1].trace_id.hex()]


def _without_key(one: Sent) -> Sent:
    for attribute in list(one[1].attributes):
        if attribute.key == "order.id":
            one[1].attributes.remove(attribute)
    return one


def test_a_restart_on_a_store_that_lost_all_its_days_is_quiet(
    watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its rows are there, and nothing they lead to."""
    watch.receive(order("A-1", watch.now, down={"payment"}))
    watch.wait(8)
    drop_first_day(watch)
    at_noon(watch, 3)

    again = restarted(watch)
    again.wait(5)

    assert findings(again, late=True) == []
    assert again.state("A-1") == State.STUCK
    assert not [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}]
    again.receive(order("C-1", again.now))
    again.wait(70)
    assert again.state("C-1") == State.DONE


def test_flows_of_an_incident_that_grows_count_once(watch: Watch) -> None:
    """The store was asked about the flows that a snapshot lacks, and had them by then: each counted twice."""
    watch.receive(order("A-1", watch.now, down={"payment"}))
    before, counting = watch.snapshot, Stopped(sources(watch))
    watch.wait(8)
    after = watch.snapshot
    assert (list(before.state), list(after.state)) == ([State.RUNNING], [State.STUCK])

    for snapshot, stuck in ((before, 0), (after, 1)):
        assert counting.counts(snapshot, np.zeros(1, np.bool_), None)[State.STUCK.word] == stuck


def test_what_had_stopped_stays_so_though_nobody_knows_any_more_why(watch: Watch) -> None:
    """A minute after a restart it was called done, and stored as such."""
    early, late = parts(order("A-1", watch.now, down={"mailer"}), "A-1/OrderShipped")
    watch.receive(early)
    watch.wait(10)
    assert watch.state("A-1") == State.STUCK

    again = restarted(watch, learn_flows=10_000)
    again.wait(120)
    assert again.state("A-1") == State.STUCK
    assert findings(again, late=True) == []
    reader = Reader(sources(again))
    reader.sources.live.replayed.set()
    left = reader.stuck(Page(10), late=False).unexplained
    assert left is not None
    assert left.flows == reader.summary().states["stuck"] == 1

    third = restarted(again)
    third.wait(10)
    assert len(findings(third)) > 0
    again.receive(late)
    again.wait(80)
    assert again.state("A-1") == State.DONE


@pytest.mark.parametrize("told", [True, False])
def test_what_stopped_before_all_that_a_start_learns_from_stays_stuck(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    """Who takes an event now seemed to have come later: the flow was stored as done, or blamed on another.

    The store knows since when they occur together.
    """
    watch.receive(order("A-1", watch.now, down={"payment"}))
    watch.wait(60)
    for orders in (20, 1):  # of which a start takes the examples, and what it replays
        watch.learn(orders)
        watch.wait(120)
    (before,) = findings(watch)
    examples = ClickHouseFlows.examples
    monkeypatch.setattr(
        ClickHouseFlows, "examples", lambda *given, **more: examples(*given, **more | {"each": 10})
    )
    if not told:
        monkeypatch.setattr(ClickHouseFlows, "together", lambda *_: [])

    again = restarted(watch, replayed_s=1.0, learn_flows=5)
    again.wait(120)

    assert again.state("A-1") == State.STUCK
    assert not told or findings(again) == [before]


def test_a_flow_that_no_finding_explains_is_said(watch: Watch) -> None:
    """The store has it as stuck, and this process has learned nothing of what it waits for."""
    watch.receive(order("A-1", watch.now, down={"payment"}))
    watch.wait(8)
    explained = Reader(sources(watch))
    explained.sources.live.replayed.set()
    assert explained.stuck(Page(10), late=False).unexplained is None
    assert explained.stuck(Page(10), late=True).unexplained is None

    stored = Reader(replace(sources(watch), live=cast("LiveView", Nothing())))
    left = stored.stuck(Page(10), late=False).unexplained
    assert left is not None
    assert left.flows == stored.summary().states["stuck"] == 1
    assert left.sentence.startswith("1 flow is stuck or has failed, and what it waits for is not known")
    assert stored.stuck(Page(10), late=True).unexplained == left


class Nothing:
    """A live part that has just come to the end of its replay, of nothing."""

    def __init__(self) -> None:
        self.snapshot, self.tick_s, self.expectations, self.replay_share = EMPTY, 1.0, 0, 1.0
        self.replayed = threading.Event()
        self.replayed.set()
