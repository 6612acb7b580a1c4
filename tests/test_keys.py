"""Do keys stand for ids? They are equal exactly if the ids are, wherever these lie in memory."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.columns.keys import (
    NONE,
    PUBLIC,
    Keys,
    Secret,
    content_keys,
    id_keys,
    pair_keys,
    prefixed_keys,
    text_keys,
    whole,
)
from collector.model.identity import span_keys, trace_keys

TRACE_IDS, SPAN_IDS = pa.binary(16), pa.binary(8)
SPAN_KEY, TEXT_KEY = 5_039_521_389_546_940_856, 11_201_492_703_348_522_816


def keys_of(trace_ids: list[bytes], span_ids: list[bytes]) -> Keys:
    return span_keys(trace_keys(pa.array(trace_ids, TRACE_IDS)), pa.array(span_ids, SPAN_IDS))


@given(
    st.lists(st.tuples(st.binary(min_size=16, max_size=16), st.binary(min_size=8, max_size=8)), max_size=9)
)
def test_spans_have_one_key_exactly_when_their_ids_are_one(ids: list[tuple[bytes, bytes]]) -> None:
    keys = keys_of([trace for trace, _ in ids], [span for _, span in ids]).tolist()

    for one, key in zip(ids, keys, strict=True):
        for other, other_key in zip(ids, keys, strict=True):
            nobody = one[1] == other[1] == bytes(8)
            assert (key == other_key) == (one == other or nobody)


def test_span_without_an_id_has_no_key() -> None:
    """With an empty parent id, a root says that it has no parent."""
    assert keys_of([b"t" * 16, b"u" * 16], [bytes(8), bytes(8)]).tolist() == [NONE, NONE]


def test_keys_of_a_million_spans_of_one_trace_are_different() -> None:
    """The keys of a trace share their first bits; the rest of the 64 must still tell spans apart."""
    spans = pa.array([number.to_bytes(8, "big") for number in range(1, 1_000_001)], SPAN_IDS)
    trace = np.full(len(spans), trace_keys(pa.array([b"t" * 16], TRACE_IDS))[0])

    assert len(np.unique(span_keys(trace, spans))) == len(spans)


COUNTED = np.arange(1, 101, dtype=np.uint64)
FEW = np.arange(1, 21, dtype=np.uint64)
ONE = np.ones(1, np.uint64)


@pytest.mark.parametrize(
    ("high", "low", "span"),
    [
        (ONE, COUNTED, COUNTED),
        (COUNTED, COUNTED, FEW),
        (FEW << np.uint64(48), COUNTED, FEW),  # a host or a time in front
        (FEW << np.uint64(59), FEW << np.uint64(59), FEW << np.uint64(59)),
        (COUNTED * np.uint64(256), ONE, COUNTED << np.uint64(32)),
    ],
    ids=["counted spans", "counted halves", "hosts", "last bytes", "shifted"],
)
@pytest.mark.parametrize("order", [">u8", "<u8"])
@pytest.mark.parametrize("secret", [PUBLIC, Secret(ids=2**64 - 1), Secret(ids=0x9E3779B97F4A7C15)])
def test_ids_that_senders_count_have_keys_of_their_own(
    high: Keys, low: Keys, span: Keys, order: str, secret: Secret
) -> None:
    """Two ids with one key would be one span: all but the first would be lost as its copies."""
    words = [one.ravel().astype(order) for one in np.meshgrid(high, low, span)]
    columns = [np.ascontiguousarray(np.stack(some, axis=1)) for some in (words[:2], words[2:])]
    trace_ids, span_ids = (
        pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(column.shape[1] * 8), len(column), [None, pa.py_buffer(column)]
        )
        for column in columns
    )

    keys = prefixed_keys(id_keys(trace_ids, secret), span_ids, secret)

    assert len(np.unique(keys)) == len(high) * len(low) * len(span)


def test_another_secret_makes_other_keys() -> None:
    """Who does not know it cannot choose ids that take others' places."""
    ids = pa.array([number.to_bytes(16, "big") for number in range(1, 1001)], TRACE_IDS)
    spans = pa.array([number.to_bytes(8, "big") for number in range(1, 1001)], SPAN_IDS)
    one, other = Secret(ids=1), Secret(ids=2)

    assert not (id_keys(ids, one) == id_keys(ids, other)).any()
    prefix = np.zeros(1000, np.uint64)
    assert not (prefixed_keys(prefix, spans, one) == prefixed_keys(prefix, spans, other)).any()


