"""64-bit keys, so that joins compare one integer instead of 8, 16 or any number of bytes.

Every id is mixed with a secret into a key: without the secret, nobody can craft ids whose keys collide. An id
shares its key with another one with a probability of about n/2**64 for n ids in one join (n/2**52 for n ids
below one prefix). Ids themselves decide what is stored, never their keys.

Within a process, the same id always has the same key. The secret is set once, before the first key is made.
All processes that set none (the offline commands, tests) make the same keys.
"""

from dataclasses import dataclass
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

# Keys below one prefix begin with the prefix's bits, so that related keys are neighbours when sorted:
# looking up a million parents stays in the processor's cache and takes 1/6 of the time.
_OF_PREFIX = np.uint64(12)
_PREFIX_BITS = ~np.uint64(0) << (np.uint64(64) - _OF_PREFIX)

NONE = np.uint64(0)


@dataclass(frozen=True)
class Secret:
    """The part of the mix that an attacker does not know. The defaults are public."""

    ids: int = 0  # 64 bits
    texts: str = "0123456789123456"  # 16 ASCII characters: the SipHash key


PUBLIC = Secret()


class _Mix:
    secret = PUBLIC


def use(secret: Secret) -> None:
    """Make all keys of this process with *secret*. Call it before the first key is made."""
    _Mix.secret = secret


def are_public() -> bool:
    """Whether the keys of this process are made without a secret."""
    return _Mix.secret == PUBLIC


def mixed(values: Keys) -> Keys:
    """Each of *values*, scattered over all 64 bits."""
    values = (values ^ (values >> np.uint64(30))) * _FIRST
    values = (values ^ (values >> np.uint64(27))) * _SECOND
    return values ^ (values >> np.uint64(31))


def _step(secret: Secret | None = None) -> np.uint64:
    """What is added to each word of an id before it is scattered."""
    return _STEP ^ np.uint64((secret or _Mix.secret).ids)


def id_keys(ids: pa.Array | pa.ChunkedArray, secret: Secret | None = None) -> Keys:
    """One key for each 16-byte id, made with *secret* or else with that of the process."""
    words = words_of(ids)
    return mixed(mixed(words[0::2] + _step(secret)) ^ words[1::2])


def prefixed_keys(prefix: Keys, ids: pa.Array | pa.ChunkedArray, secret: Secret | None = None) -> Keys:
    """One key per prefix key and 8-byte id; keys of a prefix sort together. `NONE` for an all-zero id."""
    words = words_of(ids)
    scattered = mixed(prefix + mixed(words + _step(secret)))
    return np.where(words == 0, NONE, (prefix & _PREFIX_BITS) | (scattered >> _OF_PREFIX))


def pair_keys(left: npt.NDArray[Any], right: npt.NDArray[Any], secret: Secret | None = None) -> Keys:
    """One key for each pair of 64-bit integers; (a, b) and (b, a) are different pairs."""
    scattered = mixed(right.astype(np.uint64, copy=False) + _step(secret))
    return mixed(left.astype(np.uint64, copy=False) + scattered)


def text_keys(texts: pa.Array | pa.ChunkedArray, secret: Secret | None = None) -> Keys:
    """One key for each string; `NONE` for null."""
    # pandas hashes strings with SipHash in compiled code.
    from pandas.util import hash_array  # noqa: PLC0415  # pandas takes 0.3 s to import, and few need this

    encoded = whole(texts).dictionary_encode()
    strings = np.asarray(encoded.dictionary.to_numpy(zero_copy_only=False), dtype=object)
    # They are distinct already: looking for equal ones first takes nine tenths of the time.
    alike = encoded.dictionary.null_count > 0
    words: Any = hash_array(strings, hash_key=(secret or _Mix.secret).texts, categorize=alike)
    return np.append(words.astype(np.uint64), NONE)[codes_of(encoded)]


def content_keys(table: pa.Table) -> Keys:
    """One key for each row; equal if all values of the row are, lists in the same order included.

    They are made without the secret, because they also decide ties: the same way in every process.
    """
    keys = np.zeros(table.num_rows, np.uint64)
    for column in table.columns:
        keys = pair_keys(keys, _value_keys(whole(column)), PUBLIC)
    return keys


def _value_keys(values: pa.Array) -> Keys:
    if pa.types.is_list(values.type):
        # A list's key is the sum of a key for each element and its place. Range sums come from a running sum.
        length = _numbers(pc.list_value_length(values))
        end = np.cumsum(length)
        place = np.arange(length.sum()) - np.repeat(end - length, length)
        running = np.append(
            NONE, np.cumsum(pair_keys(_value_keys(values.flatten()), place, PUBLIC), dtype=np.uint64)
        )
        sums: Keys = running[end] - running[end - length]
        return sums
    if pa.types.is_fixed_size_binary(values.type):
        width = values.type.byte_width // 8
        words = words_of(values).reshape(-1, width)
        return pair_keys(words[:, 0], words[:, -1], PUBLIC)
    if pa.types.is_string(values.type) or pa.types.is_dictionary(values.type):
        return text_keys(values, PUBLIC)
    if pa.types.is_binary(values.type):
        return text_keys(values.dictionary_encode(), PUBLIC)
    return _numbers(values).astype(np.uint64)


def codes_of(encoded: pa.DictionaryArray) -> npt.NDArray[np.int64]:
    """The codes of a dictionary array; -1 for null."""
    return _numbers(encoded.indices.fill_null(-1))


def whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """*column* as one contiguous array."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    if column.num_chunks == 1:
        return column.chunk(0)
    combined = column.combine_chunks()
    return combined if isinstance(combined, pa.Array) else pa.concat_arrays(combined.chunks)


def words_of(ids: pa.Array | pa.ChunkedArray) -> Keys:
    """Ids of 8 or 16 bytes as their 64-bit words."""
    array = whole(ids)
    words, data = array.type.byte_width // 8, array.buffers()[1]
    if data is None:
        return np.empty(0, np.uint64)
    return np.frombuffer(data, np.uint64, len(array) * words, array.offset * words * 8)


def _numbers(column: pa.Array) -> npt.NDArray[np.int64]:
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.int64)
