"""How are flows asked for in SQL? In fixed words: every value is a parameter."""

import json
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from collector.model.flows import FLOWS, SET_ASIDE, STORED_FLOWS
from collector.store.clickhouse.dismissal_store import DISMISSED
from collector.store.contracts import Search, begins_trace_id

# A flow that was evicted while it was running or late is stuck from `stuck_from` on, if nothing more came.
STATE = "if(state IN (1, 2) AND stuck_from BETWEEN 1 AND {now:Int64}, 3, state) AS state"
_COMPUTED = {"state": STATE, "set_aside": f"stuck_from = {SET_ASIDE} AS set_aside"}
COLUMNS = ", ".join(_COMPUTED.get(name, name) for name in STORED_FLOWS.names)
TEXTS = tuple(field.name for field in FLOWS if field.type == pa.string())
# The parameter `listed` holds its values as JSON: an array parameter takes time that grows with the square of
# its length, minutes for 100,000 ids.
_VALUES = "JSONExtract({{listed:String}}, 'Array({})')"
LISTED = f"(SELECT arrayJoin({_VALUES}))"
LISTED_TRACES = f"arrayMap(t -> toFixedString(unhex(t), 16), {_VALUES.format('String')})"
# The order of lists: stuck and failed, then late, running and done.
RANK = "multiIf(state >= 3, 0, state = 2, 1, state = 1, 2, 3)"
BEGUN = "if(begun > 0, begun, received)"  # when its first span was received, as far as that is known
BY = "stored_unix_nano <= {by:UInt64}"  # what is written meanwhile supersedes nothing
_MOST_BYTES = 60_000  # of one parameter: a server accepts 128 KiB, and a backslash is sent as two


def newest_of(condition: str) -> str:
    """A question for the newest row of each flow that *condition* names by its id, whatever its state."""
    newest = f"SELECT * FROM flows WHERE {condition} AND {BY} ORDER BY stored_unix_nano DESC LIMIT 1 BY id"
    return f"SELECT {COLUMNS}, stored_unix_nano FROM ({newest})"


def stored_flows(answer: pa.Table) -> pa.Table:
    """STORED_FLOWS as they were put: an empty string was a null."""
    columns = {field.name: answer[field.name].cast(field.type) for field in STORED_FLOWS}
    for name in TEXTS:
        empty = pc.equal(columns[name], "")
        columns[name] = pc.if_else(empty, None, columns[name])
    return pa.table(columns, schema=STORED_FLOWS)


def condition_of(search: Search) -> tuple[str, dict[str, object]]:
    """The WHERE clause of *search*, in fixed words, and its parameters: no value is part of the text."""
    parts, parameters = ["last > {since:Int64}"], {"since": search.since}
    values: dict[str, object] = dict(parameters)
    if search.text:
        traces = " OR arrayExists(t -> startsWith(lower(hex(t)), lower({text:String})), traces)"
        parts.append(
            "(positionCaseInsensitiveUTF8(id, {text:String}) > 0"
            " OR positionCaseInsensitiveUTF8(names, {text:String}) > 0"
            f"{traces if begins_trace_id(search.text) else ''})"
        )
        values["text"] = search.text
    if search.waiting_for:
        parts.append("0")
    if search.stored_by is not None:
        parts.append("stored_unix_nano <= {stored_by:UInt64}")
        values["stored_by"] = search.stored_by
    if search.before:
        parts.append("last < {before:Int64}")
        values["before"] = search.before
    if search.states:
        parts.append(f"(state IN {{states:Array(UInt8)}} AND NOT {DISMISSED})")
        values["states"] = list(search.states)
        if search.dismissed:
            parts[-1] = f"({parts[-1]} OR {DISMISSED})"
    elif search.dismissed:
        parts.append(DISMISSED)
    if search.without:
        arrays = []
        for number, ids in enumerate(chunks(search.without)):
            sql, listed = parameter_of(f"without_{number}", ids)
            arrays.append(f"JSONExtract({sql}, 'Array(String)')")
            values |= listed
        # One set: each row would be looked up in each of several.
        parts.append(f"id NOT IN (SELECT arrayJoin(arrayConcat({', '.join(arrays)})))")
    return " AND ".join(parts), values


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
