"""The embedded ClickHouse: one engine a process, on one folder that no one else may use meanwhile.

Everything above this module speaks ClickHouse's SQL through `Database`, and would do so to a server as well.
"""

import fcntl
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import clickhouse_connect
import pyarrow as pa
from clickhouse_connect.driver.exceptions import ClickHouseError

SCHEMA_VERSION = 1

# What the engine may keep in memory. A collector is a guest on a developer's machine.
_MIB = 1024 * 1024
_LIMITS = {
    "mark_cache_size": 32 * _MIB,
    "primary_index_cache_size": 32 * _MIB,
    "index_mark_cache_size": 1 * _MIB,
    "compiled_expression_cache_size": 1 * _MIB,
}
_SETTINGS = {
    "log_queries": 0,  # nobody reads the engine's own tables of its queries
    "output_format_arrow_fixed_string_as_fixed_byte_array": 1,
    "output_format_arrow_low_cardinality_as_dictionary": 0,
}


class StoreError(Exception):
    """What was to be stored may not be durable, or what was asked for can not be read."""


class FolderError(Exception):
    """The data folder can not be used, and nothing in it was touched."""


class Database:
    """One database of an engine. Its methods may be called from any thread.

    Writing and reading go over two connections, so that a reader need not wait for an insert.
    """

    def __init__(self, engine: "Engine", name: str) -> None:
        self.name = name
        self._writing = engine.connect(name)
        self._reading = engine.connect(name)
        self._write_lock = threading.Lock()
        self._read_lock = threading.Lock()

    def execute(self, statement: str) -> None:
        """Run a statement that answers nothing."""
        with self._write_lock, _failing_as_store_error("carry out a statement"):
            self._writing.command(statement)

    def insert(self, table: str, rows: pa.Table) -> None:
        """Append *rows*; where the table says fsync, they are on the disk when this returns."""
        with self._write_lock, _failing_as_store_error(f"insert into {table}"):
            self._writing.insert_arrow(table, rows)

    def query(self, question: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        """The answer's rows. Values go into `{name:Type}` places of *question*, never into its text."""
        with self._read_lock, _failing_as_store_error("answer a query"):
            return self._reading.query_arrow(question, parameters=dict(parameters or {}), use_strings=True)

    def close(self) -> None:
        """End both connections."""
        with self._write_lock, self._read_lock:
            self._writing.close()
            self._reading.close()


class Engine:
    """ClickHouse on a folder, which it locks; raise `FolderError` if it is locked or newer than this code."""

    def __init__(self, folder: Path, memory_limit: int) -> None:
        self.folder = folder
        _check_version(folder)
        self._lock = _lock(folder)
        try:
            _stamp_version(folder)
            self._options = {**_LIMITS, "max_server_memory_usage": memory_limit}
            # The engine lives as long as its first connection.
            self._first = self.connect("default")
        except BaseException:
            os.close(self._lock)
            raise

    def connect(self, database: str) -> Any:
        """Open a connection to *database*, which must be there."""
        return clickhouse_connect.get_client(
            interface="chdb",
            path=str(self.folder / "clickhouse"),
            database=database,
            settings=_SETTINGS,
            chdb_options=self._options,
        )

    def database(self, name: str) -> Database:
        """Open the database *name*; make it if it is not there."""
        self._first.command(f"CREATE DATABASE IF NOT EXISTS `{name}`")
        return Database(self, name)

    def drop(self, name: str) -> None:
        """Remove the database *name* with all that is in it."""
        self._first.command(f"DROP DATABASE IF EXISTS `{name}` SYNC")

    def close(self) -> None:
        """Stop the engine and give the folder free. Databases must have been closed before."""
        self._first.close()
        os.close(self._lock)


class _failing_as_store_error:  # noqa: N801  # reads as the statement it is used in
    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (ClickHouseError, OSError, pa.ArrowException)):
            first_line = (str(error).splitlines() or [type(error).__name__])[0]
            raise StoreError(f"The store could not {self._what}: {first_line[:300]}") from error


def _lock(folder: Path) -> int:
    """Hold *folder* until the returned descriptor is closed, be it by the end of the process."""
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


def _check_version(folder: Path) -> None:
    try:
        written = (folder / "schema-version").read_text(errors="replace").strip()
    except OSError:  # a new folder; or one that can not be used, as taking the lock will tell
        return
    if not (written.isascii() and written.isdigit() and int(written) <= SCHEMA_VERSION):
        raise FolderError(
            f"The data folder {folder} was written by a newer version"
            f" (its schema is {written[:20]!r}, ours {SCHEMA_VERSION}):"
            " use that version, or name another folder in CHOREOSCOPE_DATA."
        )


def _stamp_version(folder: Path) -> None:
    stamp = folder / "schema-version"
    if not stamp.exists():
        written = folder / "schema-version.new"
        written.write_text(f"{SCHEMA_VERSION}\n")
        written.rename(stamp)
