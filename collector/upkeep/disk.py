"""Is the disk short? Looked at every second, so that ingest stops before anything fails."""

import logging

from collector.counters import Counters
from collector.model.troubles import TroubleKind
from collector.store.contracts import StoreError
from collector.store.removal import RetentionStore
from collector.upkeep.dropping import Dropping
from collector.upkeep.health import Troubles
from collector.upkeep.retention import Limits

log = logging.getLogger(__name__)

HERE_EVERY_S = 1.0  # a look at a disk of this machine costs microseconds
SERVER_EVERY_S = 4.0  # and at a server's a query


class DiskWatch:
    """Looks at the disk of *store*, and reports when it is short. Use it from one thread."""

    def __init__(
        self,
        store: RetentionStore,
        dropping: Dropping,
        troubles: Troubles,
        counters: Counters,
        limits: Limits,
    ) -> None:
        self._store, self._dropping, self._troubles = store, dropping, troubles
        self._counters, self._limits = counters, limits
        self._short = self._near = False

    def look(self) -> None:
        """Report the trouble or its end; when the disk is nearly full, let the oldest day go."""
        try:
            free = self._store.room().free
        except StoreError as error:  # whoever looks after the store says what is wrong with it
            log.debug("%s", error)
            return
        self._counters.disk_free.set(free)
        # What is short stays so until there is clearly more: merges take room for a while.
        enough = self._limits.least_free * (5 if self._short else 4) // 4
        short = free < enough
        if short != self._short:
            self._allow_merges(not short)
        self._short = short
        if self._short:
            self._troubles.report(
                TroubleKind.DISK_SHORT,
                f"The disk is short: less than {self._limits.least_free:,} bytes were free"
                " (CHOREOSCOPE_MIN_FREE_BYTES). No span is taken until there is clearly more; what is stored"
                " can be read.",
                refuses=True,
            )
        elif self._dropping.full:
            self._troubles.report(TroubleKind.DISK_SHORT, self._dropping.full, refuses=True)
        else:
            self._troubles.over(TroubleKind.DISK_SHORT)
        near = free < self._limits.near
        if near and not self._near:
            self._dropping.round()
        self._near = near

    def _allow_merges(self, allowed: bool) -> None:
        """Stop, or allow again, what writes without being asked.

        The engine takes a write of a part that failed for done, so a merge that finds no room may lose rows.
        """
        try:
            self._store.allow_merges(allowed)
        except StoreError as error:
            log.warning("%s. Whether parts are merged is as before.", error)
