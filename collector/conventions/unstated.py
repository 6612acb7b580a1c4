"""Which spans failed, although their status does not say so?

Much code of .NET and by hand records the exception and leaves the status unset. A status of OK is believed.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.columns.joins import Mask
from collector.columns.keys import whole
from collector.conventions.said import Said, numbers
from collector.model.spans import Status

# An attribute of an event, as protobuf encodes it: a bool or, from .NET, a text. An exception that did not
# escape the span was dealt with.
_ESCAPED = r"exception\.escaped\x12(?:\x02\x10\x01|\x06\x0a\x04[Tt]rue)"


def failed_unsaid(spans: pa.Table, said: Said) -> Mask:
    """Which of *spans* (SPANS) have no status, and an `error.type` or an exception that escaped them."""
    unset = numbers(spans["status_code"], np.uint8) == Status.UNSET
    failed: Mask = unset & (said["error_type"] >= 0)
    events = whole(spans["events"])
    if not len(events.flatten()):  # usually
        return failed
    rows = np.flatnonzero(unset & ~failed & (numbers(pc.list_value_length(events), np.int32) > 0))
    if len(rows):
        some = events.take(pa.array(rows))
        escaped = numbers(pc.match_substring_regex(some.flatten(), _ESCAPED), np.bool_)
        failed[rows[numbers(pc.list_parent_indices(some))[escaped]]] = True
    return failed
