"""How is NATS asked a question? Never more often than is allowed, and each failure is one of three kinds."""

import asyncio
import contextlib
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error, NoRespondersError
from nats.errors import TimeoutError as NatsTimeout

_ANSWER_S = 3.0
_MORE_S = 0.3  # after one server's answer, for that of another
_REFUSED = re.compile(r"permissions violation for (publish|subscription) to \"?([^\s\"]+)", re.IGNORECASE)

_Answer = TypeVar("_Answer")


class AskError(Exception):
    """NATS did not answer in time, or not in a form that can be read."""


class RefusedError(AskError):
    """The user may not ask this."""


class NobodyError(AskError):
    """There is nobody who would answer: no JetStream, or no such service for this user."""


class Budget:
    """Lets so many requests pass in a second, evenly after the first few. Use it within one event loop."""

    def __init__(self, each_s: float, now: Callable[[], float]) -> None:
        self._pause, self._now = 1 / each_s, now
        self._free_from = 0.0
        self.spent = 0

    async def take(self) -> None:
        """Return once one more request may be sent."""
        now = self._now()
        self._free_from = max(self._free_from, now) + self._pause
        self.spent += 1
        await asyncio.sleep(max(0.0, self._free_from - self._pause - now))


class Asking:
    """Asks over one connection."""

    def __init__(self, client: Client, budget: Budget, inbox: str) -> None:
        self._client, self._budget, self._inbox = client, budget, inbox
        self._waiting: dict[str, asyncio.Future[Msg]] = {}
        self._may_not_hear: set[str] = set()  # subjects to which subscribing was refused, in lower case

    def heard(self, error: Exception) -> None:
        """Take note of what the server complains about: nats-py would let the request wait in vain.

        nats-py gives the subject in lower case.
        """
        found = _REFUSED.search(str(error))
        if found is None:
            return
        what, subject = found[1].lower(), found[2]
        if what == "subscription":
            self._may_not_hear.add(subject.casefold())
            if subject.casefold().startswith(self._inbox.casefold()):
                for waiting in self._waiting.values():
                    _fail(waiting, RefusedError(f"may not subscribe to {subject}"))
        elif subject.casefold() in self._waiting:
            _fail(self._waiting[subject.casefold()], RefusedError(f"may not publish to {subject}"))

    def unheard(self, subjects: Iterable[str]) -> list[str]:
        """Those of *subjects* to which subscribing was refused."""
        return [one for one in subjects if one.casefold() in self._may_not_hear]

    async def one(self, subject: str, body: bytes, kind: type[_Answer]) -> _Answer:
        """The answer to a question that one server answers; raise `AskError` if there is none."""
        await self._budget.take()
        refused: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()
        self._waiting[subject.casefold()] = refused
        asked = asyncio.ensure_future(self._client.request(subject, body, timeout=_ANSWER_S))
        try:
            await asyncio.wait([asked, refused], return_when=asyncio.FIRST_COMPLETED)
            answer = refused.result() if refused.done() else asked.result()
        except NoRespondersError as error:
            raise NobodyError(f"nobody answers {subject}") from error
        except (Error, NatsTimeout, TimeoutError, asyncio.CancelledError, OSError) as error:
            if isinstance(error, asyncio.CancelledError) and not asked.cancelled():
                raise
            raise AskError(f"no answer to {subject} within {_ANSWER_S:.0f} s") from error
        finally:
            self._waiting.pop(subject.casefold(), None)
            asked.cancel()
            with contextlib.suppress(BaseException):
                await asked
        return _read(answer.data, kind)

    async def every(self, subject: str, body: bytes, kind: type[_Answer], expected: int) -> list[_Answer]:
        """The answers of all servers: of as many as are *expected*, or until no more come."""
        await self._budget.take()
        inbox = self._client.new_inbox()
        answers: asyncio.Queue[bytes | None] = asyncio.Queue(1_000)

        async def take(message: Msg) -> None:
            with contextlib.suppress(asyncio.QueueFull):
                answers.put_nowait(None if (message.headers or {}).get("Status") == "503" else message.data)

        refused: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()
        self._waiting[subject.casefold()] = refused
        subscription = None
        found: list[_Answer] = []
        try:
            subscription = await self._client.subscribe(inbox, cb=take)
            await self._client.publish(subject, body, reply=inbox)
            while True:
                enough = len(found) >= expected
                said = await _first(answers, refused, _MORE_S if enough else _ANSWER_S)
                if said is None:
                    break
                if said == b"":
                    raise NobodyError(f"nobody answers {subject}")
                found.append(_read(said, kind))
        except (Error, OSError) as error:
            raise AskError(f"{subject} could not be asked") from error
        finally:
            self._waiting.pop(subject.casefold(), None)
            refused.cancel()
            if subscription is not None:
                with contextlib.suppress(Error, OSError):
                    await subscription.unsubscribe()
        if not found:
            raise AskError(f"no answer to {subject} within {_ANSWER_S:.0f} s")
        return found


async def _first(
    answers: "asyncio.Queue[bytes | None]", refused: "asyncio.Future[Msg]", within_s: float
) -> bytes | None:
    """The next answer, empty if nobody would give one; None if there is none in time."""
    getting = asyncio.ensure_future(answers.get())
    either: set[asyncio.Future[Any]] = {getting, refused}
    try:
        await asyncio.wait(either, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        if refused.done():
            refused.result()
        if not getting.done():
            return None
        return getting.result() or b""
    finally:
        getting.cancel()


def _fail(waiting: "asyncio.Future[Msg]", error: AskError) -> None:
    if not waiting.done():
        waiting.set_exception(error)
        waiting.exception()  # looked at: whoever waited may be gone


def _read(body: bytes, kind: type[_Answer]) -> _Answer:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise AskError(f"an answer that cannot be read: {error}") from error
