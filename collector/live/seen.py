"""When did a reactor take messages of a type, and when did it take none? In the order of the messages."""

import numpy as np

from collector.columns.joins import Ints
from collector.diagnosis.findings import Life, Silence
from collector.model.wording import SECOND

_PAUSES = 64  # between the messages that it took last
_SILENCES = 16
_NEWEST = 128
_RECUR = 3  # unusual pauses in a row are usual
_FEW = 8  # fewer pauses do not tell what is usual
_PATIENCE = 1.5  # times the longest of the last pauses: a longer one is not usual
_LEAST = SECOND  # a shorter pause may be a hiccup of the machine


class Seen:
    """What one step took, and for how long it took nothing. Times are nanoseconds."""

    def __init__(self) -> None:
        self.last = 0  # when it last began to handle one, by our clock
        self.served = 0  # when the newest message was published that it took
        self.silences: list[Silence] = []  # in which it took none, between two messages that it took
        self._life: Life | None = None
        self._pauses: Ints = np.empty(0, np.int64)
        self._odd: Ints = np.empty(0, np.int64)  # the unusual pauses since the last usual one
        self._newest: Ints = np.empty(0, np.int64)  # when the messages were published that it took last

    def take(self, published: Ints, started: int) -> None:
        """Add messages that it took, by when they were published; it began the last one at *started*."""
        self._life = None
        self.last = max(self.last, started)
        times = np.unique(published)
        self._newest = np.union1d(self._newest, times)[-_NEWEST:].copy()  # not a slice of all of them
        if self.silences:
            self._break(times[times < self.served])
        newer = times[times > self.served]
        if not len(newer):
            return
        if self.served:
            pauses = np.diff(np.concatenate([[self.served], newer]))
            self._note(newer, pauses)
        elif len(newer) > 1:
            self._pauses = np.diff(newer)[-_PAUSES:].copy()
        self.served = int(newer[-1])

    def next_taken(self, published: Ints) -> Ints:
        """When the next message was published that it took after each of these times; 0 for none or unknown.

        Messages that were missed before the same next one were missed in a row.
        """
        ends = np.zeros(len(published), np.int64)
        if not len(self._newest):
            return ends
        place = np.searchsorted(self._newest, published)
        known = (place > 0) & (place < len(self._newest))
        ends[known] = self._newest[place[known]]
        for silence in self.silences:
            ends[(published > silence.begin) & (published < silence.end) & ~known] = silence.end
        return ends

    @property
    def usual(self) -> int:
        """How long it may take nothing without that being unusual, in nanoseconds."""
        return int(max(_PATIENCE * self.longest, _LEAST))

    @property
    def longest(self) -> int:
        """The longest of the last pauses between messages that it took."""
        return int(self._pauses.max(initial=0))

    @property
    def typical(self) -> int:
        """The median of the last pauses; 0 while few are known."""
        return int(np.median(self._pauses)) if len(self._pauses) >= _FEW else 0

    @property
    def life(self) -> Life:
        """All of this as a frozen value, the same until it takes something more."""
        if self._life is None:
            self._life = Life(
                last=self.last,
                served=self.served,
                waiting=0,
                usual=self.usual,
                silences=tuple(self.silences),
            )
        return self._life

    def _note(self, newer: Ints, pauses: Ints) -> None:
        """Note *pauses*, which end with the messages of *newer*: unusual ones are silences."""
        odd = pauses > self.usual if len(self._pauses) >= _FEW else np.zeros(len(pauses), np.bool_)
        for place in np.flatnonzero(odd).tolist():
            end = int(newer[place])
            self.silences.append(Silence(end - int(pauses[place]), end))
        del self.silences[:-_SILENCES]
        self._odd = np.concatenate([self._odd, pauses[odd]]) if odd.all() else pauses[odd]
        if len(self._odd) >= _RECUR:  # there is less to take now
            self._pauses = np.concatenate([self._pauses, self._odd])[-_PAUSES:]
            self._odd = self._odd[:0].copy()
        self._pauses = np.concatenate([self._pauses, pauses[~odd]])[-_PAUSES:].copy()

    def _break(self, times: Ints) -> None:
        """Shorten the silences in which messages of *times* were taken after all: we learned of it late."""
        usual = self.usual
        for time in times.tolist():
            for place, silence in enumerate(self.silences):
                if silence.begin < time < silence.end:
                    parts = [Silence(silence.begin, time), Silence(time, silence.end)]
                    self.silences[place : place + 1] = [p for p in parts if p.end - p.begin > usual]
                    break
