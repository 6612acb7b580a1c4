"""One process of one service, from start to clean shutdown."""

import asyncio
import logging
import os
import signal
import sys
from typing import Final

from nats.errors import Error

from . import tracing
from .services import SERVICES
from .settings import Settings
from .shop import Shop

# With a fetch and reactions under way, a stop takes at most about three seconds.
FLUSH_S: Final = 1.0


def run(service: str, settings: Settings, instance: int = 1, supervised: bool = False) -> int:
    """Run *service* until it is asked to stop; return the exit status.

    A *supervised* process also stops when its standard input closes, which
    happens when its supervisor ends, even if that was killed.
    """
    log = logging.getLogger(service if SERVICES[service].processes == 1 else f"{service} {instance}")
    provider = tracing.set_up(service, instance)
    try:
        asyncio.run(_serve(service, settings, supervised, log))
    finally:
        tracing.shut_down(provider, FLUSH_S)
    sys.stderr.flush()
    # A thread may still be retrying an export: do not wait for it.
    os._exit(0)


async def _serve(service: str, settings: Settings, supervised: bool, log: logging.Logger) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if supervised:
        loop.add_reader(sys.stdin.fileno(), _note_end_of_input, stop)
    opening = asyncio.create_task(Shop.open(service, settings, stop, log))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([opening, stopping], return_when=asyncio.FIRST_COMPLETED)
    if not opening.done():
        opening.cancel()
        return
    shop = opening.result()
    watching = asyncio.create_task(shop.faults.follow(shop.client))
    knowing = asyncio.create_task(shop.faults.known.wait())
    await asyncio.wait([knowing, stopping], return_when=asyncio.FIRST_COMPLETED)
    if not stop.is_set():
        log.debug("ready")
        await SERVICES[service].run(shop)
    watching.cancel()
    knowing.cancel()
    await asyncio.wait([watching], timeout=0.5)
    await _close(shop)


async def _close(shop: Shop) -> None:
    try:
        # Send the last acknowledgements.
        await asyncio.wait_for(shop.client.flush(), 0.5)
        await asyncio.wait_for(shop.client.close(), 0.5)
    except (TimeoutError, Error) as error:
        shop.log.debug("the connection did not end in order: %s", error)


def _note_end_of_input(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 1024):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        stop.set()
