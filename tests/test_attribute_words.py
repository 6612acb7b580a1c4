"""Do attributes come back from the store exactly as they went in?"""

from collections.abc import Sequence
from typing import TypeAlias

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from collector.model.spans import SPANS, ValueType
from collector.store.clickhouse.attribute_words import LISTS, packed, unpacked
from collector.store.clickhouse.connections import Database, Limits
from collector.store.clickhouse.embedded import Engine
from collector.store.clickhouse.migrations import MIGRATIONS, migrate
from collector.store.clickhouse.span_store import ClickHouseSpans
from collector.store.contracts import Cut, StoreError
from tests.factories import request, span, table, trace_id

Attribute: TypeAlias = tuple[str, int, bytes]

# What means something in the texts that are stored, alone and where it could be taken for something else.
MARKS = (
    b"",
    b"\x1f",
    b"\x1e",
    b"\x1er",
    b"\x1eu",
    b"\x1e\x1f",
    b"\x1f\x1e",
    b"\x1e\x1er",
    b"r",
    b"u",
    b"\0",
    b"\xff",
)
KINDS: list[Attribute] = [
    ("order.id", ValueType.STRING, b"A-17"),
    ("order.id", ValueType.STRING, b"the same name again"),
    ("", ValueType.EMPTY, b""),
    ("d", ValueType.DOUBLE, b"-0.0"),
    ("nan", ValueType.DOUBLE, b"nan"),
    ("on", ValueType.BOOL, b"true"),
    ("n", ValueType.INT, b"-9223372036854775808"),
    ("\0\x01ÿ\x1f\x1e\n", ValueType.STRING, "\0\x01ÿ\x1f\x1e\n".encode()),
    ("many", ValueType.ARRAY, b"\n\x03\n\x01a\n\x00"),
    ("map", ValueType.KVLIST, b"\n\x07\n\x01a\x12\x02\x18\xff"),
    ("all", ValueType.BYTES, bytes(range(256))),
    ("long", ValueType.STRING, b"x" * 100_000),
]
# More names than a word holds.
LONG: list[Attribute] = [(f"name.{number}", ValueType.STRING, b"%d" % number) for number in range(1_000)]
AWKWARD: list[list[Attribute]] = [
    [],
    KINDS,
    LONG,
    [("", ValueType.EMPTY, b"")],
    [("", ValueType.EMPTY, b"")] * 3,
    [("\x1e" * 3_000, ValueType.BYTES, b"\x1f\x1e")],
    *([("k", int(ValueType.BYTES), mark)] for mark in MARKS),
    *([("k", int(ValueType.BYTES), mark), ("", int(ValueType.BYTES), mark)] for mark in MARKS),
    *([(mark.decode(), int(ValueType.STRING), b"v")] for mark in MARKS[:-1]),
]

values = st.one_of(st.sampled_from(MARKS), st.binary(max_size=8), st.text(max_size=8).map(str.encode))
keys = st.one_of(st.sampled_from([mark.decode() for mark in MARKS[:-1]]), st.text(max_size=4))
attributes = st.tuples(keys, st.sampled_from(list(map(int, ValueType))), values)
spans_of_attributes = st.lists(
    st.one_of(st.lists(attributes, max_size=5), st.sampled_from(AWKWARD)), max_size=8
)


def spans_with(held: Sequence[Sequence[Attribute]], trace: str = "trace") -> pa.Table:
    """A span (SPANS) for each entry of *held*, with these attributes."""
    spans = table(request(*(span(id=f"{trace} {number}", trace=trace) for number in range(len(held)))))
    for place, name in enumerate(LISTS):
        column = pa.array([[one[place] for one in some] for some in held], SPANS.field(name).type)
        spans = spans.set_column(spans.schema.get_field_index(name), SPANS.field(name), column)
    return spans


def lists(spans: pa.Table) -> list[list[object]]:
    return [spans[name].to_pylist() for name in LISTS]


@given(spans_of_attributes)
@example(AWKWARD)
def test_what_is_unpacked_is_what_was_packed(held: list[list[Attribute]]) -> None:
    """A value that changes, or moves to the next span, would be evidence for what never happened."""
    spans = pa.Table.from_arrays([pa.array([], SPANS.field(name).type) for name in LISTS], names=LISTS)
    if held:
        spans = spans_with(held).select(LISTS)

    assert [one.to_pylist() for one in unpacked(*packed(spans))] == lists(spans)


