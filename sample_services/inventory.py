"""Reserves stock for placed orders, and releases it when a payment is declined."""

from collections.abc import Sequence

from .consuming import take
from .events import Event
from .shop import Shop


async def run(shop: Shop) -> None:
    """React until the shop stops."""
    await take(shop, ("OrderPlaced", "PaymentDeclined"), react)


async def react(event: Event, shop: Shop) -> Sequence[Event]:
    """Reserve the stock, or release it."""
    await shop.work(8, 25)
    if event.type == "OrderPlaced":
        reservation = {"item": event.data.get("item"), "quantity": event.data.get("quantity"), "held": True}
        await shop.state.add(event.order_id, reservation)
        return (event.then("StockReserved", shop.service),)
    await shop.state.change(event.order_id, lambda reservation: {**reservation, "held": False})
    return (event.then("StockReleased", shop.service),)
