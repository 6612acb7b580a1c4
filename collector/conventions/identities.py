"""What identifies a record or a delivery, other than the ids that its sender gave it?

A broker gives what it stores a place: a partition and an offset, or a number in a stream. Two spans with
different places are about different messages, even if both carry the context of one span that sent a batch.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.columns.joins import Mask
from collector.conventions.said import Said

# Columns of values that are put together here.
PLACES = ("partition", "offset", "sequence", "channel", "tag", "count")

_MANY = r"^(?:[2-9]|[1-9]\d+)$"


def records(said: Said) -> pa.Array:
    """The place of each span's message: in its partition, or else in its stream; null for none."""
    in_partition, in_stream = _numbered(said, "partition", "offset"), _numbered(said, "kept_in", "sequence")
    return in_partition if in_stream.null_count == len(in_stream) else pc.coalesce(in_partition, in_stream)


def delivery_tags(said: Said) -> pa.Array:
    """The tag of each span's delivery and its channel; null for none."""
    return _numbered(said, "channel", "tag")


def several(said: Said) -> Mask:
    """Which spans say that they are about more than one message."""
    rows = np.flatnonzero(said["count"] >= 0)
    mask = np.zeros(len(said["count"]), np.bool_)
    if len(rows):
        counts = said.values.take(pa.array(said["count"][rows])).cast(pa.string())
        mask[rows] = np.asarray(pc.match_substring_regex(counts, _MANY))
    return mask


def _numbered(said: Said, within: str, number: str) -> pa.Array:
    """`<within>/<number>` of each span that has a number."""
    numbers = said.texts(number)
    if numbers.null_count == len(numbers):
        return numbers
    places = pc.fill_null(said.texts(within), "")
    return pc.binary_join_element_wise(places, numbers, "/")
