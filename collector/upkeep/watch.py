"""Keeps long-lived tasks alive: a task that dies is logged, counted and restarted.

If a task keeps dying, restarting does not help. The watch then gives up, `/readyz` reports it, and the
process exits with a code that a service manager acts on.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from collector.counters import Counters

_DEATHS, _WITHIN_S = 5, 60.0  # a task that dies this often does not recover by itself

log = logging.getLogger(__name__)


class Watch:
    """Watches the tasks of one event loop."""

    def __init__(self, counters: Counters) -> None:
        self.given_up = asyncio.Event()
        self._counters = counters

    def is_well(self) -> bool:
        """Whether all watched tasks are alive."""
        return not self.given_up.is_set()

    async def keep(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run *work* until it returns, restarting it if it dies; return early if the watch gives up.

        *work* must be safe to restart, and must itself take care of whatever it held when it died.
        """
        deaths: deque[float] = deque(maxlen=_DEATHS)
        self._counters.task_deaths.labels(name)
        while not self.given_up.is_set():
            try:
                await work()
            except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
                raise
            except BaseException:  # a panic of compiled code is not an Exception
                deaths.append(asyncio.get_running_loop().time())
                self._counters.task_deaths.labels(name).inc()
                log.critical("The task '%s' died and is started again", name, exc_info=True)
                if len(deaths) == _DEATHS and deaths[-1] - deaths[0] < _WITHIN_S:
                    log.critical("The task '%s' died %d times: the collector ends", name, _DEATHS)
                    self.given_up.set()
            else:
                return
