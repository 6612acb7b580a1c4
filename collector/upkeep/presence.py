"""Is the folder that we store in still where it was? One that was moved or removed keeps nothing."""

from collections.abc import Callable

from collector.model.troubles import TroubleKind
from collector.store.contracts import StoreError
from collector.upkeep.health import Troubles

EVERY_S = 0.5


class Presence:
    """Tells, by *require_there*, when the store has gone; while it has, nothing is acknowledged."""

    def __init__(self, require_there: Callable[[], None], troubles: Troubles) -> None:
        self._require_there, self._troubles = require_there, troubles

    def once(self) -> None:
        """Look once."""
        try:
            self._require_there()
        except StoreError as error:
            self._troubles.report(TroubleKind.FOLDER_GONE, str(error), refuses=True)
        else:
            self._troubles.over(TroubleKind.FOLDER_GONE)
