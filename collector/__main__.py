"""Runs a collector. `python -m collector` runs until it is told to stop."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Coroutine, Mapping
from typing import Any, TextIO

import uvloop

from collector import allocator, backends, log_lines
from collector.config import Config, ConfigError
from collector.declaring import DeclarationError
from collector.store.contracts import OpenError, StoreError
from collector.upkeep.compiling import Compiling
from collector.web.serving import PortError, address
from collector.wiring import Collector, assemble

_STOP_WITHIN_S = 9  # service managers kill a process after ten
_FAILED = 70  # sysexits.h, EX_SOFTWARE: a service manager restarts the process


def main() -> int:
    """Run a collector; return the exit code.

    0: it was told to stop. 1: it could not stop in time. 2: it could not start. 70: a part of it failed.
    """
    allocator.give_back()
    log_lines.set_up()
    try:
        backends.require_compiled()
        config = Config.from_env()
        return uvloop.run(run(config))
    except (backends.BackendError, ConfigError, DeclarationError, OpenError, PortError, StoreError) as error:
        _say(str(error), sys.stderr)
    return 2


async def run(config: Config) -> int:
    """Start everything, wait for SIGTERM or SIGINT, and stop everything in the order of the data flow."""
    told = _told_to_stop()
    collector = assemble(config)
    await _start(collector)
    _say(_ready(config, collector.storage.store.place))
    compiling = Compiling()
    compiling.begin()
    failed = await _ended(told, _endings(collector))
    await asyncio.to_thread(compiling.end)
    if failed:
        _say(f"{failed} ended by itself: the collector stops, to be started again", sys.stderr)
    try:
        async with asyncio.timeout(_STOP_WITHIN_S):
            await _stop(collector)
    except TimeoutError:
        _say("some requests could not be finished in time; none of them was answered", sys.stderr)
        logging.shutdown()
        # Python would wait for threads that hang, without end.
        os._exit(_FAILED if failed else 1)
    collector.storage.store.close()
    return _FAILED if failed else 0


def _told_to_stop() -> asyncio.Event:
    """Set once the process gets SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def _start(collector: Collector) -> None:
    """Start the servers last: what they receive must find the parts behind them at work."""
    await collector.intake.start()
    collector.live.start()
    collector.rounds.start()
    collector.reading.start()
    collector.reader.deleting.resume()
    await collector.servers.api.start()
    await collector.servers.grpc.start()
    await collector.servers.http.start()


async def _stop(collector: Collector) -> None:
    """Stop the senders' servers first: what they have received is still stored and answered."""
    await asyncio.gather(collector.servers.http.stop(), collector.servers.grpc.stop(grace=5))
    await collector.intake.close()
    await collector.reading.stop()
    await collector.rounds.stop()
    await asyncio.to_thread(collector.workers.close)
    await collector.servers.api.stop()
    await asyncio.to_thread(collector.reader.deleting.stop)
    await asyncio.to_thread(collector.live.stop)


def _endings(collector: Collector) -> Mapping[str, Coroutine[Any, Any, object]]:
    """What returns, by name, when a part ends although nobody told it to."""
    return {
        "a task": collector.signs.watch.given_up.wait(),
        "OTLP/gRPC": collector.servers.grpc.wait_for_termination(),
        "OTLP/HTTP": collector.servers.http.ended(),
        "API": collector.servers.api.ended(),
    }


async def _ended(stop: asyncio.Event, served: Mapping[str, Coroutine[Any, Any, object]]) -> str:
    """Return once *stop* is set, or return the names of parts that ended before: none may die unseen."""
    tasks = {asyncio.create_task(ending): name for name, ending in served.items()}
    stopping = asyncio.create_task(stop.wait())
    # The remaining tasks are not cancelled: gRPC's ends with its server, which could not stop without it.
    done, _ = await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
    return "" if stopping in done else " and ".join(tasks[task] for task in done)


def _ready(config: Config, place: str) -> str:
    return (
        f"ready. OTLP/gRPC on {address(config.bind, config.grpc_port)},"
        f" OTLP/HTTP on {address(config.bind, config.http_port)},"
        f" API on {address(config.bind, config.api_port)},"
        f" data in {place}"
    )


def _say(line: str, where: TextIO = sys.stdout) -> None:
    where.write(f"choreoscope: {line}\n")
    where.flush()


if __name__ == "__main__":
    argparse.ArgumentParser(
        prog="python -m collector",
        description="Run the collector until it is told to stop.",
        epilog="Settings are environment variables: docs/configuration.md lists them.",
    ).parse_args()
    sys.exit(main())
