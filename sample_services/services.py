"""The services of the shop: the function that runs each, and its number of processes."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from . import analytics, fraud, inventory, notification, order, payment, score, shipping, warehouse
from .shop import Shop


@dataclass(frozen=True)
class Service:
    """What a process of this service runs until it is asked to stop, and the number of processes."""

    run: Callable[[Shop], Awaitable[None]]
    processes: int = 1


SERVICES: Final[Mapping[str, Service]] = {
    "order": Service(order.run),
    "inventory": Service(inventory.run),
    "payment": Service(payment.run, processes=2),
    "fraud": Service(fraud.run),
    "score": Service(score.run),
    "shipping": Service(shipping.run),
    "warehouse": Service(warehouse.run),
    "notification": Service(notification.run),
    "analytics": Service(analytics.run),
}
