"""How late spans come, by service, and when a thing happened by our clock.

Exporters send in batches, some every 5 seconds, and nothing is overdue before its telemetry could have come. What
is usual is a percentile of recent delays, in which every delay counts less as time and newer spans go by: one span
that comes very late changes it for a while at most.
"""

import numpy as np
import numpy.typing as npt

from collector.columns.joins import Ints, once
from collector.diagnosis.record import MINUTE

_FLOOR = 250_000_000  # a tick's own delay, nanoseconds
_MOST = MINUTE  # a longer delay says nothing of its exporter: a clock is off, or the span was sent again
_SILENT = 10 * MINUTE  # a service that sent nothing for so long holds up no flow

_WINDOW = 1_000.0  # delays that are counted: the newest
_HALVED_AFTER = 5 * MINUTE  # a delay counts half after that time
_LOWEST, _RATIO, _BUCKETS = 1e6, 1.15, 128  # from a millisecond to sixteen hours, each bucket 15 % wide


class RecentDelays:
    """Delays in nanoseconds of several rows, each with a percentile of its newest."""

    def __init__(self, rows: int, share: float) -> None:
        self._share = share
        self._counts: npt.NDArray[np.float32] = np.zeros((rows, _BUCKETS), np.float32)
        self.usual: npt.NDArray[np.float64] = np.zeros(rows)  # 0: nothing was seen
        self.seen: Ints = np.zeros(rows, np.int64)  # when a row last got a delay, by our clock

    def add(self, row: Ints, delay: Ints, at: int) -> None:
        """Count each *delay* for its *row*. *at* is now, nanoseconds since the epoch."""
        if not len(row):
            return
        touched = once(row)
        elapsed = np.maximum(at - self.seen[touched], 0)
        kept = np.where(self.seen[touched] > 0, 0.5 ** (elapsed / _HALVED_AFTER), 0.0)
        counts = self._counts[touched] * kept[:, None]
        np.add.at(counts, (np.searchsorted(touched, row), _bucket(delay)), 1.0)
        total = counts.sum(axis=1)
        counts *= np.minimum(1.0, _WINDOW / total)[:, None]
        reached = np.cumsum(counts, axis=1) >= (self._share * counts.sum(axis=1) - 1e-3)[:, None]
        self._counts[touched] = counts
        self.usual[touched] = _LOWEST * _RATIO ** (reached.argmax(axis=1))
        self.seen[touched] = at


def _bucket(delay: Ints) -> Ints:
    """The bucket of each delay; the first holds all up to a millisecond."""
    steps = np.ceil(np.log(np.maximum(delay, 1) / _LOWEST) / np.log(_RATIO))
    buckets: Ints = np.clip(steps, 0, _BUCKETS - 1).astype(np.int64)
    return buckets


class Delays:
    """How much later than they end the spans of each service come."""

    def __init__(self, services: int) -> None:
        self._delays = RecentDelays(services + 1, 0.99)  # the last is for no service

    def learn(self, service: Ints, end: Ints, received: Ints) -> None:
        """See spans come."""
        delay = received - end
        plausible = (delay >= 0) & (delay < _MOST)
        self._delays.add(service[plausible], delay[plausible], int(received.max(initial=0)))

    def slowest(self, now: int) -> float:
        """The usual delay of the slowest service that still sends, in nanoseconds."""
        sending = self._delays.seen > now - _SILENT
        return float(self._delays.usual[sending].max(initial=0))

    def slack(self, service: Ints) -> Ints:
        """How much later than it happens a thing of *service* could be known here."""
        return np.minimum(_FLOOR + self._delays.usual[service], _MOST).astype(np.int64)

    def by_our_clock(self, time: Ints, service: Ints, received: Ints) -> Ints:
        """When a thing happened that *service* says was at *time*, and that we learned of at *received*.

        Not after we learned of it, and not longer before that than its exporter usually takes: otherwise the
        sender's clock is off, or the span was sent again after a pause, and what follows it is as late.
        """
        return np.clip(time, received - self.slack(service), received)
