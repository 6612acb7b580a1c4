"""Makes text safe and readable in a terminal: names from spans may be long, and hold control characters."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TextIO

import click

_MOST = 60  # characters of a name
_LONG = re.compile(rf"\S{{{_MOST + 1},}}")


# What needs attention has a colour, beside its word; what is healthy has none.
_STYLES: Mapping[str, Mapping[str, Any]] = {
    "stuck": {"fg": "red", "bold": True},
    "failed": {"fg": "magenta", "bold": True},
    "late": {"fg": "yellow"},
    "missing": {"fg": "red"},
    "head": {"bold": True},
    "quiet": {"dim": True},
}
_coloured: ContextVar[bool] = ContextVar("coloured", default=False)


def wants_colour(stream: TextIO) -> bool:
    """Whether *stream* shows colours: a terminal does, unless NO_COLOR; FORCE_COLOR makes any other do so."""
    if os.environ.get("NO_COLOR"):
        return False
    if forced := os.environ.get("FORCE_COLOR"):
        return forced != "0"
    return stream.isatty() and os.environ.get("TERM") != "dumb"


@contextmanager
def colours(on: bool) -> Iterator[None]:
    """While this lasts, `tinted` gives colours if they are *on*."""
    before = _coloured.set(on)
    try:
        yield
    finally:
        _coloured.reset(before)


def tinted(text: str, style: str) -> str:
    """*text* in the colour of *style*, such as a state; as it is if there are no colours, or none for it."""
    return click.style(text, **_STYLES[style]) if _coloured.get() and style in _STYLES else text


def harmless(text: str) -> str:
    """*text* without control characters for the terminal; a line break is one of them."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)


def clean(text: str) -> str:
    """*text* without control characters, and with long words cut: JSON has them in full."""
    return _LONG.sub(lambda word: _brief(word[0]), harmless(text))


def short(text: str) -> str:
    """A key or name from a span, which may be as long as a page, shortened to part of a line."""
    return _brief(clean(text))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Columns as wide as their widest cell, two spaces apart."""
    cells = [list(head), *(list(row) for row in rows)]
    widths = [max(_width(row[place]) for row in cells) for place in range(len(head))]
    lines = [
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True))
        for row in cells
    ]
    return [tinted(lines[0].rstrip(), "quiet"), *(line.rstrip() for line in lines[1:])]


def _width(cell: str) -> int:
    return len(click.unstyle(cell))


def _brief(text: str) -> str:
    """The beginning and the end of a long *text*, which tell it from others."""
    if len(text) <= _MOST:
        return text
    return f"{text[: _MOST // 2]}\N{HORIZONTAL ELLIPSIS}{text[1 - _MOST + _MOST // 2 :]}"
