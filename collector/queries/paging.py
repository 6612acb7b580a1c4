"""How are long lists paged? A cursor names the last entry seen, so the list may change between pages."""

import base64
from dataclasses import dataclass
from typing import Annotated, TypeAlias

import msgspec

_Int64 = Annotated[int, msgspec.Meta(ge=-(2**63) + 1, le=2**63 - 1)]
_Cursor: TypeAlias = tuple[Annotated[int, msgspec.Meta(ge=0, le=3)], _Int64, str]


class QuestionError(Exception):
    """A question that cannot be answered as asked; the text says what was expected."""


@dataclass(frozen=True)
class Page:
    """Which part of a list is wanted: so many entries, after a given one."""

    limit: int = 1000
    after: tuple[int, int, str] | None = None  # of the last entry seen


def page(limit: int, cursor: str | None) -> Page:
    """The page at *cursor*, which must come from an earlier answer; raise `QuestionError` otherwise."""
    if not cursor:
        return Page(limit)
    try:
        after = msgspec.json.decode(base64.urlsafe_b64decode(cursor.encode()), type=_Cursor)
    except (ValueError, msgspec.MsgspecError) as error:
        msg = f"cursor is '{cursor[:40]}': expected the next_cursor of an earlier answer, or none."
        raise QuestionError(msg) from error
    return Page(limit, after)


def cursor_after(entry: tuple[int, int, str]) -> str:
    """The cursor of the page after *entry*."""
    return base64.urlsafe_b64encode(msgspec.json.encode(entry)).decode()
