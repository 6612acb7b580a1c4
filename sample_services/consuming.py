"""How a service takes events: from a queue it shares, in batches, pushed to it, or while it listens.

What is the same for all: a reaction gets an event and gives the events that
follow from it. They are published, then the message is acknowledged; where
the reaction fails it comes again. A reaction may run twice for one event.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error
from nats.js.api import ConsumerConfig, DeliverPolicy
from nats.js.client import JetStreamContext
from nats.js.errors import NotFoundError
from opentelemetry import trace
from opentelemetry.instrumentation.nats import process, process_batch

from .events import STREAM, STREAM_SUBJECTS, SUBJECTS, Event, NotAnEvent, read
from .shop import Shop

Reaction = Callable[[Event, Shop], Awaitable[Sequence[Event]]]

# Enough at once to catch up after an outage, little enough to leave the others room.
AT_ONCE: Final = 16
BATCH: Final = 10
# One round of a batch consumer: parcels wait this long for company.
ROUND_S: Final = 0.25
# A crashed process's messages come again after this long.
ACK_WAIT_S: Final = 5.0
NAK_DELAY_S: Final = 2.0
# Also how long a stop waits for a fetch that is under way, and for what it is handling.
FETCH_S: Final = 1.0
FINISH_S: Final = 1.0
# How often a consumer looks whether it is still there.
CHECK_S: Final = 1.0

_tracer = trace.get_tracer(__name__)


async def take(shop: Shop, events: Sequence[str], react: Reaction) -> None:
    """React to *events* from the service's durable pull consumer, which its processes share."""
    queue = _Queue(shop, events)
    in_hand: dict[object, Msg] = {}
    running: set[asyncio.Task[None]] = set()
    keeping = asyncio.create_task(_keep_alive(in_hand))
    while not shop.stop.is_set():
        if len(running) >= AT_ONCE:
            await _first_of(shop, running)
            continue
        for message in await queue.fetch(AT_ONCE - len(running)):
            task = asyncio.create_task(_handle(shop, message, react))
            in_hand[task] = message
            running.add(task)
            task.add_done_callback(running.discard)
            task.add_done_callback(in_hand.pop)
    keeping.cancel()
    await _finish(running)


async def take_batches(shop: Shop, events: Sequence[str], react: Reaction, work: str) -> None:
    """React to *events* up to ten at a time, as one piece of work; *work* names one event's part."""
    queue = _Queue(shop, events)
    in_hand: dict[object, Msg] = {}
    keeping = asyncio.create_task(_keep_alive(in_hand))
    while not shop.stop.is_set():
        messages = await queue.fetch(BATCH)
        if messages:
            in_hand.update(enumerate(messages))
            handling = asyncio.create_task(_handle_batch(shop, messages, react, work))
            await _first_of(shop, {handling})
            await _finish({handling})
            in_hand.clear()
        if len(messages) < BATCH:
            await shop.pause(ROUND_S)
    keeping.cancel()


async def be_pushed(shop: Shop, react: Reaction) -> None:
    """React to everything in the stream, from the start of this consumer on."""

    async def handle(message: Msg) -> None:
        await _attempt(shop, message, react)

    subscription: JetStreamContext.PushSubscription | None = None
    while not shop.stop.is_set():
        try:
            if subscription is None:
                subscription = await shop.stream.subscribe(
                    STREAM_SUBJECTS,
                    durable=shop.service,
                    stream=STREAM,
                    cb=handle,
                    manual_ack=True,
                    config=_pushed(),
                )
            else:
                await subscription.consumer_info()
        except NotFoundError:
            # NATS came back without the consumer.
            subscription = None
            await shop.prepare_again()
        except Error as error:
            shop.log.debug("not subscribed: %s", error)
        await shop.pause(CHECK_S)
    if subscription is not None:
        await _hear_out(subscription)


async def listen(shop: Shop, events: Sequence[str], react: Reaction) -> None:
    """React to *events* while they fly by: core NATS, nothing is kept and nothing comes again."""

    async def handle(message: Msg) -> None:
        # An error is on the span and in the log; there is nobody to give the message back to.
        for event in await _follow_up(shop, message, react):
            await shop.publish(event)

    subscriptions = [
        await shop.client.subscribe(SUBJECTS[event], queue=shop.service, cb=handle) for event in events
    ]
    await shop.stop.wait()
    for subscription in subscriptions:
        await _hear_out(subscription)


