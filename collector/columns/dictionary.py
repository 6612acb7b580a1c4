"""Texts of which there are few: each different one is kept once, and a column holds their numbers.

A million spans name a dozen services. To compare, to sort and to move numbers takes a tenth of the time, and
of the memory, that it takes with texts.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.columns.keys import codes_of, whole

Codes: TypeAlias = npt.NDArray[np.int32]  # of words; -1 is none
Ints: TypeAlias = npt.NDArray[np.int64]

WORD = pa.dictionary(pa.int32(), pa.string())

# A column keeps more words than it has only where all of them are no more than this.
_FEW = 1000


class Words:
    """All words that are known, each with its number."""

    def __init__(self) -> None:
        self._texts = pa.array([], pa.string())

    def add(self, texts: pa.Array) -> Codes:
        """The number of each of *texts* (text, or UTF-8 octets); -1 where it is null."""
        encoded = texts.dictionary_encode()
        both = pa.concat_arrays([self._texts, encoded.dictionary.cast(pa.string())]).dictionary_encode()
        number = np.append(codes_of(both)[len(self._texts) :], -1).astype(np.int32)
        self._texts = both.dictionary
        return number[codes_of(encoded)]

    def meanings(self, codes: Codes, of: Callable[[pa.Array], Any], nothing: int) -> Ints:
        """What each of *codes* means: *of* is asked once, for those words that are in use."""
        used = np.flatnonzero(_used(codes, len(self._texts)))
        table = np.full(len(self._texts) + 1, nothing)
        table[used] = of(self._texts.take(pa.array(used)))
        return table[codes]

    def column(self, codes: Codes) -> pa.DictionaryArray:
        """The words of *codes*, as a column."""
        column = _column(codes, self._texts)
        return column if len(self._texts) <= _FEW else _column(*coded(column))


def coded(column: pa.Array | pa.ChunkedArray) -> tuple[Ints, pa.Array]:
    """The number of each text of *column*, -1 where it is null; and the texts, none of them in vain."""
    encoded = whole(column).dictionary_encode()
    codes, texts = codes_of(encoded), encoded.dictionary
    used = _used(codes, len(texts))
    if used.all():
        return codes, texts
    return np.append(np.cumsum(used) - 1, -1)[codes], texts.filter(pa.array(used))


def taken(column: pa.DictionaryArray, rows: npt.NDArray[np.integer[Any]]) -> pa.DictionaryArray:
    """*rows* of a column of words: `take`, which looks twice at each that may lack one, in half the time.

    Of few words the numbers are small: all of a column is near when they are moved as such.
    """
    codes = column.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    small = codes.astype(np.min_scalar_type(-1 - len(column.dictionary)), copy=False)
    return _column(small[rows], column.dictionary)


def lean(table: pa.Table) -> pa.Table:
    """*table* without the words that nobody says any more, where they are more than its rows."""
    for place, field in enumerate(table.schema):
        if field.type == WORD and len(whole(table[field.name]).dictionary) > max(table.num_rows, _FEW):
            table = table.set_column(place, field, _column(*coded(table[field.name])))
    return table


def _used(codes: npt.NDArray[np.integer[Any]], count: int) -> npt.NDArray[np.bool_]:
    """Which of *count* words are among *codes*."""
    used = np.zeros(count + 1, np.bool_)
    used[codes] = True  # -1 is the last
    return used[:count]


def _column(codes: npt.NDArray[np.integer[Any]], texts: pa.Array) -> pa.DictionaryArray:
    codes = codes.astype(np.int32, copy=False)
    there = np.packbits(codes >= 0, bitorder="little")  # `pa.array` with a mask takes ten times as long
    numbers = pa.Array.from_buffers(pa.int32(), len(codes), [pa.py_buffer(there), pa.py_buffer(codes)])
    return pa.DictionaryArray.from_arrays(numbers, texts, safe=False)
