"""Checks each placed order, asks for its risk score, and clears it."""

from collections.abc import Sequence

from . import score
from .consuming import take
from .events import Event
from .shop import Shop


async def run(shop: Shop) -> None:
    """React until the shop stops."""
    await take(shop, ("OrderPlaced",), react)


async def react(event: Event, shop: Shop) -> Sequence[Event]:
    """Check the order, then clear it."""
    await shop.work(15, 45)
    return (event.then("OrderCleared", shop.service, score=await score.ask(event, shop)),)
