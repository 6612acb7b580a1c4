"""What a service works with: its name, the broker, its state, its faults, and how it publishes."""

import asyncio
import logging
import random
from dataclasses import dataclass

from nats.aio.client import Client
from nats.errors import Error
from nats.js.client import JetStreamContext

from . import broker
from .events import Event
from .faults import Watch
from .settings import ANSWER_S, Settings
from .state import State


@dataclass
class Shop:
    """One process of one service. `stop` is set when it has been asked to end."""

    service: str
    client: Client
    stream: JetStreamContext
    state: State
    faults: Watch
    stop: asyncio.Event
    log: logging.Logger
    settings: Settings

    @classmethod
    async def open(cls, service: str, settings: Settings, stop: asyncio.Event, log: logging.Logger) -> "Shop":
        """Connect as *service*; return when NATS, the stream and the service's bucket are available."""
        client = await broker.connect(settings.nats_url, service, log)
        while True:
            try:
                await broker.ensure_stream(client, log)
                state = await State.open(client, service)
            except Error as error:
                log.debug("not prepared: %s", error)
                await asyncio.sleep(broker.RETRY_S)
            else:
                return cls(
                    service,
                    client,
                    client.jetstream(timeout=ANSWER_S),
                    state,
                    Watch(service),
                    stop,
                    log,
                    settings,
                )

    async def prepare_again(self) -> None:
        """Create what the service needs in NATS again: NATS may have restarted empty."""
        await broker.ensure_stream(self.client, self.log)
        self.state = await State.open(self.client, self.service)

    async def publish(self, event: Event) -> None:
        """Publish *event*; return when the stream has stored it, or at once if none stores it."""
        if event.stored:
            await self.stream.publish(event.subject, event.body(), headers=event.headers())
        else:
            await self.client.publish(event.subject, event.body(), headers=event.headers())

    async def work(self, least_ms: int, most_ms: int) -> None:
        """Take as long as the work of a real service would."""
        await asyncio.sleep(random.uniform(least_ms, most_ms) / 1000)

    async def pause(self, seconds: float) -> bool:
        """Wait; return whether the service was asked to stop meanwhile."""
        try:
            await asyncio.wait_for(self.stop.wait(), seconds)
        except TimeoutError:
            return False
        return True
