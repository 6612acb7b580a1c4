"""Are spans being lost at present?"""

from collections import deque

from collector.columns.joins import Mask

_FLOWS = 100  # the newest flows at rest
_FEW = 3  # so many with lost spans among them are not an accident of one process


class Losses:
    """In how many of the newest flows telemetry was lost."""

    def __init__(self) -> None:
        self._lost: deque[bool] = deque(maxlen=_FLOWS)

    def see(self, lost: Mask) -> None:
        """Add flows at rest, and which of them lost telemetry."""
        self._lost.extend(lost[-_FLOWS:].tolist())

    @property
    def noticed(self) -> bool:
        """Whether so many lost telemetry that a missing span says little."""
        return sum(self._lost) >= _FEW
