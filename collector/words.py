"""Texts of which there are few: each different one is kept once, and a column holds their numbers.

A million spans name a dozen services. To compare, to sort and to move numbers takes a tenth of the time, and
of the memory, that it takes with texts.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.keys import codes_of, whole

Codes: TypeAlias = npt.NDArray[np.int64]  # of words; -1 is none

WORD = pa.dictionary(pa.int32(), pa.string())


class Words:
    """All words that are known, each with its number."""

    def __init__(self) -> None:
        self._texts = pa.array([], pa.string())

    def add(self, texts: pa.Array) -> Codes:
        """The number of each of *texts* (text, or UTF-8 octets); -1 where it is null."""
        encoded = texts.dictionary_encode()
        both = pa.concat_arrays([self._texts, encoded.dictionary.cast(pa.string())]).dictionary_encode()
        number = codes_of(both)[len(self._texts) :]
        self._texts = both.dictionary
        return np.append(number, -1)[codes_of(encoded)]

    def meanings(self, codes: Codes, of: Callable[[pa.Array], Any], nothing: int) -> Codes:
        """What each of *codes* means: *of* is asked once, for those words that are in use."""
        used = self._used(codes)
        table = np.full(len(self._texts) + 1, nothing)
        table[used] = of(self._texts.take(pa.array(used)))
        found: Codes = table[codes]
        return found

    def column(self, codes: Codes) -> pa.DictionaryArray:
        """The words of *codes*, as a column that holds none but these."""
        used = self._used(codes)
        number = np.full(len(self._texts) + 1, -1, np.int32)
        number[used] = np.arange(len(used))
        return _column(number[codes], self._texts.take(pa.array(used)))

    def _used(self, codes: Codes) -> Codes:
        return np.flatnonzero(np.bincount(codes + 1, minlength=len(self._texts) + 1)[1:])


def coded(column: pa.Array | pa.ChunkedArray) -> tuple[Codes, pa.Array]:
    """The number of each text of *column*, -1 where it is null; and the texts, none of them in vain."""
    encoded = whole(column).dictionary_encode()
    codes, texts = codes_of(encoded), encoded.dictionary
    used = np.bincount(codes + 1, minlength=len(texts) + 1)[1:] > 0
    if used.all():
        return codes, texts
    return np.append(np.cumsum(used) - 1, -1)[codes], texts.filter(pa.array(used))


def lean(table: pa.Table) -> pa.Table:
    """*table* without the words that nobody says any more, where they are more than its rows."""
    for place, field in enumerate(table.schema):
        if field.type == WORD and len(whole(table[field.name]).dictionary) > table.num_rows:
            codes, texts = coded(table[field.name])
            table = table.set_column(place, field, _column(codes.astype(np.int32), texts))
    return table


def _column(codes: npt.NDArray[np.int32], texts: pa.Array) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), texts)
