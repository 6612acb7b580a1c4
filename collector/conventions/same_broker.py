"""Which names of systems mean one broker? An id names a message of one broker, whoever wrote which name."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from collector.columns.keys import whole
from collector.conventions.families import FAMILIES

_NAMES = {name: lore.systems[0] for lore in FAMILIES for name in lore.systems}
_KNOWN, _BROKERS = pa.array(list(_NAMES)), pa.array(list(_NAMES.values()))


def brokers(systems: Any) -> pa.DictionaryArray:
    """*systems*, a column of words, with one word for all names of a broker."""
    column = whole(systems)
    known = pc.index_in(pc.utf8_lower(column.dictionary), value_set=_KNOWN)
    if known.null_count == len(known):
        return column
    words = pc.coalesce(_BROKERS.take(known), column.dictionary)
    named = words.take(column.indices)
    return named.dictionary_encode() if named.null_count < len(named) else column
