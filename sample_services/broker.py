"""The connection to NATS: waits for NATS, survives outages, logs one line for each change."""

import asyncio
import logging
from typing import Final
from urllib.parse import urlsplit

from nats.aio.client import Client
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NatsTimeout
from nats.js.api import RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, ServiceUnavailableError

from .events import STREAM, STREAM_SUBJECTS
from .state import KEEP_S

RETRY_S: Final = 0.5
# The stream serves a demonstration, it is not an archive.
STREAM_BYTES: Final = 256 * 1024 * 1024


async def connect(url: str, name: str, log: logging.Logger) -> Client:
    """A connection called *name*, as soon as NATS at *url* answers; it never gives up.

    While NATS is away the services wait; each change is logged in one line.
    """
    client = Client()
    told = {"away": False}
    where = urlsplit(url).netloc.rpartition("@")[2]

    async def away(_: Exception | None = None) -> None:
        if not told["away"] and not client.is_connected and not client.is_closed:
            told["away"] = True
            log.warning("no NATS at %s: trying again until there is one", where)

    async def lost() -> None:
        await away()

    async def back() -> None:
        told["away"] = False
        log.warning("NATS at %s is back", where)

    await client.connect(
        url,
        name=name,
        error_cb=away,
        disconnected_cb=lost,
        reconnected_cb=back,
        max_reconnect_attempts=-1,
        reconnect_time_wait=RETRY_S,  # type: ignore[arg-type]  # nats-py's hint says int, its code takes seconds
        connect_timeout=2,
    )
    if told["away"]:
        await back()
    return client


async def ensure_stream(client: Client, log: logging.Logger) -> None:
    """Create the shop's stream if it is missing; wait until JetStream is available."""
    config = StreamConfig(
        name=STREAM,
        subjects=[STREAM_SUBJECTS],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        max_age=KEEP_S,
        max_bytes=STREAM_BYTES,
        duplicate_window=120,
    )
    told = False
    # A server loses requests that arrive while its JetStream is starting.
    jetstream = client.jetstream(timeout=1.0)
    while True:
        try:
            await jetstream.add_stream(config)
        except (ServiceUnavailableError, NatsTimeout, NoRespondersError):
            if not told:
                log.warning("NATS has no JetStream: start it with -js; trying again until it has")
            told = True
            await asyncio.sleep(RETRY_S)
        except APIError:
            # It exists with other limits, which are its owner's choice.
            await jetstream.stream_info(STREAM)
            return
        else:
            return
