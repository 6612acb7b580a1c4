"""What is wrong with this collector now? The log, /metrics, /readyz, the summary and the first page say."""

import logging
import threading
import time
from collections.abc import Callable

from collector.model.troubles import Trouble, TroubleKind

log = logging.getLogger(__name__)

_UNREADY = {TroubleKind.NOT_STORING, TroubleKind.TASK_DIED}


class Troubles:
    """The troubles of one collector, at most one of each kind. May be used from any thread."""

    def __init__(self, clock: Callable[[], int] = time.time_ns) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._now: dict[TroubleKind, Trouble] = {}  # replaced as a whole, so that readers need no lock

    def report(self, kind: TroubleKind, text: str, *, refuses: bool = False) -> None:
        """Begin the trouble of this *kind*, or change what is said of it.

        While one that *refuses* lasts, no span is acknowledged.
        """
        with self._lock:
            before = self._now.get(kind)
            since = before.since if before else self._clock()
            self._now = {**self._now, kind: Trouble(kind, text, since, refuses)}
        if before is None or before.text != text:
            log.error("%s", text)

    def over(self, kind: TroubleKind) -> None:
        """End the trouble of this *kind*, if there is one."""
        with self._lock:
            before = self._now.get(kind)
            self._now = {other: trouble for other, trouble in self._now.items() if other != kind}
        if before is not None:
            log.warning("This is over: %s", before.text)

    def now(self) -> tuple[Trouble, ...]:
        """What is wrong now, the oldest first."""
        return tuple(sorted(self._now.values(), key=lambda trouble: (trouble.since, trouble.kind)))

    def unready(self) -> Trouble | None:
        """The first trouble because of which nobody should send spans here; None if there is none."""
        return self.refusing() or next((one for one in self.now() if one.kind in _UNREADY), None)

    def refusing(self) -> Trouble | None:
        """The first trouble because of which no span may be acknowledged; None if there is none."""
        if not self._now:
            return None
        return next((trouble for trouble in self.now() if trouble.refuses), None)
