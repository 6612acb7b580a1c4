"""Whose message is read now, if only few may be read at the same time?

Whoever waits for a turn waits only for those that are slower than a message needs: the slowest gives up its
turn to whoever has waited for half a second.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from collector.web.bodies import SlowError

_WAIT_S = 0.5  # then the oldest turn ends
_LONGEST_S = 30.0  # of a turn, even if nobody waits


class Turns:
    """At most *count* turns at a time. Use it within one event loop."""

    def __init__(self, count: int) -> None:
        self._free = asyncio.Semaphore(count)
        self._taken: dict[asyncio.Timeout, None] = {}  # the oldest first

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """A turn; raise `SlowError` if what is done in it takes too long."""
        await self._begin()
        try:
            async with asyncio.timeout(_LONGEST_S) as limit:
                self._taken[limit] = None
                try:
                    yield
                finally:
                    self._taken.pop(limit, None)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise SlowError("The message came too slowly: send it again.") from error
        finally:
            self._free.release()

    async def _begin(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_WAIT_S):
                    await self._free.acquire()
            except TimeoutError:
                self._end_oldest()
            else:
                return

    def _end_oldest(self) -> None:
        now = asyncio.get_running_loop().time()
        for limit in self._taken:
            begun = (limit.when() or now) - _LONGEST_S
            if now - begun >= _WAIT_S:
                del self._taken[limit]
                limit.reschedule(now)
            return
