"""How many bytes of requests may wait, so that none of those that are taken waits for long?

A sender that is refused at once tries again later, and nothing is lost. One whose request waits gives up
after ten seconds, sends it again, and makes a full queue fuller. So not memory is the limit but time: as much
may wait as is stored within `WAIT_S`, at the rate at which groups were stored lately. Pure: times are
arguments.
"""

import math
from dataclasses import dataclass, replace

WAIT_S = 1.0  # decoding, storing and answering come on top
LEAST_BYTES = 8 * 1024 * 1024  # some dozens of senders that wait for their answers are not too many
_BEGIN_RATE = 24 * 1024 * 1024  # bytes a second, until it is known
# A smaller group costs more per byte, so it says only that at least this much is possible.
_TELLING_BYTES = 2 * 1024 * 1024
_WINDOW_S = 2.0  # over which the rate is taken, about


@dataclass(frozen=True, slots=True)
class Admission:
    """How fast groups were stored lately, and what may wait because of it."""

    most: int  # bytes: what memory allows
    size: float = _BEGIN_RATE  # bytes that were stored lately, and the seconds that they took; both fade
    seconds: float = 1.0
    ended: float = 0.0  # when the last group was stored, in seconds of a clock that nobody sets

    def stored(self, size: int, begun: float, ended: float) -> "Admission":
        """What is known once a group of *size* bytes was stored at *ended*; the first arrived at *begun*.

        What arrived before the last group was stored waited for that one: that time is not counted twice.
        """
        took = max(ended - max(begun, self.ended), 1e-3)
        if size < _TELLING_BYTES:
            least = size / took * self.seconds
            return replace(self, size=max(self.size, least), ended=ended)
        kept = math.exp(-took / _WINDOW_S)
        return replace(self, size=kept * self.size + size, seconds=kept * self.seconds + took, ended=ended)

    @property
    def limit(self) -> int:
        """How many bytes may wait or arrive now, in all."""
        return min(self.most, max(LEAST_BYTES, int(self.size / self.seconds * WAIT_S)))
