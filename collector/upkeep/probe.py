"""Can a span be stored and found? Asked again and again, because an open port proves nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError

from collector.model.troubles import TroubleKind
from collector.store.contracts import StoreError
from collector.upkeep.health import Troubles

_EVERY_S = 60.0
_AGAIN_S = 5.0  # after one that failed: whoever waits for us should not wait a minute longer
_PATIENCE_S = 30.0  # under overload, a span waits for some seconds
_MOST_HANGS = 3  # in a row: what hangs for so long goes on only after a restart


class Probe:
    """Proves by *prove*, which stores a span of ours and finds it, that those of others can be stored.

    *prove* leaves nothing behind, and raises `StoreError` if it fails. If it does not even end, again and
    again, *end* is called: the process should be started anew.
    """

    def __init__(
        self,
        prove: Callable[[], Awaitable[None]],
        troubles: Troubles,
        end: Callable[[], None],
        patience_s: float = _PATIENCE_S,
    ) -> None:
        self._prove, self._troubles, self._end = prove, troubles, end
        self._patience_s = patience_s
        self._loop = asyncio.get_running_loop()
        self._hangs = 0
        self._failing = False

    def pause_s(self) -> float:
        """How long to wait before the next proof, in seconds."""
        return _AGAIN_S if self._failing else _EVERY_S

    def once(self) -> None:
        """Prove it once, from a thread of one's own."""
        proof = asyncio.run_coroutine_threadsafe(self._proven(), self._loop)
        try:
            proof.result(self._patience_s)
        except TimeoutError:
            proof.cancel()
            self._hangs += 1
            self._failed(f"it took more than {self._patience_s:g} s")
            if self._hangs == _MOST_HANGS:
                self._end()
        except StoreError as error:
            self._hangs = 0
            self._failed(str(error))
        except CancelledError:  # the process stops
            return
        else:
            self._hangs, self._failing = 0, False
            self._troubles.over(TroubleKind.NOT_STORING)

    async def _proven(self) -> None:
        await self._prove()

    def _failed(self, why: str) -> None:
        self._failing = True
        text = f"A span of the collector's own could not be stored and found again: {why.rstrip('.')}."
        self._troubles.report(TroubleKind.NOT_STORING, text)
