"""The data folder: who may use it, one at a time, and which version wrote it."""

import fcntl
import os
import re
import stat
from pathlib import Path

from collector.store.clickhouse import kept_tables
from collector.store.clickhouse.migrations import VERSION
from collector.store.contracts import FolderError, FolderInUseError

_STAMP = "schema-version"
_PRIVATE_FOLDER, _PRIVATE_FILE = 0o700, 0o600
_OTHERS = 0o077


class DataFolder:
    """The data folder *path*, locked until `unlock`, or until the process ends.

    Raise `FolderError` if it is locked, belongs to somebody else, was written by a newer version, or has a
    name that the engine cannot open.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place = _place(path)
        self.stamp_was_damaged = _check_version(path)
        self._lock = _lock(path)
        try:
            # What the collector creates is nobody else's to read: spans hold business data.
            os.umask(_OTHERS)
            _check_owner(path)
            _make_private(path)
        except BaseException:
            self.unlock()
            raise

    def stamp(self) -> None:
        """Record the schema's version in the folder, so that an older program refuses it."""
        if _stamped(self.path) != str(VERSION):
            kept_tables.replace(self.path / _STAMP, f"{VERSION}\n".encode())

    def unlock(self) -> None:
        """Let others use the folder."""
        os.close(self._lock)


def require_room(folder: Path, needed: int, what: str) -> None:
    """Raise `FolderError` if the disk of *folder* has fewer than *needed* bytes free, which *what* needs."""
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    if free < needed:
        raise FolderError(
            f"The disk of the data folder {folder} has {free:,} bytes free: {what}"
            f" needs {needed:,}. Free some space and start again; nothing was changed."
        )


def size_of(folder: Path) -> int:
    """The bytes of all files in *folder*; one with several names counts each time."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(f"{parent}/{name}").st_size
            except OSError:  # removed meanwhile
                continue
    return total


def _place(folder: Path) -> Path:
    """The engine's own folder in *folder*, absolute: 'file:' at the beginning would mean something else."""
    place = os.path.realpath(folder / "clickhouse")
    if "?" in place:  # and there is no way to escape it
        raise FolderError(
            f"The data folder {folder} cannot be used: its path, {place}, has a '?', which the embedded"
            " ClickHouse takes for the end of the path. CHOREOSCOPE_DATA names another."
        )
    return Path(place)


def _lock(folder: Path) -> int:
    """Lock *folder* until the returned descriptor is closed, or the process ends."""
    try:
        folder.mkdir(_PRIVATE_FOLDER, parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _PRIVATE_FILE)
    except OSError as error:
        raise FolderError(
            f"The data folder {folder} cannot be used: {error.strerror}. CHOREOSCOPE_DATA names another."
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise FolderInUseError(
            f"The data folder {folder} is in use by another collector:"
            " stop that one, or name another folder in CHOREOSCOPE_DATA."
        ) from error
    return lock


def _check_owner(folder: Path) -> None:
    owner = folder.stat().st_uid
    if owner != os.geteuid():
        raise FolderError(
            f"The data folder {folder} belongs to the user with the number {owner}, and this one has"
            f" {os.geteuid()}: run the collector as its owner, change the owner with chown -R, or name"
            " another folder in CHOREOSCOPE_DATA."
        )


def _make_private(folder: Path) -> None:
    """Take from everybody else what earlier versions let them read. The folder itself comes last.

    If it is private, all that is in it is as well.
    """
    if not stat.S_IMODE(folder.stat().st_mode) & _OTHERS:
        return
    try:
        for parent, folders, files in os.walk(folder):
            for names, mode in ((folders, _PRIVATE_FOLDER), (files, _PRIVATE_FILE)):
                for name in names:
                    if not os.path.islink(path := os.path.join(parent, name)):  # noqa: PTH114, PTH118  # 100,000s
                        os.chmod(path, mode)  # noqa: PTH101
        folder.chmod(_PRIVATE_FOLDER)
    except OSError as error:
        raise FolderError(
            f"The data folder {folder} can be read by others, and its mode cannot be changed"
            f" ({error.filename}: {error.strerror}): expected a folder of this user's alone."
        ) from error


def _stamped(folder: Path) -> str:
    """The version in the folder's stamp; empty if there is no stamp."""
    try:
        return (folder / _STAMP).read_text(errors="replace").strip()
    except OSError:  # a new folder, or one that cannot be used, which `_lock` reports
        return ""


def _check_version(folder: Path) -> bool:
    """Raise `FolderError` if a newer version wrote *folder*; return whether its stamp is damaged.

    The copy of the tables' definitions has the version as well, and a checksum: it is believed first.
    """
    written, kept = _stamped(folder), kept_tables.read(folder)
    known = str(kept.version) if kept else written
    if known and not (re.fullmatch(r"[0-9]{1,9}", known) and int(known) <= VERSION):
        raise FolderError(
            f"The data folder {folder} was written by a newer version"
            f" (its schema is {known[:20]!r}, ours {VERSION}):"
            " use that version, or name another folder in CHOREOSCOPE_DATA."
        )
    return bool(kept and written and written != known and not kept.changing)
