"""What senders' clocks and exporters do to times: how late spans come, and when a thing was by our clock."""

import numpy as np
import numpy.typing as npt

from collector.diagnosis.record import MINUTE
from collector.joins import Ints, groups

_FLOOR = 250_000_000  # a tick's own delay, nanoseconds
_MOST = (
    MINUTE  # what comes later than that says nothing of its exporter: a clock is off, or it was sent again
)


class Delays:
    """How much later than they end the spans of each service come, in nanoseconds, learned as they come.

    Exporters send in batches, some every 5 seconds, and nothing is overdue before its telemetry could
    have come.
    """

    def __init__(self, services: int) -> None:
        self._usual: npt.NDArray[np.float64] = np.zeros(services + 1)  # the last is for no service
        self.slowest = 0.0

    def learn(self, service: Ints, end: Ints, received: Ints) -> None:
        """See spans come."""
        delay = received - end
        for code, rows in groups(service, (delay >= 0) & (delay < _MOST)):
            newest = float(np.percentile(delay[rows], 99))
            # Up at once, down slowly: one quick batch does not make a slow exporter quick.
            self._usual[code] = max(newest, 0.96 * self._usual[code])
        self.slowest = float(self._usual.max())

    def slack(self, service: Ints) -> Ints:
        """How much later than it happens a thing of *service* could be known here."""
        return np.minimum(_FLOOR + self._usual[service], _MOST).astype(np.int64)

    def by_our_clock(self, time: Ints, service: Ints, received: Ints) -> Ints:
        """When a thing was that *service* says was at *time*, and that we got to know at *received*.

        It was not after we knew of it, and not longer before than its exporter usually takes: else the
        sender's clock is off, or the span was sent again after a pause, and what follows it comes as late.
        """
        return np.clip(time, received - self.slack(service), received)
