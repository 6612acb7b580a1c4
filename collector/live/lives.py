"""Which group last handled which event type, and how late do we learn of it?"""

import numpy as np
import pyarrow as pa

from collector.columns.joins import Ints, groups
from collector.diagnosis import Names
from collector.diagnosis.owed import Owed
from collector.diagnosis.record import Begun, Reactions, Record
from collector.live.delays import Delays, RecentDelays

_MOST = 100_000  # steps; the one first seen is forgotten first


class Lives:
    """When each group last began to handle each event type, and the usual delays of telemetry."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._delays = Delays(names.services.limit)
        self._last: dict[int, tuple[int, int]] = {}
        self._pace = RecentDelays(1, 0.95)  # how long after its message a reaction is known

    @property
    def last(self) -> dict[int, tuple[int, int]]:
        """By step: when it last began (by our clock), and when the newest message it took was published."""
        return dict(self._last)

    def see_spans(self, rows: pa.Table) -> None:
        """Learn from the delays of *rows* (READINGS) that arrived."""
        service = self._names.services.codes(rows["service"])
        self._delays.learn(
            service, np.asarray(rows["end"].to_numpy()), np.asarray(rows["received"].to_numpy())
        )

    def see(self, happened: Record) -> None:
        """Learn which steps took which messages: all that were handled, or are being handled."""
        reactions = happened.reactions
        seen = (reactions.message >= 0) & (reactions.step >= 0)
        if seen.any():
            later = np.maximum(reactions.received - reactions.heard, 0)[seen]
            self._pace.add(np.zeros(len(later), np.int64), later, int(reactions.received[seen].max()))
        for taken in (reactions, happened.begun):
            self._see_taken(taken)

    def since(self, owed: Owed) -> Ints:
        """Since when each entry is owed, by our clock."""
        return self._delays.by_our_clock(owed.since, owed.service, owed.received)

    def slack(self, owed: Owed) -> Ints:
        """How long it may take until what is owed is known here, for each entry."""
        return self._delays.slack(self._names.service_of(owed.step))

    def quiet(self, least: float, most: float, now: int) -> int:
        """How long a flow must be silent to be at rest, between *least* and *most*; all in nanoseconds."""
        usual = max(least, 3 * float(self._pace.usual[0]))
        return int(min(usual + self._delays.slowest(now), most))

    def _see_taken(self, taken: Reactions | Begun) -> None:
        service = self._names.service_of(taken.step)
        start = self._delays.by_our_clock(taken.start, service, taken.received)
        for step, rows in groups(taken.step, taken.message >= 0):
            last, served = self._last.get(step, (0, 0))
            self._last[step] = (
                max(last, int(start[rows].max())),
                max(served, int(taken.published[rows].max())),
            )
        while len(self._last) > _MOST:
            del self._last[next(iter(self._last))]
