"""Makes a data folder fit to be opened, before the engine starts.

The engine would refuse to start, or leave rows out without a word. What is damaged is set aside, restored
from a copy, or made again, and reported.
"""

import contextlib
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from collector.store.care import Damage
from collector.store.clickhouse import kept_tables
from collector.store.clickhouse.kept_tables import Kept, replace, sync
from collector.store.clickhouse.part_files import (
    SUPERSEDED,
    PartError,
    PartName,
    check_part,
    extent,
    part_name,
)
from collector.store.clickhouse.table_files import (
    TableFolder,
    definitions,
    entries,
    is_whole,
    links,
    tables,
    uuid_at,
)
from collector.store.contracts import FolderError

SET_ASIDE = "it was set aside"  # what is said of a part of which only that is known
BROKEN = "broken-on-start_"  # the engine's own prefix for parts that it cannot load

# What the engine writes before it changes rows.
_CHANGE = re.compile(r"format version: 1\ncreate time: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\ncommands: [ -~]+\n?")
# From a table's name and UUID to the definition that this program gives it; None if it knows no such table.
Definition = Callable[[str, str], str | None]


def mend(folder: Path, place: Path, definition: Definition) -> list[Damage]:
    """Mend *place*, the engine's folder in the data folder *folder*; return what was damaged.

    Raise `FolderError` if it cannot be mended.
    """
    if not (place / "metadata").is_dir() and not kept_tables.read(folder):
        return []  # a new folder
    try:
        mended = list(_mended_definitions(folder, place, definition))
        for table in tables(place):
            mended += [*set_aside(table), *_without_changes(table)]
        return mended
    except OSError as error:
        raise FolderError(
            f"The data folder {folder} is damaged, and could not be mended: {error.strerror}"
            f" ({error.filename}). Free some space, or mend that, and start again; nothing was lost."
        ) from error


def kept_of(place: Path, version: int, settings: Mapping[str, str], *, changing: bool = False) -> Kept:
    """What to keep of *place*."""
    whole = {path: text for path, text in definitions(place).items() if is_whole(path, text)}
    return Kept(version, changing, whole, links(place), dict(settings))


def set_aside(table: TableFolder) -> Iterator[Damage]:
    """Move the broken parts of *table* to where the engine leaves them alone; tell what was in them."""
    for path in table.parts():
        if (path / SUPERSEDED).exists():
            shutil.rmtree(path)
    names = {path: name for path in table.parts() if (name := part_name(path.name))}
    broken: dict[Path, str] = {}
    for path in names:
        try:
            check_part(path, table.columns)
        except PartError as error:
            broken[path] = str(error)
    whole = [name for path, name in names.items() if path not in broken]
    for path, reason in broken.items():
        if any(other.covers(names[path]) for other in whole):
            continue  # its rows are in a newer part, and the engine removes it
        missing = _rows_lost(path, names[path], [other for other in names if other not in broken])
        where = free_name(table.folder / "detached", f"{BROKEN}{path.name}")
        where.parent.mkdir(exist_ok=True)
        path.rename(where)
        sync(where.parent)
        yield described(table, where, reason, rows_missing=missing)


def _without_changes(table: TableFolder) -> Iterator[Damage]:
    """Remove the files of changes of rows that are done, and set aside those that cannot be read.

    The engine does not start with a damaged one, and keeps those that are done for nobody.
    """
    names = [name for path in table.parts() if (name := part_name(path.name))]
    current = [name for name in names if not any(other.covers(name) for other in names)]
    for path in entries(table.folder):
        number = re.fullmatch(r"mutation_(\d+)\.txt", path.name)
        if number is None:
            continue
        if all(name.mutation >= int(number[1]) or name.first > int(number[1]) for name in current):
            path.unlink()
        elif not _CHANGE.fullmatch(path.read_text(encoding="utf-8", errors="replace")):
            path.rename(path.with_name(f"damaged_{path.name}"))
            yield Damage(
                table.name, path.name, None, None, 0, "a change of rows that was under way is left undone"
            )


def set_aside_before(table: TableFolder) -> list[Damage]:
    """The parts of *table* that lie aside already."""
    found = [path for path in table.detached() if not path.name.startswith("deleting_")]
    return [described(table, path, reason_of(table, path)) for path in found]


def reason_of(table: TableFolder, part: Path) -> str:
    """What is wrong with *part*, which was set aside, as far as its small files tell."""
    try:
        check_part(part, table.columns)
    except PartError as error:
        return str(error)
    return SET_ASIDE


