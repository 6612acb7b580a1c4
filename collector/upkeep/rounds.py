"""Work that is done again and again beside requests: each kind in a thread of its own, under the watch."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from collector.upkeep.watch import Watch


class Rounds:
    """Runs pieces of work again and again until it is stopped. Use it within one event loop.

    Work that raises is logged, counted and done again; if it keeps raising, the watch gives up. Whatever a
    round expects to fail, such as a store that does not answer, it must catch itself.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._planned: list[tuple[str, float | Callable[[], float], Callable[[], None]]] = []
        self._stopping = threading.Event()
        self._stopped = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def stopping(self) -> threading.Event:
        """Set once the rounds are told to stop: work that takes long looks at it."""
        return self._stopping

    def every(self, name: str, seconds: float | Callable[[], float], work: Callable[[], None]) -> None:
        """Call *work* at the start and *seconds* after each call has ended. Call this before `start`.

        How many seconds may depend on what the call before has found.
        """
        self._planned.append((name, seconds, work))

    def start(self) -> None:
        """Begin all rounds."""
        self._tasks = [
            asyncio.create_task(self._watch.keep(name, partial(self._round, name, seconds, work)))
            for name, seconds, work in self._planned
        ]

    async def stop(self) -> None:
        """Return once the work in hand has ended."""
        self._stopping.set()
        self._stopped.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)  # exceptions were logged already

    async def _round(self, name: str, seconds: float | Callable[[], float], work: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        # A thread of its own: work that hangs must not hold up other work.
        with ThreadPoolExecutor(1, name) as thread:
            while not self._stopping.is_set():
                await loop.run_in_executor(thread, work)
                try:
                    async with asyncio.timeout(
                        seconds() if callable(seconds) else seconds
                    ):  # by the monotonic clock
                        await self._stopped.wait()
                except TimeoutError:
                    continue
