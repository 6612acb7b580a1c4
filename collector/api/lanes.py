"""Who may ask how much at once? Large questions wait for one another, and small ones never wait for them.

Each lane has threads of its own. Nobody waits for an answer that comes too late to be useful, and nobody
works for an asker who has left.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import anyio
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.requests import Request

from collector.queries import Errand

T = TypeVar("T")


class BusyError(Exception):
    """Too many ask the same at once; the text says what to do."""


@dataclass(frozen=True, eq=False)
class Lane:
    """A kind of questions: *width* of them are answered at once, and the others wait for at most *wait_s*."""

    name: str
    width: int
    wait_s: float
    _limiter: list[CapacityLimiter] = field(default_factory=list)

    async def ask(self, request: Request, work: Callable[[Errand], T], errand: Errand | None = None) -> T:
        """What *work* returns, in a thread; if the asker of *request* leaves meanwhile, it is given up.

        An *errand* of several steps is begun once and handed over with each. Raise `BusyError` if it was not
        begun in time.
        """
        limiter = self._limits()
        try:
            with anyio.fail_after(self.wait_s):
                await limiter.acquire_on_behalf_of(request)
        except TimeoutError:
            raise BusyError(
                f"{self.width} {self.name} are being answered, and others wait: ask again in a moment."
            ) from None
        errand = errand or Errand()
        watching = asyncio.create_task(_gone(request, errand))
        try:
            # The place is held until the thread is done: who leaves must not make room for more work.
            return await run_sync(work, errand, limiter=CapacityLimiter(1))
        finally:
            watching.cancel()
            limiter.release_on_behalf_of(request)

    def _limits(self) -> CapacityLimiter:
        if not self._limiter:  # it belongs to the loop that uses it first
            self._limiter.append(CapacityLimiter(self.width))
        return self._limiter[0]


async def _gone(request: Request, errand: Errand) -> None:
    """Give *errand* up once the asker of *request* has left."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    errand.give_up()


@dataclass(frozen=True, eq=False)
class Lanes:
    """The lanes of one API."""

    # What every page asks each second, from memory.
    quick: Lane = field(default_factory=lambda: Lane("small questions", 8, 10))
    # What is stuck, which is computed once for all who ask meanwhile.
    stuck: Lane = field(default_factory=lambda: Lane("questions for what is stuck", 4, 10))
    # Lists, which take longer with every stored flow.
    lists: Lane = field(default_factory=lambda: Lane("lists", 4, 10))
    # One flow, its spans, the map and files: a second each, or more.
    large: Lane = field(default_factory=lambda: Lane("large questions", 2, 10))
