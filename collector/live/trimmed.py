"""SPANS to READINGS as the live part holds them: long texts are cut, as they are held for as long as their flow."""

import pyarrow as pa
import pyarrow.compute as pc

from collector import conventions
from collector.conventions import Naming

_LONGEST = 300  # characters of a text that is shown


def read(spans: pa.Table, naming: Naming) -> pa.Table:
    """READINGS of *spans* (SPANS)."""
    rows = conventions.read(spans, naming)
    for name in ("error", "instance"):
        place = rows.schema.get_field_index(name)
        cut = pc.utf8_slice_codeunits(rows[name], 0, _LONGEST)
        rows = rows.set_column(place, rows.schema.field(name), cut)
    return rows
