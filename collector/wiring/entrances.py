"""Through which ports do others come in, who may, and which server answers on each?"""

import socket
from collections.abc import Callable
from dataclasses import dataclass

from grpc.aio import Server

from collector import log_lines
from collector.api.app import api_app
from collector.config import Config, variable
from collector.counters import Counters
from collector.ingest.intake import Intake
from collector.ingest.receivers.grpc import grpc_server
from collector.ingest.receivers.http import http_app
from collector.live.runner import Live
from collector.model.answers import Otlp
from collector.queries import Reader
from collector.web.certificates import Certificates, certificates
from collector.web.patience import Patience, descriptors
from collector.web.serving import HttpServer, PortError, address, listen, resolved
from collector.web.tokens import Access
from collector.wiring.signs import Signs

_CONNECTIONS = 1_024  # of senders over HTTP, and as many over gRPC


@dataclass(frozen=True)
class Guard:
    """Who may come in: with which tokens, and through which TLS."""

    access: Access
    tls: Certificates | None


def guard_of(config: Config) -> Guard:
    """Who may come in by *config*; raise `ConfigError` if that is not safe, or cannot be."""
    return Guard(Access.of(config), certificates(config))


@dataclass(frozen=True)
class Ports:
    """The address that we listen on, and the sockets of HTTP. gRPC opens its own."""

    bind: str
    http: socket.socket
    api: socket.socket


def open_ports(config: Config) -> Ports:
    """Open the ports; raise `ConfigError` or `PortError` if that fails."""
    bind = resolved(config.bind)
    http = listen(bind, config.http_port, variable("http_port"))
    api = listen(bind, config.api_port, variable("api_port"))
    # gRPC opens its port itself, and complains at length if it cannot, so try the port first.
    listen(bind, config.grpc_port, variable("grpc_port")).close()
    return Ports(bind, http, api)


@dataclass(frozen=True)
class Servers:
    """The servers: two for senders, one for readers."""

    grpc: Server
    http: HttpServer
    api: HttpServer


def servers_of(
    config: Config, ports: Ports, guard: Guard, signs: Signs, intake: Intake, reader: Reader, live: Live
) -> Servers:
    """The servers on *ports*: the senders' hand on to *intake*, the readers' asks *reader*."""
    counters, most = signs.counters, descriptors(_CONNECTIONS)
    grpc = grpc_server(intake, config, counters, guard.access, most)
    _open_grpc(grpc, ports.bind, config.grpc_port, guard.tls)
    http = HttpServer(
        http_app(intake, config, counters, guard.access),
        ports.http,
        guard.tls,
        Patience(connections=most),
        _counted(counters, "OTLP/HTTP"),
    )
    api = HttpServer(
        api_app(reader, live, counters, config, signs.watch.is_well, guard.access),
        ports.api,
        guard.tls,
        Patience(connections=most // 4),  # its own, so that senders cannot keep readers out
        _counted(counters, "API"),
    )
    log_lines.adopt("uvicorn")
    return Servers(grpc, http, api)


def otlp_of(config: Config) -> Otlp:
    """Where exporters send their spans, in the form in which they expect addresses."""
    scheme = "https" if config.tls_cert else "http"
    return Otlp(
        grpc=f"{scheme}://{address(config.bind, config.grpc_port)}",
        http=f"{scheme}://{address(config.bind, config.http_port)}",
    )


def _open_grpc(server: Server, bind: str, port: int, tls: Certificates | None) -> None:
    try:
        if tls:
            server.add_secure_port(address(bind, port), tls.grpc_credentials())
        else:
            server.add_insecure_port(address(bind, port))
    except RuntimeError as error:
        raise PortError(bind, port, variable("grpc_port"), "in use") from error


def _counted(counters: Counters, door: str) -> Callable[[str], None]:
    """Counts, by its reason, each connection of *door* that is closed because of the other side."""
    return lambda reason: counters.connections_closed.labels(door, reason).inc()