def test_keys_of_counted_ids_are_scattered() -> None:
    """Senders with sequential ids would otherwise fill one end of every table."""
    traces = trace_keys(pa.array([number.to_bytes(16, "big") for number in range(1, 4097)], TRACE_IDS))

    assert (np.bincount((traces >> np.uint64(60)).astype(np.int64), minlength=16) > 128).all()


def test_keys_are_the_same_in_every_process() -> None:
    """A restarted process must find what an earlier one stored under these keys."""
    assert keys_of([bytes(range(16))], [bytes(range(8))]).tolist() == [SPAN_KEY]
    assert text_keys(pa.array(["A-1"])).tolist() == [TEXT_KEY]


@pytest.mark.parametrize("pieces", ["slice", "chunks", "none"])
def test_keys_do_not_depend_on_how_a_column_lies_in_memory(pieces: str) -> None:
    ids = pa.array([bytes([number]) * 16 for number in range(5)], TRACE_IDS)
    texts = pa.array(["a", None, "bb", "", "a"])
    cut: dict[str, Any] = {
        "slice": lambda column: pa.concat_arrays([column, column]).slice(5, 5),
        "chunks": lambda column: pa.chunked_array([column[:2], column[2:2], column[2:]]),
        "none": lambda column: column,
    }

    assert trace_keys(cut[pieces](ids)).tolist() == trace_keys(ids).tolist()
    assert text_keys(cut[pieces](texts)).tolist() == text_keys(texts).tolist()


def test_no_column_has_no_keys() -> None:
    assert trace_keys(pa.chunked_array([], TRACE_IDS)).tolist() == []
    assert text_keys(pa.chunked_array([], pa.string())).tolist() == []
    assert whole(pa.chunked_array([], pa.string())).to_pylist() == []


def test_text_that_is_not_there_has_no_key_and_an_empty_one_has() -> None:
    absent, empty, text = text_keys(pa.array([None, "", "A-1"])).tolist()

    assert absent == NONE
    assert len({absent, empty, text}) == 3


def test_pairs_have_a_direction() -> None:
    one, other = np.array([1, -1]), np.array([2, 5])

    assert not set(pair_keys(one, other).tolist()) & set(pair_keys(other, one).tolist())
    assert pair_keys(one, other).tolist() == pair_keys(one.astype(np.uint64), other).tolist()


CONTENT = pa.schema(
    [
        ("id", SPAN_IDS),
        ("text", pa.string()),
        ("number", pa.int64()),
        ("flag", pa.bool_()),
        ("links", pa.list_(TRACE_IDS)),
    ]
)
contents = st.fixed_dictionaries(
    {
        "id": st.sampled_from([b"a" * 8, b"b" * 8]),
        "text": st.sampled_from([None, "", "a"]),
        "number": st.sampled_from([0, 1, -1]),
        "flag": st.booleans(),
        "links": st.lists(st.sampled_from([b"a" * 16, b"b" * 16, bytes(16)]), max_size=3),
    }
)


@given(st.lists(contents, max_size=12))
def test_rows_have_one_key_exactly_when_all_of_them_is_equal(rows: list[dict[str, Any]]) -> None:
    """Lists in another order are different content: the first link may be the one that counts."""
    keys = content_keys(pa.Table.from_pylist(rows, CONTENT)).tolist()

    for one, key in zip(rows, keys, strict=True):
        assert [other == one for other in rows] == [other == key for other in keys]
