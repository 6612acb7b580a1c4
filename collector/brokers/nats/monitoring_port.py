"""What does the monitoring port add: who is connected to one server, without any user's rights."""

import logging
from collections.abc import Callable
from urllib.parse import urlsplit

import httpx
import msgspec

from collector.brokers.nats import connz
from collector.brokers.nats.recollection import Recollection
from collector.brokers.nats.rhythm import holds_ns

log = logging.getLogger(__name__)

_WITHIN_S = 3.0
_MOST_BYTES = 32 * 1024 * 1024


class MonitoringPort:
    """The monitoring port of one server, such as http://localhost:8222."""

    def __init__(self, address: str, memory: Recollection, clock: Callable[[], int]) -> None:
        self._address, self._memory, self._clock = address.rstrip("/"), memory, clock
        self.problem = ""

    async def look(self, pause_s: float) -> None:
        """Remember who is connected there, unless the servers told it over NATS."""
        if self._memory.known.connections_whole_until >= self._clock():
            return
        as_of = self._clock()
        until = as_of + holds_ns(pause_s)
        try:
            async with httpx.AsyncClient(timeout=_WITHIN_S, trust_env=False) as client:
                found = []
                for state in ("open", "closed"):
                    query = {"subs": "detail", "state": state, "limit": str(connz.PAGE)}
                    answer = await client.get(f"{self._address}/connz", params=query)
                    answer.raise_for_status()
                    data = msgspec.json.decode(answer.content[:_MOST_BYTES], type=connz.Data)
                    found += connz.connections_of(connz.Answer(data), as_of, until)
        except (httpx.HTTPError, msgspec.MsgspecError) as error:
            self.problem = (
                f"The monitoring port at {urlsplit(self._address).netloc.rpartition('@')[2]} does not answer"
                f" ({type(error).__name__}): CHOREOSCOPE_NATS_MONITOR has another address, or it is closed."
            )
            return
        self.problem = ""
        # It lists one server's connections, of all accounts: who is missing may be elsewhere.
        self._memory.connections(found, as_of, 0)
