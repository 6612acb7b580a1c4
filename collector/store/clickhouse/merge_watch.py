"""Are merged parts whole? This is looked at while the parts from which they were merged can still come back.

The engine reports no error if a write fails during a merge, as it reports none during an insert (`landed`).
The merged part was short, and since its sources were removed at once, thousands of acknowledged spans were
lost. So sources stay for `KEPT_S` on the disk, and a short part is undone before they go.
"""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from collector.store.care import UndoneMerge
from collector.store.clickhouse.connections import Database
from collector.store.clickhouse.kept_tables import sync
from collector.store.clickhouse.part_files import (
    SUPERSEDED,
    PartError,
    check_others,
    check_part,
    checksums,
    extent,
    names_of_parts,
    part_name,
)
from collector.store.clickhouse.table_files import TableFolder, tables
from collector.store.contracts import FolderError, StoreError

KEPT_S = 20


def keep_sources(database: Database, before: Callable[[], None]) -> None:
    """Let all tables keep the parts that were merged for `KEPT_S`; call *before* ahead of the change.

    On a disk that is too full for that nothing is changed: the next start does it.
    """
    answer = database.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
        " AND create_table_query NOT LIKE '%old_parts_lifetime%'",
        columns=["name"],
    )
    names = answer["name"].to_pylist()
    with contextlib.suppress(FolderError):
        if names:
            before()
        for name in names:
            database.execute(f"ALTER TABLE `{name}` MODIFY SETTING old_parts_lifetime = {KEPT_S}")


@dataclass
class _Broken:
    """A merged part that is not whole."""

    table: TableFolder
    name: str
    reason: str
    sources: tuple[str, ...]  # the largest parts inside that are whole
    inside: tuple[str, ...]  # all parts inside
    others_broken: bool  # not all of them are whole
    rows: int = 0  # in it, as the engine counted
    is_covered: bool = False  # its sources have all of them
    waiting: set[str] = field(default_factory=set)  # sources that lie in `detached`

    @property
    def told(self) -> UndoneMerge:
        """What others are told."""
        return UndoneMerge(self.table.name, self.name, self.reason, self.rows, self.is_covered)


