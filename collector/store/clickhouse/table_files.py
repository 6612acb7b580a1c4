"""Which tables does the engine's folder hold, where do they lie, and how are they defined?

A database `d` is `metadata/d.sql` and a link `metadata/d` to its folder in `store`, with a file of SQL per
table. A table's parts lie in `store/<first three characters of its UUID>/<UUID>`, to which `data/d/<table>`
links.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from collector.store.clickhouse.part_files import part_name

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_DATABASE = re.compile(rf"ATTACH DATABASE _ UUID '({_UUID})'\nENGINE = Atomic\n?")
_TABLE = re.compile(
    rf"ATTACH TABLE _ UUID '({_UUID})'\n\(\n(.*?)\n\)\nENGINE = \w*MergeTree.*\nSETTINGS [^\n]+\n?", re.DOTALL
)
_COLUMN = re.compile(
    r"^    `(\w+)` (?!.* ALIAS )(.+?)(?: (?:CODEC|DEFAULT|MATERIALIZED|COMMENT|TTL)\b.*?)?,?$", re.MULTILINE
)
_LINK = re.compile(rf"(?:\.\./)+store/[0-9a-f]{{3}}/({_UUID})")


@dataclass(frozen=True)
class TableFolder:
    """Where a table lies, and the types of the columns that it stores."""

    database: str
    name: str
    folder: Path
    columns: Mapping[str, str]

    def parts(self) -> list[Path]:
        """The folders of its parts: active ones, and some that were merged."""
        return sorted(path for path in entries(self.folder) if part_name(path.name))

    def detached(self) -> list[Path]:
        """The folders of parts that were set aside."""
        return sorted(path for path in entries(self.folder / "detached") if path.is_dir())


def definitions(place: Path) -> dict[str, str]:
    """The text of each file in *place* that defines a database or a table, by its relative path."""
    found = {}
    for path in _definition_files(place):
        found[str(path.relative_to(place))] = path.read_text(encoding="utf-8", errors="replace")
    for path in place.glob("store/*/*/format_version.txt"):
        found[str(path.relative_to(place))] = path.read_text(encoding="utf-8", errors="replace")
    return found


def links(place: Path) -> dict[str, str]:
    """What each link in *place* points to, by its relative path."""
    found = [*entries(place / "metadata"), *(place / "data").glob("*/*")]
    return {str(path.relative_to(place)): str(path.readlink()) for path in found if path.is_symlink()}


def is_whole(path: str, text: str) -> bool:
    """Whether *text* may be what the engine wrote to *path*: it is not cut off, nor anything else."""
    if path.endswith("format_version.txt"):
        return text.strip() == "1"
    if path.startswith("metadata/"):
        return bool(_DATABASE.fullmatch(text))
    return bool(_TABLE.fullmatch(text)) and text.count("(") == text.count(")") and "\ufffd" not in text


def uuid_at(target: str) -> str | None:
    """The UUID in *target*, to which a link of the engine's points; None if there is none."""
    found = _LINK.fullmatch(target)
    return found[1] if found else None


def tables(place: Path, only: str = "") -> list[TableFolder]:
    """The tables in *place* whose definition is whole; *only* is a database, if not all are wanted."""
    found = []
    databases = {one.resolve(): one.name for one in entries(place / "metadata") if one.suffix != ".sql"}
    for path in _definition_files(place):
        database = databases.get(path.parent, "")
        if path.parent == place / "metadata" or (only and database != only):
            continue
        match = _TABLE.fullmatch(path.read_text(encoding="utf-8", errors="replace"))
        if match:
            folder = place / "store" / match[1][:3] / match[1]
            found.append(TableFolder(database, path.stem, folder, dict(_COLUMN.findall(match[2]))))
    return found


def entries(folder: Path) -> list[Path]:
    """What is in *folder*; nothing if it does not exist."""
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _definition_files(place: Path) -> Iterator[Path]:
    for path in entries(place / "metadata"):
        if path.suffix == ".sql":
            yield path
        elif path.is_dir():
            # The folder itself, not the link to it: relative paths must lead to files.
            yield from (one for one in entries(path.resolve()) if one.suffix == ".sql")
