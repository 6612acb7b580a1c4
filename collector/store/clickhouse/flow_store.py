"""Evicted and stopped flows in ClickHouse, and how they are found again. See `contracts.FlowStore`."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.columns.joins import Ints, Mask
from collector.columns.keys import Keys
from collector.model.flows import FLOWS, SET_ASIDE, STORED_FLOWS
from collector.model.spans import NO_SPANS
from collector.store.clickhouse.connections import Database
from collector.store.clickhouse.dismissal_store import DISMISSED
from collector.store.contracts import Known, Place, Sample, Search, SpanStore, StoreError, begins_trace_id

# A flow that was evicted while it was running or late is stuck from `stuck_from` on, if nothing more came.
_STATE = "if(state IN (1, 2) AND stuck_from BETWEEN 1 AND {now:Int64}, 3, state) AS state"
_COMPUTED = {"state": _STATE, "set_aside": f"stuck_from = {SET_ASIDE} AS set_aside"}
_COLUMNS = ", ".join(_COMPUTED.get(name, name) for name in STORED_FLOWS.names)
_TEXTS = tuple(field.name for field in FLOWS if field.type == pa.string())
# The parameter `listed` holds its values as JSON: an array parameter takes time that grows with the square of
# its length, minutes for 100,000 ids.
_VALUES = "JSONExtract({{listed:String}}, 'Array({})')"
_LISTED = f"(SELECT arrayJoin({_VALUES}))"
_LISTED_TRACES = f"arrayMap(t -> toFixedString(unhex(t), 16), {_VALUES.format('String')})"
# The order of lists: stuck and failed, then late, running and done.
_RANK = "multiIf(state >= 3, 0, state = 2, 1, state = 1, 2, 3)"
_GONE = 255  # the state of a row whose flow is part of another now
_MOST_SAMPLED = 100_000
_MOST_BYTES = 60_000  # of one parameter: a server accepts 128 KiB, and a backslash is sent as two


class ClickHouseFlows:
    """The flows in *database*, which must be migrated; *spans* is the span store in the same database."""

    def __init__(self, database: Database, spans: SpanStore, clock: Callable[[], int] = time.time_ns) -> None:
        self._database = database
        self._spans = spans
        self._clock = clock
        self._version: int | None = None  # of the row written last
        self._version_lock = threading.Lock()

    def put(
        self, flows: pa.Table, state: Ints, taught: Mask, stuck_from: Ints | None = None, *, only_new: bool
    ) -> None:
        """Store *flows* (FLOWS) durably. A stored flow of that id is replaced or, with *only_new*, stays."""
        stuck_from = np.zeros(flows.num_rows, np.int64) if stuck_from is None else stuck_from
        if only_new:
            kept = self._here(flows["id"].to_pylist())
            new = np.array([name not in kept for name in flows["id"].to_pylist()], np.bool_)
            flows, state, taught = flows.filter(pa.array(new)), state[new], taught[new]
            stuck_from = stuck_from[new]
        if not flows.num_rows:
            return
        rows = flows.append_column("state", pa.array(state.astype(np.uint8)))
        rows = rows.append_column("taught", pa.array(taught))
        rows = rows.append_column("stuck_from", pa.array(stuck_from))
        stored = pa.array(np.full(flows.num_rows, self._next_version(), np.uint64))
        rows = rows.append_column("stored_unix_nano", stored)
        for name in _TEXTS:
            place = rows.schema.get_field_index(name)
            rows = rows.set_column(place, name, pc.fill_null(rows[name], ""))
        self._database.insert("flows", rows)

    def newest_version(self) -> int | None:
        """The version of the row written last, which rises with each; None if the store cannot say."""
        with contextlib.suppress(StoreError), self._version_lock:
            return self._known_version()
        return None

    def forget(self, ids: Sequence[str]) -> None:
        """Remove the flows with these ids."""
        kept = sorted(self._here(ids))
        empty = {field.name: pa.nulls(len(kept), field.type) for field in FLOWS}
        zeros = {
            field.name: pa.array(np.zeros(len(kept), field.type.to_pandas_dtype()), field.type)
            for field in FLOWS
            if field.type not in (pa.string(), pa.list_(pa.binary(16)))
        }
        no_traces = pa.array([[]] * len(kept), pa.list_(pa.binary(16)))
        gone = pa.table({**empty, **zeros, "id": kept, "traces": no_traces}, schema=FLOWS)
        self.put(gone, np.full(len(kept), _GONE), np.zeros(len(kept), np.bool_), only_new=False)

    def offer(self, ids: Keys, trace_ids: pa.Array) -> None:
        """Store durably, for each of *ids*, the trace that leads to the flow with this message."""
        stored = pa.array(np.full(len(ids), self._clock(), np.uint64))
        rows = pa.table({"id": ids, "trace_id": trace_ids, "stored_unix_nano": stored})
        self._database.insert("message_ids", rows)

    def offering(self, ids: Keys) -> pa.Array:
        """The traces (16 bytes each) that lead to the flows of the messages with *ids*."""
        question = f"SELECT DISTINCT trace_id FROM message_ids WHERE id IN {_LISTED.format('UInt64')}"
        answer = self._in_parts(["trace_id"], question, ids.tolist())
        return pa.array([] if answer is None else _bytes(answer["trace_id"]), pa.binary(16)).unique()

    def refuse(self, keys: Sequence[str]) -> None:
        """Store durably that these are not flow keys."""
        self._database.insert("refused_keys", pa.table({"key": pa.array(keys, pa.string())}))

    def refused_keys(self) -> list[str]:
        """The keys that were refused as flow keys."""
        answer = self._database.query("SELECT DISTINCT key FROM refused_keys", columns=["key"])
        found: list[str] = answer["key"].to_pylist()
        return found

    def fetch(self, trace_ids: pa.Array, flow_keys: pa.Array) -> tuple[dict[str, Known], pa.Table]:
        """The stored flows with these keys or traces, by id, and SPANS of all traces, given and theirs."""
        traces = {trace for trace in trace_ids.to_pylist() if trace is not None}
        begun: dict[str, int] = {}
        theirs: dict[str, set[bytes]] = {}
        for condition, values in (
            (f"id IN {_LISTED.format('String')}", flow_keys.to_pylist()),
            (f"hasAny(traces, {_LISTED_TRACES})", [trace.hex() for trace in traces]),
        ):
            question = (
                f"SELECT DISTINCT id, begun, arrayJoin(traces) AS trace_id FROM flows WHERE {condition}"
            )
            answer = self._in_parts(["id", "begun", "trace_id"], question, values)
            if answer is None:
                continue
            rows = zip(
                answer["id"].to_pylist(), answer["begun"].to_pylist(), _bytes(answer["trace_id"]), strict=True
            )
            for name, first, trace in rows:  # there may be several rows of one flow, of different ages
                theirs.setdefault(name, set()).add(trace)
                begun[name] = min(begun.get(name) or first, first or begun.get(name, 0))
        traces.update(*theirs.values())
        found = {name: Known(begun[name], frozenset(some)) for name, some in theirs.items()}
        return found, self._spans.spans_of(traces) if traces else NO_SPANS

    def named(self, name: str) -> pa.Table:
        """The STORED_FLOWS row with this key, id or trace id (hex); no row if there is none."""
        found = self._ask("id = {name:String}", {"name": name}, limit=1)  # a key is its flow's id
        if found.num_rows or len(name) != 32 or not begins_trace_id(name):
            return found
        return self._ask(
            "id IN (SELECT DISTINCT id FROM flows"
            " WHERE has(traces, toFixedString(unhex({trace:String}), 16)) LIMIT 100)",
            {"trace": name},
            limit=1,
        )

    def done_among(self, ids: Sequence[str], done: int) -> list[str]:
        """Those of *ids* whose flow is stored in the state *done*."""
        question = (
            f"SELECT id FROM flows FINAL WHERE id IN {_LISTED.format('String')} AND state = {{done:UInt8}}"
        )
        answer = self._in_parts(["id"], question, ids, {"done": done})
        return [] if answer is None else answer["id"].to_pylist()

    def examples(self, before: int, each: int = 200, limit: int = 4_000, begun_since: int = 0) -> pa.Table:
        """The newest STORED_FLOWS that taught and were received by then: at most *each* of an outcome."""
        return self._ask(
            "taught AND received <= {before:Int64} AND if(begun > 0, begun, started) >= {begun:Int64}",
            {"before": before, "begun": begun_since},
            limit=limit,
            order=f"received DESC, id LIMIT {each:d} BY outcome, last_event_type",
        )

    def newest_names(self, before: int, limit: int) -> tuple[pa.ChunkedArray, pa.Array]:
        """The keys and the trace ids of the newest *limit* flows received by that time."""
        answer = self._database.query(
            "SELECT key, traces FROM flows WHERE received <= {before:Int64}"
            " ORDER BY received DESC LIMIT {limit:UInt32}",
            {"before": before, "limit": limit},
            ["key", "traces"],
        )
        traces = answer["traces"].combine_chunks().flatten().cast(pa.binary(16))
        return pc.if_else(pc.equal(answer["key"], ""), None, answer["key"]), traces

    def unfinished(self, limit: int) -> pa.Table:
        """STORED_FLOWS that are stuck or failed as far as the store knows, newest first."""
        return self._ask(f"state IN (3, 4) AND stuck_from != {SET_ASIDE}", {}, limit=limit)

    def set_aside(self, limit: int) -> pa.Table:
        """STORED_FLOWS that were set aside, newest first."""
        return self._ask(f"stuck_from = {SET_ASIDE}", {}, limit=limit)

    def found(self, search: Search, limit: int, after: Place | None = None) -> pa.Table:
        """STORED_FLOWS that match *search* and follow *after* in the list: stuck first, then the newest."""
        condition, parameters = _condition(search)
        if after is not None:
            condition += f" AND ({_RANK}, -last, id) > ({{rank:UInt8}}, -{{at:Int64}}, {{id:String}})"
            parameters |= {"rank": after.rank, "at": after.last, "id": after.id}
        return self._ask(condition, parameters, limit=limit, order=f"{_RANK}, last DESC, id")

    def counts(self, search: Search) -> dict[int, int]:
        """How many flows match *search*, by state."""
        condition, parameters = _condition(search)
        answer = self._database.query(
            f"SELECT {_STATE}, count() AS n FROM flows FINAL"
            f" WHERE {condition} AND state != 255 GROUP BY state",
            {**parameters, "now": self._clock()},
            ["state", "n"],
        )
        return dict(zip(answer["state"].to_pylist(), answer["n"].to_pylist(), strict=True))

    def counts_apart(self, search: Search) -> dict[tuple[int, bool], int]:
        """How many flows match *search*, by state and whether they are dismissed."""
        condition, parameters = _condition(search)
        answer = self._database.query(
            f"SELECT {_STATE}, {DISMISSED} AS gone, count() AS n FROM flows FINAL"
            f" WHERE {condition} AND state != 255 GROUP BY state, gone",
            {**parameters, "now": self._clock()},
            ["state", "gone", "n"],
        )
        rows = zip(*(answer[name].to_pylist() for name in ("state", "gone", "n")), strict=True)
        return {(state, bool(gone)): n for state, gone, n in rows}

    def sampled(self, search: Search, sample: Sample) -> pa.Table:
        """A *sample* of the STORED_FLOWS that match *search*, by last activity."""
        condition, parameters = _condition(search)
        # Which they are is decided by two columns; the others are read for these flows alone.
        placed = "row_number() OVER (ORDER BY last, id) - 1 AS place"
        chosen = f"SELECT id, {placed} FROM flows FINAL WHERE {condition} AND state != 255"
        return self._ask(
            f"id IN (SELECT id FROM ({chosen})"
            " WHERE intDiv(place, {run:UInt64}) * {chosen:UInt64} % {runs:UInt64} < {chosen:UInt64})",
            {**parameters, **sample._asdict()},
            limit=_MOST_SAMPLED,
        )

    def _next_version(self) -> int:
        """A version above that of every row written so far, even if the clock was set back."""
        with self._version_lock:
            self._version = max(self._clock(), self._known_version() + 1)
            return self._version

    def _known_version(self) -> int:
        if self._version is None:
            question = "SELECT max(stored_unix_nano) AS newest FROM flows"
            newest = self._database.query(question, columns=["newest"])
            self._version = int(newest["newest"][0].as_py() or 0)
        return self._version

    def _here(self, ids: Sequence[str]) -> set[str]:
        """Those of *ids* that are stored."""
        question = f"SELECT DISTINCT id FROM flows WHERE id IN {_LISTED.format('String')}"
        answer = self._in_parts(["id"], question, ids)
        return set() if answer is None else set(answer["id"].to_pylist())

    def _in_parts(
        self,
        columns: Sequence[str],
        question: str,
        values: Sequence[str | int],
        more: dict[str, object] | None = None,
    ) -> pa.Table | None:
        """The answers to *question* for *values*, over as many queries as it takes; None without values."""
        answers = []
        for listed in _chunks(values):
            sql, parameters = _parameter("listed", listed)
            asked = question.replace("{listed:String}", sql)
            answers.append(self._database.query(asked, {**parameters, **(more or {})}, columns))
        return pa.concat_tables(answers) if answers else None

    def _ask(
        self,
        condition: str,
        parameters: dict[str, object],
        limit: int,
        order: str = "last DESC, id",
    ) -> pa.Table:
        answer = self._database.query(
            f"SELECT {_COLUMNS} FROM flows FINAL WHERE {condition} AND state != 255"
            f" ORDER BY {order} LIMIT {{limit:UInt32}}",
            {**parameters, "limit": limit, "now": self._clock()},
            STORED_FLOWS.names,
        )
        columns = {field.name: answer[field.name].cast(field.type) for field in STORED_FLOWS}
        for name in _TEXTS:
            empty = pc.equal(columns[name], "")
            columns[name] = pc.if_else(empty, None, columns[name])
        return pa.table(columns, schema=STORED_FLOWS)


def _condition(search: Search) -> tuple[str, dict[str, object]]:
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
    if search.begun_since:
        parts.append("if(begun > 0, begun, received) >= {begun:Int64}")
        values["begun"] = search.begun_since
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
        for number, ids in enumerate(_chunks(search.without)):
            sql, listed = _parameter(f"without_{number}", ids)
            parts.append(f"id NOT IN (SELECT arrayJoin(JSONExtract({sql}, 'Array(String)')))")
            values |= listed
    return " AND ".join(parts), values


def _chunks(values: Sequence[str | int]) -> Iterator[str]:
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


def _parameter(name: str, text: str) -> tuple[str, dict[str, str]]:
    """*text* as SQL, and its parameters: several if it is too long for one, as a flow key of 200 KB is."""
    starts = range(0, max(len(text), 1), _MOST_BYTES)
    parts = {f"{name}_{start}" if start else name: text[start : start + _MOST_BYTES] for start in starts}
    sql = ", ".join(f"{{{part}:String}}" for part in parts)
    return (sql if len(parts) == 1 else f"concat({sql})"), parts


def _bytes(column: pa.ChunkedArray) -> list[bytes]:
    return [value for value in column.cast(pa.binary(16)).to_pylist() if value is not None]
