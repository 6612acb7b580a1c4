"""Opens a store in ClickHouse: embedded on a folder, or on a server."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from collector.columns.keys import Secret
from collector.store.clickhouse import server, store_settings
from collector.store.clickhouse.connections import Database, Limits
from collector.store.clickhouse.decision_store import ClickHouseDecisions
from collector.store.clickhouse.embedded import Engine
from collector.store.clickhouse.flow_store import ClickHouseFlows
from collector.store.clickhouse.migrations import VERSION, migrate, there
from collector.store.clickhouse.span_store import ClickHouseSpans
from collector.store.contracts import StoreError, Stores

DATABASE = "choreoscope"


class ClickHouseStore:
    """An open store in ClickHouse, embedded or on a server."""

    def __init__(
        self, place: str, connected: Callable[[Limits | None], Database], closed: Callable[[], None]
    ) -> None:
        self.place = place
        self._connected, self._closed = connected, closed
        self._databases: list[Database] = []
        self.secret = Secret()

    def prepare(self, before: Callable[[], None] = lambda: None) -> None:
        """Migrate the schema; call *before* ahead of each change. Raise `StoreError` if it is newer."""
        database = self._connected(None)
        try:
            written = store_settings.schema_version(database) if "settings" in there(database) else 0
            if written > VERSION:
                raise StoreError(
                    f"The store {self.place} was written by a newer version (its schema is {written}, ours"
                    f" {VERSION}): use that version, or another database."
                )
            migrate(database, before)
            store_settings.write_schema_version(database, VERSION)
            self.secret = store_settings.secret(database)
        finally:
            database.close()

    def stores(self, *, bounded: bool = False) -> Stores:
        """Stores over connections of their own; *bounded*: no query may take long, or much memory."""
        database = self._connected(Limits() if bounded else None)
        self._databases.append(database)
        spans = ClickHouseSpans(database)
        return Stores(spans, ClickHouseFlows(database, spans), ClickHouseDecisions(database))

    def close(self) -> None:
        """Close all connections, and release the folder if there is one."""
        for database in self._databases:
            database.close()
        self._closed()


def on_folder(folder: Path, memory_limit: int) -> ClickHouseStore:
    """The embedded store on *folder*; raise `FolderError` or `StoreError` if it cannot be used."""
    engine = Engine(folder, memory_limit)
    store = ClickHouseStore(str(folder), partial(engine.database, DATABASE), engine.close)
    try:
        store.prepare(engine.require_room)
        engine.stamp()
    except BaseException:
        store.close()
        raise
    return store


def on_server(address: str) -> ClickHouseStore:
    """The store on the server at *address*; raise `AddressError` or `StoreError` if it cannot be used."""
    where = server.address(address)
    try:
        remote = server.Server(where)
        store = ClickHouseStore(where.shown, remote.database, lambda: None)
        store.prepare()
    except StoreError as error:
        raise StoreError(f"{error} (CHOREOSCOPE_STORE is {where.shown})") from error
    return store
