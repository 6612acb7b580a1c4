"""Which error texts may findings quote? All, but those that may repeat what a rule hides.

Findings quote the error of a span without its attributes, and for every span that arrives it must be decided
in columns. So this is coarser than `redacting`, and never more generous: what is nested in a span is not
opened, and a text beside something that could hold a hidden name is hidden as a whole.
"""

import re

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.columns.joins import Ints, Mask
from collector.columns.keys import whole
from collector.formats.otlp.redacting import LEAST, LEAST_DIGITS, sender
from collector.model.hiding import STATUS_MESSAGE, Hiding
from collector.model.spans import ValueType

_BEFORE_A_VALUE = r"[\w.%+-]*[\\\"'\]]*\s*[=:>]"
_JSON = r"^\s*[{\[]"


def quotable(spans: pa.Table, failed: Mask, hiding: Hiding) -> Mask:
    """Of which of *spans* (SPANS) the status message may be quoted; it is looked at where they *failed*."""
    said = whole(spans["status_message"])
    rows = np.flatnonzero(failed & (_lengths(said) > 0))
    some = spans.take(pa.array(rows))
    texts = said.take(pa.array(rows))
    if hiding.hides(STATUS_MESSAGE):
        unsafe = np.ones(len(rows), np.bool_)
    else:
        may = _Names(hiding)
        unsafe = may.be_before_a_value_in(texts)
        for column in ("events", "link_attributes"):
            unsafe |= _any_of(some[column], may)
        unsafe |= _by_attributes(some, texts, hiding, may)
        for column in ("resource", "scope"):
            unsafe |= _by_sender(some, column, texts, hiding)
    may_be = np.ones(spans.num_rows, np.bool_)
    may_be[rows[unsafe]] = False
    return may_be


class _Names:
    """Whether octets may hold a name that is hidden."""

    def __init__(self, hiding: Hiding) -> None:
        # JSON and queries may spell letters in other ways.
        literals = [re.escape(literal) for literal in hiding.literals]
        self._any = "|".join([*literals, r"\\u[0-9a-fA-F]{4}", "%[0-9a-fA-F]{2}"])
        self._named = f"(?:{self._any}){_BEFORE_A_VALUE}"

    def be_in(self, octets: pa.Array) -> Mask:
        return _matched(octets, self._any)

    def be_before_a_value_in(self, octets: pa.Array) -> Mask:
        return _matched(octets, self._named)


def _by_attributes(some: pa.Table, texts: pa.Array, hiding: Hiding, may: _Names) -> Mask:
    """Whose text repeats an attribute that is hidden, or stands beside one that may hold such a thing."""
    lists, values = whole(some["attribute_keys"]), whole(some["attribute_values"]).flatten()
    types = np.asarray(whole(some["attribute_types"]).flatten().to_numpy(zero_copy_only=False))
    row_of = np.repeat(np.arange(some.num_rows), np.asarray(pc.list_value_length(lists).to_numpy()))
    names = lists.flatten().dictionary_encode()
    hides = np.array([hiding.hides(name) for name in names.dictionary.to_pylist()], np.bool_)
    hidden = hides[np.asarray(names.indices.to_numpy(), np.int64)] if len(names) else np.zeros(0, np.bool_)
    nested = np.isin(types, (ValueType.ARRAY, ValueType.KVLIST, ValueType.BYTES))
    open_to_all = ~hidden & (nested | _matched(values, _JSON))
    beside = open_to_all & (may.be_in(lists.flatten()) | may.be_in(values))
    beside |= ~hidden & may.be_before_a_value_in(values)
    unsafe = np.zeros(some.num_rows, np.bool_)
    unsafe[row_of[(hidden & nested) | beside]] = True
    least = np.where(types == ValueType.STRING, LEAST, LEAST_DIGITS)
    known = np.flatnonzero(hidden & ~nested & (types != ValueType.BOOL) & (_lengths(values) >= least))
    unsafe[row_of[known[_within(texts, row_of[known], values.take(pa.array(known)))]]] = True
    return unsafe


def _within(texts: pa.Array, rows: Ints, values: pa.Array) -> Mask:
    """Which of *values* stands in the text of its row."""
    kind = np.dtypes.StringDType()
    trimmed = pc.utf8_trim_whitespace(values.cast(pa.string())).to_pylist()
    wanted = np.array(trimmed, kind)
    return np.asarray(np.strings.find(np.array(texts.take(pa.array(rows)).to_pylist(), kind), wanted) >= 0)


def _by_sender(some: pa.Table, column: str, texts: pa.Array, hiding: Hiding) -> Mask:
    """Whose text repeats what is hidden of its sender: of each process there is one resource."""
    senders = whole(some[column]).dictionary_encode()
    number = np.asarray(senders.indices.to_numpy(), np.int64)
    unsafe = np.zeros(len(texts), np.bool_)
    for place, octets in enumerate(senders.dictionary.to_pylist()):
        for secret in sender(column, octets, hiding)[1]:
            mine = np.flatnonzero(number == place)
            unsafe[mine] |= _matched(texts.take(pa.array(mine)), re.escape(secret), alike=False)
    return unsafe


def _any_of(column: pa.ChunkedArray, may: _Names) -> Mask:
    """Which rows of a column of lists, however deep, have octets that may hold a hidden name."""
    values, row_of = whole(column), np.arange(len(column))
    while pa.types.is_list(values.type):
        row_of = np.repeat(row_of, np.asarray(pc.list_value_length(values).to_numpy()))
        values = values.flatten()
    unsafe = np.zeros(len(column), np.bool_)
    unsafe[row_of[may.be_in(values)]] = True
    return unsafe


def _matched(octets: pa.Array, pattern: str, *, alike: bool = True) -> Mask:
    found = pc.match_substring_regex(octets, pattern, ignore_case=alike)
    return np.asarray(found.to_numpy(zero_copy_only=False), np.bool_)


def _lengths(octets: pa.Array) -> npt.NDArray[np.int64]:
    return np.asarray(pc.binary_length(octets).to_numpy(zero_copy_only=False), np.int64)
