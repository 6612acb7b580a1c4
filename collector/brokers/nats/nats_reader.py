"""Reads NATS for as long as the collector runs. See `contract.BrokerReader`."""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Sequence

import msgspec
import nats
import pyarrow as pa
from nats.aio.client import Client
from nats.aio.msg import Msg

from collector.brokers.contract import Known, Wanted
from collector.brokers.nats import advisories, gaps
from collector.brokers.nats.asking import Asking, Budget
from collector.brokers.nats.kept_advisories import Keeping
from collector.brokers.nats.looking import Looking
from collector.brokers.nats.monitoring_port import MonitoringPort
from collector.brokers.nats.recollection import Recollection
from collector.brokers.nats.rhythm import Target, What, targets
from collector.brokers.nats.sign_in import SignIn, shown

log = logging.getLogger(__name__)

_CONNECT_S = 2
_RETRY_S, _MOST_RETRY_S = 0.5, 15.0
_IDLE_S = 0.25  # how soon a new wish is seen
_REFUSED_PAUSE_S = 120.0  # permissions change rarely
_UNHEARD = 65_536  # advisories that may wait to be read


class NatsReader:
    """One reader. `run` belongs to one event loop; the rest may be called from any thread."""

    def __init__(
        self,
        sign_in: SignIn,
        *,
        requests_s: float = 20,
        keep: bool = False,
        monitor: Sequence[str] = (),
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._sign_in, self._clock = sign_in, clock
        self._requests_s = requests_s
        self._budget = Budget(requests_s, time.monotonic)
        self._keep = keep
        self._memory = Recollection()
        self._ports = [MonitoringPort(one, self._memory, clock) for one in monitor]
        self._wanted = Wanted()
        self._servers = list(sign_in.servers)
        self._said = ""

    @property
    def known(self) -> Known:
        """What it knows now."""
        return self._memory.known

    @property
    def requests(self) -> int:
        """How many requests it has sent so far."""
        return self._budget.spent

    def want(self, wanted: Wanted) -> None:
        """Replace what is wanted."""
        self._wanted = wanted

    def taken(self) -> pa.Table:
        """FACTS that are new since the last call."""
        return self._memory.taken()

    async def run(self) -> None:
        """Read until cancelled: connect, and connect again whenever the connection ends."""
        pause = _RETRY_S
        while True:
            client = Client()
            try:
                asking = await self._connect(client)
                pause = _RETRY_S
                await self._read(client, asking)
            except Exception as error:  # whatever a broker does, the collector goes on
                self._lost(error)
            finally:
                self._memory.listens(0)
                with contextlib.suppress(Exception):
                    async with asyncio.timeout(_CONNECT_S):
                        await client.close()
                # A client that was still connecting leaves its socket open.
                with contextlib.suppress(Exception):
                    if client._transport is not None:  # nats-py has no other way
                        client._transport.close()  # type: ignore[no-untyped-call]
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311  # jitter
            pause = min(pause * 2, _MOST_RETRY_S)

    async def _connect(self, client: Client) -> Asking:
        """Connect to the first server that answers; the next one is tried first after it was lost."""
        heard: list[Asking] = []

        async def complain(error: Exception) -> None:
            for asking in heard:
                asking.heard(error)

        server = self._servers[0]
        self._servers = [*self._servers[1:], server]
        async with asyncio.timeout(3 * _CONNECT_S):
            await client.connect(
                [server],
                **self._sign_in.options(),
                allow_reconnect=False,
                connect_timeout=_CONNECT_S,
                error_cb=complain,
                ping_interval=10,
            )
        asking = Asking(client, self._budget, self._sign_in.inbox)
        heard.append(asking)
        self._memory.own(str(client.client_id))
        self._memory.heard(self._clock())
        if self._said:
            log.warning("NATS at %s is back", shown(server))
            self._said = ""
        return asking

    def _lost(self, error: Exception) -> None:
        """Say it once, without what the error may hold of an address."""
        where = ", ".join(shown(one) for one in self._sign_in.servers)
        said = gaps.not_reached(where, _reason(error))
        if not self._said:
            log.warning("%s", said)
        self._said = said
        self._memory.gaps([said])

    async def _read(self, client: Client, asking: Asking) -> None:
        async def hear(message: Msg) -> None:
            if (one := advisories.happening_of(message.data, self._clock())) is not None:
                self._memory.happen(one)

        since = self._clock()
        for subject in advisories.SUBJECTS:
            await client.subscribe(subject, cb=hear, pending_msgs_limit=_UNHEARD)
        # What the server thinks of the subscriptions comes before its answer to this.
        # nats-py may write the PING of the first one ahead of them.
        await client.flush()
        await client.flush()
        keeping = Keeping(asking, client, self._memory, self._clock) if self._keep else None
        if keeping is not None:
            await keeping.begin()
        if not asking.unheard(advisories.SUBJECTS):
            self._memory.listens((keeping.since if keeping else 0) or since)
        looking = Looking(asking, self._memory, self._clock, self._requests_s)
        asked: dict[Target, float] = {}
        resting: dict[What, float] = {}
        while client.is_connected:
            self._memory.gaps(self._gaps(asking, looking, keeping))
            now = time.monotonic()
            pauses = targets(self._memory.known, self._wanted, self._requests_s)
            asked = {target: at for target, at in asked.items() if target in pauses}
            due = [
                target
                for target, pause in pauses.items()
                if asked.get(target, -1e9) + pause <= now and resting.get(target.what, 0.0) <= now
            ]
            if not due:
                await asyncio.sleep(_IDLE_S)
                continue
            target = min(due, key=lambda one: (asked.get(one, -1e9) + pauses[one], one))
            # Not all at the same instant, and not in step with another collector.
            asked[target] = now + random.uniform(-0.1, 0.1) * pauses[target]  # noqa: S311
            await looking.at(target, self._wanted, pauses[target])
            if target.what in looking.refused or looking.nobody.get(target.what):
                resting[target.what] = time.monotonic() + _REFUSED_PAUSE_S
            if target.what is What.CONNECTIONS:
                for port in self._ports:
                    await port.look(pauses[target])
        raise ConnectionError(str(client.last_error or "the connection was closed"))

    def _gaps(self, asking: Asking, looking: Looking, keeping: Keeping | None) -> list[str]:
        said = list(looking.gaps())
        if unheard := asking.unheard(advisories.SUBJECTS):
            said.append(gaps.unheard(unheard))
        if keeping is not None and keeping.problem:
            said.append(keeping.problem)
        return said + [port.problem for port in self._ports if port.problem]


def _reason(error: Exception) -> str:
    if isinstance(error, (nats.errors.AuthorizationError,)) or "authorization" in str(error).lower():
        return "it refuses the user or the password"
    if isinstance(error, TimeoutError | nats.errors.TimeoutError):
        return "it does not answer in time"
    if isinstance(error, msgspec.MsgspecError):
        return "its answer cannot be read"
    return f"{type(error).__name__}"
