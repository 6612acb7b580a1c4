"""What the store cannot take or answer is kept, retried and counted: nothing is lost."""

import contextlib
from typing import Any, cast

import pyarrow as pa
import pytest

from collector.live import memory
from collector.model.flows import State
from collector.store.clickhouse.connections import Database
from collector.store.contracts import FlowStore, StoreError
from tests.factories import SECOND
from tests.scenes import Sent, Watch, order, publish, react, table
from tests.test_live import findings
from tests.test_memory import bounded


def test_store_that_refuses_takes_flows_later(watch: Watch, database: Database) -> None:
    """A full disk: flows are judged as before, and those that are done wait in memory."""
    database.execute("RENAME TABLE flows TO flows_away")
    sent = [*order("A-1", watch.now, down={"payment"}), *order("A-2", watch.now)]
    watch.receive(sent)
    failures = 0
    for _ in range(12):
        watch.now += SECOND
        try:
            watch.tick.advance(None, watch.now)
        except StoreError:
            failures += 1
    assert failures > 0
    assert [flow for flow, *_ in findings(watch)] == ["A-1"]
    assert "A-2" in watch.snapshot.flows["id"].to_pylist()
    database.execute("RENAME TABLE flows_away TO flows")
    watch.wait(3)

    assert watch.flows.named("A-2")["state"].to_pylist() == [State.DONE]
    assert watch.flows.named("A-1")["state"].to_pylist() == [State.STUCK]


def test_spans_that_ask_the_store_in_vain_are_asked_for_again(watch: Watch, database: Database) -> None:
    """The spans belong to an evicted flow, and the store cannot say so at the moment."""
    watch.wait(30)
    database.execute("RENAME TABLE flows TO flows_away")
    late = [react("analytics", "OrderPlaced", "L-0", at=watch.now)]
    with pytest.raises(StoreError):
        watch.receive(late)
    database.execute("RENAME TABLE flows_away TO flows")
    watch.wait(1)

    assert [(row["id"], row["messages"]) for row in watch.snapshot.flows.to_pylist()] == [("L-0", 5)]


def test_span_that_no_one_can_read_takes_no_other_with_it(
    watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    """No sender can break a row this way, but even then everything else in the tick is judged."""
    watch.now += SECOND
    sent = [one for n in range(7) for one in order(f"A-{n}", watch.now, down={"payment"})]
    broken = table([publish("order", "OrderPlaced", "broken", at=watch.now)], watch.now)
    place = broken.schema.get_field_index("attribute_types")
    broken = broken.set_column(place, broken.schema.field(place), pa.array([[]], pa.list_(pa.uint8())))
    watch.tick.advance(pa.concat_tables([table(sent, watch.now), broken]), watch.now)
    watch.wait(8)

    assert {flow for flow, *_ in findings(watch)} == {f"A-{n}" for n in range(7)}
    assert watch.snapshot.effort.spans_lost == 1
    assert "cannot be read" in caplog.text


class Unwell:
    """A flow store that fails to answer while it is ill, or always for the keys in *never*."""

    def __init__(self, store: FlowStore, *never: str) -> None:
        self._store = store
        self.ill = False
        self.never = set(never)
        self.failures = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def fetch(self, trace_ids: pa.Array, flow_keys: pa.Array) -> Any:
        if self.ill or not self.never.isdisjoint(flow_keys.to_pylist()):
            self.failures += 1
            raise StoreError("The store could not answer a query: it is unwell.")
        return self._store.fetch(trace_ids, flow_keys)


def moves(watch: Watch, key: str, first: int, count: int) -> list[Sent]:
    """*count* messages of one flow, each of another event type."""
    return [publish("robot", f"Moved{number}", key, at=watch.now) for number in range(first, first + count)]


def messages_of(watch: Watch, key: str) -> int:
    rows = {row["id"]: row for row in watch.snapshot.flows.to_pylist()}
    return int(rows[key]["messages"]) if key in rows else 0


@pytest.mark.parametrize("breaks", ["store", "code"])
def test_spans_of_a_large_flow_that_waited_are_not_lost_when_they_are_due(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, breaks: str
) -> None:
    """Waiting spans once left the queue before the work that can fail: 180 of 192 messages were lost."""
    store = Unwell(watch.flows)
    watch.tick.archive._store = cast("FlowStore", store)
    monkeypatch.setattr(memory, "LARGE", 40)
    watch.receive(order("L-gone", watch.now))
    watch.wait(12)
    assert "L-gone" not in watch.snapshot.flows["id"].to_pylist()
    watch.receive(moves(watch, "R-1", 0, 60))
    watch.receive(moves(watch, "R-1", 60, 5))
    watch.receive(moves(watch, "R-1", 65, 5))
    assert messages_of(watch, "R-1") == 60  # the others wait until they are a quarter as many

    late = react("analytics", "OrderPlaced", "L-gone", at=watch.now)  # its flow has to be restored
    if breaks == "store":
        store.ill = True
        with pytest.raises(StoreError):
            watch.receive([*moves(watch, "R-1", 70, 20), late])
        with pytest.raises(StoreError):
            watch.receive(moves(watch, "R-2", 0, 1))
        store.ill = False
    else:
        stitches = iter([True])
        sound = watch.tick._stitch

        def failing(*args: Any) -> None:
            if next(stitches, False):
                raise RuntimeError("a fault")
            sound(*args)

        monkeypatch.setattr(watch.tick, "_stitch", failing)
        watch.receive([*moves(watch, "R-1", 70, 20), late])
        watch.receive(moves(watch, "R-2", 0, 1))
    watch.wait(1)

    assert messages_of(watch, "R-1") == 90
    assert messages_of(watch, "R-2") == 1
    assert messages_of(watch, "L-gone") == 5
    assert watch.snapshot.effort.spans_lost == 0


def test_a_store_that_never_answers_does_not_fill_the_memory(watch: Watch) -> None:
    """Beyond the limit, spans are judged without their stored flows, and counted."""
    store = Unwell(watch.flows)
    watch.tick.archive._store = cast("FlowStore", store)
    watch.receive(order("L-gone", watch.now))
    watch.wait(12)
    bounded(watch, most_spans=50)
    store.ill = True
    for number in range(10):
        late = react("analytics", "OrderPlaced", "L-gone", at=watch.now, attempt=number + 1)
        with contextlib.suppress(StoreError):
            watch.receive([*order(f"A-{number}", watch.now, down={"payment"}), late])

    assert watch.snapshot.effort.spans_unrestored > 0
    assert watch.snapshot.effort.spans_held < 400


def test_spans_that_the_store_never_answers_for_hold_up_no_others(watch: Watch) -> None:
    """Whatever came after them once waited for ever: the live part saw nothing any more."""
    watch.wait(30)
    keys = [f"L-{number}" for number in range(12)]
    store = Unwell(watch.flows, *keys)
    watch.tick.archive._store = cast("FlowStore", store)
    for key in keys:
        with pytest.raises(StoreError):
            watch.receive([react("analytics", "OrderPlaced", key, at=watch.now)])
    with pytest.raises(StoreError):
        watch.receive(order("A-1", watch.now, down={"payment"}))
    for _ in range(8):
        before = store.failures
        with pytest.raises(StoreError):
            watch.wait(1)
        assert 0 < store.failures - before <= 8  # each may take many seconds

    assert findings(watch) == [("A-1", "consumer_down", "payment", "PaymentCaptured")]
    store.never = set()
    watch.wait(3)
    assert [watch.flows.named(key)["reactions"].to_pylist() for key in keys] == [[7]] * len(keys)
