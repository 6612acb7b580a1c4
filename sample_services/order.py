"""Places orders, and publishes how they end: shipped, or cancelled."""

import asyncio
import random
import time
import uuid
from collections.abc import Sequence
from typing import Any, Final

from nats.errors import Error
from opentelemetry import baggage, context, trace

from .consuming import take
from .events import Event
from .shop import Shop
from .tracing import ORDER_ID

ITEMS: Final = ("kettle", "lamp", "notebook", "rucksack", "teapot", "umbrella")

# Digits and capitals without vowels and look-alikes: nothing to misread, no accidental words.
_ALPHABET: Final = "23456789BCDFGHJKLMNPQRSTVWXZ"
# The services start together; those on core NATS should not miss the first order.
OPENING_S: Final = 1.0
_tracer = trace.get_tracer(__name__)


def order_id(hundredths: int) -> str:
    """An order id for a time in hundredths of a second since the epoch: short, and never reused."""
    digits = []
    while hundredths:
        hundredths, digit = divmod(hundredths, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "A-" + "".join(reversed(digits))


async def run(shop: Shop) -> None:
    """React to orders that end, and place new ones at the configured rate."""
    await asyncio.gather(take(shop, ("ParcelPicked", "StockReleased"), react), place_orders(shop))


async def react(event: Event, shop: Shop) -> Sequence[Event]:
    """Write to the customer, and close the order."""
    await shop.work(5, 15)
    outcome = "OrderShipped" if event.type == "ParcelPicked" else "OrderCancelled"
    await shop.state.change(event.order_id, lambda order: {**order, "state": outcome})
    letter = event.then("EmailComposed", shop.service, about=outcome)
    return letter, event.then(outcome, shop.service)


async def place_orders(shop: Shop) -> None:
    """Place orders until the shop stops, at slightly irregular intervals; none while NATS is away."""
    settings = shop.settings
    last = placed = 0
    await shop.pause(OPENING_S)
    while settings.orders_per_second and placed != settings.orders:
        if await shop.pause(random.uniform(0.6, 1.4) / settings.orders_per_second):
            return
        last = max(last + 1, time.time_ns() // 10_000_000)
        if not shop.client.is_connected:
            continue
        try:
            await place(shop, order_id(last), is_due(placed, settings.expired_cards))
            placed += 1
        except Error as error:
            shop.log.debug("no order placed: %s", error)
            await shop.pause(0.5)


def is_due(number: int, share: float) -> bool:
    """Whether the order after *number* others belongs to a *share* that is spread evenly over all orders."""
    return int((number + 1) * share) > int(number * share)


async def place(shop: Shop, order: str, expired_card: bool = False) -> Event:
    """Place one order; its id travels as baggage from here on."""
    data: dict[str, Any] = {
        "item": random.choice(ITEMS),
        "quantity": random.randint(1, 3),
        "total_cents": random.randint(9, 150) * 100 - 1,
        "card": "expired" if expired_card else "valid",
    }
    event = Event(
        type="OrderPlaced",
        order_id=order,
        id=f"OrderPlaced/{order}",
        source=f"/shop/{shop.service}",
        correlation_id=str(uuid.uuid4()),
        data=data,
    )
    token = context.attach(baggage.set_baggage(ORDER_ID, order))
    try:
        with _tracer.start_as_current_span("place order"):
            await shop.state.add(order, {"state": "OrderPlaced", **data})
            await shop.publish(event)
    finally:
        context.detach(token)
    return event
