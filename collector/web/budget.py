"""How many bytes of requests does the collector hold, from the first byte of each until it is answered?

A body that is still arriving is in memory as well: if it were counted only once it is whole, any number of
half-sent ones would be outside every limit. If there is no room left, those that have been arriving for long
give way: slow senders cannot keep others out.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Self

_FULL = "Too many requests wait already."
_TOO_SLOW = "The request came too slowly while many others were waiting."
_SLOW_S = 2.0  # a body that has been arriving for longer gives way


class OverloadError(Exception):
    """Too many requests are waiting: the sender should retry in a few seconds."""


class Budget:
    """The bytes of all requests together. Use it within one event loop."""

    def __init__(self, limit: int, refused: Callable[[], None] = lambda: None) -> None:
        """At most *limit* bytes; *refused* is called for each request that finds no room."""
        self.held = 0
        self.limit = limit  # it may change: what is held already stays
        self._refused = refused
        self._arriving: dict[Share, None] = {}  # in order of their beginning

    def share(self) -> "Share":
        """The part of one request, which has no bytes yet. Use it in a `with` statement."""
        return Share(self)

    def require_room(self) -> None:
        """Raise `OverloadError` if even those that have arrived leave no room for another request.

        Those that are still arriving may give way, so they do not count.
        """
        if self.held >= self.limit and self.held - sum(one.size for one in self._arriving) >= self.limit:
            raise self.refusal(_FULL)

    def take(self, share: "Share", size: int) -> None:
        """Add *size* bytes to *share*; raise `OverloadError` if there is no room for them.

        A request alone may be larger than the limit.
        """
        others = self.held - share.size
        if others and self.held + size > self.limit and not self._makes_room(share, size):
            raise self.refusal(_FULL)
        share.size += size
        self.held += size

    def give_back(self, share: "Share", size: int) -> None:
        """Take *size* bytes from *share*."""
        size = min(size, share.size)
        share.size -= size
        self.held -= size

    def refusal(self, why: str) -> OverloadError:
        """The error to raise for a request that finds no room, which is counted."""
        self._refused()
        return OverloadError(why)

    def begin(self, share: "Share") -> None:
        """Note that the body of *share* is arriving."""
        self._arriving[share] = None

    def end(self, share: "Share") -> None:
        """Note that the body of *share* has arrived, or will not."""
        self._arriving.pop(share, None)

    def _makes_room(self, wanted: "Share", size: int) -> bool:
        """Let the oldest slow bodies give way until there is room; False if they are too few."""
        before = asyncio.get_running_loop().time() - _SLOW_S
        slow = [one for one in self._arriving if one is not wanted and one.since < before and one.size]
        if self.held + size - sum(one.size for one in slow) > self.limit:
            return False
        for one in slow:
            if self.held + size <= self.limit:
                break
            one.give_way()
        return True


class Share:
    """What one request holds of the budget."""

    def __init__(self, budget: Budget) -> None:
        self.size = 0
        self.since = asyncio.get_running_loop().time()
        self._budget = budget
        self._deadline: asyncio.Timeout | None = None
        self._gave_way = self._kept = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._budget.end(self)
        if not self._kept:
            self._budget.give_back(self, self.size)

    def keep_until(self, answer: "asyncio.Future[Any]") -> None:
        """Hold the bytes until *answer* is there, even if nobody waits for it any more."""
        self._kept = True
        answer.add_done_callback(self._answered)

    def _answered(self, answer: "asyncio.Future[Any]") -> None:
        self._budget.give_back(self, self.size)
        if not answer.cancelled():
            answer.exception()  # the sender may have hung up: nobody else asks for it

    def grow(self, size: int) -> None:
        """Count *size* more bytes; raise `OverloadError` if there is no room for them."""
        if self._gave_way:
            raise self._budget.refusal(_TOO_SLOW)
        self._budget.take(self, size)

    def settle(self, size: int) -> None:
        """Count *size* bytes instead of those so far: the body was inflated."""
        if size > self.size:
            self.grow(size - self.size)
        else:
            self._budget.give_back(self, self.size - size)

    @contextlib.asynccontextmanager
    async def arriving(self) -> AsyncIterator[None]:
        """While the body arrives; raise `OverloadError` if it must give way to others."""
        self._budget.begin(self)
        try:
            async with asyncio.timeout(None) as self._deadline:
                yield
        except TimeoutError:
            if not self._gave_way:
                raise
            raise self._budget.refusal(_TOO_SLOW) from None
        finally:
            self._deadline = None
            self._budget.end(self)

    def give_way(self) -> None:
        """Stop to wait for the rest of the body; what has come of it is not kept."""
        self._gave_way = True
        self._budget.end(self)
        self._budget.give_back(self, self.size)
        if self._deadline is not None:
            self._deadline.reschedule(asyncio.get_running_loop().time())
