"""Looks at each placed order, asks how risky it is where that is wanted, and clears it."""

import asyncio
from collections.abc import Sequence

from . import score
from .consuming import take
from .events import Event
from .shop import Shop


async def run(shop: Shop) -> None:
    """React, and answer questions for scores, until the shop stops."""
    await asyncio.gather(take(shop, ("OrderPlaced",), react), score.run(shop))


async def react(event: Event, shop: Shop) -> Sequence[Event]:
    """Clear the order after a look at it."""
    await shop.work(15, 45)
    if not shop.settings.scores:
        return (event.then("OrderCleared", shop.service),)
    found = await score.ask(event, shop)
    return (event.then("OrderCleared", shop.service, score=found),)
