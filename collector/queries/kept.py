"""One answer for many readers: what costs much is not worked out anew for each of them."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """Keeps the answer to the newest question, for *seconds* if that is given."""

    def __init__(self, seconds: float = float("inf")) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._kept: tuple[object, float, T] | None = None

    @property
    def last(self) -> T | None:
        """The answer that was made last, however old; None if none was."""
        return None if self._kept is None else self._kept[2]

    def get(self, question: object, make: Callable[[], T]) -> T:
        """The answer to *question*, made if there is none; who asks meanwhile waits for it."""
        with self._lock:
            if self._kept is not None:
                asked, made, answer = self._kept
                # By the monotonic clock: the other may be set back.
                if asked == question and time.monotonic() - made <= self._seconds:
                    return answer
            answer = make()
            self._kept = (question, time.monotonic(), answer)
            return answer
