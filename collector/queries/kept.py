"""A cache for one answer, so that an expensive one is not computed again for each reader."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """Caches the answer to the latest question, for *seconds* if given."""

    def __init__(self, seconds: float = float("inf"), *, meanwhile: bool = False) -> None:
        """*meanwhile*: callers get the latest answer, however old, while a new one is computed."""
        self._seconds = seconds
        self._meanwhile = meanwhile
        self._lock = threading.Lock()
        self._kept: tuple[object, float, T] | None = None

    @property
    def last(self) -> T | None:
        """The latest answer, however old; None if there is none."""
        return None if self._kept is None else self._kept[2]

    def get(self, question: object, make: Callable[[], T]) -> T:
        """The answer to *question*, computed if it is not cached; meanwhile, other callers wait for it."""
        kept = self._kept
        if self._meanwhile and kept is not None and self._lock.locked():
            return kept[2]
        with self._lock:
            if self._kept is not None:
                asked, made, answer = self._kept
                # By the monotonic clock: the wall clock may be set back.
                if asked == question and time.monotonic() - made <= self._seconds:
                    return answer
            answer = make()
            self._kept = (question, time.monotonic(), answer)
            return answer
