"""Picks the parcels of prepared shipments, up to ten in one round."""

from collections.abc import Sequence

from .consuming import take_batches
from .events import Event
from .shop import Shop


async def run(shop: Shop) -> None:
    """React until the shop stops."""
    await take_batches(shop, ("ShipmentPrepared",), react, "pick parcel")


async def react(event: Event, shop: Shop) -> Sequence[Event]:
    """Pick one parcel of the round."""
    await shop.work(1, 3)
    return (event.then("ParcelPicked", shop.service),)
