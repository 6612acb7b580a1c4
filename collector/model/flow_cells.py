"""How is a list of flows written as a table, for spreadsheets and other programs?"""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

Item = Mapping[str, Any]  # a flow, as an answer lists it

# A spreadsheet takes a text that begins with one of these, in any width, for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")

_CELLS: Mapping[str, Callable[[Item], object]] = {
    "state": lambda item: "dismissed" if item.get("dismissed") else item["state"],
    "flow": lambda item: item["key"] or item["id"],
    "waiting": lambda item: item["waiting_for"],
    "waiting_event": lambda item: item["waiting_for_event"],
    "overdue_s": lambda item: item["overdue_s"],
    "outcome": lambda item: item["outcome"],
    "started": lambda item: _time(item["started_unix_nano"]),
    "last": lambda item: _time(item["last_unix_nano"]),
    "took_ms": lambda item: (item["last_unix_nano"] - item["started_unix_nano"]) / 1e6,
    "wait_ms": lambda item: item["wait_ms"],
    "work_ms": lambda item: item["work_ms"],
    "event": lambda item: item["last_event_type"],
    "service": lambda item: item["last_service"],
    "messages": lambda item: item["messages"],
    "reactions": lambda item: item["reactions"],
    "incomplete": lambda item: "yes" if item["incomplete"] else "no",
    "id": lambda item: item["id"],
    "trace": lambda item: next(iter(item["traces"]), None),
}
COLUMNS = tuple(_CELLS)


def cells_of(item: Item, columns: Sequence[str]) -> list[str]:
    """What *columns* say of a flow, as text; nothing for what it does not have."""
    return ["" if (value := _CELLS[name](item)) is None else str(value) for name in columns]


def csv_of(items: Iterable[Item], columns: Sequence[str] = COLUMNS, *, head: bool = True) -> str:
    """CSV of *items*, in lines of *columns*; after a *head* with their names.

    A text that would be a formula has an apostrophe before it: names come from spans, and are data.
    """
    written = io.StringIO()
    lines = csv.writer(written, lineterminator="\n")
    if head:
        lines.writerow(columns)
    for item in items:
        lines.writerow([_harmless(_CELLS[name](item)) for name in columns])
    return written.getvalue()


def _harmless(value: object) -> object:
    if not isinstance(value, str):
        return value
    # A terminal would obey control characters, and no spreadsheet shows them.
    text = "".join(
        one if one.isprintable() or one in "\t\n" else "\N{REPLACEMENT CHARACTER}" for one in value
    )
    return f"'{text}" if value.startswith(_FORMULA) else text


def _time(at: int) -> str:
    """*at* in UTC with milliseconds, which spreadsheets read as a time."""
    return str(np.datetime64(at, "ns"))[:23].replace("T", " ")
