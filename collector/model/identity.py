"""Which spans are the same, and which of the copies of a span counts?

Spans and traces are joined on 64-bit keys. A span may be sent several times, with equal or different
contents. The copy that ended last counts; on a tie the one that started last, then the one received first,
because that one would be here even without the others. The store sorts by the same rule
(`store.contracts.SpanStore`).
"""

import numpy as np
import pyarrow as pa

from collector.columns.joins import Ints, ascending
from collector.columns.keys import (
    PUBLIC,
    Keys,
    content_keys,
    id_keys,
    pair_keys,
    prefixed_keys,
    whole,
    words_of,
)

_LAST = 2**63 - 1  # READINGS hold times as int64


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


def ranked(key: Keys, end: Ints, start: Ints, received: Ints, content: Keys) -> Ints:
    """The places of copies, sorted by *key*; among equal keys, the copy that counts comes last.

    *content* only breaks ties between copies whose times are all equal, so that arrival order never matters.
    """
    return np.lexsort((content, -received, start, end, key))


def each_once(spans: pa.Table, key: Keys) -> pa.Table:
    """*spans* (SPANS), deduplicated by *key*: the copy of each span that counts, in the original order.

    Usually there are no copies, and *spans* is returned as it is.
    """
    order = ascending(key)
    ordered = key[order]
    same = np.append(ordered[1:] == ordered[:-1], False)[: len(ordered)]
    if not same.any():
        return spans
    copies = order[same | np.append(False, same[:-1])]
    table = spans.take(pa.array(copies))
    end, start, received = (
        np.minimum(table[name].to_numpy(), np.uint64(_LAST)).astype(np.int64)
        for name in ("end_unix_nano", "start_unix_nano", "received_unix_nano")
    )
    span = _spans(table)
    by = ranked(span, end, start, received, content_keys(table))
    counts = np.append(np.diff(span[by]) != 0, True)
    kept = np.ones(len(key), np.bool_)
    kept[copies[by[~counts]]] = False
    return spans.filter(pa.array(kept))


def _spans(table: pa.Table) -> Keys:
    """A number for each different pair of ids: two spans that happen to share a key are no copies."""
    words = [words_of(whole(table[name])).reshape(table.num_rows, -1) for name in ("trace_id", "span_id")]
    _, number = np.unique(np.hstack(words), axis=0, return_inverse=True)
    return number.ravel().astype(np.uint64)
