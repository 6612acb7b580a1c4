"""What do a span's attributes say, whichever version of the conventions named them?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.columns.dictionary import Codes, Words
from collector.columns.keys import whole
from collector.model.hiding import NOTHING_HIDDEN, Hiding
from collector.model.spans import ValueType


@dataclass(frozen=True)
class Naming:
    """Attribute names, most trusted first: the first one that a span has counts. And what is hidden.

    Libraries use the words differently: a "correlation id" is the conversation in one, the cause in another.
    """

    flow_key: Sequence[str] = ("order.id", "order_id", "app.order.id", "flow.key")
    correlation: Sequence[str] = ("messaging.message.conversation_id", "messaging.conversation_id")
    causation: Sequence[str] = ("messaging.message.causation_id",)
    event_names: Sequence[str] = ()  # patterns of event types, which have the last word
    hiding: Hiding = NOTHING_HIDDEN  # of what is shown: everything is read


DEFAULT_NAMING = Naming()


Names: TypeAlias = Mapping[str, Sequence[str]]  # by column: its attribute's names, most trusted first
Places: TypeAlias = npt.NDArray[np.int64]

_PLAIN = r"^[ -~]+$"


@dataclass(frozen=True)
class Said:
    """What each span has for each requested column."""

    words: Words
    columns: Mapping[str, Codes]  # codes of words, or places in `values`; -1 for none
    values: pa.Array  # of all attributes of all spans

    def __getitem__(self, column: str) -> Codes:
        return self.columns[column]

    def texts(self, column: str) -> pa.Array:
        """The values of a column that is not read as words, as text; null for none."""
        place = self.columns[column]
        lacking = place < 0
        if lacking.all():
            return pa.nulls(len(place), pa.string())
        return self.values.take(pa.array(place, mask=lacking)).cast(pa.string())


def read_attributes(spans: pa.Table, words: Names, others: Names) -> Said:
    """For each column, the value of the first of its names that each of *spans* (SPANS) has.

    Numbers and booleans are read as text. So are bytes of printable ASCII: a Python client may report a name
    as it read it off the wire. Arrays, maps, other bytes and empty strings cannot be names and are skipped.
    """
    lists, values = whole(spans["attribute_keys"]), whole(spans["attribute_values"]).flatten()
    types = numbers(whole(spans["attribute_types"]).flatten(), np.uint8)
    readable = (types >= ValueType.STRING) & (types <= ValueType.DOUBLE)
    readable &= numbers(pc.binary_length(values), np.int32) > 0
    row_of = np.repeat(np.arange(spans.num_rows, dtype=np.int32), numbers(pc.list_value_length(lists)))
    # One pass over all attribute names finds the few that are wanted.
    wanted = {**words, **others}
    names = list(dict.fromkeys(name for column in wanted.values() for name in column))
    found = pc.index_in(lists.flatten(), value_set=pa.array(names, pa.string()))
    number = numbers(found.fill_null(-1), np.int32).astype(np.min_scalar_type(-len(names)))
    if not readable.all():
        octets = np.flatnonzero((types == ValueType.BYTES) & (number >= 0))
        plain = pc.match_substring_regex(values.take(pa.array(octets)), _PLAIN)
        readable[octets] = numbers(plain, np.bool_)
        number[~readable] = -1
    there = set(pc.unique(pa.array(number)).to_pylist())
    known, columns = Words(), {}
    for column, trusted in wanted.items():
        held = np.full(spans.num_rows, -1, np.int32)
        for name in reversed(trusted):  # the last write wins: the most trusted name's, and its last value
            if names.index(name) in there:
                here = np.flatnonzero(number == names.index(name))
                held[row_of[here]] = known.add(values.take(pa.array(here))) if column in words else here
        columns[column] = held
    return Said(known, columns, values)


def numbers(column: Any, kind: type[np.integer[Any] | np.bool_] = np.int64) -> npt.NDArray[Any]:
    """A whole column of numbers, as *kind*."""
    return np.asarray(whole(column).to_numpy(zero_copy_only=False), dtype=kind)
