"""Are merged parts whole? This is looked at while the parts from which they were merged can still come back.

The engine reports no error if a write fails during a merge, as it reports none during an insert (`landed`).
The merged part was short, and since its sources were removed at once, thousands of acknowledged spans were
lost. So sources stay for `KEPT_S` on the disk, and a short part is undone before they go.
"""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from collector.store.care import UndoneMerge
from collector.store.clickhouse.connections import Database
from collector.store.clickhouse.kept_tables import sync
from collector.store.clickhouse.part_files import (
    CHECKSUMS,
    SUPERSEDED,
    PartError,
    PartName,
    check_part,
    checksums,
    extent,
    names_of_parts,
    part_name,
)
from collector.store.clickhouse.table_files import TableFolder, tables
from collector.store.contracts import FolderError

KEPT_S = 20  # as in the migrations

Parts = Mapping[str, PartName]


def keep_sources(database: Database, before: Callable[[], None]) -> None:
    """Let the tables of older versions keep merged parts, too; call *before* ahead of each change.

    On a disk that is too full for that nothing is changed: the next start does it.
    """
    answer = database.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
        " AND create_table_query NOT LIKE '%old_parts_lifetime%'",
        columns=["name"],
    )
    with contextlib.suppress(FolderError):
        for name in answer["name"].to_pylist():
            before()
            database.execute(f"ALTER TABLE `{name}` MODIFY SETTING old_parts_lifetime = {KEPT_S}")


@dataclass(frozen=True)
class _Broken:
    """A merged part that is not whole, those of its sources that are, and all parts that were inside."""

    table: TableFolder
    name: str
    reason: str
    sources: tuple[str, ...]
    inside: tuple[str, ...]

    def is_covered(self, rows: int) -> bool:
        """Whether its sources have all of its *rows*."""
        found = [extent(self.table.folder / source, source).rows or 0 for source in self.sources]
        return sum(found) >= rows


class MergeWatch:
    """Looks at the parts of *database* in *place*, the engine's folder. Not for several threads at once."""

    def __init__(self, place: Path, database: str) -> None:
        self._place, self._database = place, database
        self._seen: dict[str, set[str]] = {}  # by table: parts that are whole, or cannot be mended
        # Tables and parts that lie in `detached` on their way back, and those whose turn it is.
        self.returning: set[tuple[str, str]] = set()
        self._waiting: set[tuple[str, str]] = set()

    def look(self, connected: Callable[[], Database]) -> list[UndoneMerge]:
        """Undo the merges whose parts are not whole, over a connection; what fails is tried at the next look.

        Raise `StoreError` or `OSError` if it failed.
        """
        stored = [table for table in tables(self._place) if table.database == self._database]
        found = [one for table in stored for one in self._broken(table)]
        if not found and not self._waiting:
            return []
        database = connected()
        try:
            self._bring_back(database)
            undone = []
            for one in found:
                if (rows := self._rows(database, one)) is not None:
                    is_covered = one.is_covered(rows)
                    self._undo(database, one, is_covered=is_covered)
                    undone.append(UndoneMerge(one.table.name, one.name, one.reason, rows, is_covered))
            return undone
        finally:
            database.close()

    def _broken(self, table: TableFolder) -> Iterator[_Broken]:
        parts = {name: known for name in names_of_parts(table.folder) if (known := part_name(name))}
        seen = self._seen.setdefault(table.name, set())
        seen &= parts.keys()
        for name, known in parts.items():
            if name not in seen and (known.level or known.mutation):
                if reason := _wrong(table, name):
                    inside = [other for other, its in parts.items() if known.covers(its)]
                    yield _Broken(table, name, reason, tuple(_sources(table, name, parts)), tuple(inside))
                else:
                    seen.add(name)

    def _rows(self, database: Database, broken: _Broken) -> int | None:
        """How many rows the engine knows in it; None if it is not in use: it may be half removed."""
        answer = database.query(
            "SELECT rows FROM system.parts WHERE active AND database = currentDatabase()"
            " AND table = {table:String} AND name = {name:String}",
            {"table": broken.table.name, "name": broken.name},
            ["rows"],
        )
        if answer.num_rows:
            return int(answer["rows"][0].as_py())
        self._seen[broken.table.name].add(broken.name)
        self.returning -= {(broken.table.name, source) for source in broken.sources}
        return None

    def _undo(self, database: Database, broken: _Broken, *, is_covered: bool) -> None:
        """Take the part away, and bring its sources back.

        They are in `detached` before it goes: whenever this is interrupted, they are somewhere.
        """
        table = broken.table
        aside = table.folder / "detached"
        aside.mkdir(exist_ok=True)
        self.returning |= (sources := {(table.name, source) for source in broken.sources})
        for source in broken.sources:
            if not (aside / source).exists():
                linked = table.folder / f"tmp_linked_{source}"  # the engine removes what begins so
                shutil.rmtree(linked, ignore_errors=True)
                shutil.copytree(table.folder / source, linked, copy_function=os.link)
                sync(linked)
                linked.rename(aside / source)
        sync(aside)
        # What is not covered by them stays aside, for `choreoscope store repair`.
        way = "DROP" if is_covered else "DETACH"
        database.execute(f"ALTER TABLE `{table.name}` {way} PART '{broken.name}'")
        self._waiting |= sources
        self._bring_back(database)
        # The engine removes their files later; a start before that must not take them for lost, or use them.
        for name in (broken.name, *broken.inside) if is_covered else ():
            with contextlib.suppress(OSError):
                (table.folder / name / SUPERSEDED).touch()

    def _bring_back(self, database: Database) -> None:
        for table, part in sorted(self._waiting):
            database.execute(f"ALTER TABLE `{table}` ATTACH PART '{part}'")
            self._waiting.remove((table, part))
            self.returning.remove((table, part))


def _sources(table: TableFolder, merged: str, parts: Parts) -> Iterator[str]:
    """The largest parts that are whole and that *merged* was made of; none if rows were changed, too."""
    known = parts[merged]
    inside = {
        name: other
        for name, other in parts.items()
        if known.covers(other) and other.mutation == known.mutation
    }
    whole = {name: other for name, other in inside.items() if not _wrong(table, name)}
    for name, other in whole.items():
        if not any(larger.covers(other) for larger in whole.values()):
            yield name


def _wrong(table: TableFolder, name: str) -> str:
    """What is wrong with a part, by its small files and the sizes of all; empty if nothing is."""
    part = table.folder / name
    try:
        check_part(part, table.columns)
        listed = checksums(part)
        empty = [
            one.name
            for one in part.iterdir()
            if one.name not in listed and one.name != CHECKSUMS and not one.stat().st_size
        ]
    except (PartError, FileNotFoundError) as error:
        return str(error)
    return f"{empty[0]} is empty" if empty else ""