def described(table: TableFolder, part: Path, reason: str, *, rows_missing: int | None = None) -> Damage:
    """*part* of *table* as damage."""
    name = original(part.name)
    found = extent(part, name)
    rows = found.rows if rows_missing is None else rows_missing
    return Damage(table.name, part.name, found.begins, found.ends, rows, reason)


def original(name: str) -> str:
    """The name that a part had before it was set aside as *name*."""
    found = re.search(r"(?:^|_)((?:all|\d{8})(?:_\d+){3,4})(?:_try\d+)?$", name)
    return found[1] if found else name


def free_name(folder: Path, name: str) -> Path:
    """*name* in *folder*, with a number if it is taken."""
    tried = (folder / (f"{name}_try{number}" if number else name) for number in range(1_000))
    return next(path for path in tried if not path.exists())


def _rows_lost(part: Path, name: PartName, whole: list[Path]) -> int | None:
    """How many rows of a broken *part* are nowhere else; None: as many as there were in it.

    The parts from which it was merged may still be there; then the engine uses them again.
    """
    rows = extent(part, part.name).rows
    sources = [
        extent(other, other.name).rows or 0
        for other in whole
        if (n := part_name(other.name)) and name.covers(n)
    ]
    return max(rows - sum(sources), 0) if rows is not None and sources else None


def _mended_definitions(folder: Path, place: Path, definition: Definition) -> Iterator[Damage]:
    kept = kept_tables.read(folder)
    if kept is None:
        if (folder / kept_tables.NAME).exists():
            yield Damage(
                "", kept_tables.NAME, None, None, 0, "the copy of the tables' definitions was damaged"
            )
        yield from _made_again(place, definitions(place), definition)
        return
    for link, target in kept.links.items():
        if not (place / link).is_symlink() and not (place / link).exists():
            (place / link).parent.mkdir(parents=True, exist_ok=True)
            (place / link).symlink_to(target)
            yield _restored(link)
    found = definitions(place)  # to which the links lead
    for path, text in kept.files.items():
        if found.get(path) != text and not (kept.changing and is_whole(path, found.get(path, ""))):
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            replace(place / path, text.encode())
            if not kept.changing:
                yield _restored(path)
    for path in found.keys() - kept.files.keys():
        # A table that was being made when the change was interrupted: the change is made again.
        if not is_whole(path, found[path]):
            (place / path).unlink()


def _made_again(place: Path, found: Mapping[str, str], definition: Definition) -> Iterator[Damage]:
    """Make damaged definitions again, by what this program knows: folders of older versions have no copy."""
    targets = links(place)
    for path in (path for path, text in found.items() if not is_whole(path, text)):
        name = Path(path).stem
        if path.endswith("format_version.txt"):
            made: str | None = "1"
        elif path.startswith("metadata/"):
            uuid = uuid_at(targets.get(f"metadata/{name}", ""))
            if uuid is None and len(found) == 1:
                (place / path).unlink()  # the database was being made
                continue
            made = uuid and f"ATTACH DATABASE _ UUID '{uuid}'\nENGINE = Atomic\n"
        else:
            uuids = [
                uuid_at(to)
                for link, to in targets.items()
                if re.fullmatch(rf"data/\w+/{re.escape(name)}", link)
            ]
            if not uuids and not found[path]:
                (place / path).unlink()  # the table was being made, and there is nothing in it
                yield _restored(path)
                continue
            made = definition(name, uuids[0]) if len(uuids) == 1 and uuids[0] else None
            if made and name == "spans" and _is_by_trace(place, uuids[0] or ""):
                made = None
        if not made:
            raise FolderError(
                f"The definition {place / path} is damaged, and there is no copy of it:"
                " 'choreoscope store restore' makes a new data folder of a backup."
            )
        replace(place / path, made.encode())
        yield _restored(path)


def _is_by_trace(place: Path, uuid: str) -> bool:
    """Whether spans are in the order of traces, as early versions stored them: without an index file."""
    parts = [path for path in entries(place / "store" / uuid[:3] / uuid) if part_name(path.name)]
    return any(not list(path.glob("skp_idx*")) for path in parts)


def _restored(path: str) -> Damage:
    return Damage("", path, None, None, 0, "it was damaged, and is restored")


def remove_empty(folder: Path) -> None:
    """Remove *folder* if nothing is in it."""
    with contextlib.suppress(OSError):
        folder.rmdir()
