"""What must every store that forgets do? Its test module inherits this and supplies the fixtures."""

from collections.abc import Callable

import pyarrow as pa
import pytest

from collector.columns.keys import text_keys
from collector.model.flows import State
from collector.store.contracts import Search, Stores
from collector.store.removal import RetentionStore
from tests.factories import NOW, SECOND, request, span, table, trace_id
from tests.stores.contract import flows, names, put

DAY = 86_400 * SECOND
TODAY = NOW // DAY


def day_of_spans(stores: Stores, day: int, count: int = 10) -> None:
    """Store *count* spans that arrived at noon of the day *day*."""
    sent = (span(id=f"{day}/{n}", trace=f"{day}/{n}") for n in range(count))
    stores.spans.write(table(request(*sent), received=day * DAY + DAY // 2))


class RetentionStoreContract:
    """The promises of `RetentionStore`."""

    @pytest.fixture
    def stores(self, opened: Callable[[], Stores]) -> Stores:
        return opened()

    def test_days_are_counted_and_dropped_whole(self, stores: Stores, retention: RetentionStore) -> None:
        assert (retention.days(), retention.oldest(), retention.size()) == ([], 0, 0)
        for ago, count in ((2, 30), (0, 10), (1, 20)):
            day_of_spans(stores, TODAY - ago, count)
        found = retention.days()

        assert [(day.number, day.spans) for day in found] == [(TODAY - 2, 30), (TODAY - 1, 20), (TODAY, 10)]
        assert all(0 < day.bytes < retention.size() for day in found)
        assert retention.oldest() == (TODAY - 2) * DAY + DAY // 2
        retention.drop_day(TODAY - 2)
        retention.drop_day(TODAY - 2)  # a day without spans
        assert [day.number for day in retention.days()] == [TODAY - 1, TODAY]
        assert retention.oldest() == (TODAY - 1) * DAY + DAY // 2
        assert stores.spans.span_count() == 30
        assert stores.spans.spans_of([trace_id(f"{TODAY - 2}/0")]).num_rows == 0
        assert stores.spans.spans_since(0, 100).num_rows == 30

    def test_the_disk_has_room(self, retention: RetentionStore) -> None:
        room = retention.room()

        assert 0 < room.free <= room.total

    def test_message_ids_go_with_the_spans_that_they_lead_to(
        self, stores: Stores, retention: RetentionStore, clock: list[int]
    ) -> None:
        old, new = text_keys(pa.array(["old"])), text_keys(pa.array(["new"]))
        for ids, trace, at in ((old, "A-1", NOW - 3 * DAY), (new, "A-2", NOW), (old, "A-3", NOW)):
            clock[0] = at
            stores.flows.offer(ids, pa.array([trace_id(trace)], pa.binary(16)))

        retention.forget_ids(NOW - DAY)
        assert stores.flows.offering(old).to_pylist() == [trace_id("A-3")]
        assert stores.flows.offering(new).to_pylist() == [trace_id("A-2")]
        retention.forget_ids(NOW - DAY)  # nothing is left to do
        assert stores.flows.offering(new).to_pylist() == [trace_id("A-2")]

    def test_rows_of_flows_go_by_when_they_were_stored_last(
        self, stores: Stores, retention: RetentionStore, clock: list[int]
    ) -> None:
        """And a flow that became part of another never comes back because the word about it went first."""
        assert retention.oldest_flow() == 0
        clock[0] = NOW - 100 * DAY
        put(stores.flows, flows("A-1", "A-2", "A-3"), State.STUCK)
        stores.flows.forget(["A-3"])
        clock[0] = NOW
        put(stores.flows, flows("A-2", "A-4"), State.STUCK)
        assert NOW - 100 * DAY <= retention.oldest_flow() < NOW - 99 * DAY
        retention.forget_flows(NOW - 100 * DAY)
        assert sorted(names(stores.flows.unfinished(9))) == ["A-1", "A-2", "A-4"]

        retention.forget_flows(NOW - 90 * DAY)

        assert sorted(names(stores.flows.unfinished(9))) == ["A-2", "A-4"]
        assert stores.flows.named("A-3").num_rows == 0
        assert stores.flows.counts(Search()) == {State.STUCK: 2}
        assert retention.oldest_flow() == NOW

    def test_flows_are_counted_by_whether_all_of_them_is_kept(self, stores: Stores) -> None:
        put(stores.flows, flows("A-1", begun=NOW - DAY), State.STUCK)
        put(stores.flows, flows("A-2", begun=NOW), State.STUCK)
        put(stores.flows, flows("old program", begun=0, received=NOW), State.STUCK)

        whole, cut = (State.STUCK, False, True), (State.STUCK, False, False)
        assert stores.flows.stopped(Search(), NOW) == {whole: 2, cut: 1}

    def test_flows_that_were_cut_are_no_examples(self, stores: Stores) -> None:
        put(stores.flows, flows("A-1", begun=NOW - DAY), taught=True)
        put(stores.flows, flows("A-2", begun=NOW), taught=True)

        assert names(stores.flows.examples(NOW, begun_since=NOW)) == ["A-2"]
        assert len(names(stores.flows.examples(NOW))) == 2
