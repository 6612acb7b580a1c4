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
from collector.upkeep.rounds import Rounds
from collector.upkeep.watch import Watch

log = logging.getLogger(__name__)

_WANT_EVERY_S = 1.0


def brokers_of(config: Config, clock: Callable[[], int]) -> Brokers:
    """The brokers that *config* names; raise `ConfigError` for what cannot be used."""
    readers: list[BrokerReader] = []
    if config.nats:
        readers.append(_nats(config, clock))
    elif config.nats_monitor:
        raise ConfigError("CHOREOSCOPE_NATS_MONITOR is given without CHOREOSCOPE_NATS: expected both.")
    return Brokers(readers, clock)


def ask_for_what_is_wanted(rounds: Rounds, brokers: Brokers, live: Live) -> None:
    """Plan that brokers learn what the flows of the moment need."""
    if brokers.readers:
        rounds.every("broker wishes", _WANT_EVERY_S, lambda: brokers.want(wanted_of(live.snapshot)))


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
