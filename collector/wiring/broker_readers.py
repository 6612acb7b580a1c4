"""Which brokers are read, and what becomes of what they know?"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from functools import partial

from collector.brokers.contract import BrokerReader
from collector.brokers.nats.nats_reader import NatsReader
from collector.brokers.nats.sign_in import SignIn, SignInError
from collector.brokers.together import Brokers
from collector.config import Config, ConfigError
from collector.live.runner import Live
from collector.live.wanted_facts import wanted_of
from collector.store.contracts import StoreError
from collector.store.reported import FactStore
from collector.upkeep.rounds import Rounds
from collector.upkeep.watch import Watch

log = logging.getLogger(__name__)

_WANT_EVERY_S, _WRITE_EVERY_S = 1.0, 5.0
_FORGET_NS = 3600 * 10**9


def brokers_of(config: Config, clock: Callable[[], int]) -> Brokers:
    """The brokers that *config* names; raise `ConfigError` for what cannot be used."""
    readers: list[BrokerReader] = []
    if config.nats:
        readers.append(_nats(config, clock))
    elif config.nats_monitor:
        raise ConfigError("CHOREOSCOPE_NATS_MONITOR is given without CHOREOSCOPE_NATS: expected both.")
    return Brokers(readers, clock)


def look_after_brokers(
    rounds: Rounds, brokers: Brokers, live: Live, facts: FactStore, kept_since: Callable[[], int]
) -> None:
    """Plan that they are asked what the flows of the moment need, and that what they say is kept.

    Facts go with the spans: when the oldest one that is kept was received at *kept_since*.
    """
    rounds.every("broker wishes", _WANT_EVERY_S, lambda: brokers.want(wanted_of(live.snapshot)))
    rounds.every("facts", _WRITE_EVERY_S, Writing(brokers, facts, kept_since).once)


class Writing:
    """Keeps what brokers said. A store that fails loses facts and no verdict: these rest on memory."""

    def __init__(self, brokers: Brokers, facts: FactStore, kept_since: Callable[[], int]) -> None:
        self._brokers, self._facts, self._kept_since = brokers, facts, kept_since
        self._forgotten = 0

    def once(self) -> None:
        """Store what is new, and forget what is old, an hour at once."""
        try:
            self._facts.write(self._brokers.taken())
            before = self._kept_since()
            if before - self._forgotten > _FORGET_NS:
                self._facts.forget(before)
                self._forgotten = before
        except StoreError as error:
            log.warning("%s. What brokers said meanwhile is not kept.", error)


class Reading:
    """Reads all brokers, from `start` to `stop`. Use it within one event loop."""

    def __init__(self, brokers: Brokers, watch: Watch) -> None:
        self._brokers, self._watch = brokers, watch
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to read: a broker that is not there delays nothing."""
        self._tasks = [
            asyncio.create_task(self._watch.keep(f"broker {number}", partial(self._brokers.run, number)))
            for number in range(len(self._brokers.readers))
        ]

    async def stop(self) -> None:
        """Return once nothing is read any more."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task


def _nats(config: Config, clock: Callable[[], int]) -> NatsReader:
    try:
        sign_in = SignIn(
            config.nats,
            creds=config.nats_creds,
            nkey=config.nats_nkey,
            user=config.nats_user,
            password=config.nats_password,
            token=config.nats_token,
            cert=config.nats_cert,
            key=config.nats_key,
            ca=config.nats_ca,
            inbox=config.nats_inbox,
        )
    except SignInError as error:
        raise ConfigError(str(error)) from error
    return NatsReader(
        sign_in,
        requests_s=config.nats_requests,
        keep=config.nats_keep == "true",
        monitor=config.nats_monitor,
        clock=clock,
    )
