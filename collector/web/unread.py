"""What does an answer hold that nobody reads? As little as possible, and not for long."""

import asyncio
from collections.abc import Mapping

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PIECE = 256 * 1024  # bytes that are handed to the connection at once
_LARGE = 1024 * 1024  # smaller answers are not counted


class BrokenOffError(Exception):
    """The rest of an answer does not come: its connection is closed, so that its reader knows."""


class UnreadError(BrokenOffError):
    """The asker does not read the answer."""


class ReadInTime:
    """Sends answers in pieces, and drops those of which a piece is not taken within *piece_s*.

    Large answers have at most *most* bytes together; another one is refused with 503 meanwhile.
    """

    def __init__(self, app: ASGIApp, piece_s: float = 30, most: int = 128 * 1024 * 1024) -> None:
        self._app, self._piece_s, self._most = app, piece_s, most
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application around another one."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        held = 0

        async def in_pieces(message: Message) -> None:
            nonlocal held
            if message["type"] == "http.response.start":
                size = _length(message)
                if size > _LARGE:
                    if self._held + size > self._most:
                        raise _FullError
                    held = size
                    self._held += size
                await send(message)
                return
            body, more = memoryview(message.get("body", b"")), bool(message.get("more_body", False))
            for start in range(0, max(len(body), 1), _PIECE):
                piece = bytes(body[start : start + _PIECE])
                last = start + _PIECE >= len(body)
                await self._sent(
                    send, {"type": "http.response.body", "body": piece, "more_body": more or not last}
                )

        try:
            await self._app(scope, receive, in_pieces)
        except _FullError:
            said = "Large answers are being sent that nobody reads yet: ask again in a moment."
            await JSONResponse({"error": said}, 503, {"Retry-After": "5"})(scope, receive, send)
        except BrokenOffError:
            return  # the server closes a connection whose answer is not complete
        finally:
            self._held -= held

    async def _sent(self, send: Send, message: Mapping[str, object]) -> None:
        try:
            async with asyncio.timeout(self._piece_s):
                await send(dict(message))
        except TimeoutError:
            raise UnreadError from None


class _FullError(Exception):
    """There is no room for another large answer."""


def _length(start: Message) -> int:
    headers = dict(start.get("headers", ()))
    return int(headers.get(b"content-length", b"0"))
