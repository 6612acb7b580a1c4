"""How did the lives of reactors change for which flows wait? It tells when a finding changed its cause."""

from collections import deque
from collections.abc import Mapping

from collector.diagnosis.findings import Life

_KEPT = 12  # changes of each step


class Journal:
    """The lives of steps for which flows are overdue, each time that they changed."""

    def __init__(self) -> None:
        self._written: dict[int, deque[tuple[int, Life]]] = {}
        self._status: dict[int, tuple[bool, int, bool]] = {}

    def written(
        self, lives: Mapping[int, Life], waiting: Mapping[int, int], now: int
    ) -> dict[int, tuple[tuple[int, Life], ...]]:
        """What was written up to *now*, by step: (time, life), oldest first."""
        for step in self._written.keys() - waiting.keys():
            del self._written[step], self._status[step]
        for step in waiting:
            life = lives.get(step, Life(None, None, 0))
            silent = now - (life.last or 0) > life.usual
            status = silent, life.silences[-1].end if life.silences else 0, life.orphans is not None
            if self._status.get(step) != status:
                self._status[step] = status
                self._written.setdefault(step, deque(maxlen=_KEPT)).append((now, life))
        return {step: tuple(entries) for step, entries in self._written.items()}
