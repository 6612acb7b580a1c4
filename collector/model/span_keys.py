"""Keys of trace ids and span ids: by these, spans meet."""

import pyarrow as pa

from collector.columns.keys import PUBLIC, Keys, id_keys, pair_keys, prefixed_keys, words_of


def trace_keys(trace_ids: pa.Array | pa.ChunkedArray) -> Keys:
    """One key for each 16-byte trace id."""
    return id_keys(trace_ids)


def span_keys(trace: Keys, span_ids: pa.Array | pa.ChunkedArray) -> Keys:
    """One key for each pair of a trace's key and an 8-byte span id, sorted by trace; `NONE` for an id of zeros."""
    return prefixed_keys(trace, span_ids)


def public_span_keys(trace_ids: pa.Array | pa.ChunkedArray, span_ids: pa.Array | pa.ChunkedArray) -> Keys:
    """`span_keys` without any secret: an order of spans that is the same in every process."""
    return prefixed_keys(id_keys(trace_ids, PUBLIC), span_ids, PUBLIC)


def spread_span_keys(trace_ids: pa.Array | pa.ChunkedArray, span_ids: pa.Array | pa.ChunkedArray) -> Keys:
    """One key for each span with all 64 bits its own: for counting spans of however large a trace exactly."""
    return pair_keys(id_keys(trace_ids), words_of(span_ids))
