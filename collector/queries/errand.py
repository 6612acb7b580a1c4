"""Does anybody still wait for an answer? Work that nobody waits for is given up at its next step."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class GivenUpError(Exception):
    """The asker has left, so the work stopped."""


class Errand:
    """One question on its way. `give_up` may be called from any thread."""

    def __init__(self) -> None:
        self._given_up = threading.Event()
        self._lock = threading.Lock()
        self._stop: Callable[[], None] | None = None

    def check(self) -> None:
        """Raise `GivenUpError` if nobody waits any more: call it between the steps of a long work."""
        if self._given_up.is_set():
            raise GivenUpError

    def give_up(self) -> None:
        """Nobody waits any more."""
        with self._lock:
            self._given_up.set()
            if self._stop is not None:
                self._stop()

    @contextmanager
    def stopped_by(self, stop: Callable[[], None]) -> Iterator[None]:
        """Call *stop*, which must be quick, if the errand is given up within the context."""
        with self._lock:
            self.check()
            self._stop = stop
        try:
            yield
        finally:
            with self._lock:
                self._stop = None
