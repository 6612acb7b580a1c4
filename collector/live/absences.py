"""Whose spans are missing although what follows from its work is seen?

If something reacts to an event whose publish was not seen, its publisher works, and its telemetry is missing.
"""

from collections import deque
from collections.abc import Callable

import numpy as np
import pyarrow as pa

from collector.columns.joins import groups
from collector.diagnosis import Names
from collector.diagnosis.record import Record, type_of
from collector.diagnosis.standing import Absence
from collector.diagnosis.vocabulary import Codes
from collector.model.wording import SECOND

_EFFECTS = 1_000  # of each service, the newest
_TYPES = 500  # event types, those of which something was seen last
_FEW = 5  # fewer effects may be of spans that were merely lost
_LEAST = 10 * SECOND  # exporters send every few seconds


class Absences:
    """When each service last sent a span, and what of its work was seen after that."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._last: dict[int, int] = {}  # by service: the end of its newest span
        # By event type: when something reacted to a message that was not seen.
        self._effects: dict[int, deque[int]] = {}

    def see_spans(self, rows: pa.Table) -> None:
        """Learn which services sent *rows* (READINGS)."""
        service = self._names.services.codes(rows["service"])
        end = np.asarray(rows["end"].to_numpy())
        for code, places in groups(service, service >= 0):
            self._last[code] = max(self._last.get(code, 0), int(end[places].max()))

    def see(self, happened: Record) -> None:
        """Note the reactions of *happened* to messages that were not seen."""
        reactions = happened.reactions
        dangling = (reactions.message < 0) & (reactions.step >= 0) & ~reactions.rooted
        for code, rows in groups(type_of(reactions.step), dangling):
            effects = self._effects.pop(code, deque[int](maxlen=_EFFECTS))
            self._effects[code] = effects  # the newest is the last
            effects.extend(sorted(set(reactions.start[rows].tolist()) - set(effects)))
        while len(self._effects) > _TYPES:
            del self._effects[next(iter(self._effects))]

    def forget(self, codes: Codes) -> None:
        """Forget these services and event types."""
        for code in codes.services.tolist():
            self._last.pop(code, None)
        for code in codes.types.tolist():
            self._effects.pop(code, None)

    def now(self, now: int, publisher: Callable[[int], str | None]) -> tuple[Absence, ...]:
        """The services whose spans are missing; *publisher* says who normally publishes an event type."""
        seen: dict[str, int] = {}
        for event_type, effects in self._effects.items():
            service = publisher(event_type)
            if service is None:
                continue
            last = self._last.get(self._names.services.code(service), 0)
            after = sum(at > last for at in effects)
            seen[service] = seen.get(service, 0) + after
        return tuple(
            Absence(service, last, effects)
            for service, effects in sorted(seen.items())
            if effects >= _FEW
            and (last := self._last.get(self._names.services.code(service), 0))
            and now - last > _LEAST
        )
