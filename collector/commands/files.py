"""Reads the trace files given to a command, and reports what in them cannot be used."""

import errno
import os
import stat
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import click

from collector import formats
from collector.commands.failure import CommandError
from collector.formats import EXPECTED, Begun, FormatError, Found
from collector.model.hiding import NOTHING_HIDDEN, Hiding
from collector.model.wording import counted
from collector.web.bodies import BodyError, inflate_file

_MANY, _LONG = 10, 2**24  # files, bytes: with less, a bar would be gone before anybody could read it

_MOST_BYTES = 2**31 - 1  # read, or inflated: columns of bytes can hold no more
_TOO_MUCH = f"it holds more than {_MOST_BYTES:,} bytes"

files = click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))


class _Readable(Protocol):
    def read(self, n: int, /) -> bytes: ...


class _Bar(Protocol):
    def update(self, n_steps: int) -> Any: ...


def found_in(paths: Sequence[Path], hiding: Hiding = NOTHING_HIDDEN) -> Iterator[tuple[Path, Found]]:
    """The contents of each file; raise `CommandError` for a file that is not a trace file.

    Zipkin files come last: the two sides of a call may be in two of them, so all must be read first.
    """
    sizes = [_size(path) for path in paths]
    said = {}
    waiting: list[tuple[Path, Begun]] = []
    with _bar(len(paths), sum(sizes)) as bar:
        for path, size in zip(paths, sizes, strict=True):
            begun = _begun(path, size, bar)
            if begun.halves:
                waiting.append((path, begun))
                continue
            (found,) = formats.finish([begun])
            said[path] = _summary(path, found, hiding)
            yield path, found
        for path, found in zip(
            (path for path, _ in waiting), formats.finish([begun for _, begun in waiting]), strict=True
        ):
            said[path] = _summary(path, found, hiding)
            yield path, found
    for path in dict.fromkeys(paths):  # not while the bar is shown
        if said[path]:
            click.echo(f"choreoscope: {_line(said[path])}", err=True)


def _summary(path: Path, found: Found, hiding: Hiding) -> str:
    """What to report about a file; empty if all is well."""
    if found.problems:
        much = counted(len(found.problems), "record")
        return f"{path}: {much} cannot be used. {found.problems[0].told(hiding)}"
    return "" if found.spans.num_rows else f"{path}: no spans in it. Expected {EXPECTED}."


def _begun(path: Path, size: int, bar: _Bar) -> Begun:
    data = _read(path)
    share = size / max(len(data), 1)  # file bytes per inflated byte
    shown = 0

    def seen(octets: int) -> None:
        nonlocal shown
        bar.update(round(octets * share))
        shown += round(octets * share)

    try:
        begun = formats.begin(data, time.time_ns(), seen)
    except FormatError as error:
        which = f"{path}" if error.line is None else f"{path}, line {error.line} of {error.lines},"
        raise CommandError(_line(f"{which} is no trace file: {error} Expected {EXPECTED}.")) from error
    bar.update(size - shown)  # line endings
    return begun


def _read(path: Path) -> bytes:
    try:
        return inflate_file(_octets(path), _MOST_BYTES)
    except (OSError, BodyError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or str(error) or "it is too large for the memory"
        msg = _line(f"{path} cannot be read: {reason}. Expected a file with {EXPECTED}.")
        raise CommandError(msg) from error


def _octets(path: Path) -> bytes:
    """All of a file or a pipe; raise OSError rather than wait for a writer, or read without an end."""
    if str(path) == "-":
        return _bounded(sys.stdin.buffer)
    # Opening a named pipe would wait until somebody writes into it.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        found = os.fstat(file.fileno())
        if not (stat.S_ISREG(found.st_mode) or stat.S_ISFIFO(found.st_mode)):
            raise OSError(errno.EINVAL, "it is a directory, a device or a socket")
        if found.st_size > _MOST_BYTES:
            raise OSError(errno.EFBIG, _TOO_MUCH)
        os.set_blocking(file.fileno(), True)
        return _bounded(file)


def _bounded(file: _Readable) -> bytes:
    data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise OSError(errno.EFBIG, _TOO_MUCH)
    return data


def _line(sentence: str) -> str:
    """*sentence* on one line, without control characters for the terminal: files are other people's."""
    words = " ".join(sentence.split())
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in words)


def _size(path: Path) -> int:
    try:
        return 0 if str(path) == "-" else path.stat().st_size
    except OSError:  # reading it will report this
        return 0


class _NoBar:
    def update(self, n_steps: int) -> None:
        """Nothing to show."""


@contextmanager
def _bar(count: int, size: int) -> Iterator[_Bar]:
    """A progress bar on a terminal's standard error, if there is much to read."""
    if not sys.stderr.isatty() or (count < _MANY and size < _LONG):
        yield _NoBar()
        return
    with click.progressbar(length=size, label="reading", file=sys.stderr) as bar:
        yield bar
