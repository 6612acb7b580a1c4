"""What is a span as a row of the table `spans`? The columns of SPANS, with attributes as words."""

import pyarrow as pa

from collector.columns.keys import whole
from collector.model.spans import NO_SPANS, SPANS
from collector.store.clickhouse.attribute_words import LISTS, WORDS, packed, unpacked

COLUMNS = [name for name in SPANS.names if name not in LISTS] + list(WORDS)

# What few spans have of their own. The engine takes numbers of words more easily than it counts words itself.
_WORDS = {"name", "service", "trace_state", "resource", "scope", WORDS[0]}


def rows_of(spans: pa.Table) -> pa.Table:
    """*spans* (SPANS) as rows to insert."""
    found = {name: spans[name] for name in COLUMNS if name not in WORDS}
    found |= dict(zip(WORDS, packed(spans), strict=True))
    # One dictionary for all: the format in which rows are handed over has no second one.
    found |= {name: whole(found[name]).dictionary_encode() for name in _WORDS}
    return pa.table([found[name] for name in COLUMNS], names=COLUMNS)


def spans_of_rows(rows: pa.Table) -> pa.Table:
    """*rows*, which have COLUMNS, as SPANS; raise `StoreError` if their attributes cannot be read."""
    # As few pieces as offsets of 32 bits allow: each costs as much as some hundred spans.
    pieces = rows.combine_chunks().to_batches()
    return pa.concat_tables([NO_SPANS, *map(_spans_of_piece, pieces)])


def _spans_of_piece(rows: pa.RecordBatch) -> pa.Table:
    lists = dict(zip(LISTS, unpacked(*(rows[name] for name in WORDS)), strict=True))
    columns = [lists[one.name] if one.name in lists else rows[one.name].cast(one.type) for one in SPANS]
    return pa.table(columns, schema=SPANS)
