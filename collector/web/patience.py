"""How long does a server wait for whoever is connected, and for how many at a time?

Whoever sends nothing, or a byte now and then, costs a connection, and memory for what has come so far. So
each part of a request has its time, and connections are limited. At the limit, the one that has waited
longest without a request makes room: those who only hold connections cannot keep others out.
"""

import asyncio
import resource
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_SPARE = 256  # descriptors for the store, the log and the other servers
_FRAMING = 16  # bytes around each byte of a body, at most: a chunk of one byte has five
_LINGER_S = 2.0  # for whoever still sends a body that was refused: closed at once, they might miss the answer


@dataclass(frozen=True)
class Patience:
    """The limits of one server; times in seconds."""

    connections: int = 1_024
    header_s: float = 10.0  # from the first byte of a request, or from connecting, to the end of its header
    header_bytes: int = 64 * 1024
    idle_s: float = 75.0  # between two requests; exporters send more often
    unread_s: float = 60.0  # for an answer that the other side does not read


def descriptors(wanted: int) -> int:
    """*wanted* connections, or as many as there may be open files for; raises the limit of those first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and (hard == resource.RLIM_INFINITY or soft < hard):
        raised = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
        soft = max(soft, raised)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY:
        return wanted
    return max(min(wanted, (soft - _SPARE) // 4), 16)


def protocol(patience: Patience, refused: Callable[[str], None]) -> type[HttpToolsProtocol]:
    """The class of connections that uvicorn makes; *refused* is told why a connection was closed by us."""
    return type("PatientConnection", (_Connection,), {"patience": patience, "refused": staticmethod(refused)})


class _TooLongError(Exception):
    pass


class _Connection(HttpToolsProtocol):
    patience: Patience
    refused: Callable[[str], None]

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._timer: asyncio.TimerHandle | None = None  # for what is waited for now
        self._unread: asyncio.TimerHandle | None = None
        self._since = self.loop.time()  # when the wait began
        self._in_header = False
        self._whole = True  # the current request has arrived completely
        self._is_over = False  # it was refused: nothing more is read
        self._header_bytes = self._body_bytes = self._other_bytes = 0  # of the current request
        self._fields = 0  # bytes of its fields

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.patience.connections and not self._makes_room():
            self.refused("connections")
            self._refuse(b"503 Service Unavailable", b"Too many connections: try again in some seconds.")
            return
        self._wait(self.patience.header_s)

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._timer, self._unread):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_over or self.transport.is_closing():
            return
        if self._whole:
            self._header_bytes += len(data)
        else:
            self._other_bytes += len(data)
        # A field, or a chunk's extension, that never ends: nothing of it has been given to us yet.
        if self._header_bytes > self.patience.header_bytes + len(data) or (
            self._other_bytes > self.patience.header_bytes + len(data) + _FRAMING * self._body_bytes
        ):
            self._too_long()
            return
        super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_header, self._fields = True, 0
        if self._is_idle():
            self._wait(self.patience.header_s)

    def on_url(self, url: bytes) -> None:
        self._count_field(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count_field(name + value)  # trailers come here, too
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._in_header = self._whole = False
        self._header_bytes = self._body_bytes = self._other_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._whole = True
        super().on_message_complete()
        if not self.transport.is_closing() and self._is_idle():  # it was answered before its end
            self._wait(self.patience.idle_s)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._unset_keepalive_if_required()
        if not self.transport.is_closing() and self._is_idle():
            patience = self.patience
            usual = patience.header_s if self._in_header else patience.idle_s
            self._wait(usual if self._whole else _LINGER_S)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, or has too long a header."""
        if not self._is_over and not self.transport.is_closing():
            self.refused("not_http")
            super().send_400_response(msg)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(self.patience.unread_s, self._abandon)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _is_idle(self) -> bool:
        """Whether no request is being answered."""
        return not self.pipeline and (self.cycle is None or self.cycle.response_complete)

    def _wait(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._since = self.loop.time()
        self._timer = self.loop.call_later(seconds, self._close)

    def _close(self) -> None:
        if not self.transport.is_closing():
            if self._in_header:
                self.refused("slow")
            self.transport.close()

    def _abandon(self) -> None:
        self.refused("unread")
        self.transport.abort()

    def _makes_room(self) -> bool:
        """Close the connection that has waited longest without a request; False if none waits."""
        waiting = [
            one
            for one in self.connections
            if isinstance(one, _Connection)
            and one is not self
            and one._is_idle()
            and not one.transport.is_closing()
        ]
        if not waiting:
            return False
        self.refused("made_room")
        min(waiting, key=lambda one: one._since).transport.abort()
        return True

    def _count_field(self, field: bytes) -> None:
        self._fields += len(field)
        if self._fields > self.patience.header_bytes:
            self._too_long()
            raise _TooLongError

    def _too_long(self) -> None:
        self.refused("long_header")
        self._refuse(b"431 Request Header Fields Too Large", b"The header is too long.")

    def _refuse(self, status: bytes, said: bytes) -> None:
        if self._is_over:
            return
        head = b"HTTP/1.1 %b\r\ncontent-type: text/plain\r\nretry-after: 2\r\nconnection: close\r\n" % status
        self.transport.write(head + b"content-length: %d\r\n\r\n%b" % (len(said), said))
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()
        # Closed while something unread is there, the answer would be lost.
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._timer = self.loop.call_later(_LINGER_S / 4, self.transport.abort)