class _Queue:
    """The durable pull consumer of a service, made when it is first needed or has gone."""

    def __init__(self, shop: Shop, events: Sequence[str]) -> None:
        self._shop = shop
        self._config = ConsumerConfig(
            durable_name=shop.service,
            filter_subjects=[SUBJECTS[event] for event in events],
            ack_wait=ACK_WAIT_S,
            max_deliver=-1,
            max_ack_pending=128,
        )
        self._pull: JetStreamContext.PullSubscription | None = None

    async def fetch(self, most: int) -> list[Msg]:
        """Up to *most* messages as soon as there is one; none after a second without."""
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
                self._pull = None
            return []

    async def _open(self) -> JetStreamContext.PullSubscription:
        await self._shop.prepare_again()
        # Also brings a consumer that is there already up to date.
        await self._shop.stream.add_consumer(STREAM, self._config)
        return await self._shop.stream.pull_subscribe(
            "", durable=self._shop.service, stream=STREAM, config=self._config
        )


def _pushed() -> ConsumerConfig:
    # Few in flight: pushed messages wait in the client, and their time runs there.
    return ConsumerConfig(
        deliver_policy=DeliverPolicy.NEW, ack_wait=2 * ACK_WAIT_S, max_deliver=-1, max_ack_pending=8
    )


async def _handle(shop: Shop, message: Msg, react: Reaction) -> None:
    try:
        async with process(message):
            await _attempt(shop, message, react)
    except Exception as error:
        # The span says so, and the message comes again.
        shop.log.debug("a reaction failed: %s", error)


async def _attempt(shop: Shop, message: Msg, react: Reaction) -> None:
    """React to one message, publish what follows, and settle it.

    Raises what the reaction raised, for the span around it to say so; the
    message has been given back by then.
    """
    try:
        for event in await _follow_up(shop, message, react):
            await shop.publish(event)
        await message.ack()
    except NotAnEvent:
        await message.term()
        raise
    except asyncio.CancelledError:
        # The service stops: whoever is left may have it at once.
        await _give_back(message, 0)
        raise
    except Exception:
        await _give_back(message, NAK_DELAY_S)
        raise


async def _follow_up(shop: Shop, message: Msg, react: Reaction) -> Sequence[Event]:
    """What follows from *message*, faults included."""
    event = read(message.headers, message.data)
    fault = shop.faults.fault
    if fault is not None:
        await fault.strike(event.id)
    following = await react(event, shop)
    return () if fault is not None and fault.silences(event.id) else following


async def _handle_batch(shop: Shop, messages: Sequence[Msg], react: Reaction, work: str) -> None:
    errors = []
    try:
        async with process_batch(messages) as batch:
            for message in messages:
                try:
                    with batch.handling(message), _tracer.start_as_current_span(work):
                        await _attempt(shop, message, react)
                except Exception as error:
                    # One parcel's trouble does not hold up the others.
                    errors.append(error)
            if errors:
                raise errors[0]
    except Exception as error:
        shop.log.debug("%d of %d failed in a batch, the first with: %s", len(errors), len(messages), error)


async def _first_of(shop: Shop, running: set[asyncio.Task[None]]) -> None:
    """Wait until one of *running* is done, or the service is asked to stop."""
    stopping = asyncio.create_task(shop.stop.wait())
    await asyncio.wait({*running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()


async def _hear_out(subscription: Subscription) -> None:
    """Take no more, and handle what has arrived already, but not for long."""
    try:
        await asyncio.wait_for(subscription.drain(), FINISH_S)  # type: ignore[no-untyped-call]
    except (TimeoutError, Error):
        return


async def _finish(running: set[asyncio.Task[None]]) -> None:
    """Let what is under way end, but not for long: what is cut off is given back."""
    if running:
        _, late = await asyncio.wait(running, timeout=FINISH_S)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)


async def _give_back(message: Msg, delay: float) -> None:
    try:
        await message.nak(delay=delay)
    except Error:
        # Without a connection it comes again by itself, after ACK_WAIT_S.
        return


async def _keep_alive(in_hand: dict[object, Msg]) -> None:
    """Tell the broker of messages that take long, so that it gives them to nobody else."""
    while True:
        known = dict(in_hand)
        await asyncio.sleep(ACK_WAIT_S / 2)
        for key, message in known.items():
            if in_hand.get(key) is message and not message.is_acked:
                try:
                    await message.in_progress()
                except Error:
                    break
