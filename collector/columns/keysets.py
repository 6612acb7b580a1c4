"""Bounded sets of 64-bit keys that evict the oldest keys first."""

import numpy as np

from collector.columns.joins import Mask, once
from collector.columns.keys import Keys


class KeySet:
    """The newest keys: always the newest half of *capacity*, never more than *capacity*.

    Keys live in two generations of at most half the capacity each. When the newer generation is full, it
    replaces the older one, which is evicted. The newer one is a list of sorted runs that are merged as they
    grow, so that adding n keys costs about n log n and no Python per key.
    """

    def __init__(self, capacity: int = 4_000_000) -> None:
        self._half = capacity // 2
        self._runs: list[Keys] = []  # the newest last
        self._older: Keys = np.empty(0, np.uint64)

    def add(self, keys: Keys) -> int:
        """Add *keys*, the newest last, and return how many distinct ones were new."""
        fresh = self._fresh(keys)
        if len(fresh) > self._half:  # more than a generation holds: keep the newest
            self._keep(self._fresh(keys[-self._half :]))
        elif len(fresh):
            self._keep(fresh)
        return len(fresh)

    def among(self, keys: Keys) -> Mask:
        """Which of *keys* are in the set."""
        found = np.zeros(len(keys), np.bool_)
        for run in (self._older, *self._runs):
            if len(run):
                place = np.searchsorted(run, keys)
                found |= run[np.minimum(place, len(run) - 1)] == keys
        return found

    def __bool__(self) -> bool:
        return bool(self._runs or len(self._older))

    def _fresh(self, keys: Keys) -> Keys:
        """The distinct *keys* that are not in the set, ascending."""
        distinct = once(keys)
        kept: Keys = distinct[~self.among(distinct)]
        return kept

    def _keep(self, fresh: Keys) -> None:
        if sum(map(len, self._runs)) + len(fresh) > self._half:
            self._older = np.sort(np.concatenate(self._runs)) if self._runs else self._older[:0]
            self._runs = []
        self._runs.append(fresh)
        while len(self._runs) > 1 and len(self._runs[-2]) <= 2 * len(self._runs[-1]):
            merged = np.concatenate([self._runs.pop(), self._runs.pop()])
            merged.sort(kind="stable")
            self._runs.append(merged)
