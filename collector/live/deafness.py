"""When did the collector not listen, and what may have happened then?

While it is stopped, exporters keep what they cannot deliver for some seconds, and then drop it. The first
spans of a service that arrive afterwards tell from when on it is heard again.
"""

from collections import deque
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from collector.columns.joins import Ints, Mask, groups, once
from collector.diagnosis import Names
from collector.diagnosis.debts import Debt, Owed
from collector.diagnosis.vocabulary import Codes
from collector.model.wording import MINUTE

_MOST = 8
_PATIENCE = MINUTE  # a longer pause between two attempts of an exporter is not usual


@dataclass
class _Gap:
    """A time in which nothing was received. Times are nanoseconds since the epoch."""

    begin: int
    end: int
    heard: dict[int, int] = field(default_factory=dict)  # by service: from when on what it sent arrived


class Deafness:
    """The last gaps in which the collector did not listen."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._gaps: deque[_Gap] = deque(maxlen=_MOST)
        self._sending: set[int] = set()  # services that ever sent anything

    def note(self, begin: int, end: int) -> None:
        """Nothing was received between these times, as the collector did not run."""
        self._gaps.append(_Gap(begin, end))

    def hear(self, rows: pa.Table) -> None:
        """Learn from *rows* (READINGS) who sends, and what was kept during the last gap."""
        service = self._names.services.codes(rows["service"])
        self._sending.update(once(service).tolist())
        if not self._gaps or not rows.num_rows:
            return
        gap = self._gaps[-1]
        end = np.asarray(rows["end"].to_numpy())
        after = np.asarray(rows["received"].to_numpy()) >= gap.end
        for code, places in groups(service, after & (service >= 0)):
            first = int(np.clip(end[places].min(), gap.begin, gap.end))
            gap.heard[code] = min(gap.heard.get(code, gap.end), first)

    def forget(self, codes: Codes) -> None:
        """Forget these services."""
        self._sending.difference_update(codes.services.tolist())
        for gap in self._gaps:
            for code in codes.services.tolist():
                gap.heard.pop(code, None)

    def unheard(self, owed: Owed, slack: Ints, now: int) -> tuple[Mask, Ints]:
        """Which entries may have been paid while nobody listened, and when each could be heard of again.

        What takes longer than the gap is unlikely to have happened within it.
        """
        mask, until = np.zeros(len(owed), np.bool_), np.zeros(len(owed), np.int64)
        service = self._names.service_of(owed.step)
        for gap in self._gaps:
            # An exporter that waits to try again does so for about as long as it has tried.
            patient = gap.end + min(2 * (gap.end - gap.begin), _PATIENCE)
            if now < patient + _PATIENCE:
                waiting = sorted(self._sending - gap.heard.keys())
                silent = np.isin(service, waiting) & (owed.since + owed.due + slack >= gap.begin)
                until[silent] = np.maximum(until, min(now, patient))[silent]
            near = (owed.since <= gap.end) & (owed.since + owed.due + slack >= gap.begin)
            near &= owed.due <= gap.end - gap.begin
            if not near.any():
                continue
            heard = np.array([gap.heard.get(code, gap.end) for code in service[near].tolist()], np.int64)
            heard[owed.kind[near] == Debt.OTHER] = gap.end  # whose event is missing may be anyone
            # What is usually done by then is not in the part that nobody heard.
            missed = owed.since[near] < heard
            place = np.flatnonzero(near)[missed]
            mask[place] = True
            until[place] = np.maximum(until[place], gap.end)
        return mask, until
