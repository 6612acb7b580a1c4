"""How do attributes lie in the store? As two texts for each span: their shape, and their values.

A shape is the types and keys of a span's attributes: a digit for each type, and each key behind a separator.
Few shapes are common, so the engine keeps them as words. The values are one text, with the same separator
between them. Lists of keys, types and values, as the span table has them, cost a quarter more to store.

The separator is ASCII's own. Where a key or a value holds one, two other bytes stand for it. A shape that is
too long for a word is empty, and stands before the values; in rows that are older than shapes, all do.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.columns.joins import Ints, spread
from collector.columns.keys import whole
from collector.store.contracts import StoreError

LISTS = ("attribute_keys", "attribute_types", "attribute_values")
WORDS = ("attribute_shape", "attribute_text")

_LONGEST = 2_048  # bytes of a word: to read one, the engine may read 8,192 of them
# Errors of the engine quote what it was asked with: bytes that are no UTF-8 would make them unreadable.
_BETWEEN, _ESCAPE = b"\x1f", b"\x1e"
# What stands for them, in the order in which it is to be read.
_STAND_INS = ((b"\x1eu", _BETWEEN), (b"\x1er", _ESCAPE))
_ZERO = ord("0")


def packed(spans: pa.Table) -> tuple[pa.BinaryArray, pa.BinaryArray]:
    """WORDS of attributes; *spans* has LISTS as in SPANS."""
    keys, types, values = (whole(spans[name]) for name in LISTS)
    digits = np.asarray(types.values) + np.uint8(_ZERO)
    buffers = [None, pa.py_buffer(np.asarray(types.offsets)), pa.py_buffer(digits)]
    typed = pa.BinaryArray.from_buffers(pa.binary(), len(types), buffers)
    shapes = _both(typed, _joined(keys.cast(pa.list_(pa.binary()))))
    texts = _joined(values)
    long = pc.greater(pc.binary_length(shapes), _LONGEST)
    if long.true_count:
        texts = pc.if_else(long, _both(shapes, texts), texts)
        shapes = pc.if_else(long, b"", shapes)
    return shapes, texts


def unpacked(shapes: pa.Array, texts: pa.Array) -> tuple[pa.ListArray, pa.ListArray, pa.ListArray]:
    """LISTS, as in SPANS, of WORDS; raise `StoreError` if `packed` does not make such."""
    shapes, texts = _apart(shapes.cast(pa.binary()), texts.cast(pa.binary()))
    words = shapes.dictionary_encode()
    parts, word_of = pc.split_pattern(words.dictionary, _BETWEEN), np.asarray(words.indices)
    first, entries = np.asarray(parts.offsets, np.int64)[:-1], _as_meant(parts.values)
    typed = entries.take(pa.array(first))
    _require(np.array_equal(np.diff(parts.offsets), 1 + np.maximum(_lengths(typed), 1)))
    typed = typed.take(words.indices)
    count = _lengths(typed)
    keys = entries.take(pa.array(spread(first[word_of] + 1, count)[1]))
    types = _octets(typed)[: count.sum()] - np.uint8(_ZERO)

    split, held = pc.split_pattern(texts, _BETWEEN), np.maximum(count, 1)
    _require(np.array_equal(np.diff(split.offsets), held))
    values = split.values if count.all() else split.values.filter(pa.array(np.repeat(count > 0, held)))
    bounds = pa.array(np.append(0, np.cumsum(count)).astype(np.int32))
    columns = (keys.view(pa.string()), pa.array(types), _as_meant(values))
    keys, types, values = (pa.ListArray.from_arrays(bounds, one) for one in columns)
    return keys, types, values


def _apart(shapes: pa.BinaryArray, texts: pa.BinaryArray) -> tuple[pa.BinaryArray, pa.BinaryArray]:
    """*shapes* and *texts*, with those shapes that stand before the values where the others are."""
    before = pc.equal(shapes, b"")
    if not before.true_count:
        return shapes, texts
    parts = pc.split_pattern(texts.filter(before), _BETWEEN)
    bounds = np.asarray(parts.offsets, np.int64)
    behind = bounds[:-1] + 1 + np.maximum(_lengths(parts.values.take(pa.array(bounds[:-1]))), 1)
    _require(bool((behind < bounds[1:]).all()))
    cuts = np.append(np.stack([bounds[:-1], behind], axis=1), bounds[-1]).astype(np.int32)
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(cuts), parts.values), _BETWEEN)
    even = pa.array(np.arange(0, len(joined), 2))
    return (
        pc.replace_with_mask(shapes, before, joined.take(even)),
        pc.replace_with_mask(texts, before, joined.take(pc.add(even, 1))),
    )


def _joined(lists: pa.ListArray) -> pa.BinaryArray:
    """The entries of each list as one text."""
    entries = lists.values
    if _is_marked(entries):
        for stand_in, octet in reversed(_STAND_INS):
            entries = pc.replace_substring(entries, octet, stand_in)
        lists = pa.ListArray.from_arrays(lists.offsets, entries)
    return pc.binary_join(lists, _BETWEEN)


def _as_meant(entries: pa.BinaryArray) -> pa.BinaryArray:
    """*entries* of a text that was split."""
    if _is_marked(entries):
        for stand_in, octet in _STAND_INS:
            entries = pc.replace_substring(entries, stand_in, octet)
    return entries


def _is_marked(entries: pa.BinaryArray) -> bool:
    """Whether the separator or the escape, which differ in their last bit, may be in *entries*."""
    octets = _octets(entries)
    return octets.min(initial=255) <= _BETWEEN[0] and bool((octets | 1 == _BETWEEN[0]).any())


def _both(first: pa.BinaryArray, second: pa.BinaryArray) -> pa.BinaryArray:
    return pc.binary_join_element_wise(first, second, _BETWEEN)


def _lengths(texts: pa.BinaryArray) -> Ints:
    return np.asarray(pc.binary_length(texts), np.int64)


def _octets(texts: pa.BinaryArray) -> npt.NDArray[np.uint8]:
    data = texts.buffers()[2]
    return np.frombuffer(data or b"", np.uint8)


def _require(sound: bool) -> None:
    if not sound:
        raise StoreError(
            "The attributes of some spans in the store are not as this program writes them: they have more or"
            " fewer values than keys. 'choreoscope store check' says what is damaged."
        )
