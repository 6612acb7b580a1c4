"""Has a file that we need changed, and can it be used? If not, the last good version stays in force."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

from collector.config import ConfigError

log = logging.getLogger(__name__)

T = TypeVar("T")

_Stamp: TypeAlias = tuple[int, ...] | None  # what tells one version of a file from another; None: no file


class Renewed(Generic[T]):
    """What *load* makes of *paths* now. One thread calls `renew`; the rest may be read from any."""

    def __init__(self, name: str, paths: Sequence[Path], load: Callable[[], T]) -> None:
        """Call *load*, whose `ConfigError` goes to the caller. *name* is for the log."""
        self._name, self._paths, self._load = name, paths, load
        self._seen = self._read = self._stamps()  # before it is read: a change while it is read is a change
        self._state: tuple[T, str | None] = (load(), None)

    def current(self) -> T:
        """The last good version; the same object until there is a newer one."""
        return self._state[0]

    @property
    def problem(self) -> str | None:
        """Why the files as they are now are not in force, in one line; None if they are."""
        return self._state[1]

    def renew(self) -> None:
        """Read the files again if they have changed. Never raises.

        It reads a version that it has seen twice: it should not read half of what is being written, or a new
        certificate with the key of the old one.
        """
        before, self._seen = self._seen, self._stamps()
        if before != self._seen or self._seen == self._read:
            return
        self._read = self._seen
        try:
            self._state = (self._load(), None)
        except ConfigError as error:
            self._state = (self._state[0], f"{error} The last good version stays in force.")
        except Exception as error:  # whatever is in the files, those who are served must be served on
            log.exception("%s cannot be read", self._name)
            self._state = (self._state[0], f"{self._name} cannot be read: {type(error).__name__}.")
        else:
            log.info("%s: read again, and in force.", self._name)

    def _stamps(self) -> list[_Stamp]:
        return [_stamp(path) for path in self._paths]


def secret_text(name: str, path: Path, most: int) -> bytes:
    """What is in the file at *path*; raise `ConfigError`, which begins with *name*, if it is no safe secret.

    Others on this machine may not read or write it, and it has at most *most* bytes.
    """
    try:
        if not path.is_file():  # reading a pipe would wait for ever
            raise ConfigError(f"{name} is '{path}': there is no such file.")
        mode = path.stat().st_mode & 0o777
        if mode & 0o007:
            raise ConfigError(
                f"{name} is '{path}', whose mode is {mode:04o}: everybody on this machine may open it,"
                f" expected 0600 or 0640. Run: chmod 600 '{path}'"
            )
        with path.open("rb") as file:
            data = file.read(most + 1)
    except (OSError, ValueError) as error:
        raise unreadable(name, path, error) from error
    if len(data) > most:
        raise ConfigError(f"{name} is '{path}', which is too large: expected at most {most:,} bytes.")
    return data


def unreadable(name: str, path: Path, error: Exception) -> ConfigError:
    """The error of a file that cannot be opened."""
    why = getattr(error, "strerror", None) or str(error)
    return ConfigError(f"{name} is '{path}', which cannot be read: {why}.")


def _stamp(path: Path) -> _Stamp:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
