"""By what does a collector tell how it is? Figures, troubles, and whether its tasks live."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from collector.counters import Counters
from collector.upkeep.health import Troubles
from collector.upkeep.watch import Watch


@dataclass(frozen=True)
class Signs:
    """What nearly every part writes to."""

    counters: Counters
    troubles: Troubles
    watch: Watch

    def ending(self) -> Callable[[], None]:
        """A call that ends the collector, from any thread. Ask for it in the event loop."""
        loop = asyncio.get_running_loop()

        def end() -> None:
            loop.call_soon_threadsafe(self.watch.given_up.set)

        return end


def signs_of(clock: Callable[[], int]) -> Signs:
    """Signs of a collector in which nothing has happened yet; *clock* tells when a trouble began."""
    counters = Counters()
    return Signs(counters, Troubles(clock), Watch(counters))
