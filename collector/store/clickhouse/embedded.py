"""The embedded ClickHouse: one engine per process, on one folder, which it locks."""

import contextlib
import os
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import clickhouse_connect

from collector.store.care import Damage
from collector.store.clickhouse import kept_tables
from collector.store.clickhouse.connections import SETTINGS, Database, Limits
from collector.store.clickhouse.data_folder import DataFolder, require_room
from collector.store.clickhouse.mending import kept_of, mend
from collector.store.clickhouse.migrations import VERSION, definition
from collector.store.clickhouse.table_files import tables
from collector.store.contracts import FolderError, StoreError

# Small caches: a collector is a guest on a developer's machine.
_MIB = 1024 * 1024
_LIMITS = {
    "mark_cache_size": 32 * _MIB,
    "primary_index_cache_size": 32 * _MIB,
    "index_mark_cache_size": 1 * _MIB,
    "compiled_expression_cache_size": 1 * _MIB,
    # The engine would take a hundred threads to load what a query needs, as on a server of its own.
    "load_marks_threadpool_pool_size": 4,
    "prefetch_threadpool_pool_size": 4,
    "threadpool_writer_pool_size": 4,
    "max_active_parts_loading_thread_pool_size": 4,
    "max_outdated_parts_loading_thread_pool_size": 4,
}
# Reading in the thread that asks: the engine's own way takes up to 100 threads, with three descriptors each,
# and keeps them. They help where a disk is far away, and ours is here.
_READING = {"local_filesystem_read_method": "pread"}
DATABASE = "choreoscope"
_MEMORY = ":memory:"
# Changing a table writes a few kilobytes. Without room for them on the disk, it leaves an empty file behind,
# and then the engine does not start again.
_ROOM = 16 * _MIB


class Engine:
    """ClickHouse on *folder*, which it locks, or in memory if there is no folder.

    What is damaged in the folder is mended, or set aside, before it starts; `damages` says what. Raise
    `FolderError` if the folder cannot be used.
    """

    def __init__(self, folder: Path | None, memory_limit: int) -> None:
        self._home = None if folder is None else DataFolder(folder)
        self.folder = folder
        self.place = None if self._home is None else self._home.place
        self.options: dict[str, Any] = {**_LIMITS, "max_server_memory_usage": memory_limit}
        self._known_settings: Any = None
        self._expected: dict[Path, tuple[int, int]] = {}
        try:
            self.damages = self._mended()
            # The engine lives as long as its first connection.
            self._first = self._started()
        except BaseException:
            self._unlock()
            raise

    def _mended(self) -> list[Damage]:
        if self._home is None:
            return []
        found = mend(self._home.path, self._home.place, definition)
        if self._home.stamp_was_damaged:
            found.insert(0, Damage("", "schema-version", None, None, 0, "it was damaged, and is restored"))
        return found

    def _started(self) -> Any:
        try:
            return self.connect("default")
        except Exception as error:  # the driver and the engine raise many kinds
            raise unusable(self.folder, error) from error

    def connect(self, database: str, settings: Mapping[str, Any] | None = None) -> Any:
        """Open a connection to *database*, which must exist; its queries have these *settings*."""
        client = clickhouse_connect.get_client(
            interface="chdb",
            path=_MEMORY if self.place is None else str(self.place),
            database=database,
            settings={**SETTINGS, **_READING, **(settings or {})},
            chdb_options=self.options,
        )
        # All connections read the same list of settings, which takes half a megabyte.
        self._known_settings = client.server_settings = self._known_settings or client.server_settings
        return client

    def database(self, name: str, limits: Limits | None = None) -> Database:
        """Open the database *name*; create it if it does not exist."""
        if not int(
            self._first.command("SELECT count() FROM system.databases WHERE name = {n:String}", {"n": name})
        ):
            self.require_room()
            self._first.command(f"CREATE DATABASE IF NOT EXISTS `{name}`")
        folder = None if self.place is None else self.place / "data" / name
        return Database(partial(self.connect, name), limits=limits, folder=folder)

    def require_room(self) -> None:
        """Raise `FolderError` if the disk is too full to change a table."""
        if self.folder is not None:
            require_room(self.folder, _ROOM, "preparing its tables")

    def watch(self, database: str, name: str) -> None:
        """From now on, expect the table *name* of *database* where it is."""
        if self.folder is None or self.place is None:
            return
        there = [one.folder for one in tables(self.place) if (one.database, one.name) == (database, name)]
        places = (self.folder, self.folder / "lock", self.place, *there)
        self._expected = {place: _identity(place) for place in places}

    def require_there(self) -> None:
        """Raise `StoreError` if the folder was moved or removed, or another one is in its place."""
        for place, identity in self._expected.items():
            try:
                found = _identity(place)
            except OSError:
                found = None
            if found != identity:
                raise StoreError(
                    f"The data folder {self.folder} was moved or removed while it is in use: nothing is"
                    " stored any more. Stop the collector, put the folder back, or decide to begin with an"
                    " empty one, and start it again."
                )

    def before_change(self) -> None:
        """Call this ahead of each change of the tables; raise `FolderError` if the disk is too full for it.

        If the change is interrupted, the next start finds what the tables were before.
        """
        self.require_room()
        try:
            self._keep(self.kept_settings(), changing=True)
        except OSError as error:
            raise self._unwritable(error) from error

    def after_change(self, settings: Mapping[str, str]) -> None:
        """Call this when the tables are as this version wants them, and the store has these *settings*.

        The folder gets a stamp, so that an older program refuses it.
        """
        if self._home is None:
            return
        try:
            self._home.stamp()
        except OSError as error:
            raise self._unwritable(error) from error
        # A full disk is no reason to refuse a folder in which nothing has to change.
        with contextlib.suppress(OSError):
            self._keep(settings, changing=False)

    def _unwritable(self, error: OSError) -> FolderError:
        return FolderError(
            f"The data folder {self.folder} cannot be written: {error.strerror}."
            " Free some space, or mend that, and start again; nothing was lost."
        )

    def kept_settings(self) -> Mapping[str, str]:
        """The store's settings as they were when the folder was last opened."""
        kept = None if self._home is None else kept_tables.read(self._home.path)
        return kept.settings if kept else {}

    def _keep(self, settings: Mapping[str, str], *, changing: bool) -> None:
        if self._home is not None:
            kept_tables.write(
                self._home.path, kept_of(self._home.place, VERSION, settings, changing=changing)
            )

    def drop(self, name: str) -> None:
        """Drop the database *name* with everything in it."""
        self._first.command(f"DROP DATABASE IF EXISTS `{name}` SYNC")

    def close(self) -> None:
        """Stop the engine and unlock the folder. Close its databases first."""
        self._first.close()
        self._unlock()

    def _unlock(self) -> None:
        if self._home is not None:
            self._home.unlock()


def unusable(folder: Path | None, error: Exception) -> FolderError:
    """The error that says that *folder* cannot be opened, because of *error*, and what to do."""
    said = str(error) or type(error).__name__
    # The driver puts the address of the engine before what the engine says.
    code = re.search(r"Code: \d+\. .*", said)
    reason = (code[0] if code else said.splitlines()[0])[:300].rstrip(". ")
    todo = "'choreoscope store restore' makes a new one of a backup"
    if "No space left" in said:
        todo = "Free some space and start again"
    return FolderError(f"The data folder {folder} cannot be opened: {reason}. {todo}; nothing was removed.")


def _identity(place: Path) -> tuple[int, int]:
    found = os.stat(place)  # noqa: PTH116  # every half a second, and after each insert
    return found.st_dev, found.st_ino
