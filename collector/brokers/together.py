"""All brokers that are read: what they know together, and what somebody needs of them."""

import threading
from collections.abc import Callable, Sequence

import pyarrow as pa

from collector.brokers.contract import BrokerReader, Facts, Wanted
from collector.model.facts import FACTS

_LOOKED_NS = 60 * 10**9  # after somebody looked at consumers, they are read for so long


class Brokers:
    """The readers of one collector. May be asked from any thread."""

    def __init__(self, readers: Sequence[BrokerReader], clock: Callable[[], int]) -> None:
        self.readers = tuple(readers)
        self._clock = clock
        self._looked = -_LOOKED_NS
        self._lock = threading.Lock()

    def facts(self) -> Facts:
        """What is known at this moment."""
        return Facts(tuple(one.known for one in self.readers), self._clock())

    def look(self) -> Facts:
        """The same, for somebody who looks at all of it: for a while it is kept fresh."""
        self._looked = self._clock()
        return self.facts()

    def want(self, wanted: Wanted) -> None:
        """What the flows of this moment need."""
        looked = self._clock() - self._looked < _LOOKED_NS
        for one in self.readers:
            one.want(
                Wanted(wanted.destinations, wanted.groups, wanted.spots, anything=wanted.anything or looked)
            )

    def taken(self) -> pa.Table:
        """FACTS that are new since the last call."""
        with self._lock:
            return pa.concat_tables([FACTS.empty_table(), *(one.taken() for one in self.readers)])

    async def run(self, number: int) -> None:
        """Read with the reader of this *number* until cancelled."""
        await self.readers[number].run()


NO_BROKERS = Brokers((), lambda: 0)
