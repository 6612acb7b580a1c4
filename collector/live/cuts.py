"""What is owed only because people deleted the spans that would show it paid?

A flow of which something was deleted is never said to lack it: nothing is owed by the service whose spans
went, nor the event that it would have published. If all spans of a time or of a flow went, nothing that was
received by then is owed. Such a flow teaches what is seen in it, and nothing by what is not.
"""

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow as pa

from collector.columns.joins import Mask, once
from collector.columns.keys import Keys
from collector.diagnosis import Debt, Names
from collector.diagnosis.debts import Owed
from collector.diagnosis.expected import Expected
from collector.live.chunk import Chunk
from collector.model.deletions import Deletion
from collector.model.identity import trace_keys

MOST_CUT = 2_000_000  # traces of one deletion that are remembered: 16 MB


@dataclass(frozen=True, eq=False)
class Cut:
    """The traces of which *deletion* took spans."""

    deletion: Deletion
    traces: Keys  # ascending


def cut_of(deletion: Deletion, trace_ids: pa.Array) -> Cut:
    """The cut that *deletion* makes through these traces."""
    return Cut(deletion, once(trace_keys(trace_ids)))


class Cuts:
    """All cuts that are known."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._cuts: dict[int, Cut] = {}
        self._version = 0
        self._seen: WeakKeyDictionary[Chunk, tuple[int, Owed]] = WeakKeyDictionary()

    def add(self, cut: Cut) -> None:
        """Excuse from now on what *cut* may have taken."""
        self._cuts[cut.deletion.id] = cut
        self._version += 1

    def excuse(self, chunk: Chunk, expected: Expected) -> None:
        """Drop what *chunk* owes because of cuts, once for each time that it is stitched or judged anew."""
        if not self._cuts:
            return
        version, owed = self._seen.get(chunk, (-1, None))
        if version == self._version and owed is chunk.owed:
            return
        for cut in self._cuts.values():
            hit = _among(cut.traces, chunk.identifiers)
            if hit.any():
                flows = np.zeros(len(chunk.alive), np.bool_)
                flows[chunk.identified[hit]] = True
                chunk.note_deleted(flows)
                entries = flows[chunk.owed.flow] & self._may_be(chunk.owed, cut.deletion, expected)
                if entries.any():
                    chunk.excuse(entries, np.zeros(len(entries), np.bool_))
        self._seen[chunk] = self._version, chunk.owed

    def _may_be(self, owed: Owed, deletion: Deletion, expected: Expected) -> Mask:
        """Which entries may be owed only because *deletion* took what would show them paid."""
        known: Mask = owed.received <= deletion.until
        if not deletion.service:
            return known
        code = self._names.services.code(deletion.service)
        by: Mask = self._names.service_of(owed.step) == code
        # What a handling published may be among what the service did for it.
        by |= owed.kind == Debt.MESSAGE
        awaited = [
            place for place, one in enumerate(expected.gathers) if one.publisher in {None, deletion.service}
        ]
        by |= (owed.kind == Debt.OTHER) & np.isin(owed.join, awaited)
        return known & by


def _among(ascending: Keys, keys: Keys) -> Mask:
    """Which of *keys* are in *ascending*: there may be a million of these."""
    if not len(ascending):
        return np.zeros(len(keys), np.bool_)
    place = np.searchsorted(ascending, keys)
    found: Mask = ascending[np.minimum(place, len(ascending) - 1)] == keys
    return found