class MergeWatch:
    """Looks at the parts of *database* in *place*, the engine's folder. Not for several threads at once."""

    def __init__(self, place: Path, database: str) -> None:
        self._place, self._database = place, database
        self._seen: dict[str, set[str]] = {}  # by table: parts that are whole, or cannot be mended
        self._undone: list[_Broken] = []  # whose sources are on their way back

    @property
    def is_waiting(self) -> bool:
        """Whether sources lie aside that could not be brought back yet."""
        return bool(self._undone)

    def look(self, connected: Callable[[], Database]) -> list[UndoneMerge]:
        """Undo the merges whose parts are not whole, over a connection; what fails is tried at the next look.

        Return those whose sources are back. Raise `StoreError` or `OSError` if anything failed.
        """
        found = [one for table in tables(self._place, self._database) for one in self._broken(table)]
        if not found and not self._undone:
            return []
        failures: list[Exception] = []
        database = connected()
        try:
            for one in found:
                try:
                    self._undo(database, one)
                except (StoreError, OSError) as error:
                    failures.append(error)
            for one in self._undone:
                failures += _brought_back(database, one)
        finally:
            database.close()
        back = [one for one in self._undone if not one.waiting]
        self._undone = [one for one in self._undone if one.waiting]
        if failures and not back:
            raise failures[0]
        return [one.told for one in back]

    def _broken(self, table: TableFolder) -> Iterator[_Broken]:
        parts = {name: known for name in names_of_parts(table.folder) if (known := part_name(name))}
        seen = self._seen.setdefault(table.name, set())
        seen &= parts.keys()
        for name, known in parts.items():
            if name in seen or not (known.level or known.mutation):
                continue
            if not (reason := _wrong(table, name)):
                seen.add(name)
                continue
            inside = {other: its for other, its in parts.items() if known.covers(its)}
            # What was deleted must not come back: parts that were changed like the merged one, or are newer.
            equal = {n: its for n, its in inside.items() if (its.mutation or its.first) >= known.mutation}
            whole = {n: its for n, its in equal.items() if not _wrong(table, n)}
            largest = [n for n, its in whole.items() if not any(o.covers(its) for o in whole.values())]
            yield _Broken(table, name, reason, tuple(largest), tuple(inside), len(whole) < len(inside))

    def _undo(self, database: Database, broken: _Broken) -> None:
        """Take the part away. Its sources are in `detached` before, so they are somewhere at each moment."""
        table, name = broken.table.name, broken.name
        rows = _rows(database, table, name)
        if rows is None:  # it may be half removed
            self._seen[table].add(name)
            return
        if _is_being_changed(database, table):  # what comes back now would escape the change
            broken.sources = ()
        found = [extent(broken.table.folder / one, one).rows or 0 for one in broken.sources]
        # Where rows replace others, their number alone proves nothing.
        is_plain = _engine(database, table) == "MergeTree"
        broken.rows = rows
        broken.is_covered = sum(found) >= rows and (is_plain or not broken.others_broken)
        aside = broken.table.folder / "detached"
        aside.mkdir(exist_ok=True)
        for source in broken.sources:
            if not (aside / source).exists():
                linked = broken.table.folder / f"tmp_linked_{source}"  # the engine removes what begins so
                shutil.rmtree(linked, ignore_errors=True)
                shutil.copytree(broken.table.folder / source, linked, copy_function=os.link)
                sync(linked)
                linked.rename(aside / source)
        sync(aside)
        # What is not covered by its sources stays aside, for `choreoscope store repair`.
        way = "DROP" if broken.is_covered else "DETACH"
        try:
            database.execute(f"ALTER TABLE `{table}` {way} PART '{name}'")
        except StoreError:
            if _rows(database, table, name) is not None:
                for source in broken.sources:  # nothing has changed: nothing lies aside
                    shutil.rmtree(aside / source, ignore_errors=True)
                raise
            # It is gone all the same.
        broken.waiting = set(broken.sources)
        self._undone.append(broken)


def _brought_back(database: Database, broken: _Broken) -> list[Exception]:
    """Attach what can be attached; return what failed."""
    failures: list[Exception] = []
    for source in sorted(broken.waiting):
        try:
            if not _is_being_changed(database, broken.table.name):
                database.execute(f"ALTER TABLE `{broken.table.name}` ATTACH PART '{source}'")
                broken.waiting.remove(source)
        except StoreError as error:
            failures.append(error)
    # The engine removes their files later; a start before that must not take them for lost, or use them.
    if not broken.waiting and broken.is_covered:
        for name in (broken.name, *broken.inside):
            with contextlib.suppress(OSError):
                (broken.table.folder / name / SUPERSEDED).touch()
    return failures


def _wrong(table: TableFolder, name: str) -> str:
    """What is wrong with a part, by its small files and the sizes of all; empty if nothing is."""
    part = table.folder / name
    try:
        check_part(part, table.columns)
        check_others(part, checksums(part))
    except (PartError, FileNotFoundError) as error:
        return str(error)
    return ""


def _rows(database: Database, table: str, part: str) -> int | None:
    """How many rows the engine knows in a part; None if it is not in use."""
    answer = database.query(
        "SELECT rows FROM system.parts WHERE active AND database = currentDatabase()"
        " AND table = {table:String} AND name = {part:String}",
        {"table": table, "part": part},
        ["rows"],
    )
    return int(answer["rows"][0].as_py()) if answer.num_rows else None


def _is_being_changed(database: Database, table: str) -> bool:
    """Whether rows of the table are being deleted."""
    answer = database.query(
        "SELECT count() AS n FROM system.mutations WHERE NOT is_done AND database = currentDatabase()"
        " AND table = {table:String}",
        {"table": table},
        ["n"],
    )
    return bool(answer["n"][0].as_py())


def _engine(database: Database, table: str) -> str:
    answer = database.query(
        "SELECT engine FROM system.tables WHERE database = currentDatabase() AND name = {table:String}",
        {"table": table},
        ["engine"],
    )
    return str(answer["engine"][0].as_py())
