"""64-bit keys for ids, so that joins compare one integer instead of 24 bytes.

Two different ids share a key with a probability of about n/2**64 for n ids in one join; what is
stored is decided by the ids themselves, never by their keys.
"""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Keys: TypeAlias = npt.NDArray[np.uint64]

# Odd constants of the splitmix64 finalizer (Steele, Lea and Flood, 2014): every input bit reaches
# every output bit.
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_STEP = np.uint64(0x9E3779B97F4A7C15)

NONE = np.uint64(0)


def mixed(values: Keys) -> Keys:
    """Each of *values*, scattered over all 64 bits."""
    values = (values ^ (values >> np.uint64(30))) * _FIRST
    values = (values ^ (values >> np.uint64(27))) * _SECOND
    return values ^ (values >> np.uint64(31))


def trace_keys(trace_ids: pa.Array | pa.ChunkedArray) -> Keys:
    """One key for each 16-byte id."""
    words = _words(trace_ids, 16)
    return mixed(words[0::2] + _STEP) ^ words[1::2]


def span_keys(trace: Keys, span_ids: pa.Array | pa.ChunkedArray) -> Keys:
    """One key for each pair of a trace's key and an 8-byte span id; `NONE` where the id is zero."""
    words = _words(span_ids, 8)
    keys = mixed(trace + mixed(words + _STEP))
    return np.where(words == 0, NONE, keys)


def text_keys(texts: pa.Array | pa.ChunkedArray) -> Keys:
    """One key for each string; `NONE` where there is none."""
    # pandas hashes strings in compiled code (SipHash with a fixed key), the same in every process.
    from pandas.util import hash_array  # noqa: PLC0415  # pandas costs 0.3 s to import, and few need this

    encoded = whole(texts).dictionary_encode()
    words: Any = hash_array(np.asarray(encoded.dictionary.to_numpy(zero_copy_only=False), dtype=object))
    codes = codes_of(encoded)
    return np.where(codes < 0, NONE, np.append(words.astype(np.uint64), NONE)[codes])


def codes_of(encoded: pa.DictionaryArray) -> npt.NDArray[np.int64]:
    """The codes of a dictionary array; -1 where it holds nothing."""
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return np.asarray(codes, dtype=np.int64)


def whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """*column* as one contiguous array."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    if column.num_chunks == 1:
        return column.chunk(0)
    combined = column.combine_chunks()
    return combined if isinstance(combined, pa.Array) else pa.concat_arrays(combined.chunks)


def _words(ids: pa.Array | pa.ChunkedArray, width: int) -> Keys:
    array = whole(ids)
    data = array.buffers()[1]
    if data is None or not len(array):
        return np.empty(0, np.uint64)
    words = width // 8
    return np.frombuffer(data, np.uint64)[array.offset * words : (array.offset + len(array)) * words].copy()
