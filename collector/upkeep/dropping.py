"""Drops what is kept too long, once a minute, and says what is kept."""

import logging
import threading
import time
from collections.abc import Callable

from collector.counters import Counters
from collector.model.wording import counted, day_of
from collector.store.contracts import StoreError
from collector.store.removal import RetentionStore
from collector.upkeep.even_time import EvenTime
from collector.upkeep.retention import (
    DAY,
    PAUSE,
    Going,
    Limits,
    Looked,
    Reason,
    Retained,
    going,
    over_bytes,
    rows_before,
)

log = logging.getLogger(__name__)

EVERY_S = 60.0
_BECAUSE = {
    Reason.AGE: "They were older than CHOREOSCOPE_RETENTION_DAYS ({days:,}).",
    Reason.BYTES: "The store had more bytes than CHOREOSCOPE_RETENTION_BYTES ({bytes:,}).",
    Reason.DISK: "The disk was nearly full.",
    Reason.HALF: "The others of that day had been dropped when the collector ended.",
}


_ARRIVING = 600 * 10**9  # nanoseconds: no span takes so long from its arrival until a query finds it


class Dropping:
    """Drops from *store* what *limits* do not allow. `retained` may be asked from any thread."""

    def __init__(
        self,
        store: RetentionStore,
        limits: Limits,
        counters: Counters,
        *,
        also: Callable[[int], None] = lambda before: None,
        clock: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """*also* forgets what hangs on flows that were stored before the time that it is given.

        By *clock*, spans are received; *monotonic* is never set. Both tell nanoseconds.
        """
        self._store, self._limits, self._counters = store, limits, counters
        self._clock, self._monotonic, self._also = clock, monotonic, also
        self._even = EvenTime(clock, monotonic)
        self._alone: int | None = None  # when a day went because only one witness said so
        self._rows: int | None = None  # and when rows of flows went
        self._ids_due = True  # message ids may lead to spans that are gone
        self._lock = threading.Lock()
        self._failure = ""
        self.full = ""  # why nothing more may be stored although the disk has room
        self.retained = Retained(limits=limits)
        for reason in Reason:
            counters.dropped_spans.labels(reason)
            counters.dropped_days.labels(reason)

    def round(self) -> None:
        """Drop what goes now, and look what is kept. A store that fails is asked again the next time."""
        with self._lock:
            try:
                self._drop()
                self.look()
            except StoreError as error:
                if str(error) != self._failure:  # a minute is soon over
                    log.warning("%s. What is kept too long stays until that works.", error)
                self._failure = str(error)
            else:
                self._failure = ""

    def look(self) -> None:
        """Look what is kept now; raise `StoreError` if the store does not answer."""
        # Without any span, whatever was received is gone, but for what is being stored at this moment.
        since = self._store.oldest() or self._clock() - _ARRIVING
        self.retained = Retained(since, len(self._store.days()), self._store.size(), self._limits)

    def _drop(self) -> None:
        days, looked = self._store.days(), self._looked()
        half = self._store.half_dropped()
        rest = [Going(day, Reason.HALF) for day in days if day.number == half]
        for one in rest or going(days, looked, self._limits):
            self._store.drop_day(one.day.number)
            if one.alone:
                self._alone = self._monotonic()
            self._ids_due = True
            self._tell(one)
        days = self._store.days()
        if self._ids_due and days:
            self._store.forget_ids(days[0].number * DAY)
            self._ids_due = False
        if before := rows_before(self._store.oldest_flow(), self._looked(rows=True), self._limits):
            self._rows = self._monotonic()
            self._forget_flows(
                before, f"older than CHOREOSCOPE_RETENTION_FLOW_DAYS ({self._limits.flow_days:,})"
            )
        full = over_bytes(days, self._looked(), self._limits)
        first = days[0].number * DAY if days else 0
        if full and 0 < self._store.oldest_flow() < first:  # rows without spans go before anything is refused
            self._forget_flows(first, "without spans, and the store had too many bytes")
            full = over_bytes(days, self._looked(), self._limits)
        self.full = full

    def _forget_flows(self, before: int, because: str) -> None:
        self._store.forget_flows(before)
        self._also(before)
        log.warning("Forgot the flows that were stored before %s. They were %s.", day_of(before), because)

    def _looked(self, *, rows: bool = False) -> Looked:
        last = self._rows if rows else self._alone
        return Looked(
            now=self._clock(),
            even=self._even.look(),
            used=self._store.size(),
            free=self._store.room().free,
            alone=last is None or self._monotonic() - last >= PAUSE,
        )

    def _tell(self, one: Going) -> None:
        self._counters.dropped_spans.labels(one.reason).inc(one.day.spans)
        self._counters.dropped_days.labels(one.reason).inc()
        because = _BECAUSE[one.reason].format(days=self._limits.days, bytes=self._limits.bytes)
        date = day_of(one.day.number * DAY)
        log.warning("Dropped %s received on %s. %s", counted(one.day.spans, "span"), date, because)
