"""What of a flow can still be judged when its beginning is no longer kept, and when does it leave the memory?

As long as a flow is in memory, all its spans are, and it is judged by them whatever retention drops. After a
restart only what was kept is there: what seems to be owed may have been paid by a span that is gone.
"""

import numpy as np

from collector.columns.joins import Mask
from collector.diagnosis import Debt
from collector.diagnosis.flow_rows import first_arrivals
from collector.live.chunk import Chunk
from collector.live.judged import Judged
from collector.model.flows import State
from collector.model.wording import HOUR, MINUTE

_DAY = 24 * HOUR
# A reaction may be exported before the message that it handles, and so be received on the day before.
_EARLIER = 10 * MINUTE


def excuse_what_may_be_gone(chunk: Chunk) -> None:
    """Drop from what is owed in flows that were cut what may have been paid by a span that is gone."""
    owed = chunk.owed
    cut = chunk.cut[owed.flow]
    if not cut.any():
        return
    # Whole days go: what the oldest span that is left was received on is the first day that was kept.
    day = first_arrivals(chunk.stitched)[owed.flow] // _DAY * _DAY
    early = owed.received < day + _EARLIER
    joined = np.isin(owed.kind, (Debt.JOIN, Debt.OTHER))  # about several events, and some may be gone
    unsure = cut & (early | joined)
    if unsure.any():
        chunk.excuse(unsure, np.zeros(len(owed), np.bool_))


def leaving(one: Judged, kept_since: int, now: int) -> Mask:
    """Which flows leave the memory, because they stopped and their spans are gone; the store has their rows.

    Those that stopped before *kept_since*, when the oldest span that is kept was received, and those of which
    too little is left to show why they stopped.
    """
    chunk = one.chunk
    stopped: Mask = one.alive & (one.state >= State.STUCK) & chunk.marks.kept
    if not stopped.any():
        return stopped
    received = np.asarray(chunk.flows["received"].to_numpy())
    gone = (received < kept_since) & (one.stuck_from(now) < kept_since) & chunk.marks.current
    return stopped & (gone | (chunk.marks.vouched & chunk.cut))
