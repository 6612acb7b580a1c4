"""Converts SPANS to the READINGS that the live part holds: long texts are cut, to save memory."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector import conventions
from collector.conventions import Naming

_LONGEST = 300  # characters of a text that is shown


def read(spans: pa.Table, naming: Naming, now: int | None = None) -> pa.Table:
    """READINGS of *spans* (SPANS), with long texts cut.

    Nothing is received after *now*: while the clock was wrong, it may have been stored so, and a flow that
    was last heard of in a year to come would never be at rest or late.
    """
    rows = conventions.read(spans, naming)
    if now is not None:
        place = rows.schema.get_field_index("received")
        received = np.minimum(rows["received"].to_numpy(), now)
        rows = rows.set_column(place, rows.schema.field("received"), pa.array(received, pa.int64()))
    for name in ("error", "instance"):
        place = rows.schema.get_field_index(name)
        cut = pc.utf8_slice_codeunits(rows[name], 0, _LONGEST)
        rows = rows.set_column(place, rows.schema.field(name), cut)
    return rows
