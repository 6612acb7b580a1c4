"""SPANS to READINGS as the live part holds them: long texts are cut, and processes named."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector import conventions, details
from collector.conventions import Naming, Role
from collector.keys import whole

_LONGEST = 300  # characters of a text that is shown, and held for as long as its flow is


def read(spans: pa.Table, naming: Naming) -> pa.Table:
    """READINGS of *spans* (SPANS). Who said that a handling began is named: it may be asked for him."""
    rows = conventions.read(spans, naming)
    rows = _with(rows, "error", pc.utf8_slice_codeunits(rows["error"], 0, _LONGEST))
    word = np.asarray(rows["role"].to_numpy()) == Role.STARTED
    if not word.any():
        return rows
    mask = pa.array(word)
    named = details.instances(whole(spans["resource"]).filter(mask))
    named = pc.utf8_slice_codeunits(named, 0, _LONGEST)
    return _with(rows, "instance", pc.replace_with_mask(whole(rows["instance"]), mask, named))


def _with(rows: pa.Table, name: str, column: pa.Array | pa.ChunkedArray) -> pa.Table:
    return rows.set_column(rows.schema.get_field_index(name), rows.schema.field(name), column)
