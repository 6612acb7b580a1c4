"""How are long lists paged? A cursor names the last entry seen, so the list may change between pages."""

import base64
import re
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

import msgspec
import pyarrow as pa

from collector.model.conditions import BY_STATE, SORTS, TEXTS, Order, Sort
from collector.store.contracts import SpanPlace

PART = 5_000  # spans: what a person can look at, and what takes a second to answer

_TraceId = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
_SpanId = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$")]
_Start = Annotated[int, msgspec.Meta(ge=0)]
_PartCursor: TypeAlias = tuple[Literal["after", "before"], _Start, _TraceId, _SpanId]

_Int64 = Annotated[int, msgspec.Meta(ge=-(2**63) + 1, le=2**63 - 1)]
_Cursor: TypeAlias = tuple[Annotated[int, msgspec.Meta(ge=0, le=3)], _Int64, str]
# Of another order than by state: what it goes by, whether backwards, and the place there.
_OrderedCursor: TypeAlias = tuple[Sort, bool, _Int64 | str, _Int64, str]


_REF = re.compile("([0-9a-f]{32}):([0-9a-f]{16})", re.IGNORECASE | re.ASCII)


class QuestionError(Exception):
    """A question that cannot be answered as asked; the text says what was expected."""


@dataclass(frozen=True)
class Page:
    """Which part of a list is wanted: so many entries, after a given one."""

    limit: int = 1000
    after: tuple[int | str, int, str] | None = None  # of the last entry seen


def page(limit: int, cursor: str | None, order: Order = BY_STATE) -> Page:
    """The page at *cursor*, which must come from an earlier answer in this *order*, else `QuestionError`."""
    if not cursor:
        return Page(limit)
    try:
        text = base64.urlsafe_b64decode(cursor.encode())
        if order == BY_STATE:
            return Page(limit, msgspec.json.decode(text, type=_Cursor))
        by, reverse, *after = msgspec.json.decode(text, type=_OrderedCursor)
        if Order(by, reverse) != order or isinstance(after[0], str) != (by in TEXTS):
            raise ValueError(by)
    except (ValueError, msgspec.MsgspecError) as error:
        msg = (
            f"cursor is '{cursor[:40]}': expected the next_cursor of an earlier answer"
            f"{' in the same order' if order != BY_STATE else ''}, or none."
        )
        raise QuestionError(msg) from error
    return Page(limit, (after[0], after[1], after[2]))


def cursor_after(entry: tuple[int | str, int, str], order: Order = BY_STATE) -> str:
    """The cursor of the page after *entry* of a list in *order*."""
    said = entry if order == BY_STATE else (order.by, order.reverse, *entry)
    return base64.urlsafe_b64encode(msgspec.json.encode(said)).decode()


def order_of(sort: str) -> Order:
    """The order that *sort* names, backwards with a "-" before it; raise `QuestionError` if there is none."""
    by = sort.removeprefix("-")
    for known in SORTS:
        if by == known:
            return Order(known, sort.startswith("-"))
    if not sort:
        return BY_STATE
    msg = (
        f"sort is '{sort[:40]}': expected {', '.join(SORTS)}, or one of them with - before it for backwards."
    )
    raise QuestionError(msg)


@dataclass(frozen=True)
class Part:
    """Which part of a flow is wanted, in spans, which lie in the order of their start.

    With *after*, the first *limit* spans after it; with *before*, the last before it; else the last of all
    or, if the *oldest* are wanted, the first. What stopped a flow is at its end.
    """

    limit: int = PART
    oldest: bool = False
    after: SpanPlace | None = None
    before: SpanPlace | None = None


def part(limit: int, cursor: str | None, order: Literal["newest", "oldest"] = "newest") -> Part:
    """The part at *cursor*, which must come from an earlier answer; raise `QuestionError` otherwise."""
    oldest = order == "oldest"
    if not cursor:
        return Part(limit, oldest)
    try:
        way, start, trace, span = msgspec.json.decode(
            base64.urlsafe_b64decode(cursor.encode()), type=_PartCursor
        )
        if start >= 2**64:
            raise ValueError(start)
        place = SpanPlace(start, bytes.fromhex(trace), bytes.fromhex(span))
    except (ValueError, msgspec.MsgspecError) as error:
        msg = f"cursor is '{cursor[:40]}': expected a cursor of an earlier answer, or none."
        raise QuestionError(msg) from error
    return Part(limit, oldest, **{way: place})


def part_cursor(way: Literal["after", "before"], place: SpanPlace) -> str:
    """The cursor of the part *way* of *place*."""
    said = (way, place.start, place.trace_id.hex(), place.span_id.hex())
    return base64.urlsafe_b64encode(msgspec.json.encode(said)).decode()


def span_ids(ref: str) -> pa.Table:
    """(trace_id, span_id) of the span that *ref* names, one row; raise `QuestionError` if it names none."""
    found = _REF.fullmatch(ref)
    if found is None:
        msg = f"span is '{ref[:80]}': expected <trace id>:<span id>, 32 and 16 hex digits, such as a ref."
        raise QuestionError(msg)
    ids = [pa.array([bytes.fromhex(found[part])], pa.binary(size)) for part, size in ((1, 16), (2, 8))]
    return pa.table(ids, ["trace_id", "span_id"])
