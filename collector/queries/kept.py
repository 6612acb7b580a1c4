"""A cache for one answer, so that an expensive one is not computed again for each reader."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

log = logging.getLogger(__name__)

# An answer that took this long stays good for a multiple of that though its version is not the latest, and is
# given out for so many seconds while a new one is computed.
_LONG_S, _TIMES, _OLDEST_S = 0.3, 2.0, 10.0


@dataclass(frozen=True)
class _Answer(Generic[T]):
    """An answer, and when it was computed by the monotonic clock: the wall clock may be set back."""

    question: object
    version: object
    ended_s: float
    took_s: float
    answer: T

    @property
    def age(self) -> float:
        return time.monotonic() - self.ended_s


class Kept(Generic[T]):
    """Caches the answer to the latest question, for *seconds* if given.

    After that it is returned all the same while a thread computes a new one, until it is *oldest_s* old: what
    takes long is waited for by whoever asks first, and by nobody who asks all the time.

    An answer may also be to one *version* of what it is about. Once there is another it is not good any more;
    but one that took long is treated as above, so that not every version costs so much.
    """

    def __init__(
        self, seconds: float = float("inf"), *, oldest_s: float = 0.0, meanwhile: bool = False
    ) -> None:
        """*meanwhile*: callers get the latest answer, however old, while a new one is computed."""
        self._seconds = seconds
        self._oldest_s = max(oldest_s, seconds)
        self._meanwhile = meanwhile
        self._lock = threading.Lock()
        self._kept: _Answer[T] | None = None

    @property
    def last(self) -> T | None:
        """The latest answer, however old; None if there is none."""
        return None if self._kept is None else self._kept.answer

    def get(self, question: object, make: Callable[[], T], version: object = None) -> T:
        """The answer to *question*, computed if it is not cached; meanwhile, other callers wait for it."""
        if (kept := self._kept) is not None:
            if self._meanwhile and self._lock.locked():
                return kept.answer
            if kept.question == question:
                age, (good_s, usable_s) = kept.age, self._good_for(kept, version)
                if age <= usable_s:
                    if age > good_s and self._lock.acquire(blocking=False):
                        self._begin(question, make, version)
                    return kept.answer
        with self._lock:
            if (kept := self._kept) is not None and kept.question == question:  # another caller's, by now
                good_s, _ = self._good_for(kept, version)
                if kept.age <= good_s:
                    return kept.answer
            return self._made(question, make, version)

    def _good_for(self, kept: "_Answer[T]", version: object) -> tuple[float, float]:
        """How many seconds it is good, and how many it may be given out while a new one is computed."""
        if kept.version is version:
            return self._seconds, self._oldest_s
        return (_TIMES * kept.took_s, _OLDEST_S) if kept.took_s > _LONG_S else (-1.0, -1.0)

    def _begin(self, question: object, make: Callable[[], T], version: object) -> None:
        """Compute the answer in a thread, which releases the lock."""

        def work() -> None:
            try:
                self._made(question, make, version)
            except Exception:  # whoever asks once the old answer is too old computes it, and is told
                log.exception("An answer could not be computed anew")
            finally:
                self._lock.release()

        try:
            threading.Thread(target=work, name="answer anew", daemon=True).start()
        except RuntimeError:  # no thread can be started: the old answer stands until it is too old
            self._lock.release()

    def _made(self, question: object, make: Callable[[], T], version: object) -> T:
        began = time.monotonic()
        answer = make()
        ended = time.monotonic()
        self._kept = _Answer(question, version, ended, ended - began, answer)
        return answer
