"""Counts every event and changes nothing: it may start late, or never."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Final

from nats.errors import Error

from .consuming import take_pushed
from .events import Event
from .shop import Shop

SAVE_S: Final = 2.0
_counts: Counter[str] = Counter()


async def run(shop: Shop) -> None:
    """Count until the shop stops."""
    _counts.update((await shop.state.get("counts")) or {})
    await asyncio.gather(take_pushed(shop, react), _save(shop))


async def react(event: Event, _: Shop) -> Sequence[Event]:
    """Count the event; publish nothing."""
    _counts[event.type] += 1
    return ()


async def _save(shop: Shop) -> None:
    stopping = False
    while not stopping:
        stopping = await shop.pause(SAVE_S)
        try:
            await shop.state.change("counts", lambda _: dict(_counts))
        except Error as error:
            shop.log.debug("counts not saved: %s", error)
