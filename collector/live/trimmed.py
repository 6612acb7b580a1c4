"""Converts SPANS to the READINGS that the live part holds: long texts are cut, to save memory."""

import pyarrow as pa
import pyarrow.compute as pc

from collector import conventions
from collector.conventions import Naming

_LONGEST = 300  # characters of a text that is shown


def read(spans: pa.Table, naming: Naming) -> pa.Table:
    """READINGS of *spans* (SPANS), with long texts cut."""
    rows = conventions.read(spans, naming)
    for name in ("error", "instance"):
        place = rows.schema.get_field_index(name)
        cut = pc.utf8_slice_codeunits(rows[name], 0, _LONGEST)
        rows = rows.set_column(place, rows.schema.field(name), cut)
    return rows
