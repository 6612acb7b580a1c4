"""Wires all parts together. `python -m collector` runs until it is told to stop."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import uvloop

from collector import allocator, backends, log_lines
from collector.api.app import api_app
from collector.columns import keys
from collector.config import Config, ConfigError, variable
from collector.conventions import Naming
from collector.counters import Counters
from collector.declaring import DeclarationError, DeclaredFile
from collector.diagnosis import Habits
from collector.ingest.intake import Intake
from collector.ingest.receivers.grpc import grpc_server
from collector.ingest.receivers.http import http_app
from collector.live.runner import Live
from collector.model.answers import Otlp
from collector.queries import Reader, Sources, Workers
from collector.steady_clock import WRONG, SteadyClock
from collector.stitching import Keying
from collector.store.contracts import OpenError, OpenStore, StoreError
from collector.store.open import open_store
from collector.store.removal import RetentionStore
from collector.upkeep import checking, compiling, presence, probe, pulse
from collector.upkeep.disk import HERE_EVERY_S, SERVER_EVERY_S, DiskWatch
from collector.upkeep.doors import Doors
from collector.upkeep.dropping import EVERY_S, Dropping
from collector.upkeep.health import Troubles
from collector.upkeep.retention import Limits, least_free_of, limit_of
from collector.upkeep.rounds import Rounds
from collector.upkeep.timekeeping import keep_time
from collector.upkeep.watch import Watch
from collector.web.certificates import certificates
from collector.web.patience import Patience, descriptors
from collector.web.serving import HttpServer, PortError, address, listen, resolved
from collector.web.tokens import Access

_CONNECTIONS = 1_024  # of senders over HTTP, and as many over gRPC
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
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    access, tls = Access.of(config), certificates(config)
    declared = DeclaredFile(Path(config.expectations)) if config.expectations else None
    counters = Counters()
    bind = resolved(config.bind)
    http_socket = listen(bind, config.http_port, variable("http_port"))
    api_socket = listen(bind, config.api_port, variable("api_port"))
    # gRPC opens its port itself, and complains at length if it cannot, so try the port first.
    listen(bind, config.grpc_port, variable("grpc_port")).close()
    clock = SteadyClock(config.data / "clock")
    backups = checking.folder_of(config.backups, config.data)
    store = open_store(config.data, config.store_memory_bytes, config.store, clock.now, backups)
    keys.use(store.secret)
    naming = Naming(config.flow_keys, config.correlation_ids, config.causation_ids)
    writing, ticking, reading = store.stores(), store.stores(), store.stores(bounded=True)
    clock.follow(writing.spans.arrival_of_newest(1, 0, clock.now() + WRONG) + 1)
    clock.keep()
    troubles, watch = Troubles(clock.now), Watch(counters)

    def closed(door: str) -> Callable[[str], None]:
        return lambda reason: counters.connections_closed.labels(door, reason).inc()

    rounds = Rounds(watch)
    checks = _checks(store, troubles, counters, rounds)
    removing = store.retention()
    limits = _limits(config, removing)
    dropping = Dropping(removing, limits, counters, clock=clock.now, also=writing.dismissals.forget_gone)
    dropping.look()
    disk = DiskWatch(store.retention(), dropping, troubles, counters, limits)
    live = Live(
        ticking,
        naming=naming,
        keying=Keying(config.key_flows),
        habits=Habits(flows=config.learn_flows, deadline_floor_ms=config.deadline_s * 1000),
        replay_s=config.replay_s,
        declared=declared,
        clock=clock.now,
        kept_since=lambda: dropping.retained.since,
    )
    intake = Intake(
        writing.spans,
        config,
        counters,
        on_stored=live.feed,
        behind=live.behind,
        clock=clock.now,
        require_there=store.require_there,
        watch=watch,
        troubles=troubles,
    )
    most = descriptors(_CONNECTIONS)
    grpc = grpc_server(intake, config, counters, access, most)
    try:
        if tls:
            grpc.add_secure_port(address(bind, config.grpc_port), tls.grpc_credentials())
        else:
            grpc.add_insecure_port(address(bind, config.grpc_port))
    except RuntimeError as error:
        raise PortError(bind, config.grpc_port, variable("grpc_port"), "in use") from error
    http = HttpServer(
        http_app(intake, config, counters, access),
        http_socket,
        tls,
        Patience(connections=most),
        closed("OTLP/HTTP"),
    )
    sources = Sources(
        reading.spans,
        reading.flows,
        reading.decisions,
        live,
        counters,
        naming,
        _addresses(config),
        declared,
        troubles,
        clock.now,
        lambda: dropping.retained,
        checks,
        dismissals=reading.dismissals,
        deletions=reading.deletions,
    )
    workers = Workers(config.worker_memory_bytes)
    reader = Reader(sources, workers)
    api = HttpServer(
        api_app(reader, live, counters, config, watch.is_well, access),
        api_socket,
        tls,
        Patience(connections=most // 4),  # its own, so that senders cannot keep readers out
        closed("API"),
    )
    log_lines.adopt("uvicorn")
    rounds.every("clock", 10, partial(keep_time, clock, troubles))
    loop = asyncio.get_running_loop()

    def end() -> None:
        loop.call_soon_threadsafe(watch.given_up.set)

    rounds.every("presence", presence.EVERY_S, presence.Presence(store.require_there, troubles).once)
    rounds.every("pulse", pulse.EVERY_S, pulse.Pulse(live, troubles, end).once)
    prober = probe.Probe(intake.prove, troubles, end)
    rounds.every("probe", prober.pause_s, prober.once)
    rounds.every("doors", 2, Doors(access, tls, troubles).check)
    rounds.every("disk", SERVER_EVERY_S if config.store else HERE_EVERY_S, disk.look)
    rounds.every("retention", EVERY_S, dropping.round)
    rounds.every("idle workers", 15, workers.end_idle)
    await intake.start()
    live.start()
    rounds.start()
    reader.deleting.resume()
    await api.start()
    await grpc.start()
    await http.start()
    _say(
        f"ready. OTLP/gRPC on {address(config.bind, config.grpc_port)},"
        f" OTLP/HTTP on {address(config.bind, config.http_port)},"
        f" API on {address(config.bind, config.api_port)},"
        f" data in {store.place}"
    )
    compiling.begin()
    served = {
        "a task": watch.given_up.wait(),
        "OTLP/gRPC": grpc.wait_for_termination(),
        "OTLP/HTTP": http.ended(),
        "API": api.ended(),
    }
    failed = await _ended(stop, served)
    if failed:
        _say(f"{failed} ended by itself: the collector stops, to be started again", sys.stderr)
    try:
        async with asyncio.timeout(_STOP_WITHIN_S):
            await asyncio.gather(http.stop(), grpc.stop(grace=5))
            await intake.close()
            await rounds.stop()
            await asyncio.to_thread(workers.close)
            await api.stop()
            await asyncio.to_thread(reader.deleting.stop)
            await asyncio.to_thread(live.stop)
    except TimeoutError:
        _say("some requests could not be finished in time; none of them was answered", sys.stderr)
        logging.shutdown()
        # Python would wait for threads that hang, without end.
        os._exit(_FAILED if failed else 1)
    store.close()
    return _FAILED if failed else 0


async def _ended(stop: asyncio.Event, served: Mapping[str, Coroutine[Any, Any, object]]) -> str:
    """Return once *stop* is set, or return the names of parts that ended before: none may die unseen."""
    tasks = {asyncio.create_task(ending): name for name, ending in served.items()}
    stopping = asyncio.create_task(stop.wait())
    # The remaining tasks are not cancelled: gRPC's ends with its server, which could not stop without it.
    done, _ = await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
    return "" if stopping in done else " and ".join(tasks[task] for task in done)


def _limits(config: Config, store: RetentionStore) -> Limits:
    """How much is kept. What is not set depends on the disk, as it is now."""
    room = store.room()
    return Limits(
        days=config.retention_days,
        bytes=limit_of(config.retention_bytes, store.size(), room),
        flow_days=config.retention_flow_days,
        least_free=least_free_of(config.min_free_bytes, room),
    )


def _checks(
    store: OpenStore, troubles: Troubles, counters: Counters, rounds: Rounds
) -> checking.StoreChecks | None:
    """The checks of *store*, begun; None if a server keeps it."""
    if store.care is None:
        return None
    checks = checking.StoreChecks(store.care, troubles, counters, rounds.stopping.is_set)
    checks.quickly()
    rounds.every("store check", checking.EVERY_S, checks.once)
    return checks


def _addresses(config: Config) -> Otlp:
    """Where exporters send their spans, in the form in which they expect addresses."""
    scheme = "https" if config.tls_cert else "http"
    return Otlp(
        grpc=f"{scheme}://{address(config.bind, config.grpc_port)}",
        http=f"{scheme}://{address(config.bind, config.http_port)}",
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
