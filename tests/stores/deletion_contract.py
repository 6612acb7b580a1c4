"""What must every store do with what people have deleted? Like `contract.py`."""

from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from collector.columns.keys import text_keys
from collector.model.deletions import Deletion, Recorded
from collector.model.flows import State
from collector.store.contracts import Search, Stores
from tests.factories import NOW, SECOND, refs, request, span, table, trace_id
from tests.stores.contract import STRANGE, Opened, flows, names, put
from tests.stores.dismissal_contract import dismissal, say, standing

DAY = 86_400 * SECOND


def deletion(**more: Any) -> Deletion:
    """Ada's, of all spans of a service with a strange name, as long as *more* says nothing else."""
    said: dict[str, Any] = {"service": STRANGE, "author": "ada", "reason": "it was a test"}
    return Deletion(**{"id": NOW, "until": NOW + 9 * DAY, **said, **more})


def never() -> bool:
    return False


class DeletionStoreContract:
    """The promises of `DeletionStore`."""

    @pytest.fixture
    def stores(self, opened: Opened) -> Stores:
        """On each of two days, three traces with a span of the strange service, and one of another."""
        stores = opened()
        for day in range(2):
            received = NOW + day * DAY
            for service in (STRANGE, "kept"):
                spans = (span(id=f"{service}{day}{n}", trace=f"t{day}{n}") for n in range(3))
                stores.spans.write(table(request(*spans, service=service), received=received))
                received += 1
            put(stores.flows, flows(*(f"t{day}{n}" for n in range(3))), State.DONE)
        stores.spans.write(table(request(span(id="alone", trace="other"), service="kept"), received=NOW + 7))
        put(stores.flows, flows("other"), State.STUCK)
        return stores

    def test_a_record_comes_back_exactly_as_it_was_written(self, opened: Opened) -> None:
        store = opened().deletions
        begun = Recorded(deletion(before=NOW, flow=STRANGE, reason="r" * 9_000), "begun", NOW, 7, 3)
        records = [begun, replace(begun, event="failed", at=NOW + 1, error=STRANGE)]

        for one in records:
            store.write(one)

        assert opened().deletions.records() == records

    def test_what_would_go_is_counted_and_stays(self, stores: Stores) -> None:
        counted = stores.deletions.count(deletion())

        assert list(counted.days.values()) == [3, 3]
        assert counted.services == {STRANGE: 6}
        assert (counted.flows, counted.whole) == (6, 0)
        assert set(counted.examples) == {f"t{day}{n}" for day in range(2) for n in range(3)}
        everything = stores.deletions.count(deletion(service="", before=NOW + DAY))
        assert (sum(everything.days.values()), everything.flows, everything.whole) == (7, 4, 4)
        assert stores.spans.span_count() == 13
        assert stores.deletions.count(deletion(service="nobody")).flows == 0

    def test_a_flow_with_a_trace_that_loses_nothing_stays(self, stores: Stores) -> None:
        """A flow of two traces was counted as gone when one of them goes."""
        both = flows("t00").to_pylist()[0] | {"id": "both", "traces": [trace_id("t00"), trace_id("other")]}
        put(stores.flows, pa.Table.from_pylist([both], flows("t00").schema))

        counted = stores.deletions.count(deletion(service="", before=NOW + 7))

        assert (counted.flows, counted.whole) == (4, 3)

    @pytest.mark.parametrize(
        ("more", "left"),
        [
            ({}, 7),
            ({"until": NOW}, 10),
            ({"before": NOW + DAY}, 10),
            ({"service": "", "before": NOW + DAY}, 6),
            ({"service": "", "before": NOW + 1}, 10),
            ({"service": "nobody"}, 13),
        ],
    )
    def test_only_that_is_removed_for_which_all_conditions_hold(
        self, stores: Stores, more: dict[str, Any], left: int
    ) -> None:
        """By a ledger of all that is stored: the others stay, exactly."""
        one = deletion(**more)
        ledger = {trace: set(refs(stores.spans.spans_of([trace]))) for trace in _traces()}
        doomed = stores.deletions.doomed(one)
        expected = {trace: set(refs(_rest(stores.spans.spans_of([trace]), doomed))) for trace in ledger}

        stores.deletions.mark(one)
        stores.deletions.remove_spans(one, never)

        assert {trace: set(refs(stores.spans.spans_of([trace]))) for trace in ledger} == expected
        assert stores.spans.span_count() == left
        assert sum(map(len, expected.values())) == left

    def test_the_spans_of_one_flow_go_alone(self, stores: Stores) -> None:
        one = deletion(service="", flow="t00")
        stores.deletions.doom(one, stores.spans.spans_of([trace_id("t00")]))

        stores.deletions.mark(one)
        stores.deletions.remove_spans(one, never)

        assert stores.spans.span_count() == 11
        assert stores.spans.spans_of([trace_id("t00")]).num_rows == 0
        assert stores.deletions.cut_traces(one.id, 10).to_pylist() == [trace_id("t00")]

    def test_it_is_known_which_traces_were_cut(self, stores: Stores) -> None:
        first, second = deletion(), deletion(id=NOW + 1, service="kept", before=NOW + 5)
        for one in (first, first, second):  # an interrupted one begins again
            stores.deletions.mark(one)

        assert sorted(stores.deletions.cut_traces(first.id, 100).to_pylist()) == sorted(_traces()[:6])
        assert len(stores.deletions.cut_traces(first.id, 2)) == 2
        assert stores.deletions.cuts_of([trace_id("t00"), trace_id("t10")]) == [NOW, NOW + 1]
        assert stores.deletions.cuts_of([trace_id("t10")]) == [NOW]
        assert stores.deletions.cuts_of([trace_id("other")]) == []
        assert stores.deletions.cuts_of([]) == []

    def test_flows_that_lose_spans_are_known_page_by_page(self, stores: Stores) -> None:
        stores.deletions.mark(deletion())
        found, after = [], ""
        while (page := stores.deletions.flows_of(deletion(), after, 4)).num_rows:
            after = page["id"][-1].as_py()
            found += page["id"].to_pylist()

        assert found == [f"t{day}{n}" for day in range(2) for n in range(3)]

    def test_what_described_a_flow_as_it_was_goes_too(self, stores: Stores) -> None:
        """t00 is gone, t01 was stitched again, t02 is still in memory: its row has nothing newer."""
        ids = text_keys(pa.array(["message 1", "message 2"]))
        stores.flows.offer(ids, pa.array([trace_id("t00"), trace_id("other")], pa.binary(16)))
        say(stores.dismissals, dismissal(), "t00", "t01", "other")
        one = deletion()
        stores.deletions.mark(one)
        by = stores.deletions.newest_flow()
        stores.deletions.remove_spans(one, never)
        stores.flows.forget(["t00"])
        put(stores.flows, flows("t01", event="PaymentCaptured"), State.DONE)

        stores.deletions.remove_leftovers(one, by, never)

        left = {f"t{day}{n}" for day in range(2) for n in range(3)} - {"t00"} | {"other"}
        assert set(names(stores.flows.found(Search(), 20))) == left
        assert stores.flows.named("t01")["last_event_type"].to_pylist() == ["PaymentCaptured"]
        assert stores.flows.offering(ids).to_pylist() == [trace_id("other")]
        assert set(standing(stores.dismissals)) == {"t01", "other"}

    def test_it_can_be_stopped(self, stores: Stores) -> None:
        """The next start goes on."""
        stores.deletions.remove_spans(deletion(), lambda: True)
        stores.deletions.remove_spans(deletion(), never)

        assert stores.spans.span_count() == 7


def _traces() -> list[bytes]:
    return [*(trace_id(f"t{day}{n}") for day in range(2) for n in range(3)), trace_id("other")]


def _rest(spans: pa.Table, doomed: Any) -> pa.Table:
    return spans.filter(pa.array(~doomed.among(spans)))
