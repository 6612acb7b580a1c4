"""Senders that begin and do not end: raw bytes on a socket, over HTTP and over gRPC."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Iterable
from typing import TypeAlias

Connection: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS, _PING, _WINDOW_UPDATE = 0, 1, 4, 6, 8
_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@contextlib.asynccontextmanager
async def connected(port: int) -> AsyncIterator[Connection]:
    """A connection of one's own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def answer_of(connection: Connection, within_s: float = 10) -> bytes:
    """All that comes until the other side closes."""
    with contextlib.suppress(ConnectionError):
        return await asyncio.wait_for(connection[0].read(), within_s)
    return b""


def http_head(size: int, path: str = "/v1/traces", more: Iterable[str] = ()) -> bytes:
    """The header of a request with a body of *size* bytes."""
    lines = [
        f"POST {path} HTTP/1.1",
        "host: 127.0.0.1",
        "content-type: application/x-protobuf",
        f"content-length: {size}",
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


class HalfCall:
    """A gRPC call whose message has *size* bytes, of which *sent* come, as fast as the other side allows."""

    def __init__(self, connection: Connection, size: int, sent: int) -> None:
        self._reader, self._writer = connection
        self._left, self.size = sent, size
        self._window = {0: 65_535, 1: 65_535}
        self._settled = 65_535
        self.answered = asyncio.Event()

    async def run(self) -> None:
        """Send what is allowed, until the other side ends the call or closes."""
        fields = {
            ":method": "POST",
            ":scheme": "http",
            ":path": _EXPORT,
            ":authority": "127.0.0.1",
            "te": "trailers",
            "content-type": "application/grpc",
        }
        head = b"".join(_literal(name) + _literal(value, first=b"") for name, value in fields.items())
        self._writer.write(_PREFACE + _frame(_SETTINGS, 0, 0, b"") + _frame(_HEADERS, 4, 1, head))
        self._data(b"\0" + struct.pack(">I", self.size))
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                self._push()
                await self._writer.drain()
                await self._next()

    def _push(self) -> None:
        while (size := min(self._left, self._window[0], self._window[1], 16_384)) > 0:
            self._data(bytes(size))
            self._left -= size

    def _data(self, data: bytes) -> None:
        self._writer.write(_frame(_DATA, 0, 1, data))
        for stream in (0, 1):
            self._window[stream] -= len(data)

    async def _next(self) -> None:
        head = await self._reader.readexactly(9)
        size, kind, flags = int.from_bytes(head[:3]), head[3], head[4]
        stream = int.from_bytes(head[5:]) & 0x7FFFFFFF
        body = await self._reader.readexactly(size)
        if kind == _WINDOW_UPDATE and stream in self._window:
            self._window[stream] += int.from_bytes(body) & 0x7FFFFFFF
        elif kind == _SETTINGS and not flags & 1:
            for place in range(0, size, 6):
                if int.from_bytes(body[place : place + 2]) == 4:
                    value = int.from_bytes(body[place + 2 : place + 6])
                    self._window[1] += value - self._settled
                    self._settled = value
            self._writer.write(_frame(_SETTINGS, 1, 0, b""))
        elif kind == _PING and not flags & 1:
            self._writer.write(_frame(_PING, 1, 0, body))
        elif kind == _HEADERS and stream == 1:
            self.answered.set()


def _frame(kind: int, flags: int, stream: int, body: bytes) -> bytes:
    return len(body).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + body


def _literal(text: str, first: bytes = b"\0") -> bytes:
    """A field's name or value in HPACK, without its table; *first* begins a field."""
    assert len(text) < 127
    return first + bytes([len(text)]) + text.encode()
