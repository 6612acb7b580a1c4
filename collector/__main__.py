"""Wiring: the one place where everything meets. `python -m collector` runs until it is told to stop."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import TextIO

import uvloop

from collector.config import Config, ConfigError, variable
from collector.counters import Counters
from collector.intake import Intake
from collector.receivers.grpc import grpc_server
from collector.receivers.http import http_app
from collector.serving import HttpServer, PortError, listen
from collector.store import Engine, FolderError, SpanStore, StoreError

DATABASE = "choreoscope"
_STOP_WITHIN_S = 9  # a service manager kills after ten


def main() -> int:
    """Run a collector; return the exit code: 0 when it was told to stop, 2 when it could not start."""
    try:
        config = Config.from_env()
        return uvloop.run(run(config))
    except (ConfigError, FolderError, PortError, StoreError) as error:
        _say(str(error), sys.stderr)
        return 2


async def run(config: Config) -> int:
    """Start everything, wait for SIGTERM or SIGINT, and stop everything in the order of the data's way."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    counters = Counters()
    http_socket = listen(config.bind, config.http_port, variable("http_port"))
    engine = Engine(Path(config.data), config.store_memory_bytes)
    database = engine.database(DATABASE)
    intake = Intake(SpanStore(database), config, counters)
    grpc = grpc_server(intake, config, counters)
    try:
        grpc.add_insecure_port(f"{config.bind}:{config.grpc_port}")
    except RuntimeError as error:
        raise PortError(config.bind, config.grpc_port, variable("grpc_port"), "in use") from error
    http = HttpServer(http_app(intake, config, counters), http_socket)
    await intake.start()
    await grpc.start()
    await http.start()
    _say(
        f"ready. OTLP/gRPC on {config.bind}:{config.grpc_port},"
        f" OTLP/HTTP on {config.bind}:{config.http_port}, data in {config.data}"
    )
    await stop.wait()
    try:
        async with asyncio.timeout(_STOP_WITHIN_S):
            await asyncio.gather(http.stop(), grpc.stop(grace=5))
            await intake.close()
    except TimeoutError:
        _say("some requests could not be finished in time; none of them was answered", sys.stderr)
        return 1
    database.close()
    engine.close()
    return 0


def _say(line: str, where: TextIO = sys.stdout) -> None:
    where.write(f"choreoscope: {line}\n")
    where.flush()


if __name__ == "__main__":
    sys.exit(main())
