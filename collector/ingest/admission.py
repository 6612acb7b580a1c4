"""How many bytes of requests may wait, so that none of those that are taken waits for long?

A sender that is refused at once tries again later, and nothing is lost. One whose request waits gives up
after ten seconds, sends it again, and makes a full queue fuller. So not memory is the limit but time: as much
may wait as is stored within `WAIT_S`, at the rate at which groups were stored lately. Pure: times are
arguments.
"""

from dataclasses import dataclass, replace

WAIT_S = 1.0  # decoding, storing and answering come on top
LEAST_BYTES = 16 * 1024 * 1024  # a group: dozens of senders that wait for each other's group are not too many
_BEGIN_RATE = 24 * 1024 * 1024  # bytes a second, until it is known
# A smaller group costs more per byte, so it says only that at least this much is possible.
_TELLING_BYTES = 2 * 1024 * 1024
_WINDOW_S = 3.0  # over which the rate is taken, about


@dataclass(frozen=True, slots=True)
class Admission:
    """The rate at which groups are stored, and what may wait because of it."""

    most: int  # bytes: what memory allows
    rate: float = _BEGIN_RATE  # bytes a second
    ended: float = 0.0  # when the last group was stored, in seconds of any clock that is not set

    def stored(self, size: int, begun: float, ended: float) -> "Admission":
        """What is known once a group of *size* bytes, taken at *begun*, was stored at *ended*.

        One group is decoded while the one before it is stored, so a group is counted from that one's end on.
        """
        took = max(ended - max(begun, self.ended), 1e-3)
        found = size / took
        if size < _TELLING_BYTES:
            return replace(self, rate=max(self.rate, found), ended=ended)
        weight = min(took / _WINDOW_S, 1.0)
        # The mean of the times that a byte takes: two groups of one size take their times, not their rates.
        rate = 1 / ((1 - weight) / self.rate + weight / found)
        return replace(self, rate=rate, ended=ended)

    @property
    def limit(self) -> int:
        """How many bytes may wait or arrive now, in all."""
        return min(self.most, max(LEAST_BYTES, int(self.rate * WAIT_S)))
