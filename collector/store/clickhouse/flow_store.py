"""Evicted and stopped flows in ClickHouse, and how they are found again. See `contracts.FlowStore`."""

import contextlib
import threading
import time
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.columns.joins import Ints, Mask
from collector.columns.keys import Keys
from collector.model.flows import FLOWS, SET_ASIDE, STORED_FLOWS
from collector.model.spans import NO_SPANS
from collector.store.clickhouse.connections import Database
from collector.store.clickhouse.dismissal_store import DISMISSED
from collector.store.clickhouse.flow_questions import (
    BEGUN,
    BY,
    COLUMNS,
    LISTED,
    LISTED_TRACES,
    RANK,
    STATE,
    TEXTS,
    chunks,
    condition_of,
    newest_of,
    octets,
    parameter_of,
    stored_flows,
)
from collector.store.contracts import Known, Place, Sample, Search, SpanStore, StoreError, begins_trace_id

_EVERY = 2**64 - 1  # as `by`: all rows
_MORE = 100  # rows beyond those that are asked for, which may be superseded
_GONE = 255  # the state of a row whose flow is part of another now
_MOST_SAMPLED = 100_000


class ClickHouseFlows:
    """The flows in *database*, which must be migrated; *spans* is the span store in the same database."""

    def __init__(self, database: Database, spans: SpanStore, clock: Callable[[], int] = time.time_ns) -> None:
        self._database = database
        self._spans = spans
        self._clock = clock
        self._version: int | None = None  # the highest that was given to a row,
        self._written = 0  # and that of a row that is there
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
        version = self._next_version()
        stored = pa.array(np.full(flows.num_rows, version, np.uint64))
        rows = rows.append_column("stored_unix_nano", stored)
        for name in TEXTS:
            place = rows.schema.get_field_index(name)
            rows = rows.set_column(place, name, pc.fill_null(rows[name], ""))
        self._database.insert("flows", rows)
        self._written = max(self._written, version)

    def newest_version(self) -> int | None:
        """The version of the row written last, which rises with each; None if the store cannot say."""
        with contextlib.suppress(StoreError), self._version_lock:
            self._known_version()
            return self._written
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
        question = f"SELECT DISTINCT trace_id FROM message_ids WHERE id IN {LISTED.format('UInt64')}"
        answer = self._in_parts(["trace_id"], question, ids.tolist())
        return pa.array([] if answer is None else octets(answer["trace_id"]), pa.binary(16)).unique()

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
            (f"id IN {LISTED.format('String')}", flow_keys.to_pylist()),
            (f"hasAny(traces, {LISTED_TRACES})", [trace.hex() for trace in traces]),
        ):
            question = (
                f"SELECT DISTINCT id, begun, arrayJoin(traces) AS trace_id FROM flows WHERE {condition}"
            )
            answer = self._in_parts(["id", "begun", "trace_id"], question, values)
            if answer is None:
                continue
            rows = zip(
                answer["id"].to_pylist(), answer["begun"].to_pylist(), octets(answer["trace_id"]), strict=True
            )
            for name, first, trace in rows:  # there may be several rows of one flow, of different ages
                theirs.setdefault(name, set()).add(trace)
                begun[name] = min(begun.get(name) or first, first or begun.get(name, 0))
        traces.update(*theirs.values())
        found = {name: Known(begun[name], frozenset(some)) for name, some in theirs.items()}
        return found, self._spans.spans_of(traces) if traces else NO_SPANS

    def named(self, name: str) -> pa.Table:
        """The STORED_FLOWS row with this key, id or trace id (hex); no row if there is none."""
        found = self._newest("id = {name:String}", {"name": name}, limit=1)  # a key is its flow's id
        if found.num_rows or len(name) != 32 or not begins_trace_id(name):
            return found
        return self._newest(
            "id IN (SELECT DISTINCT id FROM flows"
            " WHERE has(traces, toFixedString(unhex({trace:String}), 16)) LIMIT 100)",
            {"trace": name},
            limit=1,
        )

    def done_among(self, ids: Sequence[str], done: int) -> list[str]:
        """Those of *ids* whose flow is stored in the state *done*."""
        question = (
            f"SELECT id FROM flows FINAL WHERE id IN {LISTED.format('String')} AND state = {{done:UInt8}}"
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
        condition, parameters = condition_of(search)
        if after is not None:
            condition += f" AND ({RANK}, -last, id) > ({{rank:UInt8}}, -{{at:Int64}}, {{id:String}})"
            parameters |= {"rank": after.rank, "at": after.last, "id": after.id}
        order = f"{RANK}, last DESC, id"
        found = self._first(condition, parameters, limit, order)
        return self._ask(condition, parameters, limit, order) if found is None else found

    def _first(
        self, condition: str, parameters: dict[str, object], limit: int, order: str
    ) -> pa.Table | None:
        """What `_ask` answers, sooner; None if too many of the first rows are superseded to say that.

        FINAL compares all rows, to leave out the few that are superseded and not merged away yet. Here only
        those are compared that come first.
        """
        most = limit + _MORE
        if (by := self.newest_version()) is None:
            return None
        moment: dict[str, object] = {"now": self._clock(), "by": by}
        candidates = self._database.query(
            f"SELECT id, stored_unix_nano, {STATE} FROM flows WHERE {condition} AND {BY} AND state != 255"
            f" ORDER BY {order} LIMIT {{most:UInt32}}",
            {**parameters, **moment, "most": most},
            ["id", "stored_unix_nano"],
        )
        ids = candidates["id"].to_pylist()
        rows = list(zip(ids, candidates["stored_unix_nano"].to_pylist(), strict=True))
        question = newest_of(f"id IN {LISTED.format('String')}")
        read = self._in_parts(
            [*STORED_FLOWS.names, "stored_unix_nano"], question, list(dict.fromkeys(ids)), moment
        )
        if read is None:
            return STORED_FLOWS.empty_table()
        versions = zip(read["id"].to_pylist(), read["stored_unix_nano"].to_pylist(), strict=True)
        place = {newest: row for row, newest in enumerate(versions)}
        first = [place[row] for row in rows if row in place][:limit]
        if len(first) < limit and len(ids) == most:
            return None
        return stored_flows(read.take(pa.array(first, pa.int64())))

    def _newest(self, condition: str, parameters: dict[str, object], limit: int) -> pa.Table:
        """STORED_FLOWS among the few that *condition* names by their ids, newest activity first."""
        answer = self._database.query(
            f"SELECT * FROM ({newest_of(condition)}) WHERE state != 255"
            " ORDER BY last DESC, id LIMIT {limit:UInt32}",
            {**parameters, "limit": limit, "now": self._clock(), "by": _EVERY},
            STORED_FLOWS.names,
        )
        return stored_flows(answer)

    def counts(self, search: Search) -> dict[int, int]:
        """How many flows match *search*, by state."""
        condition, parameters = condition_of(search)
        answer = self._database.query(
            f"SELECT {STATE}, count() AS n FROM flows FINAL"
            f" WHERE {condition} AND state != 255 GROUP BY state",
            {**parameters, "now": self._clock()},
            ["state", "n"],
        )
        return dict(zip(answer["state"].to_pylist(), answer["n"].to_pylist(), strict=True))

    def counts_apart(self, search: Search) -> dict[tuple[int, bool], int]:
        """How many flows match *search*, by state and whether they are dismissed."""
        condition, parameters = condition_of(search)
        answer = self._database.query(
            f"SELECT {STATE}, {DISMISSED} AS gone, count() AS n FROM flows FINAL"
            f" WHERE {condition} AND state != 255 GROUP BY state, gone",
            {**parameters, "now": self._clock()},
            ["state", "gone", "n"],
        )
        rows = zip(*(answer[name].to_pylist() for name in ("state", "gone", "n")), strict=True)
        return {(state, bool(gone)): n for state, gone, n in rows}

    def stopped(self, search: Search, since: int) -> dict[tuple[int, bool, bool], int]:
        """How many that stopped match: by state, whether dismissed, whether nothing came before *since*."""
        condition, parameters = condition_of(search)
        # Only a flow that did not finish at once can have stopped: the others need not be compared.
        newest = newest_of("id IN (SELECT id FROM flows WHERE state IN (1, 2, 3, 4))")
        names = ["state", "gone", "whole", "n"]
        answer = self._database.query(
            f"SELECT state, {DISMISSED} AS gone, {BEGUN} >= {{kept:Int64}} AS whole, count() AS n"
            f" FROM ({newest}) WHERE {condition} AND state IN (3, 4) GROUP BY state, gone, whole",
            {**parameters, "now": self._clock(), "by": _EVERY, "kept": since},
            names,
        )
        rows = zip(*(answer[name].to_pylist() for name in names), strict=True)
        return {(state, bool(gone), bool(whole)): n for state, gone, whole, n in rows}

    def sampled(self, search: Search, sample: Sample) -> pa.Table:
        """A *sample* of the STORED_FLOWS that match *search*, by last activity."""
        condition, parameters = condition_of(search)
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
            self._version = self._written = int(newest["newest"][0].as_py() or 0)
        return self._version

    def _here(self, ids: Sequence[str]) -> set[str]:
        """Those of *ids* that are stored."""
        question = f"SELECT DISTINCT id FROM flows WHERE id IN {LISTED.format('String')}"
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
        for listed in chunks(values):
            sql, parameters = parameter_of("listed", listed)
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
            f"SELECT {COLUMNS} FROM flows FINAL WHERE {condition} AND state != 255"
            f" ORDER BY {order} LIMIT {{limit:UInt32}}",
            {**parameters, "limit": limit, "now": self._clock()},
            STORED_FLOWS.names,
        )
        return stored_flows(answer)
