"""Which spans were seen lately: for counting each once, never for deciding what is stored."""

import numpy as np
import numpy.typing as npt

from collector.joins import once

Keys = npt.NDArray[np.uint64]


class RecentKeys:
    """A bounded set of 64-bit keys that forgets the oldest half when it is full.

    Kept as sorted runs, the newest first to be merged, so that adding n keys costs about n log n and no
    Python per key.
    """

    def __init__(self, capacity: int = 4_000_000) -> None:
        self._half = capacity // 2
        self._runs: list[Keys] = []
        self._older: Keys = np.empty(0, np.uint64)

    def add(self, keys: Keys) -> int:
        """Add *keys*; return how many were new, each distinct one counted once."""
        fresh = once(keys)
        for run in (self._older, *self._runs):
            fresh = fresh[~_among(fresh, run)]
        if len(fresh):
            self._runs.append(fresh)
            while len(self._runs) > 1 and len(self._runs[-2]) <= 2 * len(self._runs[-1]):
                merged = np.concatenate([self._runs.pop(), self._runs.pop()])
                merged.sort(kind="stable")
                self._runs.append(merged)
            if sum(map(len, self._runs)) >= self._half:
                self._older = np.sort(np.concatenate(self._runs))
                self._runs = []
        return len(fresh)


def _among(keys: Keys, run: Keys) -> npt.NDArray[np.bool_]:
    places = np.searchsorted(run, keys)
    places[places == len(run)] = 0
    return run[places] == keys if len(run) else np.zeros(len(keys), np.bool_)
