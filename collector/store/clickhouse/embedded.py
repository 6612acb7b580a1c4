"""The embedded ClickHouse: one engine per process, on one folder, which it locks."""

import fcntl
import os
from pathlib import Path
from typing import Any

import clickhouse_connect

from collector.store.clickhouse.connections import SETTINGS, Database, Limits
from collector.store.clickhouse.migrations import VERSION
from collector.store.contracts import FolderError

# Small caches: a collector is a guest on a developer's machine.
_MIB = 1024 * 1024
_LIMITS = {
    "mark_cache_size": 32 * _MIB,
    "primary_index_cache_size": 32 * _MIB,
    "index_mark_cache_size": 1 * _MIB,
    "compiled_expression_cache_size": 1 * _MIB,
}
_MEMORY = ":memory:"
_STAMP = "schema-version"
# Changing a table writes a few kilobytes. Without room for them on the disk, it leaves an empty file behind,
# and then the engine does not start again.
_ROOM = 16 * _MIB


class Engine:
    """ClickHouse on *folder*, which it locks, or in memory if there is no folder.

    Raise `FolderError` if the folder is locked, was written by a newer version, or has a name that the engine
    cannot open.
    """

    def __init__(self, folder: Path | None, memory_limit: int) -> None:
        self.folder = folder
        self._place = _MEMORY if folder is None else _place(folder)
        if folder is not None:
            _check_version(folder)
        self._lock = None if folder is None else _lock(folder)
        self.options = {**_LIMITS, "max_server_memory_usage": memory_limit}
        self._known_settings: Any = None
        try:
            # The engine lives as long as its first connection.
            self._first = self.connect("default")
        except BaseException:
            self._unlock()
            raise

    def connect(self, database: str) -> Any:
        """Open a connection to *database*, which must exist."""
        client = clickhouse_connect.get_client(
            interface="chdb",
            path=self._place,
            database=database,
            settings=SETTINGS,
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
        return Database(lambda: self.connect(name), limits=limits)

    def require_room(self) -> None:
        """Raise `FolderError` if the disk is too full to change a table."""
        if self.folder is None:
            return
        disk = os.statvfs(self.folder)
        free = disk.f_bavail * disk.f_frsize
        if free < _ROOM:
            raise FolderError(
                f"The disk of the data folder {self.folder} has {free:,} bytes free: preparing its tables"
                f" needs {_ROOM:,}. Free some space and start again; nothing was changed."
            )

    def stamp(self) -> None:
        """Record the schema's version in the folder, so that an older program refuses it."""
        if self.folder is None or _stamped(self.folder) == str(VERSION):
            return
        written = self.folder / f"{_STAMP}.new"
        with written.open("w") as file:
            file.write(f"{VERSION}\n")
            file.flush()
            os.fsync(file.fileno())  # power loss must not leave an empty stamp
        written.rename(self.folder / _STAMP)

    def drop(self, name: str) -> None:
        """Drop the database *name* with everything in it."""
        self._first.command(f"DROP DATABASE IF EXISTS `{name}` SYNC")

    def close(self) -> None:
        """Stop the engine and unlock the folder. Close its databases first."""
        self._first.close()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)


def _place(folder: Path) -> str:
    """The engine's own folder in *folder*, absolute: 'file:' at the beginning would mean something else."""
    place = os.path.realpath(folder / "clickhouse")
    if "?" in place:  # and there is no way to escape it
        raise FolderError(
            f"The data folder {folder} cannot be used: its path, {place}, has a '?', which the embedded"
            " ClickHouse takes for the end of the path. CHOREOSCOPE_DATA names another."
        )
    return place


def _lock(folder: Path) -> int:
    """Lock *folder* until the returned descriptor is closed, or the process ends."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise FolderError(
            f"The data folder {folder} can not be used: {error.strerror}. CHOREOSCOPE_DATA names another."
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise FolderError(
            f"The data folder {folder} is in use by another collector:"
            " stop that one, or name another folder in CHOREOSCOPE_DATA."
        ) from error
    return lock


def _stamped(folder: Path) -> str:
    """The version in the folder's stamp; empty if there is no stamp."""
    try:
        return (folder / _STAMP).read_text(errors="replace").strip()
    except OSError:  # a new folder, or one that cannot be used, which `_lock` reports
        return ""


def _check_version(folder: Path) -> None:
    written = _stamped(folder)
    if written and not (written.isascii() and written.isdigit() and int(written) <= VERSION):
        raise FolderError(
            f"The data folder {folder} was written by a newer version"
            f" (its schema is {written[:20]!r}, ours {VERSION}):"
            " use that version, or name another folder in CHOREOSCOPE_DATA."
        )
