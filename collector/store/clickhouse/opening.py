"""Opens a store in ClickHouse: embedded on a folder, or on a server."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from collector.columns.keys import Secret
from collector.store.care import BackupError, Repaired, StoreCare
from collector.store.clickhouse import server, store_settings
from collector.store.clickhouse.connections import Database, Limits
from collector.store.clickhouse.decision_store import ClickHouseDecisions
from collector.store.clickhouse.deletion_store import ClickHouseDeletions
from collector.store.clickhouse.dismissal_store import ClickHouseDismissals
from collector.store.clickhouse.embedded import DATABASE, Engine, unusable
from collector.store.clickhouse.embedded_care import EmbeddedCare
from collector.store.clickhouse.fact_store import ClickHouseFacts
from collector.store.clickhouse.flow_store import ClickHouseFlows
from collector.store.clickhouse.merge_watch import keep_sources
from collector.store.clickhouse.migrations import VERSION, migrate, there
from collector.store.clickhouse.repairing import repair
from collector.store.clickhouse.restoring_backup import lay_out
from collector.store.clickhouse.retention_store import ClickHouseRetention
from collector.store.clickhouse.span_store import ClickHouseSpans
from collector.store.contracts import OpenError, StoreError, Stores


class ClickHouseStore:
    """An open store in ClickHouse, embedded or on a server."""

    def __init__(
        self,
        place: str,
        connected: Callable[[Limits | None], Database],
        closed: Callable[[], None],
        clock: Callable[[], int],
        require_there: Callable[[], None] = lambda: None,
        folder: Path | None = None,
    ) -> None:
        """*folder* is where the data is, if it is on a disk of this machine."""
        self.place, self._clock, self._folder = place, clock, folder
        self._connected, self._closed, self._require_there = connected, closed, require_there
        self._databases: list[Database] = []
        self.secret = Secret()
        self.settings: Mapping[str, str] = {}
        self.care: StoreCare | None = None

    def prepare(
        self, before: Callable[[], None] = lambda: None, kept: Mapping[str, str] | None = None
    ) -> None:
        """Migrate the schema; call *before* ahead of each change. Raise `StoreError` if it is newer.

        *kept* are the settings that were known before: those that the store has lost are restored from them.
        """
        database = self._connected(None)
        try:
            written = store_settings.schema_version(database) if "settings" in there(database) else 0
            if written > VERSION:
                raise StoreError(
                    f"The store {self.place} was written by a newer version (its schema is {written}, ours"
                    f" {VERSION}): use that version, or another database."
                )
            migrate(database, before)
            if self._folder is not None:
                keep_sources(database, before)
            store_settings.write_schema_version(database, VERSION)
            self.secret = store_settings.secret(database, kept or {})
            self.settings = store_settings.settings(database)
        finally:
            database.close()

    def stores(self, *, bounded: bool = False) -> Stores:
        """Stores over connections of their own; *bounded*: no query may take long, or much memory."""
        database = self._connected(Limits() if bounded else None)
        self._databases.append(database)
        return stores_over(database, self._clock)

    def require_there(self) -> None:
        """Raise `StoreError` if the folder was moved or removed since it was opened."""
        self._require_there()

    def retention(self) -> ClickHouseRetention:
        """What removes from these stores, over connections of its own."""
        self._databases.append(self._connected(None))
        return ClickHouseRetention(self._databases[-1], self._folder)

    def close(self) -> None:
        """Close all connections, and release the folder if there is one."""
        for database in self._databases:
            database.close()
        self._closed()


def stores_over(database: Database, clock: Callable[[], int] = time.time_ns) -> Stores:
    """All stores in *database*, which must be migrated."""
    spans = ClickHouseSpans(database)
    return Stores(
        spans=spans,
        flows=ClickHouseFlows(database, spans, clock),
        decisions=ClickHouseDecisions(database),
        dismissals=ClickHouseDismissals(database),
        deletions=ClickHouseDeletions(database),
        facts=ClickHouseFacts(database),
    )


def on_folder(
    folder: Path,
    memory_limit: int,
    clock: Callable[[], int] = time.time_ns,
    backups: Path | None = None,
) -> ClickHouseStore:
    """The embedded store on *folder*; raise `FolderError` or `StoreError` if it cannot be used.

    Its backups are in *backups*, by default in the folder itself.
    """
    backups = backups or folder / "backups"
    engine = Engine(folder, memory_limit)
    store = ClickHouseStore(
        str(folder.absolute()),
        partial(engine.database, DATABASE),
        engine.close,
        clock,
        engine.require_there,
        folder,
    )
    try:
        store.prepare(engine.before_change, engine.kept_settings())
        engine.after_change(store.settings)
        engine.watch(DATABASE, "spans")
    except BaseException as error:
        store.close()
        if isinstance(error, Exception) and not isinstance(error, OpenError | StoreError):
            raise unusable(folder, error) from error  # the driver and the engine raise many kinds
        raise
    store.care = EmbeddedCare(engine, backups)
    return store


def restored(backup: Path, folder: Path, memory_limit: int) -> dict[str, int]:
    """Make *folder* of *backup*, open it, and return its rows by table. See `open.restore_backup`."""
    expected = lay_out(backup, folder).rows
    try:
        store = on_folder(folder, memory_limit)
        assert store.care is not None
        damages, rows = store.care.check(full=True), store.care.figures().rows
        store.close()
    except (OpenError, StoreError) as error:
        raise BackupError(f"{backup} was restored into {folder}, which does not open: {error}") from error
    # Rows of other tables are replaced when their parts are merged, which may be at once.
    fewer = rows.get("spans", 0) != expected.get("spans", 0) or any(
        not rows.get(name) for name in expected if expected[name]
    )
    if damages or fewer:
        raise BackupError(
            f"{backup} was restored into {folder}, with {rows.get('spans', 0):,} spans instead of"
            f" {expected.get('spans', 0):,}{' and damage: ' if damages else ''}"
            f"{'; '.join(f'{one.part}: {one.reason}' for one in damages)}. Use another backup."
        )
    return expected


def repaired(folder: Path, memory_limit: int, *, change: bool, drop: bool) -> list[Repaired]:
    """What can be brought back in *folder*. See `open.repair_folder`."""
    # Whatever is damaged is set aside first.
    store = on_folder(folder, memory_limit)
    assert isinstance(store.care, EmbeddedCare)
    try:
        store.care.check(full=True)
        return repair(store.care.engine, change=change, drop=drop)
    finally:
        store.close()


def on_server(address: str, clock: Callable[[], int] = time.time_ns) -> ClickHouseStore:
    """The store on the server at *address*; raise `AddressError` or `StoreError` if it cannot be used."""
    where = server.address(address)
    try:
        remote = server.Server(where)
        store = ClickHouseStore(where.shown, remote.database, lambda: None, clock)
        store.prepare()
    except StoreError as error:
        raise StoreError(f"{error} (CHOREOSCOPE_STORE is {where.shown})") from error
    return store
