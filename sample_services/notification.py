"""Writes to customers about the events it receives; those it misses are never sent."""

from collections.abc import Sequence

from .consuming import listen
from .events import Event
from .shop import Shop


async def run(shop: Shop) -> None:
    """Listen until the shop stops."""
    await listen(shop, ("OrderPlaced", "EmailComposed"), react)


async def react(_: Event, shop: Shop) -> Sequence[Event]:
    """Send one e-mail; publish nothing."""
    await shop.work(1, 4)
    return ()
