"""Charges the card for an order whose stock is reserved: the payment is captured or declined."""

from collections.abc import Sequence

from opentelemetry import trace

from .consuming import take
from .events import Event
from .shop import Shop

_tracer = trace.get_tracer(__name__)


async def run(shop: Shop) -> None:
    """React until the shop stops; several processes share the work."""
    await take(shop, ("StockReserved",), react)


async def react(event: Event, shop: Shop) -> Sequence[Event]:
    """Charge the card once, however often the event is delivered."""
    with _tracer.start_as_current_span("charge card") as span:
        span.set_attribute("payment.amount_cents", int(event.data.get("total_cents", 0)))
        await shop.work(20, 50)
        outcome = "PaymentDeclined" if event.data.get("card") == "expired" else "PaymentCaptured"
        await shop.state.add(event.order_id, {"outcome": outcome})
    return (event.then(outcome, shop.service),)
