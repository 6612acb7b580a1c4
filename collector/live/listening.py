"""When did the collector listen, so that silence proves something? The store remembers it over a restart."""

from itertools import accumulate

import numpy as np
import pyarrow as pa

from collector.columns.joins import Ints
from collector.live.deafness import Deafness
from collector.model.wording import SECOND
from collector.store.contracts import FlowStore, Stretch

_TOLD_S = 5  # how often the store is told: so much of the silence before a kill proves nothing


class Listening:
    """Since when the collector listens without a pause, and the pauses before that."""

    def __init__(self, store: FlowStore, deafness: Deafness, least_pause_s: float) -> None:
        self._store, self._deafness = store, deafness
        self._least = int(least_pause_s * SECOND)
        self._last: int | None = None  # when the last tick was
        self._since: int | None = None
        self._ended: list[Stretch] = []  # which the store was not told yet
        self._told = 0

    def pause(self, begin: int, end: int) -> None:
        """Note that nobody listened between these times."""
        self._deafness.note(begin, end)
        if self._since is not None and self._since < begin:
            self._ended.append(Stretch(self._since, begin))
        self._since = end

    def begin(self, since: int) -> None:
        """Note that the collector has listened from *since* on, as far as no pause was noted after it."""
        self._since = max(self._since or 0, since)
        self._last = None  # what took long before this was no pause: spans were received meanwhile

    def tick(self, spans: pa.Table | None, now: int, *, more: bool) -> None:
        """Note in which of the time since the last tick nobody listened: not in that of a long tick."""
        if self._last is not None and now - self._last > self._least:
            arrived = spans["received_unix_nano"].to_numpy() if spans is not None else np.empty(0, np.int64)
            arrived = arrived.astype(np.int64)
            until = int(arrived.max(initial=self._last)) if more else now
            for begin, end in silences(arrived, self._last, until, self._least):
                self.pause(begin, end)
        self._last = now
        if self._since is None:
            self._since = now

    def tell(self, now: int) -> None:
        """Tell the store, if it was not told lately. Raise `StoreError` if that failed."""
        if self._since is None or now - self._told < _TOLD_S * SECOND:
            return
        self._store.listen([*self._ended, Stretch(self._since, now)])
        self._ended, self._told = [], now


def pauses(stretches: list[Stretch], until: int) -> list[tuple[int, int]]:
    """The times between *stretches*, in the order in which they began, and from the last one to *until*."""
    known = [one for one in stretches if one.since < until] or [Stretch(0, 0)]
    ends = accumulate((one.until for one in known), max)
    edges = zip(ends, [*(one.since for one in known[1:]), until], strict=True)
    return [(end, since) for end, since in edges if end < since]


def silences(arrivals: Ints, begin: int, end: int, least: int) -> list[tuple[int, int]]:
    """The times longer than *least* nanoseconds, between *begin* and *end*, in which nothing arrived.

    After a long tick, or a replay, spans wait that arrived meanwhile: the collector did listen.
    """
    inside = np.sort(arrivals[(arrivals > begin) & (arrivals < end)])
    edges = np.concatenate([[begin], inside, [end]])
    long = np.flatnonzero(np.diff(edges) > least)
    return [(int(edges[place]), int(edges[place + 1])) for place in long.tolist()]
