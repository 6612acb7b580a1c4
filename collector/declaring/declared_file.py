"""The file of declared expectations: read at the start, and again whenever it has changed."""

import logging
import stat
from pathlib import Path
from typing import TypeAlias

from collector.declaring.bounded_yaml import MOST_BYTES
from collector.declaring.declarations import read
from collector.declaring.mistakes import DeclarationError, Mistake
from collector.diagnosis.declared import Declared
from collector.model.wording import SECOND

log = logging.getLogger(__name__)

_Stamp: TypeAlias = tuple[int, ...] | None  # what tells one version of a file from another; None: no file


def load(path: Path) -> Declared:
    """What the file at *path* declares; raise `DeclarationError` if it cannot be read or has a mistake."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # reading a pipe would wait for ever
            raise _unreadable(path, "it is no file")
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise _unreadable(path, getattr(error, "strerror", None) or str(error)) from error
    return read(data, str(path))


class DeclaredFile:
    """What is declared at present. A mistake leaves the last good version in force, and is told.

    One thread calls `check`; `current` and `problem` may be read from any.
    """

    def __init__(self, path: Path) -> None:
        """Read the file at *path*; raise `DeclarationError` if it cannot be used."""
        self._path = path
        self._seen = self._read = _stamp(path)  # before it is read: a change while it is read is a change
        self._state: tuple[Declared, str | None] = (load(path), None)
        self._checked: int | None = None

    def current(self) -> Declared:
        """The last good version; the same object until there is a newer one."""
        return self._state[0]

    @property
    def problem(self) -> str | None:
        """Why the file as it is now is not in force, in one line; None if it is."""
        return self._state[1]

    def check(self, now: int) -> None:
        """Read the file again if it has changed; *now* in nanoseconds. Never raises.

        It looks at most once a second, and reads a version that it has seen twice: it should not read half of
        what an editor is writing.
        """
        if self._checked is not None and 0 <= now - self._checked < SECOND:
            return
        self._checked = now
        before, self._seen = self._seen, _stamp(self._path)
        if before == self._seen != self._read:
            self._read = self._seen
            self._state = self._renewed()

    def _renewed(self) -> tuple[Declared, str | None]:
        try:
            declared = load(self._path)
        except DeclarationError as error:
            problem = str(error)
        except Exception as error:  # the live part must go on, whatever is in the file
            log.exception("Declared expectations cannot be read")
            problem = str(_unreadable(self._path, f"{type(error).__name__}: {error}"))
        else:
            log.info("Declared expectations are read again, and in force: %s", self._path)
            return declared, None
        log.warning("%s The last good version stays in force.", problem)
        return self._state[0], problem


def _stamp(path: Path) -> _Stamp:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _unreadable(path: Path, why: str) -> DeclarationError:
    text = f"cannot be read ({why}): expected a YAML file. Write one, or name another one."
    return DeclarationError(str(path), (Mistake(0, text),))
