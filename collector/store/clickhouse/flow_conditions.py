"""Conditions and orders of lists of flows in SQL: fixed words, whose values are parameters."""

from collections.abc import Iterable, Mapping
from typing import Any

from collector.model.conditions import (
    NOT_OVERDUE,
    Condition,
    Erred,
    IsVariant,
    Measure,
    Mentions,
    Name,
    Order,
    Sort,
    Where,
    Within,
)
from collector.model.flows import State
from collector.store.contracts import RANKS, Place, begins_trace_id

# Whole numbers, because the same sum of them is the same everywhere: pages must meet exactly.
_WAIT, _WORK = "toInt64(wait_ms * 1e6)", "toInt64(work_ms * 1e6)"
_MEASURES: Mapping[Measure, str] = {
    "started": "started",
    "last": "last",
    "took": "(last - started)",
    "messages": "messages",
    "reactions": "reactions",
    "wait": _WAIT,
    "work": _WORK,
}
# Names stand between line breaks. A column of few distinct texts is searched once for each of them.
_NAMES: Mapping[Where, str] = {"named": "names", "outcome": "outcome", "failures": "failures"}
# What only memory knows comes last.
_RANKS: Mapping[Sort, tuple[str, str]] = {
    "state": ("multiIf(state >= 3, 0, state = 2, 1, state = 1, 2, 3)", "UInt8"),
    "flow": ("id", "String"),
    "waiting": ("''", "String"),
    "overdue": (f"toInt64({NOT_OVERDUE})", "Int64"),
    "outcome": ("if(state = 0, outcome, '')", "String"),
    "started": ("started", "Int64"),
    "last": ("last", "Int64"),
    "took": ("(last - started)", "Int64"),
    "share": ("if(wait_ms + work_ms > 0, toInt64(wait_ms / (wait_ms + work_ms) * 1e9), -1)", "Int64"),
    "wait": (_WAIT, "Int64"),
    "work": (_WORK, "Int64"),
    "event": ("last_event_type", "String"),
    "messages": ("messages", "Int64"),
    "reactions": ("reactions", "Int64"),
}


# Settled flows are done, and nothing of them is overdue: those stand at one place by these.
_SETTLED: Mapping[Sort, int | str] = {"state": RANKS[State.DONE], "waiting": "", "overdue": NOT_OVERDUE}
_LATER = "last <= {at:Int64} AND (last < {at:Int64} OR id < {id:String})"
_LATER_PLACE = _LATER.replace("last", "place")  # in the order of the rows


def order_by(order: Order, *, settled: bool = False) -> str:
    """The ORDER BY of *order*, in which no two flows are alike; of *settled* rows alone.

    All of it goes down, as rows are read from the end: the engine reads all to put ids into another order.
    """
    if settled and order.by in _SETTLED:
        return "place DESC, id DESC"
    rank, _ = _RANKS[order.by]
    return f"{rank}{' DESC' if order.reverse else ''}, last DESC, id DESC"


def follows(order: Order) -> str:
    """The condition that a flow comes after the place with the parameters `rank`, `at` and `id`."""
    rank, kind = _RANKS[order.by]
    place = f"{{rank:{kind}}}"
    return f"({rank} {'<' if order.reverse else '>'} {place} OR {rank} = {place} AND {_LATER})"


def settled_follow(order: Order, after: Place) -> str:
    """The same for settled rows; "" if none of them can."""
    if order.by not in _SETTLED:
        return follows(order)
    rank: Any = _SETTLED[order.by]
    if rank == after.rank:
        return _LATER_PLACE
    return "1" if (rank > after.rank) != order.reverse else ""


def conditions_of(conditions: Iterable[Condition]) -> tuple[list[str], dict[str, object]]:
    """A clause for each of *conditions*, and their parameters."""
    parts: list[str] = []
    values: dict[str, object] = {}
    for number, condition in enumerate(conditions):
        clause, more = _clause(condition, f"c{number}")
        parts.append(f"NOT ({clause})" if condition.negated else f"({clause})")
        values |= more
    return parts, values


def _clause(condition: Condition, name: str) -> tuple[str, dict[str, object]]:
    match condition:
        case Within():
            return _within(condition, name)
        case Mentions(where="waiting"):
            return "0", {}  # only memory knows it
        case Mentions():
            return _mentions(condition, name)
        case Erred():
            return "failures != '' OR state = 4", {}
        case IsVariant():
            values = [one for one in condition.variants if one]
            return f"variant IN {{{name}:Array(UInt64)}}", {name: values}


def _within(condition: Within, name: str) -> tuple[str, dict[str, object]]:
    column = _MEASURES[condition.measure]
    parts, values = ["1"], dict[str, object]()
    for end, sign, limit in (("low", ">=", condition.low), ("high", "<=", condition.high)):
        if limit is not None:
            parts.append(f"{column} {sign} {{{name}_{end}:Int64}}")
            values[f"{name}_{end}"] = limit
    return " AND ".join(parts), values


def _mentions(condition: Mentions, name: str) -> tuple[str, dict[str, object]]:
    parts: list[str] = []
    values: dict[str, object] = {}
    for number, one in enumerate(condition.names):
        key = f"{name}_{number}"
        values[key] = one.text if condition.where in {"text", "id"} else one.needle
        match condition.where:
            case "text":
                parts.append(_text(one, key))
            case "id":
                parts.append(_in_id(key))
            case _:
                parts.append(_has(_NAMES[condition.where], key))
    said = " OR ".join(parts)
    return (f"state = 0 AND ({said})" if condition.where == "outcome" else said), values


def _has(column: str, key: str) -> str:
    return f"positionCaseInsensitiveUTF8(concat('\\n', {column}, '\\n'), {{{key}:String}}) > 0"


def _in_id(key: str) -> str:
    return f"positionCaseInsensitiveUTF8(id, {{{key}:String}}) > 0"


def _text(one: Name, key: str) -> str:
    traces = f" OR arrayExists(t -> startsWith(lower(hex(t)), lower({{{key}:String}})), traces)"
    return (
        f"{_in_id(key)}"
        f" OR positionCaseInsensitiveUTF8(names, {{{key}:String}}) > 0"
        f"{traces if begins_trace_id(one.text) else ''}"
    )
