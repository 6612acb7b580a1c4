"""How late do the spans of each service arrive, and when did something happen by our clock?

Exporters send in batches, some every 5 seconds, and nothing is overdue before its telemetry could have
arrived. The usual delay is a percentile of recent delays. Delays lose weight over time and as newer spans
arrive, so a single very late span distorts it only for a while.
"""

import numpy as np
import numpy.typing as npt

from collector.columns.joins import Ints, once
from collector.model.wording import MINUTE

_FLOOR = 250_000_000  # a tick's own delay, nanoseconds
_MOST = MINUTE  # longer delays say nothing about the exporter: a clock is off, or the span was resent
_SILENT = 10 * MINUTE  # a service that sent nothing for this long holds up no flow

_WINDOW = 1_000.0  # how many of the newest delays count
_HALVED_AFTER = 5 * MINUTE  # the half-life of a delay's weight
_LOWEST, _RATIO, _BUCKETS = 1e6, 1.15, 128  # from a millisecond to sixteen hours, each bucket 15 % wide


class RecentDelays:
    """Delays in nanoseconds for several rows, with a percentile of the recent ones of each."""

    def __init__(self, rows: int, share: float) -> None:
        self._share = share
        self._counts: npt.NDArray[np.float32] = np.zeros((rows, _BUCKETS), np.float32)
        self.usual: npt.NDArray[np.float64] = np.zeros(rows)  # 0: none seen yet
        self.seen: Ints = np.zeros(rows, np.int64)  # when a row last got a delay, by our clock

    def forget(self, rows: Ints) -> None:
        """Begin anew with *rows*."""
        self._counts[rows] = 0
        self.usual[rows] = 0
        self.seen[rows] = 0

    def add(self, row: Ints, delay: Ints, at: int) -> None:
        """Count each *delay* for its *row*. *at* is now, in nanoseconds since the epoch."""
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
    """The bucket of each delay; the first holds everything up to a millisecond."""
    steps = np.ceil(np.log(np.maximum(delay, 1) / _LOWEST) / np.log(_RATIO))
    buckets: Ints = np.clip(steps, 0, _BUCKETS - 1).astype(np.int64)
    return buckets


class Delays:
    """How long after their end the spans of each service arrive."""

    def __init__(self, services: int) -> None:
        self._delays = RecentDelays(services + 1, 0.99)  # the last row is for spans without a service

    def learn(self, service: Ints, end: Ints, received: Ints) -> None:
        """Learn from spans that arrived."""
        delay = received - end
        plausible = (delay >= 0) & (delay < _MOST)
        self._delays.add(service[plausible], delay[plausible], int(received.max(initial=0)))

    def forget(self, services: Ints) -> None:
        """Begin anew with these services."""
        self._delays.forget(services)

    def slowest(self, now: int) -> float:
        """The usual delay of the slowest service that still sends, in nanoseconds."""
        sending = self._delays.seen > now - _SILENT
        return float(self._delays.usual[sending].max(initial=0))

    def slack(self, service: Ints) -> Ints:
        """How long it may take until something that happens in *service* is known here."""
        return np.minimum(_FLOOR + self._delays.usual[service], _MOST).astype(np.int64)

    def by_our_clock(self, time: Ints, service: Ints, received: Ints) -> Ints:
        """When something happened that *service* puts at *time*, and that we learned of at *received*.

        It was not after *received*, and not before that by more than the usual delay of the service.
        Otherwise the sender's clock is off, or the span was resent after a pause, and then what follows is as
        late.
        """
        return np.clip(time, received - self.slack(service), received)
