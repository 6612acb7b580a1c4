"""How a service receives events: from a shared queue, in batches, by push, or on core NATS."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error
from nats.js.api import ConsumerConfig, DeliverPolicy
from nats.js.client import JetStreamContext
from nats.js.errors import NotFoundError
from opentelemetry.instrumentation.nats import handles

from .events import STREAM, STREAM_SUBJECTS, SUBJECTS
from .reacting import (
    ACK_WAIT_S,
    FINISH_S,
    Reaction,
    attempt,
    finish,
    first_of,
    follow_up,
    handle,
    handle_batch,
    keep_alive,
)
from .shop import Shop

# Enough to catch up after an outage, few enough to leave room for other processes.
AT_ONCE: Final = 16
BATCH: Final = 10
# One round of a batch consumer: a parcel waits this long for others.
ROUND_S: Final = 0.25
# Also how long a stop waits for a fetch that is under way.
FETCH_S: Final = 1.0
# How often a service checks that its consumer still exists.
CHECK_S: Final = 1.0


async def take(shop: Shop, events: Sequence[str], react: Reaction) -> None:
    """React to *events* from the durable pull consumer that the service's processes share."""
    queue = _Queue(shop, events)
    in_hand: dict[object, Msg] = {}
    running: set[asyncio.Task[None]] = set()
    keeping = asyncio.create_task(keep_alive(in_hand))
    while not shop.stop.is_set():
        if len(running) >= AT_ONCE:
            await first_of(shop, running)
            continue
        for message in await queue.fetch(AT_ONCE - len(running)):
            task = asyncio.create_task(handle(shop, message, react))
            in_hand[task] = message
            running.add(task)
            task.add_done_callback(running.discard)
            task.add_done_callback(in_hand.pop)
    keeping.cancel()
    await finish(running)


async def take_batches(shop: Shop, events: Sequence[str], react: Reaction, work: str) -> None:
    """React to up to ten *events* at a time, as one piece of work; *work* names the part of one event."""
    queue = _Queue(shop, events)
    in_hand: dict[object, Msg] = {}
    keeping = asyncio.create_task(keep_alive(in_hand))
    while not shop.stop.is_set():
        # A plain list: its messages are not handed over one by one.
        messages = list.copy(await queue.fetch(BATCH))
        if messages:
            in_hand.update(enumerate(messages))
            handling = asyncio.create_task(handle_batch(shop, messages, react, work))
            await first_of(shop, {handling})
            await finish({handling})
            in_hand.clear()
        if len(messages) < BATCH:
            await shop.pause(ROUND_S)
    keeping.cancel()


async def take_pushed(shop: Shop, react: Reaction) -> None:
    """React to everything in the stream that is published after this consumer is created."""

    async def on_message(message: Msg) -> None:
        await attempt(shop, message, react)

    subscription: JetStreamContext.PushSubscription | None = None
    while not shop.stop.is_set():
        try:
            if subscription is None:
                subscription = await shop.stream.subscribe(
                    STREAM_SUBJECTS,
                    durable=shop.service,
                    stream=STREAM,
                    cb=on_message,
                    manual_ack=True,
                    config=_pushed(),
                )
            else:
                await subscription.consumer_info()
        except NotFoundError:
            # NATS restarted without the consumer.
            subscription = None
            await shop.prepare_again()
        except Error as error:
            shop.log.debug("not subscribed: %s", error)
        await shop.pause(CHECK_S)
    if subscription is not None:
        await drain(subscription)


async def listen(shop: Shop, events: Sequence[str], react: Reaction) -> None:
    """React to *events* on core NATS: nothing is stored or redelivered."""

    @handles
    async def hear(message: Msg) -> None:
        for event in await follow_up(shop, message, react):
            await shop.publish(event)

    async def hear_all(subscription: Subscription) -> None:
        async for message in subscription.messages:
            try:
                await hear(message)
            except Exception as error:
                # The span has the error; core NATS cannot redeliver the message.
                shop.log.debug("a reaction failed: %s", error)

    subscriptions = [await shop.client.subscribe(SUBJECTS[event], queue=shop.service) for event in events]
    hearing = [asyncio.create_task(hear_all(subscription)) for subscription in subscriptions]
    await shop.stop.wait()
    for subscription in subscriptions:
        await drain(subscription)
    _, late = await asyncio.wait(hearing, timeout=FINISH_S)
    for task in late:
        task.cancel()


class _Queue:
    """The durable pull consumer of a service, created when it is first needed or has disappeared."""

    def __init__(self, shop: Shop, events: Sequence[str]) -> None:
        self._shop = shop
        self._config = ConsumerConfig(
            durable_name=shop.service,
            filter_subjects=[SUBJECTS[event] for event in events],
            ack_wait=ACK_WAIT_S,
            max_deliver=-1,
            # Failed messages that wait for a retry count here, and must not block the others.
            max_ack_pending=512,
        )
        self._pull: JetStreamContext.PullSubscription | None = None

    async def fetch(self, most: int) -> list[Msg]:
        """Up to *most* messages as soon as there is one; none after a second without any."""
        try:
            if self._pull is None:
                self._pull = await self._open()
            return await self._pull.fetch(most, timeout=FETCH_S)
        except TimeoutError:
            return []
        except Error as error:
            self._shop.log.debug("cannot fetch: %s", error)
            await self._shop.pause(CHECK_S / 2)
            if self._shop.client.is_connected:
                await self._leave()
            return []

    async def _leave(self) -> None:
        if self._pull is not None:
            with contextlib.suppress(Error):
                await self._pull.unsubscribe()
        self._pull = None

    async def _open(self) -> JetStreamContext.PullSubscription:
        await self._shop.prepare_again()
        # Updates the consumer if it exists already.
        await self._shop.stream.add_consumer(STREAM, self._config)
        return await self._shop.stream.pull_subscribe(
            "", durable=self._shop.service, stream=STREAM, config=self._config
        )


def _pushed() -> ConsumerConfig:
    # Few in flight: pushed messages wait in the client while their ack wait runs.
    return ConsumerConfig(
        deliver_policy=DeliverPolicy.NEW, ack_wait=2 * ACK_WAIT_S, max_deliver=-1, max_ack_pending=8
    )


async def drain(subscription: Subscription) -> None:
    """Receive no more messages, and handle those that have arrived, for at most `FINISH_S`."""
    try:
        await asyncio.wait_for(subscription.drain(), FINISH_S)  # type: ignore[no-untyped-call]
    except (TimeoutError, Error):
        return
