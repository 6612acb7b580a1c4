"""Do small questions wait for large ones, and does anybody work for an asker who has left?"""

import asyncio
import threading
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from collector.api.lanes import BusyError, Lane
from collector.queries import Errand, GivenUpError
from collector.web.unread import ReadInTime


class Asker:
    """Somebody who asks, and may leave."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.request = Request({"type": "http", "method": "GET", "path": "/", "headers": []}, self._receive)

    async def _receive(self) -> dict[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}


async def test_lane_that_is_full_says_so_and_another_one_answers() -> None:
    """A question that waits for longer than its asker does is work for nobody."""
    large, small = Lane("large questions", 1, 0.2), Lane("small questions", 1, 5)
    release = threading.Event()
    first = asyncio.create_task(large.ask(Asker().request, lambda errand: release.wait(30)))
    await asyncio.sleep(0.1)

    with pytest.raises(BusyError, match="1 large questions are being answered"):
        await large.ask(Asker().request, lambda errand: None)

    assert await small.ask(Asker().request, lambda errand: 7) == 7
    release.set()
    assert await first
    assert await large.ask(Asker().request, lambda errand: 8) == 8


async def test_work_for_an_asker_who_has_left_is_given_up() -> None:
    asker, begun = Asker(), threading.Event()

    def work(errand: Errand) -> None:
        begun.set()
        while True:
            errand.check()

    asked = asyncio.create_task(Lane("questions", 1, 1).ask(asker.request, work))
    await asyncio.to_thread(begun.wait, 10)
    asker.left.set()

    with pytest.raises(GivenUpError):
        await asyncio.wait_for(asked, 10)


def scope() -> dict[str, Any]:
    return {"type": "http", "method": "GET", "path": "/", "headers": []}


async def never() -> Any:
    await asyncio.Event().wait()


async def test_answer_that_nobody_reads_is_dropped() -> None:
    """Its bytes would stay in memory until the connection ends, which may be never."""
    sent = []

    async def send(message: Any) -> None:
        sent.append(message)
        if len(sent) > 2:  # the buffers are full
            await asyncio.Event().wait()

    app = ReadInTime(Response(b"x" * 3_000_000), piece_s=0.1)

    await asyncio.wait_for(app(scope(), never, send), 10)

    assert len(sent) == 3
    assert max(len(message.get("body", b"")) for message in sent) == 256 * 1024
    assert app._held == 0


async def test_large_answers_have_a_limit_together() -> None:
    reading = asyncio.Event()

    async def slow(message: Any) -> None:
        await reading.wait()

    app = ReadInTime(Response(b"x" * 3_000_000), most=5_000_000)
    first = asyncio.create_task(app(scope(), never, slow))
    await asyncio.sleep(0)
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope(), never, send)

    assert sent[0]["status"] == 503
    assert (b"retry-after", b"5") in sent[0]["headers"]
    reading.set()
    await first
    sent.clear()
    await app(scope(), never, send)
    assert sent[0]["status"] == 200
    assert sum(len(message.get("body", b"")) for message in sent) == 3_000_000
