"""React to a message or a batch: run the reaction, publish what follows, settle the message.

A reaction takes an event and returns the events that follow from it. They are
published, then the message is acknowledged. If the reaction fails, the message
is returned (nak) and redelivered. A reaction may run twice for one event.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from nats.aio.msg import Msg
from nats.errors import Error
from opentelemetry import trace
from opentelemetry.instrumentation.nats import process, process_batch

from .events import Event, NotAnEvent, read
from .shop import Shop

Reaction = Callable[[Event, Shop], Awaitable[Sequence[Event]]]

# The messages of a crashed process are redelivered after this time.
ACK_WAIT_S: Final = 5.0
# Longer with each failure: a long outage must not drown a service in its own retries.
NAK_DELAY_S: Final = 2.0
NAK_DELAY_MOST_S: Final = 6.0
# How long a stop waits for reactions under way.
FINISH_S: Final = 1.0

_tracer = trace.get_tracer(__name__)


async def handle(shop: Shop, message: Msg, react: Reaction) -> None:
    """Handle one fetched message in a span of its own; a failure is on the span, and is retried."""
    try:
        async with process(message):
            await attempt(shop, message, react)
    except Exception as error:
        shop.log.debug("a reaction failed: %s", error)


async def attempt(shop: Shop, message: Msg, react: Reaction) -> None:
    """React to one message, publish what follows, and settle it.

    Raises what the reaction raised, so that the span around it records it; the
    message has been returned by then.
    """
    try:
        for event in await follow_up(shop, message, react):
            await shop.publish(event)
        await message.ack()
    except NotAnEvent:
        await message.term()
        raise
    except asyncio.CancelledError:
        # The service is stopping: another process may have it at once.
        await _give_back(message, 0)
        raise
    except Exception:
        await _give_back(message, min(NAK_DELAY_S * message.metadata.num_delivered, NAK_DELAY_MOST_S))
        raise


async def follow_up(shop: Shop, message: Msg, react: Reaction) -> Sequence[Event]:
    """The events that follow from *message*, with the service's fault applied."""
    event = read(message.headers, message.data)
    fault = shop.faults.fault
    await shop.faults.strike(event.id)
    following = await react(event, shop)
    return () if fault is not None and fault.silences(event.id) else following


async def handle_batch(shop: Shop, messages: Sequence[Msg], react: Reaction, work: str) -> None:
    """Handle *messages* in one span with a link to each; *work* names the span of each one's part."""
    errors = []
    try:
        async with process_batch(messages) as batch:
            for message in messages:
                try:
                    with batch.handling(message), _tracer.start_as_current_span(work):
                        await attempt(shop, message, react)
                except Exception as error:
                    # One failed parcel does not hold up the others.
                    errors.append(error)
            if errors:
                raise errors[0]
    except Exception as error:
        shop.log.debug("%d of %d failed in a batch, the first with: %s", len(errors), len(messages), error)


async def first_of(shop: Shop, running: set[asyncio.Task[None]]) -> None:
    """Wait until one of *running* is done, or the service is asked to stop."""
    stopping = asyncio.create_task(shop.stop.wait())
    await asyncio.wait({*running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()


async def finish(running: set[asyncio.Task[None]]) -> None:
    """Wait up to `FINISH_S` for *running*; cancel the rest, which returns their messages."""
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
        # Without a connection it is redelivered anyway, after ACK_WAIT_S.
        return


async def keep_alive(in_hand: dict[object, Msg]) -> None:
    """Tell the broker that messages are still in progress, so that it does not redeliver them."""
    while True:
        known = dict(in_hand)
        await asyncio.sleep(ACK_WAIT_S / 2)
        for key, message in known.items():
            if in_hand.get(key) is message and not message.is_acked:
                try:
                    await message.in_progress()
                except Error:
                    break