@given(spans_of_attributes, st.integers(0, 8), st.integers(0, 8))
@settings(max_examples=30)
def test_a_part_of_a_table_is_packed_as_that_part(held: list[list[Attribute]], begin: int, size: int) -> None:
    """Arrow shares the memory of a whole: what lies before and behind belongs to other spans."""
    if held:
        spans = spans_with(held).slice(begin, size)

        assert [one.to_pylist() for one in unpacked(*packed(spans))] == lists(spans)


def test_the_store_keeps_every_attribute(database: Database) -> None:
    """With all ways to read a span, before parts are merged and afterwards."""
    spans, store = spans_with(AWKWARD).sort_by("span_id"), ClickHouseSpans(database)
    for begin in range(0, spans.num_rows, 7):
        store.write(spans.slice(begin, 7))
    ids = spans.select(["trace_id", "span_id"])

    for merge in ("", "OPTIMIZE TABLE spans FINAL"):
        if merge:
            database.execute(merge)
        assert store.spans_of([trace_id("trace")]).sort_by("span_id").equals(spans)
        assert store.spans_since(0, 100).sort_by("span_id").equals(spans)
        assert store.spans_at(ids).sort_by("span_id").equals(spans)
        cut = store.spans_at(ids, Cut(1_000_000, 2_000, [])).sort_by("span_id")
        assert lists(cut) == lists(spans)


@pytest.mark.parametrize("older", [False, True])
def test_many_large_spans_are_cut_within_the_memory_of_a_query(engine: Engine, older: bool) -> None:
    """All of them at once are too large for a reader, also if they are of an older version."""
    large = spans_with([[(f"k.{number}", ValueType.STRING, b"v" * 20_000) for number in range(50)]] * 100)
    database = engine.database("large_spans")
    reader = engine.database("large_spans", Limits())
    try:
        if older:
            older_ones = [one for one in MIGRATIONS if "spans.attributes" not in one.adds]
            for statement in (one for migration in older_ones for one in migration.statements):
                database.execute(statement)
            database.insert("spans", large)
        migrate(database)
        if not older:
            ClickHouseSpans(database).write(large)
        ids = large.select(["trace_id", "span_id"])
        cut = ClickHouseSpans(reader).spans_at(ids, Cut(256, 100, []))
    finally:
        reader.close()
        database.close()
        engine.drop("large_spans")

    assert cut["attribute_keys"].to_pylist() == large["attribute_keys"].to_pylist()
    words = {text for texts in cut["attribute_values"].to_pylist() for text in texts}
    assert words == {b"v" * 256 + b"... (cut: 20000 bytes)"}


def test_an_attribute_can_be_asked_for_in_sql(database: Database) -> None:
    """docs/store.md says how."""
    ClickHouseSpans(database).write(spans_with([KINDS, LONG, []]))
    question = (
        "SELECT attributes['order.id'] AS id, attributes['all'] AS octets, attributes['name.999'] AS last"
        " FROM spans ORDER BY length(attributes)"
    )
    answer = database.query(question)

    assert answer["id"].to_pylist() == ["", "A-17", ""]
    assert answer["octets"].cast(pa.binary()).to_pylist() == [b"", bytes(range(256)), b""]
    assert answer["last"].to_pylist() == ["", "", "999"]


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        (b"11\x1fa\x1fb", b"one"),
        (b"1\x1fa", b"one\x1ftwo"),
        (b"1\x1fa\x1fb", b"one"),
        (b"11\x1fa", b"one\x1ftwo"),
        (b"", b""),
        (b"", b"11\x1fa\x1fb"),
        (b"", b"11\x1fa\x1fb\x1fone"),
    ],
)
def test_texts_that_do_not_fit_each_other_are_an_error(shape: bytes, text: bytes) -> None:
    """Beside a span that is whole: its attributes must not become those of another."""
    good = (b"1\x1fa", b"one")

    with pytest.raises(StoreError, match=r"more or fewer values than keys.*store check"):
        unpacked(pa.array([good[0], shape]), pa.array([good[1], text]))


def test_attributes_of_one_kind_are_one_word() -> None:
    """Few words are what makes them cheap. The names of a span with very many are no word."""
    shapes, texts = packed(spans_with([KINDS, KINDS, LONG]))

    assert shapes.to_pylist()[0] == shapes.to_pylist()[1] != b""
    assert shapes.to_pylist()[2] == b""
    assert texts[2].as_py().startswith(b"1" * 1_000)
