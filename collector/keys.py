"""64-bit keys for ids, so that joins compare one integer instead of 24 bytes.

Two different ids share a key with a probability of about n/2**64 for n ids in one join (n/2**52 for
n spans of one trace); what is stored is decided by the ids themselves, never by their keys. The
same id has the same key in every process and on every machine.
"""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Keys: TypeAlias = npt.NDArray[np.uint64]

# Odd constants of the splitmix64 finalizer (Steele, Lea and Flood, 2014): every input bit reaches
# every output bit.
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_STEP = np.uint64(0x9E3779B97F4A7C15)

# The keys of a trace's spans begin with the trace's bits, so that relatives are neighbours in a
# sorted table: looking up a million parents stays in the processor's cache and takes 1/6 of the time.
_OF_TRACE = np.uint64(12)
_TRACE_BITS = ~np.uint64(0) << (np.uint64(64) - _OF_TRACE)

NONE = np.uint64(0)


def mixed(values: Keys) -> Keys:
    """Each of *values*, scattered over all 64 bits."""
    values = (values ^ (values >> np.uint64(30))) * _FIRST
    values = (values ^ (values >> np.uint64(27))) * _SECOND
    return values ^ (values >> np.uint64(31))


def trace_keys(trace_ids: pa.Array | pa.ChunkedArray) -> Keys:
    """One key for each 16-byte id."""
    words = _words(trace_ids)
    return mixed(mixed(words[0::2] + _STEP) ^ words[1::2])


def span_keys(trace: Keys, span_ids: pa.Array | pa.ChunkedArray) -> Keys:
    """One key for each pair of a trace's key and an 8-byte span id; `NONE` where the id is zero."""
    words = _words(span_ids)
    scattered = mixed(trace + mixed(words + _STEP))
    return np.where(words == 0, NONE, (trace & _TRACE_BITS) | (scattered >> _OF_TRACE))


def pair_keys(left: npt.NDArray[Any], right: npt.NDArray[Any]) -> Keys:
    """One key for each pair of 64-bit integers; (a, b) and (b, a) are two pairs."""
    return mixed(left.astype(np.uint64, copy=False) + mixed(right.astype(np.uint64, copy=False) + _STEP))


def text_keys(texts: pa.Array | pa.ChunkedArray) -> Keys:
    """One key for each string; `NONE` where there is none."""
    # pandas hashes strings in compiled code (SipHash with a fixed key), the same in every process.
    from pandas.util import hash_array  # noqa: PLC0415  # pandas costs 0.3 s to import, and few need this

    encoded = whole(texts).dictionary_encode()
    words: Any = hash_array(np.asarray(encoded.dictionary.to_numpy(zero_copy_only=False), dtype=object))
    return np.append(words.astype(np.uint64), NONE)[codes_of(encoded)]


def content_keys(table: pa.Table) -> Keys:
    """One key for each row: equal where all of the row is, lists in their order included."""
    keys = np.zeros(table.num_rows, np.uint64)
    for column in table.columns:
        keys = pair_keys(keys, _value_keys(whole(column)))
    return keys


def _value_keys(values: pa.Array) -> Keys:
    if pa.types.is_list(values.type):
        # A sum of what depends on the element and on its place; sums of ranges come from running ones.
        length = _numbers(pc.list_value_length(values))
        end = np.cumsum(length)
        place = np.arange(length.sum()) - np.repeat(end - length, length)
        running = np.append(NONE, np.cumsum(pair_keys(_value_keys(values.flatten()), place), dtype=np.uint64))
        sums: Keys = running[end] - running[end - length]
        return sums
    if pa.types.is_fixed_size_binary(values.type):
        width = values.type.byte_width // 8
        words = _words(values).reshape(-1, width)
        return pair_keys(words[:, 0], words[:, -1])
    if pa.types.is_string(values.type) or pa.types.is_dictionary(values.type):
        return text_keys(values)
    return _numbers(values).astype(np.uint64)


def codes_of(encoded: pa.DictionaryArray) -> npt.NDArray[np.int64]:
    """The codes of a dictionary array; -1 where it holds nothing."""
    return _numbers(encoded.indices.fill_null(-1))


def whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """*column* as one contiguous array."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    if column.num_chunks == 1:
        return column.chunk(0)
    combined = column.combine_chunks()
    return combined if isinstance(combined, pa.Array) else pa.concat_arrays(combined.chunks)


def _numbers(column: pa.Array) -> npt.NDArray[np.int64]:
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.int64)


def _words(ids: pa.Array | pa.ChunkedArray) -> Keys:
    """Ids of 8 or 16 bytes as the words that they consist of."""
    array = whole(ids)
    words, data = array.type.byte_width // 8, array.buffers()[1]
    if data is None:
        return np.empty(0, np.uint64)
    return np.frombuffer(data, np.uint64, len(array) * words, array.offset * words * 8)
