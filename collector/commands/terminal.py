"""Makes text safe and readable in a terminal: names from spans may be long, and hold control characters."""

import re
from collections.abc import Iterable, Sequence

_MOST = 60  # characters of a name
_LONG = re.compile(rf"\S{{{_MOST + 1},}}")


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
    widths = [max(len(row[place]) for row in cells) for place in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def _brief(text: str) -> str:
    """The beginning and the end of a long *text*, which tell it from others."""
    if len(text) <= _MOST:
        return text
    return f"{text[: _MOST // 2]}\N{HORIZONTAL ELLIPSIS}{text[1 - _MOST + _MOST // 2 :]}"
