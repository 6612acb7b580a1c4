"""How are flows asked for in SQL? In fixed words: every value is a parameter."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from collector.model.flows import FLOWS, SET_ASIDE, STORED_FLOWS, State
from collector.store.clickhouse.connections import Database
from collector.store.clickhouse.dismissal_store import DISMISSED
from collector.store.clickhouse.flow_conditions import conditions_of, order_by, settled_follow
from collector.store.contracts import Place, Search

# A flow that was evicted while it was running or late is stuck from `stuck_from` on, if nothing more came.
MOVING_STATE = "if(state IN (1, 2) AND stuck_from BETWEEN 1 AND {now:Int64}, 3, state)"
STATE = f"{MOVING_STATE} AS state"
_COMPUTED = {"state": STATE, "set_aside": f"stuck_from = {SET_ASIDE} AS set_aside"}
COLUMNS = ", ".join(_COMPUTED.get(name, name) for name in STORED_FLOWS.names)
# Of a settled row: what is no column as it is stored would be made for all rows before the first are chosen.
AS_SETTLED = ", ".join({"set_aside": "false AS set_aside"}.get(name, name) for name in STORED_FLOWS.names)
TEXTS = tuple(field.name for field in FLOWS if field.type == pa.string())
# The parameter `listed` holds its values as JSON: an array parameter takes time that grows with the square of
# its length, minutes for 100,000 ids.
_VALUES = "JSONExtract({{listed:String}}, 'Array({})')"
LISTED = f"(SELECT arrayJoin({_VALUES}))"
LISTED_TRACES = f"arrayMap(t -> toFixedString(unhex(t), 16), {_VALUES.format('String')})"
BEGUN = "if(begun > 0, begun, received)"  # when its first span was received, as far as that is known
BY = "stored_unix_nano <= {by:UInt64}"  # what is written meanwhile supersedes nothing
NO_VALUES: Mapping[str, object] = {}
EVERY = 2**64 - 1  # as `by`: all rows
_MOST_BYTES = 60_000  # of one parameter: a server accepts 128 KiB, and a backslash is sent as two


# Which rows count? See `settled` in schema/0001_tables.sql. These are the newest rows of all flows that have
# one that is not settled, and the ids of the flows whose settled row does not count.
UNSETTLED = f"(SELECT * FROM flows WHERE NOT settled AND {BY} ORDER BY stored_unix_nano DESC LIMIT 1 BY id)"
REPLACED = f"SELECT id FROM flows WHERE NOT settled AND replaces AND {BY}"

# The rows that count, of all flows.
COUNTING = (
    "(SELECT * FROM flows WHERE settled AND id NOT IN (SELECT id FROM flows WHERE NOT settled AND replaces)"
    " UNION ALL SELECT * FROM"
    " (SELECT * FROM flows WHERE NOT settled ORDER BY stored_unix_nano DESC LIMIT 1 BY id))"
)


def newest_of(condition: str) -> str:
    """A question for the newest row of each flow that *condition* names by its id, whatever its state."""
    newest = f"SELECT * FROM flows WHERE {condition} AND {BY} ORDER BY stored_unix_nano DESC LIMIT 1 BY id"
    return f"SELECT {COLUMNS}, stored_unix_nano FROM ({newest})"


def stored_flows(answer: pa.Table) -> pa.Table:
    """STORED_FLOWS as they were put: an empty string was a null."""
    return stored_columns(answer, STORED_FLOWS.names)


def stored_columns(answer: pa.Table, names: Sequence[str]) -> pa.Table:
    """These columns of STORED_FLOWS, as they were put."""
    schema = pa.schema([STORED_FLOWS.field(name) for name in names])
    columns = {field.name: answer[field.name].cast(field.type) for field in schema}
    for name in set(TEXTS) & set(names):
        columns[name] = pc.if_else(pc.equal(columns[name], ""), None, columns[name])
    return pa.table(columns, schema=schema)


def condition_of(search: Search, last: str = "last") -> tuple[str, dict[str, object]]:
    """The WHERE clause of *search*, in fixed words, and its parameters: no value is part of the text.

    *last* is the column that has the time of the last activity.
    """
    parts, values = ["1"], dict[str, object]()
    if search.since:
        parts.append(f"{last} > {{since:Int64}}")
        values["since"] = search.since
    if search.waiting_for:
        parts.append("0")
    holding, more = conditions_of(search.all_conditions)
    parts += holding
    values |= more
    if search.stored_by is not None:
        parts.append("stored_unix_nano <= {stored_by:UInt64}")
        values["stored_by"] = search.stored_by
    if search.before:
        parts.append(f"{last} < {{before:Int64}}")
        values["before"] = search.before
    if search.states:
        parts.append(f"(state IN {{states:Array(UInt8)}} AND NOT {DISMISSED})")
        values["states"] = list(search.states)
        if search.dismissed:
            parts[-1] = f"({parts[-1]} OR {DISMISSED})"
    elif search.dismissed:
        parts.append(DISMISSED)
    if search.without:
        ids, listed = ids_of(tuple(search.without))
        parts.append(f"id NOT IN ({ids})")
        values |= listed
    return " AND ".join(parts), values


@lru_cache(8)
def ids_of(
    ids: tuple[str, ...] | tuple[int, ...], name: str = "ids", kind: str = "String"
) -> tuple[str, Mapping[str, object]]:
    """A question for *ids*, and its parameters. Its answer is one set: rows would be looked up in each.

    Each list asks for those of a moment several times. A constant would be computed several times, too.
    """
    arrays, values = [], dict[str, object]()
    for number, some in enumerate(chunks(ids)):
        sql, listed = parameter_of(f"{name}_{number}", some)
        arrays.append(f"JSONExtract(materialize({sql}), 'Array({kind})')")
        values |= listed
    return f"SELECT arrayJoin(arrayConcat({', '.join(arrays)})) AS id", values


class LeftOut(NamedTuple):
    """Which settled rows do not count: what holds for them, if there are any, and the values of that."""

    clause: str = ""
    values: Mapping[str, object] = NO_VALUES


def left_out(database: Database, by: int, without: tuple[str, ...]) -> LeftOut:
    """Which settled rows are replaced by others, or are of *without*: by the places where they lie."""
    ids, listed = ids_of(without)
    # The settled row of what has another row is replaced, if it has one.
    others = f"id IN ({ids}) AND id NOT IN (SELECT id FROM flows WHERE NOT settled AND {BY})"
    some = f"id IN ({REPLACED})" + (f" OR {others}" if without else "")
    question = f"SELECT place, id FROM flows WHERE settled AND ({some})"
    found = database.query(question, {"by": by, **(listed if without else {})}, ["place", "id"])
    if not found.num_rows:
        return LeftOut()
    ids, listed = ids_of(tuple(found["id"].to_pylist()), "left")
    places, more = ids_of(tuple(found["place"].to_pylist()), "places", "Int64")
    return LeftOut(f"(place IN ({places}) AND id IN ({ids}))", {**listed, **more})


class Settled:
    """The settled rows in *database* that match *search* and were written *by* that version.

    *left_out* says which of them do not count.
    """

    def __init__(
        self, database: Database, search: Search, by: int, left_out: Callable[[int, tuple[str, ...]], LeftOut]
    ) -> None:
        self._database = database
        self._search = search
        self._left_out = left_out
        self.by = by
        # They are done, all of them.
        by_state = search.states or search.dismissed
        self.wanted = not search.waiting_for and (not by_state or State.DONE in search.states)

    def condition(self) -> tuple[str, dict[str, object]]:
        """What holds for them, and its values."""
        condition, values = self._anyway()
        left_out = self._left_out(self.by, tuple(self._search.without))
        if left_out.clause:
            condition += f" AND NOT {left_out.clause}"
        return condition, {**values, **left_out.values}

    def count(self) -> int:
        """How many there are."""
        condition, values = self._anyway()
        left_out = self._left_out(self.by, tuple(self._search.without))
        n = self._number(condition, values)
        # Those are few, and found by their places: the ids of all others need not be read.
        if n and left_out.clause:
            n -= self._number(f"{condition} AND {left_out.clause}", {**values, **left_out.values})
        return n

    def _anyway(self) -> tuple[str, dict[str, object]]:
        search = replace(self._search, states=(), dismissed=False, without=())
        condition, values = condition_of(search, "place")
        return f"settled AND {condition}", values

    def _number(self, condition: str, values: Mapping[str, object]) -> int:
        question = f"SELECT count() AS n FROM flows WHERE {condition}"
        return int(self._database.query(question, {**values, "by": self.by}, ["n"])["n"][0].as_py())

    def first(self, limit: int, after: Place | None) -> pa.Table:
        """The STORED_FLOWS that come first in the order of the search, and follow *after*."""
        condition, values = self.condition()
        order = self._search.order
        if after is not None:
            if not (following := settled_follow(order, after)):
                return STORED_FLOWS.empty_table()
            condition += f" AND {following}"
            values |= {"rank": after.rank, "at": after.last, "id": after.id}
        answer = self._database.query(
            f"SELECT {AS_SETTLED} FROM flows WHERE {condition}"
            f" ORDER BY {order_by(order, settled=True)} LIMIT {{limit:UInt32}}",
            values | {"by": self.by, "limit": limit},
            STORED_FLOWS.names,
        )
        return stored_flows(answer)


def in_parts(
    database: Database,
    columns: Sequence[str],
    question: str,
    values: Sequence[str | int],
    more: dict[str, object] | None = None,
) -> pa.Table | None:
    """The answers to *question* for the *values* LISTED in it, over as many queries as it takes; or None."""
    answers = []
    for listed in chunks(values):
        sql, parameters = parameter_of("listed", listed)
        asked = question.replace("{listed:String}", sql)
        answers.append(database.query(asked, {**parameters, **(more or {})}, columns))
    return pa.concat_tables(answers) if answers else None


def chunks(values: Sequence[str | int]) -> Iterator[str]:
    """JSON arrays of *values*, each short enough for one parameter, unless a single value is longer."""
    chunk: list[str] = []
    size = 0
    for value in map(json.dumps, values):
        if chunk and size + len(value) > _MOST_BYTES:
            yield f"[{','.join(chunk)}]"
            chunk, size = [], 0
        chunk.append(value)
        size += len(value) + 1
    if chunk:
        yield f"[{','.join(chunk)}]"


def parameter_of(name: str, text: str) -> tuple[str, dict[str, str]]:
    """*text* as SQL, and its parameters: several if it is too long for one, as a flow key of 200 KB is."""
    starts = range(0, max(len(text), 1), _MOST_BYTES)
    parts = {f"{name}_{start}" if start else name: text[start : start + _MOST_BYTES] for start in starts}
    sql = ", ".join(f"{{{part}:String}}" for part in parts)
    return (sql if len(parts) == 1 else f"concat({sql})"), parts


def octets(column: pa.ChunkedArray) -> list[bytes]:
    """The values of *column*, 16 bytes each, without nulls."""
    return [value for value in column.cast(pa.binary(16)).to_pylist() if value is not None]


def of_each(rows: pa.Table, names: Sequence[str], most: int) -> pa.Table:
    """The first *most* of *rows* with the same values in the columns *names*."""
    seen: dict[tuple[object, ...], int] = {}
    kept = []
    for row, values in enumerate(zip(*(rows[name].to_pylist() for name in names), strict=True)):
        seen[values] = seen.get(values, 0) + 1
        if seen[values] <= most:
            kept.append(row)
    return rows.take(pa.array(kept, pa.int64()))
