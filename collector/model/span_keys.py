"""Which keys identify traces and spans? 64-bit keys, on which spans are joined."""

import pyarrow as pa

from collector.columns.keys import PUBLIC, Keys, id_keys, pair_keys, prefixed_keys, words_of


def trace_keys(trace_ids: pa.Array | pa.ChunkedArray) -> Keys:
    """One key for each 16-byte trace id."""
    return id_keys(trace_ids)


def span_keys(trace: Keys, span_ids: pa.Array | pa.ChunkedArray) -> Keys:
    """One key per trace key and 8-byte span id; keys of a trace sort together. `NONE` for an all-zero id."""
    return prefixed_keys(trace, span_ids)


def public_trace_keys(trace_ids: pa.Array | pa.ChunkedArray) -> Keys:
    """`trace_keys` without the secret: they sort traces the same way in every process."""
    return id_keys(trace_ids, PUBLIC)


def public_span_keys(trace_ids: pa.Array | pa.ChunkedArray, span_ids: pa.Array | pa.ChunkedArray) -> Keys:
    """`span_keys` without the secret: they sort spans the same way in every process."""
    return prefixed_keys(id_keys(trace_ids, PUBLIC), span_ids, PUBLIC)


def spread_span_keys(trace_ids: pa.Array | pa.ChunkedArray, span_ids: pa.Array | pa.ChunkedArray) -> Keys:
    """One key per span that uses all 64 bits, to count the spans of even a huge trace exactly."""
    return pair_keys(id_keys(trace_ids), words_of(span_ids))
