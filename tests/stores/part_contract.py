"""What must every store do with parts of flows that are too large to be read as a whole?"""

import pyarrow as pa

from collector.store.contracts import Cut, SpanPlace, SpanStore
from tests.factories import NOW, refs, request, span, table, trace_id


class SpanPartsContract:
    """The promises of `SpanStore` about parts; the fixture `store` is the heir's."""

    def test_a_part_of_a_flow_is_found_by_its_place(self, store: SpanStore) -> None:
        """Spans lie in the order of start, trace and span id, from which parts are taken on either side."""
        sent = [span(id=f"s{n}", trace=f"t{n % 2}", start=NOW + n // 4) for n in range(40)]
        for _ in range(2):
            store.write(table(request(*sent)))
        traces = [trace_id("t0"), trace_id("t1")]
        copies = store.part_of(traces, 1_000)
        every = copies.take(pa.array(range(0, 80, 2)))
        rows = [SpanPlace(*row.values()) for row in every.to_pylist()]

        assert rows == sorted(rows)
        assert len(rows) == store.count_of(traces) == 40
        assert store.copies_of(traces) == copies.num_rows == 80
        assert store.count_before(traces, rows[25], distinct=True) == 25
        assert store.count_before(traces, rows[25], distinct=False) == 50
        assert store.part_of(traces, 10, after=rows[9]).to_pylist() == copies.slice(20, 10).to_pylist()
        assert store.part_of(traces, 10, before=rows[10]).to_pylist() == copies.slice(10, 10).to_pylist()
        assert store.part_of([trace_id("nobody")], 10).num_rows == 0
        few = store.few_of(traces, 80)
        assert few is not None
        assert sorted(refs(few)) == sorted(refs(every))
        assert store.few_of(traces, 79) is None
        none = store.few_of([trace_id("nobody")], 10)
        assert none is not None
        assert none.num_rows == 0
        some = every.slice(3, 7).select(["trace_id", "span_id"])
        assert sorted(refs(store.spans_at(some))) == sorted(refs(some))
        assert store.first_of(traces, 3, 5, Cut(100, 10, [])).num_rows == 5
