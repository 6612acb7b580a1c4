"""A cache for one answer, so that an expensive one is not computed again for each reader."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

log = logging.getLogger(__name__)


class Kept(Generic[T]):
    """Caches the answer to the latest question, for *seconds* if given.

    After that it is returned all the same while a thread computes a new one, until it is *oldest_s* old: what
    takes long is waited for by whoever asks first, and by nobody who asks all the time.
    """

    def __init__(
        self, seconds: float = float("inf"), *, oldest_s: float = 0.0, meanwhile: bool = False
    ) -> None:
        """*meanwhile*: callers get the latest answer, however old, while a new one is computed."""
        self._seconds = seconds
        self._oldest_s = max(oldest_s, seconds)
        self._meanwhile = meanwhile
        self._lock = threading.Lock()
        self._kept: tuple[object, float, T] | None = None

    @property
    def last(self) -> T | None:
        """The latest answer, however old; None if there is none."""
        return None if self._kept is None else self._kept[2]

    def get(self, question: object, make: Callable[[], T]) -> T:
        """The answer to *question*, computed if it is not cached; meanwhile, other callers wait for it."""
        if (kept := self._kept) is not None:
            asked, _, answer = kept
            if self._meanwhile and self._lock.locked():
                return answer
            if asked == question and (age := self._age(kept)) <= self._oldest_s:
                if age > self._seconds and self._lock.acquire(blocking=False):
                    self._begin(question, make)
                return answer
        with self._lock:
            if (kept := self._kept) is not None and kept[0] == question and self._age(kept) <= self._seconds:
                return kept[2]
            return self._made(question, make)

    def _begin(self, question: object, make: Callable[[], T]) -> None:
        """Compute the answer in a thread, which releases the lock."""

        def work() -> None:
            try:
                self._made(question, make)
            except Exception:  # whoever asks once the old answer is too old computes it, and is told
                log.exception("An answer could not be computed anew")
            finally:
                self._lock.release()

        try:
            threading.Thread(target=work, name="answer anew", daemon=True).start()
        except RuntimeError:  # no thread can be started: the old answer stands until it is too old
            self._lock.release()

    def _made(self, question: object, make: Callable[[], T]) -> T:
        answer = make()
        self._kept = (question, time.monotonic(), answer)
        return answer

    @staticmethod
    def _age(kept: tuple[object, float, T]) -> float:
        # By the monotonic clock: the wall clock may be set back.
        return time.monotonic() - kept[1]
