"""Opens ports, and runs the servers on them."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

from collector.config import ConfigError, shown, variable
from collector.web.certificates import Certificates
from collector.web.patience import Patience, protocol

# Which program probably holds our port.
_HOLDERS = {
    4317: "another collector, or Jaeger or the OpenTelemetry Collector, holds it",
    4318: "another collector, or Jaeger or the OpenTelemetry Collector, holds it",
}

_HANDSHAKE_S = 10  # as long as for the header of a request


class PortError(Exception):
    """A port that cannot be opened, explained in one line."""

    def __init__(self, bind: str, port: int, variable: str, reason: str) -> None:
        holder = _HOLDERS.get(port, "another collector or another program holds it")
        super().__init__(
            f"Port {port} on {bind} cannot be opened ({reason}): probably {holder}."
            f" Stop that one, or choose another port for ours with {variable}."
        )


def address(bind: str, port: int) -> str:
    """*bind* and *port* as one address, for URLs and for gRPC."""
    return f"[{bind}]:{port}" if ":" in bind else f"{bind}:{port}"


def resolved(bind: str) -> str:
    """The IP address of *bind*; raise `ConfigError` unless it is one of this machine."""
    try:
        found = socket.getaddrinfo(bind, 0, type=socket.SOCK_STREAM)
        # Of a name with addresses of both kinds, IPv4, which every client can reach.
        family, *_, where = min(found, key=lambda one: one[0] != socket.AF_INET)
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind(where)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no host name"
        raise ConfigError(
            f"{variable('bind')} is '{shown(bind)}' ({reason}): expected an IP address of this machine,"
            " such as 127.0.0.1 or ::1, without brackets, or a host name that stands for one."
        ) from error
    return str(where[0])


def listen(bind: str, port: int, variable: str) -> socket.socket:
    """Open a listening socket; raise `PortError`, which names the *variable* that sets another port."""
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((bind, port))
        opened.listen(1024)
    except OSError as error:
        opened.close()
        raise PortError(bind, port, variable, error.strerror or str(error)) from error
    return opened


class HttpServer(uvicorn.Server):
    """An ASGI application on a socket, until it is told to stop; others handle the signals."""

    def __init__(
        self,
        app: Any,
        opened: socket.socket,
        tls: Certificates | None = None,
        patience: Patience | None = None,
        refused: Callable[[str], None] = lambda reason: None,
    ) -> None:
        """*refused* is called with the reason for each connection that is closed because of its sender."""
        super().__init__(
            uvicorn.Config(
                app,
                http=protocol(patience or Patience(), refused),
                loop="none",
                lifespan="off",
                access_log=False,
                log_level="error",  # a warning for each request that is no HTTP would fill the log
                server_header=False,
                date_header=False,
                timeout_graceful_shutdown=5,
                ssl_context_factory=(lambda *_: tls.context) if tls else None,
            )
        )
        self._socket = opened
        self._running: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the process's signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen on *sockets*. uvicorn's own would wait a minute for a TLS handshake."""
        loop, config = asyncio.get_running_loop(), self.config
        await self.lifespan.startup()

        def connection(_loop: asyncio.AbstractEventLoop | None = None) -> Any:
            state = self.lifespan.state
            make: Any = config.http_protocol_class
            return make(config=config, server_state=self.server_state, app_state=state, _loop=_loop)

        patience = _HANDSHAKE_S if config.ssl else None
        self.servers = [
            await loop.create_server(
                connection,
                sock=opened,
                ssl=config.ssl,
                ssl_handshake_timeout=patience,
                backlog=config.backlog,
            )
            for opened in sockets or []
        ]
        self.started = True

    async def start(self) -> None:
        """Return once it answers requests."""
        self._running = asyncio.create_task(self.serve(sockets=[self._socket]))
        while not self.started and not self._running.done():  # noqa: ASYNC110  # uvicorn sets a flag only
            await asyncio.sleep(0.005)
        if not self.started:
            await self.ended()

    async def ended(self) -> None:
        """Return when it has stopped serving, for whatever reason; raise the error that ended it."""
        if self._running is not None:
            await asyncio.shield(self._running)

    async def stop(self) -> None:
        """Accept no more requests; return once the current ones are answered."""
        self.should_exit = True
        if self._running is not None:
            await self._running
