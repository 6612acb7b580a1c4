"""Makes a backup of the store, also while it is in use.

ClickHouse freezes each table: hard links to its parts, which never change. They are then copied, file by
file, with a list of hashes. Flows are frozen before spans, so that a backup has the spans of all its flows.
"""

import hashlib
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from collector.store.clickhouse import store_settings
from collector.store.clickhouse.connections import Database
from collector.store.clickhouse.data_folder import require_room, size_of
from collector.store.clickhouse.kept_tables import Kept, replace, sync
from collector.store.clickhouse.mending import kept_of
from collector.store.clickhouse.migrations import VERSION
from collector.store.clickhouse.part_files import extent
from collector.store.clickhouse.table_files import TableFolder, tables
from collector.store.contracts import PLAIN_NAME, BackupError, FolderError, is_plain_name

LIST = "backup.json"
_MARGIN = 32 * 1024 * 1024  # for the list, and for whoever else writes to the disk meanwhile
_PIECE = 1024 * 1024


@dataclass(frozen=True)
class Content:
    """What a backup holds: the size and the hash of each file by its path, and the rows by table."""

    version: int  # of the schema
    made_unix_nano: int
    kept: Kept
    files: dict[str, tuple[int, str]]
    rows: dict[str, int]


def check_name(name: str) -> str:
    """*name*, if it is plain; raise `BackupError` otherwise."""
    if not is_plain_name(name):
        raise BackupError(f"The name of the backup is '{name[:80]}': expected {PLAIN_NAME}.")
    return name


def back_up(database: Database, place: Path, backups: Path, name: str, only: str) -> Path:
    """Make a backup called *name* of the database *only* in *place*; return its folder in *backups*.

    Raise `BackupError` if it cannot be made; then nothing of it stays.
    """
    final = backups / check_name(name)
    partial, frozen = backups / f".{name}.partial", place / "shadow" / "backup"
    stored = [table for table in tables(place) if table.database == only]
    try:
        backups.mkdir(0o700, parents=True, exist_ok=True)
        if final.exists():
            raise BackupError(f"There is a backup {final} already: name another, or remove that one.")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(frozen, ignore_errors=True)
        for table in sorted(stored, key=lambda one: one.name == "spans"):
            database.execute(f"ALTER TABLE `{table.name}` FREEZE WITH NAME '{frozen.name}'")
        kept = kept_of(place, VERSION, store_settings.settings(database))
        require_room(backups, size_of(frozen) + _MARGIN, "the backup")
        _write(frozen, partial, kept, stored)
        partial.rename(final)
        sync(backups)
    except (OSError, FolderError) as error:
        said = str(error) if isinstance(error, FolderError) else f"{error.strerror} ({error.filename})"
        raise BackupError(f"The backup {name} could not be made: {said}") from error
    finally:
        shutil.rmtree(frozen, ignore_errors=True)
        shutil.rmtree(partial, ignore_errors=True)
    return final


def content(backup: Path) -> Content:
    """What the list of *backup* says; raise `BackupError` if it is missing, damaged or of a newer version."""
    try:
        text, _, rest = (backup / LIST).read_bytes().partition(b"\n")
    except OSError as error:
        raise BackupError(
            f"{backup} is no backup: its list {LIST} cannot be read ({error.strerror})."
            " Name the folder of one that 'choreoscope store backup' made."
        ) from error
    try:
        whole = hashlib.sha256(text).hexdigest() == rest.decode().strip()
        found = msgspec.json.decode(text, type=Content) if whole else None
    except (UnicodeDecodeError, msgspec.MsgspecError):
        found = None
    if found is None:
        raise BackupError(
            f"The backup {backup} is damaged: its list {LIST} is not as it was written. Use another."
        )
    if found.version > VERSION:
        raise BackupError(
            f"The backup {backup} was made by a newer version (its schema is {found.version},"
            f" ours {VERSION}): use that version."
        )
    return found


def copied(source: Path, target: Path) -> tuple[int, str]:
    """Copy a file durably; return its size and its hash."""
    digest, size = hashlib.sha256(), 0
    with _plain(source) as reading, target.open("xb") as writing:
        while piece := reading.read(_PIECE):
            digest.update(piece)
            writing.write(piece)
            size += len(piece)
        writing.flush()
        os.fsync(writing.fileno())
    return size, digest.hexdigest()


def _plain(path: Path) -> Any:
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb")


def _write(frozen: Path, partial: Path, kept: Kept, stored: list[TableFolder]) -> None:
    by_uuid = {table.folder.name: table.name for table in stored}
    files: dict[str, tuple[int, str]] = {}
    rows: dict[str, int] = defaultdict(int)
    partial.mkdir(0o700)
    for part in _parts(frozen):
        where = part.relative_to(frozen)
        (partial / where).mkdir(parents=True)
        rows[by_uuid[where.parts[2]]] += extent(part, part.name).rows or 0
        for path in sorted(part.iterdir()):
            files[str(where / path.name)] = copied(path, partial / where / path.name)
        sync(partial / where)
    for folder in {
        parent for name in files for parent in (partial / name).parents if parent.is_relative_to(partial)
    }:
        sync(folder)
    text = msgspec.json.encode(Content(VERSION, time.time_ns(), kept, files, dict(rows)))
    replace(partial / LIST, text + b"\n" + hashlib.sha256(text).hexdigest().encode() + b"\n")


def _parts(frozen: Path) -> Iterator[Path]:
    yield from (path for path in sorted(frozen.glob("store/*/*/*")) if path.is_dir())
