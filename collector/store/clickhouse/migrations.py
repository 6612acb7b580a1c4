"""Migrates a database to this version's schema: numbered files of statements, each run only if needed.

The first line of a migration says what it adds. If all of that exists, and no table that it removes in the
end, nothing is run and nothing is written, so a start on a full disk changes nothing. A migration that was
interrupted is run again as a whole; its statements skip what is done already.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files

from collector.store.clickhouse.connections import Database

_ADDS = re.compile(r"^-- Adds: (.+)$", re.MULTILINE)
_REMOVES = re.compile(r"^-- Removes: (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Migration:
    """One step of the schema."""

    number: int
    adds: frozenset[str]  # tables, and `table.column`s
    removes: frozenset[str]  # tables of its own
    statements: tuple[str, ...]


def _read() -> tuple[Migration, ...]:
    folder = files("collector.store.clickhouse").joinpath("schema")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    found = []
    for number, name in enumerate(names, 1):
        text = folder.joinpath(name).read_text(encoding="utf-8")
        adds = _ADDS.search(text)
        if adds is None or not name.startswith(f"{number:04}_"):
            raise ValueError(
                f"{name}: expected {number:04}_ before its name, and a line '-- Adds: ...' in it"
            )
        lines = (line for line in text.splitlines() if not line.lstrip().startswith("--"))
        statements = tuple(one.strip() for one in "\n".join(lines).split(";") if one.strip())
        removes = frozenset(one[1] for one in _REMOVES.finditer(text))
        found.append(Migration(number, frozenset(adds[1].split(", ")), removes, statements))
    return tuple(found)


MIGRATIONS = _read()
VERSION = MIGRATIONS[-1].number


_CREATES = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+)\n")
_ADDS_COLUMN = re.compile(r"ALTER TABLE (\w+) ADD COLUMN IF NOT EXISTS (\w+) (.+?)(?: AFTER \w+)?")


def definition(table: str, uuid: str) -> str | None:
    """What the engine's own file says of *table*, whose UUID is *uuid*; None if no migration creates it."""
    statements = [one for migration in MIGRATIONS for one in migration.statements]
    created = next((one for one in statements if (m := _CREATES.match(one)) and m[1] == table), None)
    if created is None:
        return None
    quoted = re.sub(r"^ +(?!INDEX\b)(\w+) +", r"    `\1` ", created.partition("\n")[2], flags=re.MULTILINE)
    for added in (m for one in statements if (m := _ADDS_COLUMN.fullmatch(one)) and m[1] == table):
        if f"    `{added[2]}` " not in quoted:
            quoted = quoted.replace("(\n", f"(\n    `{added[2]}` {added[3]},\n", 1)
    by_default = "" if "index_granularity" in quoted else ", index_granularity = 8192"
    return f"ATTACH TABLE _ UUID '{uuid}'\n{quoted}{by_default}\n"


def migrate(database: Database, before: Callable[[], None] = lambda: None) -> None:
    """Run the migrations that *database* lacks; call *before* ahead of each."""
    for migration in MIGRATIONS:
        if migration.adds <= (here := there(database)) and not migration.removes & here:
            continue
        before()
        for statement in migration.statements:
            database.execute(statement)


def there(database: Database) -> frozenset[str]:
    """The tables of *database*, and their columns as `table.column`."""
    answer = database.query(
        "SELECT table, name FROM system.columns WHERE database = currentDatabase()", columns=["table", "name"]
    )
    pairs = list(zip(answer["table"].to_pylist(), answer["name"].to_pylist(), strict=True))
    return frozenset({table for table, _ in pairs} | {f"{table}.{name}" for table, name in pairs})
