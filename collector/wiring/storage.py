"""Where are spans kept, who writes and reads them over which connections, and by whose clock?"""

from dataclasses import dataclass

from collector.columns import keys
from collector.config import Config
from collector.steady_clock import WRONG, SteadyClock
from collector.store.contracts import OpenStore, Stores
from collector.store.open import open_store
from collector.upkeep.checking import folder_of


@dataclass(frozen=True)
class Storage:
    """The open store, its clock, and connections for each user, so that none can block another."""

    store: OpenStore
    clock: SteadyClock
    writing: Stores
    ticking: Stores
    reading: Stores  # a query that takes long is stopped


def open_storage(config: Config) -> Storage:
    """Open the store that *config* names; raise `OpenError` or `StoreError` if it cannot be used."""
    clock = SteadyClock(config.data / "clock")
    backups = folder_of(config.backups, config.data)
    store = open_store(config.data, config.store_memory_bytes, config.store, clock.now, backups)
    keys.use(store.secret)
    storage = Storage(store, clock, store.stores(), store.stores(), store.stores(bounded=True))
    # No span arrives before one that is stored already, even if the clock's own mark was lost.
    clock.follow(storage.writing.spans.arrival_of_newest(1, 0, clock.now() + WRONG) + 1)
    clock.keep()
    return storage
