"""How was a message settled, and how often had it been delivered?

A settle is the consumer's final word to the broker on a delivery: done, deliver again, or never deliver
again. Each broker has its own verbs for the three.
"""

from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.columns.joins import Ints
from collector.conventions.families import FAMILIES
from collector.model.readings import Settled

MOST_DELIVERIES = 2**16 - 1  # higher counts are capped here

_WORDS = {verb: settled for lore in FAMILIES for verb, settled in lore.settles.items()}
_VERBS = pa.array(list(_WORDS))
_MEANINGS = np.array([*_WORDS.values(), Settled.UNSAID], np.int64)
_SUBJECTS = tuple(chain.from_iterable(lore.deliveries_in for lore in FAMILIES))


def settled_by(words: pa.Array) -> Ints:
    """The `Settled` in each text: a verb, or a span name that begins or ends with one.

    A name without blanks may also end with one after a dot, such as `ServiceBusReceiver.Complete`.
    """
    lower = pc.utf8_lower(words)  # names may all differ, so no Python per name
    first, last = (pc.replace_substring_regex(lower, end, "") for end in (" .*$", r"^(?:.* |[^ ]*\.)"))
    verb = pc.coalesce(pc.index_in(first, value_set=_VERBS), pc.index_in(last, value_set=_VERBS))
    meanings: Ints = _MEANINGS[np.asarray(pc.fill_null(verb, -1))]
    return meanings


def deliveries_of(counts: pa.Array) -> Ints:
    """The delivery number that each of *counts* states; 0 if it is not a number."""
    found = np.zeros(len(counts), np.int64)
    if counts.null_count < len(counts):
        rows = np.flatnonzero(pc.fill_null(pc.match_substring_regex(counts, r"^\d{1,9}$"), fill_value=False))
        found[rows] = counts.take(pa.array(rows)).cast(pa.int64()).to_numpy()
    return np.minimum(found, MOST_DELIVERIES)


def deliveries_in(subjects: pa.Array) -> Ints:
    """The delivery number in each settle subject; 0 if it has none."""
    found = [deliveries_of(pc.struct_field(pc.extract_regex(subjects, form), "n")) for form in _SUBJECTS]
    deliveries: Ints = np.maximum.reduce(found)
    return deliveries
