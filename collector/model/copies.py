"""Which copy of a span counts? A span may be sent several times, with equal or different contents.

The copy that ended last wins; on a tie the one that started last, then the one received first, because that
one would be here even without the others. The store sorts by the same rule (`store.contracts.SpanStore`).
"""

import numpy as np
import pyarrow as pa

from collector.columns.joins import Ints, ascending
from collector.columns.keys import Keys, content_keys, whole, words_of

_LAST = 2**63 - 1  # READINGS hold times as int64


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
