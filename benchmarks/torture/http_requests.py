"""Does anything that comes over a connection break the server? Raw requests, mutated, in pieces.

They go into the connections that the collector's own server makes, over a transport that keeps what is
answered: the kernel's part is left out, the parser, the limits and the application are not.
"""

import asyncio
import gzip
import logging
import random
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from collector.config import Config
from collector.counters import Counters
from collector.formats.otlp import Encoding
from collector.ingest.intake import Accepted
from collector.ingest.receivers.http import http_app
from collector.web.budget import Budget, Share
from collector.web.patience import Patience, protocol

_LONG_S = 5.0


class _Taking:
    """An intake that takes everything: what is tried is what comes before it."""

    def __init__(self) -> None:
        self.budget = Budget(2**30)

    def refuse_early(self) -> None:
        """Refuse nothing."""

    async def accept(self, data: bytes, encoding: Encoding, share: Share, *, logs: bool = False) -> Accepted:
        """Say that all is kept."""
        return Accepted()


class _Answers(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self._is_closed = False

    def write(self, data: Any) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self._is_closed

    def close(self) -> None:
        self._is_closed = True

    def abort(self) -> None:
        self._is_closed = True

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self._is_closed = True

    def pause_reading(self) -> None:
        """Everything is there already."""

    def resume_reading(self) -> None:
        """Everything is there already."""


class _Heard(logging.Handler):
    """What was logged as an error: the application failed."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(f"{record.getMessage()} {record.exc_info and record.exc_info[1]!r}")


class Connections:
    """Connections to a collector's HTTP receiver, one after the other."""

    def __init__(self, heard: _Heard) -> None:
        app = http_app(_Taking(), Config(), Counters())  # type: ignore[arg-type]
        self._config = uvicorn.Config(app, loop="none", lifespan="off", access_log=False, log_config=None)
        self._config.load()
        self._make: Any = protocol(Patience(), lambda reason: None)
        self._heard = heard

    async def send(self, pieces: Sequence[bytes]) -> str:
        """Send these *pieces*, and hang up; return what went wrong, empty if nothing did."""
        state, answers = ServerState(), _Answers()
        connection = self._make(config=self._config, server_state=state, app_state={})
        connection.connection_made(answers)
        for piece in pieces:
            connection.data_received(piece)
            await asyncio.sleep(0)
        connection.eof_received()
        connection.connection_lost(None)
        try:
            async with asyncio.timeout(_LONG_S):
                while state.tasks:
                    await asyncio.gather(*state.tasks, return_exceptions=True)
        except TimeoutError:
            return "the application goes on after its sender has left"
        if self._heard.said:
            return self._heard.said[0]
        if answers.written and not answers.written.startswith(b"HTTP/1.1 "):
            return f"the answer is {bytes(answers.written[:80])!r}"
        return "a 5xx" if answers.written[9:10] == b"5" else ""


@contextmanager
def connections() -> Iterator[Connections]:
    """Connections, of which whatever is logged as an error is heard."""
    heard = _Heard()
    loggers = [logging.getLogger(name) for name in ("uvicorn.error", "asyncio", "collector")]
    kept = [(one, one.propagate) for one in loggers]
    for one in loggers:
        one.addHandler(heard)
        one.propagate = False
    try:
        yield Connections(heard)
    finally:
        for one, propagate in kept:
            one.removeHandler(heard)
            one.propagate = propagate


def in_pieces(rng: random.Random, body: bytes) -> list[bytes]:
    """*body*, cut in up to three."""
    cuts = sorted(rng.randrange(len(body) + 1) for _ in range(rng.randrange(3)))
    return [body[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]


def requests(bodies: Sequence[bytes], json: bytes) -> list[bytes]:
    """Sound requests of every kind that a sender may make."""
    one = bodies[0]
    packed = gzip.compress(one)
    chunked = b"%x;a=b\r\n%b\r\n0\r\nx-end: 1\r\n\r\n" % (len(one), one)
    made = [_post(body) for body in bodies]
    return [
        *made,
        made[0] + made[1],
        _post(packed, b"content-encoding: gzip\r\n"),
        _post(zlib.compress(one), b"content-encoding: deflate\r\nexpect: 100-continue\r\n"),
        _post(json, b"origin: http://localhost:3000\r\n", kind=b"application/json"),
        _post(chunked, b"transfer-encoding: chunked\r\n", length=False),
        _post(one, b"authorization: Bearer 0123456789abcdef\r\nupgrade: h2c\r\nconnection: upgrade\r\n"),
        _post(b"", path=b"/v1/metrics"),
        _post(b"{}", kind=b"application/json", path=b"http://localhost/v1/logs?a=%20b#c"),
        b"GET /healthz HTTP/1.0\r\nconnection: keep-alive\r\n\r\n",
        b"OPTIONS /v1/traces HTTP/1.1\r\norigin: http://x\r\naccess-control-request-method: POST\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ]


def _post(
    body: bytes,
    more: bytes = b"",
    *,
    kind: bytes = b"application/x-protobuf",
    path: bytes = b"/v1/traces",
    length: bool = True,
) -> bytes:
    said = b"content-length: %d\r\n" % len(body) if length else b""
    return b"POST %b HTTP/1.1\r\nhost: localhost\r\ncontent-type: %b\r\n%b%b\r\n%b" % (
        path, kind, more, said, body,
    )  # fmt: skip
