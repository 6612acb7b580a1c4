"""What must every store do? Its test module inherits these classes and supplies the fixture `opened`.

`opened` opens stores in one new place, over new connections each time.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest

from collector.model.flows import FLOWS, STORED_FLOWS, State
from collector.model.spans import SPANS
from collector.store.contracts import FlowStore, Known, Place, Search, SpanStore, Stores
from tests.factories import NOW, SECOND, Value, refs, request, span, table, trace_id
from tests.stores.memory_contract import FlowMemoryContract
from tests.stores.part_contract import SpanPartsContract
from tests.stores.search_contract import FlowSearchContract
from tests.stores.sender_contract import SendersContract

NESTED: dict[str, Value] = {
    "text": "żółw\x00'; DROP TABLE spans --",
    "empty": "",
    "true": True,
    "int": -(2**63),
    "double": 0.1,
    "nan": float("nan"),
    "bytes": b"\xff\x00\n",
    "list": ["a", 1, 2.5, None, {"k": [True]}],
    "object": {"k": {"k": b"\x00"}},
    "none": None,
}
STRANGE = "żółw\x00'; DROP TABLE flows --\\ {x:String}\n"

Opened = Callable[[], Stores]


class SpanStoreContract(SpanPartsContract, SendersContract):
    """The promises of `SpanStore`."""

    @pytest.fixture
    def store(self, opened: Opened) -> SpanStore:
        return opened().spans

    def test_a_span_comes_back_exactly_as_it_was_written(self, store: SpanStore) -> None:
        """The reader decides what matters in a span: the store may not."""
        sent = span("s", parent="p", links=[("t", "a"), ("u", "b")], error="\x1b[31m", attributes=NESTED)
        said = sent.events.add(name="e", time_unix_nano=2**64 - 1).attributes.add(key="k")
        said.value.bytes_value = b"\xff"
        sent.links[0].attributes.add(key="l").value.int_value = 1
        sent.trace_state, sent.flags, sent.start_time_unix_nano = "k=v", 2**32 - 1, 2**64 - 1
        written = table(request(sent, span("bare"), resource=NESTED))
        store.write(written)

        read = store.spans_of([trace_id("trace")])
        assert read.schema == SPANS
        assert read.sort_by("name").equals(written.sort_by("name"))

    def test_a_proof_that_spans_can_be_stored_leaves_nothing(self, store: SpanStore) -> None:
        store.prove()
        store.write(table(request(span(id="theirs"))))
        store.prove()

        assert store.span_count() == 1
        assert store.spans_since(0, 10).num_rows == 1
        assert store.ids_since(0, 10).num_rows == 1

    def test_a_trace_is_found_among_others(self, store: SpanStore) -> None:
        store.write(table(request(*(span(id=str(n), trace=f"t{n % 10}") for n in range(100)))))

        found = store.spans_of([trace_id("t3"), trace_id("t7"), trace_id("t3")])

        assert found.num_rows == 20
        assert set(found["trace_id"].to_pylist()) == {trace_id("t3"), trace_id("t7")}

    def test_unknown_traces_give_no_spans_and_no_error(self, store: SpanStore) -> None:
        for nobody in ([], [trace_id("nobody")]):
            assert store.spans_of(nobody).equals(SPANS.empty_table())

    def test_more_traces_can_be_asked_for_than_fit_into_one_query(self, store: SpanStore) -> None:
        store.write(table(request(span(trace="t0"), span(trace="t11999"))))

        assert store.spans_of(trace_id(f"t{n}") for n in range(12_000)).num_rows == 2

    def test_a_span_written_again_is_one_span(self, store: SpanStore) -> None:
        """Exporters resend a batch when they miss its answer."""
        written = table(request(span(id="a"), span(id="b")))
        for _ in range(3):
            store.write(written)
        store.write(table(request(span("new", id="c")), received=NOW + 1))

        read = store.spans_of([trace_id("trace")])

        assert sorted(read["name"].to_pylist()) == ["new", "work", "work"]
        assert store.span_count() == 3

    @pytest.mark.parametrize("backwards", [False, True], ids=["in order", "backwards"])
    @pytest.mark.parametrize(
        ("copies", "counts"),
        [
            ({"short": (0, 5, 0), "long": (0, 9, 1)}, "long"),  # start, end, received
            ({"long": (0, 9, 0), "short": (0, 5, 1)}, "long"),
            ({"early": (0, 9, 0), "late": (1, 9, 1)}, "late"),
            ({"first": (0, 9, 0), "again": (0, 9, 1)}, "first"),
            ({"today": (0, 9, 0), "on another day": (0, 9, 86_400)}, "today"),
            ({"beyond all time": (0, 2**64 - 1, 1), "nearly": (0, 2**63 - 1, 0)}, "nearly"),
        ],
        ids=["longer", "shorter", "later", "again", "another day", "no such time"],
    )
    def test_the_same_copy_counts_whichever_came_first(
        self, store: SpanStore, copies: dict[str, tuple[int, int, int]], counts: str, backwards: bool
    ) -> None:
        """By last end, last start, first arrival: the same order as in memory (`tests/test_copies.py`)."""
        sent = [
            table(request(span(name, id="a", start=start, end=end)), received=NOW + received * SECOND)
            for name, (start, end, received) in copies.items()
        ]
        for one in reversed(sent) if backwards else sent:
            store.write(one)

        assert store.spans_of([trace_id("trace")])["name"].to_pylist() == [counts]
        assert store.span_count() == 1

    def test_ids_of_different_traces_do_not_mix(self, store: SpanStore) -> None:
        """Span ids are unique only within a trace."""
        store.write(table(request(span(id="a", trace="t"), span(id="a", trace="u"))))

        assert store.span_count() == 2

    def test_nothing_is_written_without_an_error(self, store: SpanStore) -> None:
        store.write(SPANS.empty_table())

        assert store.span_count() == 0
        assert store.arrival_of_newest(10, 7) == 7

    def test_spans_come_in_the_order_of_their_arrival(self, store: SpanStore) -> None:
        """A replay resumes where it stopped: no group may be cut or skipped."""
        groups = [table(request(*(span(f"{g}.{n}") for n in range(4))), received=NOW + g) for g in range(5)]
        for group in reversed(groups):
            store.write(group)
        read, since = [], NOW - 1

        while (spans := store.spans_since(since, limit=6)).num_rows:
            received = spans["received_unix_nano"].to_pylist()
            assert received == sorted(received)
            read += refs(spans)
            since = received[-1]

        assert sorted(read) == sorted(ref for group in groups for ref in refs(group))
        assert len(read) == 20
        assert store.spans_since(since, limit=6).schema == SPANS

    def test_the_latest_ids_are_known(self, store: SpanStore) -> None:
        for day in range(3):
            store.write(table(request(span(id=str(day))), received=NOW + day))

        latest = store.ids_since(NOW, limit=10)

        assert latest.num_rows == 2
        assert store.ids_since(NOW - 1, limit=1)["span_id"].to_pylist() == latest["span_id"].to_pylist()[:1]
        assert store.arrival_of_newest(2, 0) == NOW

    def test_what_one_has_written_all_others_see(self, opened: Opened) -> None:
        """The intake, the live part and the API have their own connections."""
        writer, reader = opened().spans, opened().spans

        for number in range(5):
            writer.write(table(request(span(id=str(number))), received=NOW + number))
            assert reader.span_count() == number + 1

    def test_readers_and_the_writer_do_not_disturb_each_other(self, store: SpanStore) -> None:
        """The API queries from several threads while the intake stores."""

        def write(group: int) -> int:
            spans = (span(f"{n}", trace=f"t{group}") for n in range(20))
            store.write(table(request(*spans), received=NOW + group))
            return len(refs(store.spans_of([trace_id(f"t{group}")])))

        with ThreadPoolExecutor(8) as threads:
            counts = list(threads.map(write, range(40)))

        assert counts == [20] * 40
        assert store.span_count() == 800


def flows(
    *names: str, last: int = NOW, received: int = NOW, begun: int = NOW, event: str = "OrderPlaced"
) -> pa.Table:
    """FLOWS of these names, each with a trace of the same name."""
    columns = {
        "id": names,
        "key": names,
        "traces": [[trace_id(name)] for name in names],
        "started": [last - SECOND] * len(names),
        "last": [last] * len(names),
        "received": [received] * len(names),
        "begun": [begun] * len(names),
        "last_event_type": [event] * len(names),
        "last_service": ["order"] * len(names),
        "outcome": [None] * len(names),
        "messages": [1] * len(names),
        "reactions": [0] * len(names),
        "wait_ms": [0.5] * len(names),
        "work_ms": [0.0] * len(names),
        "incomplete": [False] * len(names),
        "names": [f"{event}\norder"] * len(names),
        "failures": [None] * len(names),
        "variant": [7] * len(names),
    }
    return pa.table(columns, schema=FLOWS)


def put(
    store: FlowStore,
    table: pa.Table,
    state: State = State.DONE,
    *,
    taught: bool = False,
    only_new: bool = False,
) -> None:
    """Store all flows of *table* in one state."""
    count = table.num_rows
    store.put(table, np.full(count, int(state)), np.full(count, taught), only_new=only_new)


def names(found: pa.Table) -> list[str]:
    ids: list[str] = found["id"].to_pylist()
    return ids


class FlowStoreContract(FlowSearchContract, FlowMemoryContract):
    """The promises of `FlowStore`."""

    @pytest.fixture
    def store(self, opened: Opened) -> FlowStore:
        return opened().flows

    def test_a_flow_comes_back_as_it_was_put(self, store: FlowStore) -> None:
        given = flows("A-1", STRANGE)

        put(store, given, State.STUCK, taught=True)

        read = store.found(Search(), 10)
        assert read.schema == STORED_FLOWS
        assert read.select(FLOWS.names).sort_by("id").equals(given.sort_by("id"))
        assert read["state"].to_pylist() == [State.STUCK] * 2
        assert read["taught"].to_pylist() == [True] * 2
        assert names(store.named(STRANGE)) == [STRANGE]

    def test_what_was_put_last_is_the_flow(self, store: FlowStore) -> None:
        for state in (State.STUCK, State.RUNNING, State.DONE):
            put(store, flows("A-1"), state)

        assert store.counts(Search()) == {State.DONE: 1}
        assert names(store.unfinished(10)) == []

    def test_only_new_ones_leave_the_others_as_they_are(self, store: FlowStore) -> None:
        """A replay reports flows again that the store already knows better."""
        put(store, flows("A-1"), State.STUCK)
        put(store, flows("A-1", "A-2"), State.DONE, only_new=True)

        assert store.counts(Search()) == {State.STUCK: 1, State.DONE: 1}

    def test_a_forgotten_flow_is_nowhere(self, store: FlowStore) -> None:
        put(store, flows("A-1", "A-2"), State.STUCK)
        store.forget(["A-1", "nobody"])
        store.forget([])

        assert names(store.found(Search(), 10)) == names(store.unfinished(10)) == ["A-2"]
        assert names(store.named("A-1")) == []
        assert store.counts(Search()) == {State.STUCK: 1}

    def test_a_flow_is_found_by_its_key_and_by_its_traces(self, store: FlowStore) -> None:
        put(store, flows("A-1", "A-2"))

        assert names(store.named("A-2")) == ["A-2"]
        assert names(store.named(trace_id("A-1").hex())) == ["A-1"]
        assert names(store.named(trace_id("A-1").hex().upper())) == ["A-1"]
        for nobody in ("A-3", trace_id("A-3").hex(), ""):
            assert store.named(nobody).num_rows == 0

    def test_all_of_a_flow_is_fetched_by_any_part_of_it(self, opened: Opened) -> None:
        """A late span restores its flow, found by key or by trace, with all of the flow's other traces."""
        stores = opened()
        store = stores.flows
        stores.spans.write(table(request(*(span(id=name, trace=name) for name in ("A-1", "A-2", "late")))))
        put(store, flows("A-1", "A-2"))
        nothing = pa.array([], pa.binary(16)), pa.array([], pa.string())

        ids, spans = store.fetch(pa.array([trace_id("late")], pa.binary(16)), pa.array(["A-1"]))
        assert ids == {"A-1": Known(NOW, frozenset([trace_id("A-1")]))}
        assert set(spans["trace_id"].to_pylist()) == {trace_id("A-1"), trace_id("late")}
        ids, spans = store.fetch(pa.array([trace_id("A-2")], pa.binary(16)), nothing[1])
        assert (list(ids), spans.num_rows) == (["A-2"], 1)
        assert store.fetch(*nothing)[1].equals(SPANS.empty_table())

    def test_as_many_can_be_asked_for_as_there_are(self, store: FlowStore) -> None:
        """A tick may touch thousands of evicted flows: no query may become too large for a server."""
        many = [f"order-{number}-of-a-shop-with-long-ids" for number in range(9_000)]
        put(store, flows("A-1", many[0], many[-1]))
        traces = pa.array([trace_id(name) for name in many[1:-1]] + [trace_id("A-1")], pa.binary(16))

        ids, _ = store.fetch(traces, pa.array(many))
        assert sorted(ids) == sorted(["A-1", many[0], many[-1]])
        assert sorted(store.done_among(many, State.DONE)) == sorted([many[0], many[-1]])
        assert names(store.found(Search(without=many), 10)) == ["A-1"]
        assert store.counts(Search(without=many)) == {State.DONE: 1}
        put(store, flows(*many), State.STUCK, only_new=True)
        assert store.counts(Search())[State.STUCK] == len(many) - 2
        store.forget(many)
        assert store.counts(Search()) == {State.DONE: 1}

    @pytest.mark.parametrize(
        "key",
        ["k" * 200_000, '"\\' * 40_000, "\\", "'", "\\'`\"\t\n\r\b\0%(a)s{a:String}é🦀"],
        ids=["long", "escaped", "a backslash", "a quote", "all signs"],
    )
    def test_a_key_of_any_length_can_be_asked_for(self, store: FlowStore, key: str) -> None:
        """A server takes no parameter of that size: one such key once stopped the live part."""
        put(store, flows(key))
        put(store, flows(key), State.STUCK, only_new=True)

        assert store.fetch(pa.array([], pa.binary(16)), pa.array([key, "A-1"]))[0].keys() == {key}
        assert store.done_among([key], int(State.DONE)) == [key]
        assert store.counts(Search(without=[key])) == {}
        store.forget([key])
        assert store.counts(Search()) == {}

    def test_done_ones_are_told_from_others(self, store: FlowStore) -> None:
        put(store, flows("A-1"), State.DONE)
        put(store, flows("A-2"), State.STUCK)

        assert store.done_among(["A-1", "A-2", "A-3"], State.DONE) == ["A-1"]
        assert store.done_among([], State.DONE) == []

    def test_lists_turn_in_pages_and_agree_with_counts(self, store: FlowStore) -> None:
        for number in range(20):
            state = State(number % 5)
            put(store, flows(f"A-{number:02}", last=NOW + number % 3), state)
        seen: list[str] = []
        after: Place | None = None
        rank = {State.STUCK: 0, State.FAILED: 0, State.LATE: 1, State.RUNNING: 2, State.DONE: 3}
        while (page := store.found(Search(), 3, after)).num_rows:
            seen += names(page)
            last = page.slice(page.num_rows - 1).to_pylist()[0]
            after = Place(rank[State(last["state"])], last["last"], last["id"])

        assert sorted(seen) == [f"A-{number:02}" for number in range(20)]
        stuck = [name for name in seen if int(name[2:]) % 5 in (State.STUCK, State.FAILED)]
        assert seen[: len(stuck)] == stuck
        assert sum(store.counts(Search()).values()) == 20
        assert store.counts(Search(states=(State.LATE,))) == {State.LATE: 4}

    @pytest.mark.parametrize(
        ("search", "found"),
        [
            (Search("a-1"), ["A-1"]),
            (Search("shipped"), ["B-1"]),
            (Search("%"), []),
            (Search(trace_id("B-1").hex()[:8]), ["B-1"]),
            (Search(since=NOW), ["B-1"]),
            (Search(states=(State.STUCK, State.FAILED)), ["A-1"]),
            (Search(without=["A-1", STRANGE]), ["B-1"]),
            (Search(waiting_for="payment"), []),
            (Search(STRANGE), []),
        ],
    )
    def test_every_part_of_a_search_must_hold(
        self, store: FlowStore, search: Search, found: Sequence[str]
    ) -> None:
        put(store, flows("A-1"), State.STUCK)
        put(store, flows("B-1", last=NOW + 1, event="OrderShipped"), State.DONE)

        assert names(store.found(search, 10)) == found
        assert sum(store.counts(search).values()) == len(found)

    def test_examples_are_the_newest_of_each_outcome_that_taught(self, store: FlowStore) -> None:
        for number in range(6):
            event = ("OrderShipped", "OrderCancelled")[number % 2]
            put(store, flows(f"A-{number}", received=NOW + number, event=event), taught=number != 5)

        assert sorted(names(store.examples(NOW + 4, each=1))) == ["A-3", "A-4"]
        assert names(store.examples(NOW - 1)) == []

    def test_the_newest_names_are_known(self, store: FlowStore) -> None:
        for number in range(3):
            put(store, flows(f"A-{number}", received=NOW + number))

        keys, traces = store.newest_names(NOW + 1, 1)
        assert (keys.to_pylist(), traces.to_pylist()) == (["A-1"], [trace_id("A-1")])
