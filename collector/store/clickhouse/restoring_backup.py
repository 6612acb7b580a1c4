"""Makes a data folder of a backup: every file is compared with the backup's list before it is believed."""

import os
import re
import shutil
import stat
from pathlib import Path

from collector.store.clickhouse import kept_tables
from collector.store.clickhouse.backing_up import LIST, Content, content, copied
from collector.store.clickhouse.data_folder import require_room
from collector.store.clickhouse.part_files import part_name
from collector.store.clickhouse.table_files import is_whole, uuid_at
from collector.store.contracts import BackupError, FolderError

_FILE = re.compile(r"store/[0-9a-f]{3}/[0-9a-f-]{36}/(?P<part>[^/]+)/[\w.%-]+")
_DEFINITION = re.compile(
    r"metadata/\w+\.sql|store/[0-9a-f]{3}/[0-9a-f-]{36}/(?:\w+\.sql|format_version\.txt)"
)
_LINKED = re.compile(r"metadata/\w+|data/\w+/\w+")
_MARGIN = 32 * 1024 * 1024


def lay_out(backup: Path, folder: Path) -> Content:
    """Make *folder*, which must be new or empty, the data folder that *backup* was made of.

    Raise `BackupError` if the backup is damaged, or if the folder cannot be made; then it stays as it was.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BackupError(f"{folder} is not empty: name a new folder to restore into; nothing was changed.")
    found = content(backup)
    _check_names(backup, found)
    partial = folder.with_name(f".{folder.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(0o700, parents=True)
        require_room(partial, sum(size for size, _ in found.files.values()) + _MARGIN, "restoring the backup")
        _copy(backup, partial, found)
        partial.rename(folder)
    except OSError as error:
        raise BackupError(
            f"The backup {backup} could not be restored: {error.strerror} ({error.filename})."
        ) from error
    except FolderError as error:
        raise BackupError(f"The backup {backup} could not be restored. {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return found


def _check_names(backup: Path, found: Content) -> None:
    """Raise `BackupError` unless *backup* has exactly the files of its list, and none leads elsewhere."""
    for name in found.files:
        match = _FILE.fullmatch(name)
        if match is None or part_name(match["part"]) is None:
            raise _damaged(backup, f"its list has '{name[:100]}', which is no file of a table")
    for name, text in found.kept.files.items():
        if not (_DEFINITION.fullmatch(name) and is_whole(name, text)):
            raise _damaged(backup, f"its list has '{name[:100]}', which defines no table")
    for name, target in found.kept.links.items():
        if not (_LINKED.fullmatch(name) and uuid_at(target)):
            raise _damaged(backup, f"its list has the link '{name[:100]}', which leads elsewhere")
    there: set[str] = set()
    for parent, folders, files in os.walk(backup):
        for name in (*folders, *files):
            path = Path(parent, name)
            mode = path.lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise _damaged(backup, f"{path} is neither a file nor a folder")
        there.update(str(Path(parent, name).relative_to(backup)) for name in files)
    if missing := sorted(found.files.keys() - there):
        raise _damaged(
            backup, f"{len(missing):,} of {len(found.files):,} files are missing, such as {missing[0]}"
        )
    if more := sorted(there - found.files.keys() - {LIST}):
        raise _damaged(backup, f"{more[0]} is not in its list")


def _copy(backup: Path, partial: Path, found: Content) -> None:
    place = partial / "clickhouse"
    for name, expected in found.files.items():
        target = place / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if copied(backup / name, target) != tuple(expected):
            raise _damaged(backup, f"{name} is not as it was written")
    for name, text in found.kept.files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        kept_tables.replace(place / name, text.encode())
    for name, to in found.kept.links.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).symlink_to(to)
    for parent, _, _ in os.walk(partial):
        kept_tables.sync(Path(parent))
    kept_tables.write(partial, found.kept)
    kept_tables.replace(partial / "schema-version", f"{found.version}\n".encode())


def _damaged(backup: Path, what: str) -> BackupError:
    return BackupError(f"The backup {backup} is damaged: {what}. Use another; nothing was restored.")
