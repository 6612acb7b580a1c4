"""What every store of spans must do. A store's test class inherits this and supplies the fixture `store`."""

import pytest

from collector.spans import SPANS
from collector.store import SpanStore
from tests.factories import NOW, SECOND, Value, refs, request, span, table, trace_id

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


class StoreContract:
    """The promises of `SpanStore`."""

    @pytest.fixture
    def store(self) -> SpanStore:
        raise NotImplementedError

    def test_a_span_comes_back_exactly_as_it_was_written(self, store: SpanStore) -> None:
        """Whoever reads decides what matters: the store may not."""
        sent = span("s", parent="p", links=[("t", "a"), ("u", "b")], error="\x1b[31m", attributes=NESTED)
        sent.events.add(name="e", time_unix_nano=2**64 - 1).attributes.add(
            key="k"
        ).value.bytes_value = b"\xff"
        sent.links[0].attributes.add(key="l").value.int_value = 1
        sent.trace_state, sent.flags, sent.start_time_unix_nano = "k=v", 2**32 - 1, 2**64 - 1
        written = table(request(sent, span("bare"), resource=NESTED))

        store.write(written)

        read = store.spans_of([trace_id("trace")])
        assert read.schema == SPANS
        assert read.sort_by("name").equals(written.sort_by("name"))

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
        """Exporters send a batch again when they miss its answer."""
        written = table(request(span(id="a"), span(id="b")))
        for _ in range(3):
            store.write(written)
        store.write(table(request(span("changed", id="b"), span("new", id="c")), received=NOW + 1))

        read = store.spans_of([trace_id("trace")])

        assert sorted(read["name"].to_pylist()) == ["changed", "new", "work"]
        assert store.span_count() == 3

    def test_a_span_written_again_on_another_day_is_one_span(self, store: SpanStore) -> None:
        for day in range(3):
            store.write(table(request(span(f"day {day}", id="a")), received=NOW + day * 86_400 * SECOND))

        assert store.span_count() == 1
        assert store.spans_of([trace_id("trace")])["name"].to_pylist() == ["day 2"]

    def test_ids_of_different_traces_do_not_mix(self, store: SpanStore) -> None:
        """Span ids are unique within a trace only."""
        store.write(table(request(span(id="a", trace="t"), span(id="a", trace="u"))))

        assert store.span_count() == 2

    def test_nothing_is_written_without_an_error(self, store: SpanStore) -> None:
        store.write(SPANS.empty_table())

        assert store.span_count() == 0

    def test_spans_come_in_the_order_of_their_arrival(self, store: SpanStore) -> None:
        """A rebuild reads on from where it was: no group may be cut, none left out."""
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
