"""Prepares the shipment of an order that is both paid and cleared, whichever comes first."""

from collections.abc import Sequence
from typing import Final

from .consuming import take
from .events import Event
from .shop import Shop
from .state import Document

NEEDED: Final = ("PaymentCaptured", "OrderCleared")


async def run(shop: Shop) -> None:
    """React until the shop stops."""
    await take(shop, NEEDED, react)


async def react(event: Event, shop: Shop) -> Sequence[Event]:
    """Note what has happened; the event that completes the pair prepares the shipment.

    The stored document alone decides which one that is: of two concurrent changes
    one is refused and retried. A redelivered event gets the same answer, so a
    crash in between loses no shipment.
    """
    await shop.work(5, 15)
    known = await shop.state.change(event.order_id, lambda document: note(document, event.type))
    if known.get("completed_by") != event.type:
        return ()
    return (event.then("ShipmentPrepared", shop.service),)


def note(document: Document, event_type: str) -> Document:
    """*document* with *event_type* noted as happened, and the type that completed it."""
    happened = sorted({*document.get("happened", ()), event_type})
    noted = {**document, "happened": happened}
    if "completed_by" not in document and set(NEEDED) <= set(happened):
        noted["completed_by"] = event_type
    return noted
