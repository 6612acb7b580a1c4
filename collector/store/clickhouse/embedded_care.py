"""Takes care of the embedded store while it is in use: looks for damage, counts, makes backups."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from collector.store.care import BackupError, Damage, Figures, UndoneMerge
from collector.store.clickhouse.backing_up import back_up
from collector.store.clickhouse.connections import Database
from collector.store.clickhouse.embedded import DATABASE, Engine
from collector.store.clickhouse.mending import SET_ASIDE, described, set_aside_before
from collector.store.clickhouse.merge_watch import MergeWatch
from collector.store.clickhouse.part_files import PartError, check_part, part_name
from collector.store.clickhouse.table_files import TableFolder, tables
from collector.store.contracts import StoreError

_WRONG = "its checksums are wrong"
# What makes a check fail, and says nothing of the part.
_NOT_ITS_FAULT = (
    "ABORTED",
    "MEMORY_LIMIT",
    "NO_SUCH_DATA_PART",
    "QUERY_WAS_CANCELLED",
    "TIMEOUT",
    "Too many open files",
)
_LOOK_S = 0.3  # how often a check looks whether it shall stop

log = logging.getLogger(__name__)


class EmbeddedCare:
    """Care for the *database* of *engine*, whose backups are in *backups*. See `contracts.StoreCare`."""

    def __init__(self, engine: Engine, backups: Path, database: str = DATABASE) -> None:
        assert engine.place is not None
        self.engine, self._place, self._backups = engine, engine.place, backups
        self._database = database
        self._lock = threading.Lock()
        self._merging, self._merges = threading.Lock(), MergeWatch(engine.place, database)
        # What is known of each damaged part or file: why a part was set aside is not written in it.
        self._known = {(one.table, one.part): one for one in engine.damages}

    def check(self, *, full: bool, stop: Callable[[], bool] = lambda: False) -> list[Damage]:
        """All damage that is known of, after looking for more."""
        with self._lock:
            stored = self._tables()
            if full:
                with self._checking(stop) as database:
                    for table in stored:
                        for damage in _broken(database, table, stop):
                            self._known[damage.table, damage.part] = damage
            with self._merging:  # what it puts aside for a moment is no damage
                aside = {(one.table, one.part): one for table in stored for one in set_aside_before(table)}
            for place in [one for one, known in self._known.items() if known.reason == SET_ASIDE]:
                if place not in aside:  # it is back
                    del self._known[place]
            self._known = {**aside, **self._known}
            return list(self._known.values())

    def undo_broken_merges(self) -> list[UndoneMerge]:
        """Undo merges that failed without a word; raise `StoreError` if that fails."""
        with self._merging:  # a check may take hours
            try:
                return self._merges.look(self._connected)
            except OSError as error:
                raise StoreError(f"A merge could not be undone: {error.strerror}") from error

    def _tables(self) -> list[TableFolder]:
        return tables(self._place, self._database)

    def figures(self) -> Figures:
        """How much is stored."""
        database = self._connected()
        try:
            answer = database.query(
                "SELECT table, sum(rows) AS n, sum(bytes_on_disk) AS bytes FROM system.parts"
                " WHERE active AND database = currentDatabase() GROUP BY table ORDER BY table",
                columns=["table", "n", "bytes"],
            )
            oldest = database.query(
                "SELECT min(received_unix_nano) AS oldest, count() AS n FROM spans",
                columns=["oldest", "n"],
            )
        finally:
            database.close()
        rows = dict(zip(answer["table"].to_pylist(), answer["n"].to_pylist(), strict=True))
        return Figures(
            bytes=sum(answer["bytes"].to_pylist()),
            rows=rows,
            oldest_unix_nano=oldest["oldest"][0].as_py() if oldest["n"][0].as_py() else None,
        )

    def back_up(self, name: str) -> Path:
        """Make a backup called *name*; return its folder."""
        with contextlib.suppress(StoreError):
            self.undo_broken_merges()
        if self._merges.is_waiting:
            raise BackupError("Parts are on their way back after a write that failed: try again.")
        with self._lock:
            database = self._connected()
            try:
                return back_up(database, self._place, self._backups, name, self._database)
            finally:
                database.close()

    @contextlib.contextmanager
    def _checking(self, stop: Callable[[], bool]) -> Iterator[Database]:
        """A connection whose check is cancelled once *stop* says so: one large part may take many seconds."""
        database, ended = self._connected(), threading.Event()

        def cancel() -> None:
            while not ended.wait(_LOOK_S):
                if stop():
                    with contextlib.suppress(StoreError):
                        database.execute("KILL QUERY WHERE query LIKE 'CHECK TABLE %' ASYNC")

        looking = threading.Thread(target=cancel, name="check", daemon=True)
        looking.start()
        try:
            yield database
        finally:
            ended.set()
            looking.join()
            database.close()

    def _connected(self) -> Database:
        return Database(partial(self.engine.connect, self._database), readers=1)


def _broken(database: Database, table: TableFolder, stop: Callable[[], bool]) -> Iterator[Damage]:
    """Check each part of *table*, and set aside what is broken."""
    for part in _active(database, table):
        if stop():
            return
        started = time.monotonic()
        # Twice: nothing that passes by may set a part aside.
        reason = _reason(database, table, part) and _reason(database, table, part)
        # It may have been merged, or removed, meanwhile; and a check that is told to stop fails.
        if reason and not stop() and part in _active(database, table):
            yield _detached(database, table, part, reason)
        # Half of the time belongs to others, whatever the disk can do.
        time.sleep(min(time.monotonic() - started, 1.0))


def _detached(database: Database, table: TableFolder, part: str, reason: str) -> Damage:
    damage = described(table, table.folder / part, reason)
    try:
        database.execute(f"ALTER TABLE `{table.name}` DETACH PART '{part}'")
    except StoreError as error:
        return replace(damage, reason=f"{reason}; it could not be set aside: {error}")
    return damage


def _reason(database: Database, table: TableFolder, part: str) -> str:
    """Why *part* is broken; empty if it is not, or if that cannot be told now."""
    try:
        check_part(table.folder / part, table.columns)
        answer = database.query(
            f"CHECK TABLE `{table.name}` PART '{part}'"
            " SETTINGS check_query_single_value_result = 0, max_threads = 1",
            columns=["is_passed", "message"],
        )
        failed = [row["message"] or _WRONG for row in answer.to_pylist() if not row["is_passed"]]
    except PartError as error:
        failed = [str(error)]
    except StoreError as error:
        failed = [str(error)]
    except OSError as error:
        log.warning("The part %s of %s could not be checked: %s", part, table.name, error.strerror)
        return ""
    said = failed[0].splitlines()[0][:300] if failed else ""
    if any(word in said for word in _NOT_ITS_FAULT):
        log.warning("The part %s of %s could not be checked: %s", part, table.name, said)
        return ""
    return said


def _active(database: Database, table: TableFolder) -> list[str]:
    answer = database.query(
        "SELECT name FROM system.parts"
        " WHERE active AND database = currentDatabase() AND table = {table:String}",
        {"table": table.name},
        ["name"],
    )
    return sorted(name for name in answer["name"].to_pylist() if part_name(name))
