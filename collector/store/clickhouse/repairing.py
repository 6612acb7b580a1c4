"""Brings back what can still be read of parts that were set aside.

Each part is opened in a table of its own, as a copy of links, where single flipped bits are undone. What can
be read then, piece by piece, goes into the real table, unless it is there already: of a part that was merged
from others, these may still have been there.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from collector.store.clickhouse.bit_mending import mend_bits
from collector.store.clickhouse.connections import Database
from collector.store.clickhouse.embedded import DATABASE, Engine
from collector.store.clickhouse.mending import original
from collector.store.clickhouse.part_files import CHECKSUMS, extent
from collector.store.clickhouse.table_files import TableFolder, tables
from collector.store.contracts import Repaired, StoreError

_SCRATCH = "repair"
_GRANULE = 8_192  # rows: the engine reads them together, or not at all
# Of a span that is there already, another copy would count again.
_ID = "trace_id, span_id, received_unix_nano"
_NEW = {"spans": f"({_ID}) NOT IN (SELECT {_ID} FROM {{}}.spans)"}


def repair(engine: Engine, *, change: bool, drop: bool, database: str = DATABASE) -> list[Repaired]:
    """Say what can be brought back of everything that was set aside; if *change*, do it.

    A part that was brought back as a whole is removed; with *drop* also what cannot be read of the others.
    """
    assert engine.place is not None
    found = []
    for table in [one for one in tables(engine.place) if one.database == database]:
        for part in table.detached():
            one = _tried(engine, table, part, change=change)
            if change and (one.is_whole or drop):
                shutil.rmtree(part)
                one = replace(one, removed=True)
            found.append(one)
    return found


def _tried(engine: Engine, table: TableFolder, part: Path, *, change: bool) -> Repaired:
    rows = extent(part, original(part.name)).rows
    engine.drop(_SCRATCH)
    database = engine.database(_SCRATCH)
    try:
        database.execute(f"CREATE TABLE `{table.name}` AS `{table.database}`.`{table.name}`")
        copy, mended = _linked(engine, table, part)
        rows = extent(copy, copy.name).rows if rows is None else rows
        try:
            error = _attached(database, table, copy)
        except StoreError as failed:
            return Repaired(table.name, part.name, rows, 0, 0, tuple(mended), _brief(failed))
        readable = new = 0
        errors = [error] if error else []
        for low, high, failure in _pieces(database, table):
            if failure:
                errors.append(failure)
                continue
            readable += high - low
            new += (
                _brought_back(database, table, low, high) if change else _missing(database, table, low, high)
            )
        return Repaired(table.name, part.name, rows, readable, new, tuple(mended), (errors or [""])[-1])
    finally:
        database.close()
        engine.drop(_SCRATCH)


def _linked(engine: Engine, table: TableFolder, part: Path) -> tuple[Path, list[str]]:
    """A copy of *part*, by links, where the scratch table can attach it; and what was mended in it."""
    assert engine.place is not None
    scratch = next(one for one in tables(engine.place) if one.database == _SCRATCH and one.name == table.name)
    copy = scratch.folder / "detached" / original(part.name)
    shutil.copytree(part, copy, copy_function=os.link)
    return copy, mend_bits(copy, table.columns)


def _attached(database: Database, table: TableFolder, copy: Path) -> str:
    """Attach *copy*; return what is wrong with it, if it is not wholly fit."""
    attach = f"ALTER TABLE `{table.name}` ATTACH PART '{copy.name}'"
    try:
        database.execute(attach)
    except StoreError as error:
        if not copy.exists():
            raise
        # Without its list, the engine makes a new one of all files that are readable by themselves.
        for path in (copy / CHECKSUMS, *copy.glob("skp_idx*")):
            path.unlink(missing_ok=True)
        database.execute(attach)
        return _brief(error)
    return ""


def _pieces(database: Database, table: TableFolder) -> Iterator[tuple[int, int, str]]:
    """Ranges of rows, and why they cannot be read; empty if they can be."""
    total = int(database.query(f"SELECT count() AS n FROM `{table.name}`", columns=["n"])["n"][0].as_py())
    waiting = [(0, total)] if total else []
    while waiting:
        low, high = waiting.pop()
        try:
            columns = ", ".join(f"`{name}`" for name in table.columns)
            database.query(
                f"SELECT sum(cityHash64({columns})) AS n FROM `{table.name}` WHERE {_within(low, high)}",
                columns=["n"],
            )
        except StoreError as error:
            middle = low + -(-(high - low) // 2 // _GRANULE) * _GRANULE
            if high - low <= _GRANULE or not low < middle < high:
                yield low, high, _brief(error)
            else:
                waiting += [(middle, high), (low, middle)]
        else:
            yield low, high, ""


def _brought_back(database: Database, table: TableFolder, low: int, high: int) -> int:
    new = _missing(database, table, low, high)
    if new:
        columns = ", ".join(f"`{name}`" for name in table.columns)
        database.execute(
            f"INSERT INTO `{table.database}`.`{table.name}` ({columns}) SELECT {columns} FROM `{table.name}`"
            f" WHERE {_wanted(table, low, high)}"
        )
    return new


def _missing(database: Database, table: TableFolder, low: int, high: int) -> int:
    """How many rows from *low* to *high* the real table lacks."""
    question = f"SELECT count() AS n FROM `{table.name}` WHERE {_wanted(table, low, high)}"
    return int(database.query(question, columns=["n"])["n"][0].as_py())


def _wanted(table: TableFolder, low: int, high: int) -> str:
    new = _NEW.get(table.name, "").format(f"`{table.database}`")
    return " AND ".join(filter(None, [_within(low, high), new]))


def _within(low: int, high: int) -> str:
    return f"_part_offset >= {low:d} AND _part_offset < {high:d}"


def _brief(error: StoreError) -> str:
    """What went wrong, without the path of a file that is removed again."""
    return str(error).partition(": While reading")[0]
