"""The fault control: a small HTTP API on loopback that breaks services and mends them."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from . import faults
from .settings import LOOPBACK, SettingError
from .supervisor import NoBroker, Supervisor

BODY_LIMIT = 16 * 1024

Handler = Callable[[Request], Awaitable[Response]]


class PortTaken(SettingError):  # noqa: N818 -- it says what happened
    """Another process holds the control's port; the text says what to do."""


def bind(host: str, port: int) -> socket.socket:
    """The socket to serve on; raise `PortTaken` if another process holds the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise PortTaken(
            f"port {port} on {host} is taken, most likely by another shop: "
            "stop that one, or move this with --control 127.0.0.1:PORT or CHOREOSCOPE_SHOP."
        ) from error
    return listening


def app(supervisor: Supervisor) -> ASGIApp:
    """The API over *supervisor*."""

    async def show(_: Request) -> Response:
        return JSONResponse(supervisor.describe())

    async def put(request: Request) -> Response:
        name = request.path_params["service"]
        fault = faults.parse(await _json(request))
        await supervisor.break_service(name, fault)
        return JSONResponse(supervisor.describe_service(name))

    async def delete(request: Request) -> Response:
        name = request.path_params["service"]
        await supervisor.mend(name)
        return JSONResponse(supervisor.describe_service(name))

    def known(handler: Handler) -> Handler:
        async def checked(request: Request) -> Response:
            name = request.path_params["service"]
            if name not in supervisor.names:
                return _error(404, f"service is {name!r}: expected one of {', '.join(supervisor.names)}.")
            try:
                return await handler(request)
            except faults.FaultError as error:
                return _error(400, str(error))
            except NoBroker as error:
                return _error(503, str(error))

        return checked

    routes = [
        Route("/faults", show, methods=["GET"]),
        Route("/faults/{service}", known(put), methods=["PUT"]),
        Route("/faults/{service}", known(delete), methods=["DELETE"]),
    ]
    return _NoForeignPages(Starlette(routes=routes))


class _NoForeignPages:
    """Refuses what a web page may have sent: there is no page of ours here, only programs ask.

    A browser says which page sends a request, and a name of that page's own in the Host header.
    """

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            if headers.getlist("origin") or headers.get("sec-fetch-site", "none").strip().lower() != "none":
                said = "A web page sent this request: expected one of a program, without Origin."
                await _error(403, said)(scope, receive, send)
                return
            host = headers.get("host", "")
            if not _is_loopback(host):
                await _error(400, f"Host is {host[:80]!r}: expected a loopback name.")(scope, receive, send)
                return
        await self._inner(scope, receive, send)


def _is_loopback(host: str) -> bool:
    try:
        return urlsplit(f"//{host}").hostname in LOOPBACK
    except ValueError:
        return False


async def _json(request: Request) -> object:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > BODY_LIMIT:
            raise faults.FaultError(f"the body is longer than {BODY_LIMIT} bytes.")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise faults.FaultError(f"the body is no JSON: {error}") from error


def _error(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"error": sentence}, status_code=status)


class _Server(uvicorn.Server):
    """A server that leaves the signals to the supervisor."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


async def serve(supervisor: Supervisor, listening: socket.socket, stop: asyncio.Event) -> None:
    """Serve the API on *listening* until *stop* is set."""
    config = uvicorn.Config(app(supervisor), log_level="error", access_log=False, lifespan="off")
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    await stop.wait()
    server.should_exit = True
    await serving
