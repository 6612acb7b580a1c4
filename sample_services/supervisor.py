"""Runs every service in a process of its own, breaks and mends services, and leaves no process behind."""

import asyncio
import contextlib
import json
import logging
import sys
from dataclasses import dataclass, field
from typing import Any, Final

from nats.aio.client import Client
from nats.errors import Error

from . import broker, faults
from .faults import Fault
from .services import SERVICES
from .settings import Settings

log = logging.getLogger("shop")

RESTART_S: Final = 1.0
# A process needs about three seconds to stop; after this it is killed.
STOP_S: Final = 5.0


class NoBroker(RuntimeError):  # noqa: N818 -- it says what is missing
    """A fault cannot be stored because NATS is away."""


@dataclass
class _Place:
    """A slot for one process of a service, restarted when it ends."""

    service: str
    instance: int
    process: asyncio.subprocess.Process | None = None
    # `wake` asks for a new check whether it should run; `started` is set while it runs.
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    started: asyncio.Event = field(default_factory=asyncio.Event)


class Supervisor:
    """The processes of the shop and their faults."""

    def __init__(self, settings: Settings, without: frozenset[str] = frozenset()) -> None:
        self._settings = settings
        self._places = [
            _Place(name, instance + 1)
            for name, service in SERVICES.items()
            if name not in without
            for instance in range(service.processes)
        ]
        self._faults: dict[str, Fault] = {}
        self._client: Client | None = None
        self._closing = False

    @property
    def names(self) -> tuple[str, ...]:
        """The services that this supervisor runs."""
        return tuple(dict.fromkeys(place.service for place in self._places))

    def describe(self) -> dict[str, Any]:
        """Everything, as the control API shows it."""
        return {
            "services": [self.describe_service(name) for name in self.names],
            "orders_per_second": self._settings.orders_per_second,
        }

    def describe_service(self, name: str) -> dict[str, Any]:
        """One service, as the control API shows it."""
        places = [place for place in self._places if place.service == name]
        fault = self._faults.get(name)
        return {
            "service": name,
            "processes": len(places),
            "running": sum(_runs(place) for place in places),
            "fault": fault.as_json() if fault else None,
        }

    async def run(self, stop: asyncio.Event) -> None:
        """Keep all processes running until *stop* is set; then end all of them."""
        keeping = [asyncio.create_task(self._keep(place)) for place in self._places]
        connecting = asyncio.create_task(self._connect())
        await stop.wait()
        self._closing = True
        connecting.cancel()
        for place in self._places:
            place.wake.set()
        await asyncio.gather(*(self._end(place) for place in self._places))
        await asyncio.gather(*keeping)
        if self._client is not None:
            await self._client.close()

    async def break_service(self, name: str, fault: Fault) -> None:
        """Put *fault* on a service; raise `NoBroker` if it cannot be stored."""
        await self._note(name, json.dumps(fault.as_json()).encode())
        self._faults[name] = fault
        await self._apply(name)

    async def mend(self, name: str) -> None:
        """Take the fault off a service; raise `NoBroker` if that cannot be stored."""
        await self._note(name, None)
        self._faults.pop(name, None)
        await self._apply(name)

    async def _connect(self) -> None:
        client = await broker.connect(self._settings.nats_url, "shop", log)
        self._client = client
        while True:
            # A shop starts without faults, whatever was broken when the last one ended.
            try:
                bucket = await faults.open_bucket(client)
                for name in set(SERVICES) - set(self._faults):
                    await bucket.delete(name)
            except Error:
                await asyncio.sleep(broker.RETRY_S)
            else:
                return

    async def _note(self, name: str, value: bytes | None) -> None:
        client = self._client
        if client is None or not client.is_connected:
            raise NoBroker(f"NATS at {self._settings.nats_url} does not answer: faults are kept there.")
        try:
            bucket = await faults.open_bucket(client)
            if value is None:
                await bucket.delete(name)
            else:
                await bucket.put(name, value)
        except Error as error:
            raise NoBroker(f"NATS did not keep the fault of {name}: {error}") from error

    async def _apply(self, name: str) -> None:
        """Stop or wake the service's processes, according to its fault."""
        places = [place for place in self._places if place.service == name]
        if self._is_stopped(name):
            await asyncio.gather(*(self._end(place) for place in places))
            return
        for place in places:
            place.wake.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*(place.started.wait() for place in places)), STOP_S)

    def _is_stopped(self, name: str) -> bool:
        fault = self._faults.get(name)
        return fault is not None and fault.kind == "stopped"

    async def _keep(self, place: _Place) -> None:
        """Start the place's process, and restart it when it ends unasked."""
        while not self._closing:
            place.wake.clear()
            if self._is_stopped(place.service):
                await place.wake.wait()
                continue
            process = place.process = await self._start(place)
            place.started.set()
            if self._closing or self._is_stopped(place.service):
                # The stop was requested while it was starting.
                await self._end(place)
            status = await process.wait()
            place.started.clear()
            if self._closing or self._is_stopped(place.service):
                continue
            log.warning(
                "%s %d ended with %s; it starts again in %g s",
                place.service,
                place.instance,
                status,
                RESTART_S,
            )
            await asyncio.sleep(RESTART_S)

    async def _start(self, place: _Place) -> asyncio.subprocess.Process:
        # Its standard input is a pipe that nobody writes to: it closes when this
        # process ends, which tells the child to stop.
        settings = self._settings
        options = ["--supervised", "--instance", str(place.instance)]
        options += ["--rate", str(settings.orders_per_second), "--expired-cards", str(settings.expired_cards)]
        if settings.orders is not None:
            options += ["--orders", str(settings.orders)]
        if log.isEnabledFor(logging.DEBUG):
            options += ["--verbose"]
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sample_services", place.service, *options),
            stdin=asyncio.subprocess.PIPE,
            # A terminal's Ctrl-C is for the supervisor alone: a child that is
            # still importing would print a traceback.
            process_group=0,
        )

    async def _end(self, place: _Place) -> None:
        process = place.process
        if process is None or process.returncode is not None:
            return
        try:
            process.terminate()
            await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            log.warning("%s %d did not stop within %g s: killed", place.service, place.instance, STOP_S)
            process.kill()
            await process.wait()
        except ProcessLookupError:
            return


def _runs(place: _Place) -> bool:
    return place.process is not None and place.process.returncode is None
