"""Which identifiers were put away: tells "never seen" without asking the store."""

import numpy as np

from collector.joins import Mask, find, once
from collector.keys import Keys


class Seen:
    """The newest identifiers: two generations, the older one forgotten as a whole.

    A flow of which it forgot everything comes back as a flow of its own.
    """

    def __init__(self, limit: int = 2_000_000) -> None:
        self._limit = limit
        self._young: list[Keys] = []
        self._young_count = 0
        self._old: Keys = np.empty(0, np.uint64)

    def add(self, identifiers: Keys) -> None:
        """Remember *identifiers*."""
        if not len(identifiers):
            return
        self._young.append(once(identifiers))
        self._young_count += len(self._young[-1])
        if len(self._young) > 32:
            self._young = [once(np.concatenate(self._young))]
            self._young_count = len(self._young[0])
        if self._young_count > self._limit:
            self._old = once(np.concatenate(self._young))[-2 * self._limit :]
            self._young, self._young_count = [], 0

    def among(self, identifiers: Keys) -> Mask:
        """Which of *identifiers* were added."""
        found = np.zeros(len(identifiers), np.bool_)
        for generation in (*self._young, self._old):
            found |= find(generation, identifiers) >= 0
        return found

    def __bool__(self) -> bool:
        return bool(self._young_count or len(self._old))
