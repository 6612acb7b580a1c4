"""What the demo shop's fault control answers."""

from msgspec import Struct


class Fault(Struct, frozen=True, kw_only=True):
    """What is broken on purpose in one service of the demo shop."""

    kind: str
    share: float = 1.0
    delay_ms: float = 0


class ShopService(Struct, frozen=True, kw_only=True):
    """One service of the demo shop."""

    service: str
    processes: int = 1
    running: int = 1
    fault: Fault | None = None


class Shop(Struct, frozen=True, kw_only=True):
    """The demo shop."""

    services: list[ShopService] = []
    orders_per_second: float = 0.0
