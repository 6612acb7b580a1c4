"""Which copy of a span counts? One rule decides in a group, in the store and in memory alike."""

from collections.abc import Sequence
from itertools import permutations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector import conventions
from collector.model.identity import each_once, spread_span_keys
from collector.stitching import stitch
from collector.store.clickhouse.connections import Database
from collector.store.clickhouse.span_store import ClickHouseSpans
from tests.factories import NOW, SECOND, Value, request, span, table, trace_id
from tests.scenes import Watch, order
from tests.strategies import examples

Copy = tuple[str, int, int, int]  # event type, start, end, received


def sent(copies: Sequence[Copy]) -> list[pa.Table]:
    """SPANS of one span that arrived several times, one table per copy."""
    said: dict[str, Value] = {"messaging.operation.type": "send", "messaging.destination.name": "orders"}
    return [
        table(
            request(
                span(id="a", start=start, end=end, attributes={**said, "cloudevents.event_type": event}),
            ),
            received=NOW + received,
        )
        for event, start, end, received in copies
    ]


def in_memory(tables: Sequence[pa.Table]) -> list[str]:
    """The event type of the only message that stitching makes of *tables*."""
    graph = stitch(conventions.read(pa.concat_tables(tables))).graph
    events: list[str] = graph.spans["event_type"].to_pylist()
    return events


times = st.integers(0, 3)
copies = st.lists(st.tuples(st.sampled_from(["A", "B"]), times, times), min_size=1, max_size=4)


@settings(max_examples=examples(30))
@given(copies)
def test_memory_and_group_agree_whatever_came_first(found: list[tuple[str, int, int]]) -> None:
    numbered = [(event, start, end, at) for at, (event, start, end) in enumerate(found)]
    tables = sent(numbered)

    ways = {tuple(in_memory(list(way))) for way in permutations(tables)}
    (counts,) = ways
    every = pa.concat_tables(tables)
    (kept,) = each_once(every, spread_span_keys(every["trace_id"], every["span_id"])).to_pylist()
    assert [kept["attribute_values"][2].decode()] == list(counts)


@pytest.mark.parametrize(
    ("first", "second", "counts"),
    [
        (("long", 0, 9, 0), ("short", 0, 5, 1), "long"),
        (("short", 0, 5, 0), ("long", 0, 9, 1), "long"),
        (("early", 0, 9, 0), ("late", 1, 9, 1), "late"),
        (("first", 0, 9, 0), ("again", 0, 9, 1), "first"),
    ],
)
def test_the_store_shows_the_copy_that_memory_shows(
    database: Database, first: Copy, second: Copy, counts: str
) -> None:
    """The store used to show the last one received: a page changed when a flow left memory."""
    store = ClickHouseSpans(database)
    tables = sent([first, second])
    for one in tables:
        store.write(one)

    assert in_memory(tables) == in_memory([store.spans_of([trace_id("trace")])]) == [counts]


def test_a_flow_says_the_same_in_memory_and_when_it_is_shown(watch: Watch) -> None:
    """A copy that a client cut short must not replace a handling that had ended well."""
    placed = order("A-1", watch.now, down={"payment"})
    watch.receive(placed)
    cut_short = [(service, type(one).FromString(one.SerializeToString())) for service, one in placed]
    for _, one in cut_short:
        one.end_time_unix_nano -= 1
        one.name = "cut short"
    watch.receive(cut_short)

    stored = watch.spans.spans_of([trace_id("A-1")])
    assert "cut short" not in stored["name"].to_pylist()
    assert stored.num_rows == len(placed)
    assert watch.now - NOW < 60 * SECOND


def test_two_spans_that_share_a_key_are_both_kept() -> None:
    """A key has 64 bits: what is stored must not hang on its chance."""
    spans = table(request(*(span(id=name) for name in "abcab")))

    kept = each_once(spans, np.zeros(5, np.uint64))

    assert sorted(kept["span_id"].to_pylist()) == sorted(span(id=name).span_id for name in "abc")
