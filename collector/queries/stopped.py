"""How many flows are in which state, in memory and in the store, and how many are dismissed?"""

import contextlib
from collections import Counter

import numpy as np

from collector.columns.joins import Mask
from collector.live.snapshot import Snapshot
from collector.model.flows import State
from collector.queries.flow_list import in_store_alone
from collector.queries.kept import Kept
from collector.queries.sources import Sources
from collector.store.contracts import Search, StoreError

# Beside the words of the states: flows that people dismissed, and those of which spans are no longer kept.
DISMISSED, UNLISTED = "dismissed", "unlisted"
_COUNTED_FOR_S = 5.0  # counting takes longer with every stored flow
_OLDEST_S = 10.0  # counted anew meanwhile: by whoever asks all the time, nobody waits for it
STOPPED = (State.STUCK, State.FAILED)


def in_memory(snapshot: Snapshot, hidden: Mask) -> dict[str, int]:
    """How many flows of *snapshot* are in each state; those that *hidden* marks are counted as dismissed."""
    counts = np.bincount(snapshot.state[~hidden], minlength=len(State))
    return {state.word: int(counts[state]) for state in State} | {DISMISSED: int(hidden.sum())}


class Stopped:
    """Counts the flows that stopped; what only the store knows is asked again after some seconds."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._elsewhere: Kept[dict[str, int]] = Kept(_COUNTED_FOR_S, oldest_s=_OLDEST_S)

    def counts(self, snapshot: Snapshot, hidden: Mask, by: object) -> dict[str, int]:
        """How many flows are in each state, dismissed and unlisted; asked again when *by* is another."""
        counts = in_memory(snapshot, hidden) | {UNLISTED: 0}
        # During a replay everything is only in the store: what was counted then counts twice afterwards.
        asked = (by, self._sources.live.replayed.is_set())
        for word, number in self._elsewhere.get(asked, lambda: self._stored(snapshot)).items():
            counts[word] += number
        return counts

    def _stored(self, snapshot: Snapshot) -> dict[str, int]:
        """How many stopped flows are only in the store; what was known last if the store cannot say."""
        with contextlib.suppress(StoreError):
            # What was stored since the snapshot is in memory, too, and counted there from the next one on.
            search = in_store_alone(snapshot, Search(stored_by=snapshot.stored))
            found: Counter[str] = Counter()
            stopped = self._sources.flows.stopped(search, self._sources.retained().since)
            for (state, gone, whole), number in stopped.items():
                found[DISMISSED if gone else State(state).word if whole else UNLISTED] += number
            return dict(found)
        return self._elsewhere.last or {}
