"""Evicted and stopped flows in ClickHouse, and how they are found again. See `contracts.FlowStore`.

Most rows are settled (schema/0001_tables.sql), and need not be compared with others. Each question is asked
of those, and of the newest rows of the few other flows.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from functools import lru_cache, partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.columns.joins import Ints, Mask
from collector.columns.keys import Keys
from collector.model.conditions import BY_STATE
from collector.model.courses import COURSES, no_courses
from collector.model.flows import FLOWS, SET_ASIDE, STORED_FLOWS, State
from collector.model.spans import NO_SPANS
from collector.store.clickhouse import tallies
from collector.store.clickhouse.connections import Database
from collector.store.clickhouse.dismissal_store import DISMISSED
from collector.store.clickhouse.flow_conditions import follows, order_by
from collector.store.clickhouse.flow_questions import (
    BEGUN,
    COLUMNS,
    EVERY,
    LISTED,
    LISTED_TRACES,
    MOVING_STATE,
    STATE,
    TEXTS,
    UNSETTLED,
    Settled,
    condition_of,
    in_parts,
    left_out,
    newest_of,
    octets,
    of_each,
    stored_columns,
    stored_flows,
)
from collector.store.clickhouse.sampled_runs import sampled
from collector.store.clickhouse.stored_ids import StoredIds
from collector.store.clickhouse.tallies import Rows, Source
from collector.store.contracts import (
    Known,
    Place,
    Sample,
    Search,
    SpanStore,
    StoreError,
    Stretch,
    begins_trace_id,
)
from collector.store.flow_order import ordered

_GONE = 255  # the state of a row whose flow is part of another now


class ClickHouseFlows:
    """The flows in *database*, which must be migrated; *spans* is the span store in the same database."""

    def __init__(self, database: Database, spans: SpanStore, clock: Callable[[], int] = time.time_ns) -> None:
        self._database = database
        self._spans = spans
        self._clock = clock
        self._ids = StoredIds(database)
        self._left_out = lru_cache(4)(partial(left_out, database))
        self._version: int | None = None  # the highest that was given to a row,
        self._written = 0  # and that of a row that is there
        self._version_lock = threading.Lock()

    def put(
        self,
        flows: pa.Table,
        state: Ints,
        taught: Mask,
        stuck_from: Ints | None = None,
        *,
        only_new: bool,
        courses: pa.Table | None = None,
    ) -> None:
        """Store *flows* (FLOWS) durably. A stored flow of that id is replaced or, with *only_new*, stays."""
        courses = no_courses(flows.num_rows) if courses is None else courses
        flows = pa.table([*flows.columns, *courses.columns], names=[*FLOWS.names, *COURSES.names])
        stuck_from = np.zeros(flows.num_rows, np.int64) if stuck_from is None else stuck_from
        here = self._ids.among(flows["id"])
        earlier = _among(flows["id"], list(here))
        if only_new:
            flows, state, taught = flows.filter(pa.array(~earlier)), state[~earlier], taught[~earlier]
            stuck_from, earlier = stuck_from[~earlier], earlier[~earlier]
        if not flows.num_rows:
            return
        version = self._next_version()
        replaces = _among(flows["id"], [name for name, settled in here.items() if settled])
        settled = ~earlier & (state == State.DONE) & (stuck_from == 0)
        added = {
            "state": state.astype(np.uint8),
            "taught": taught,
            "stuck_from": stuck_from,
            "stored_unix_nano": np.full(flows.num_rows, version, np.uint64),
            "settled": settled,
            "replaces": replaces,
            "place": np.where(settled, np.asarray(flows["last"].to_numpy()), 0),
        }
        arrays = [pa.array(values) for values in added.values()]
        rows = pa.table([*flows.columns, *arrays], names=[*flows.column_names, *added])
        for name in TEXTS:
            place = rows.schema.get_field_index(name)
            rows = rows.set_column(place, name, pc.fill_null(rows[name], ""))
        self._ids.add(flows["id"])
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
        kept = sorted(self._ids.among(pa.chunked_array([pa.array(ids, pa.string())])))
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
        answer = in_parts(self._database, ["trace_id"], question, ids.tolist())
        return pa.array([] if answer is None else octets(answer["trace_id"]), pa.binary(16)).unique()

    def refuse(self, keys: Sequence[str]) -> None:
        """Store durably that these are not flow keys."""
        self._database.insert("refused_keys", pa.table({"key": pa.array(keys, pa.string())}))

    def refused_keys(self) -> list[str]:
        """The keys that were refused as flow keys."""
        answer = self._database.query("SELECT DISTINCT key FROM refused_keys", columns=["key"])
        return list(answer["key"].to_pylist())

    def listen(self, stretches: Sequence[Stretch]) -> None:
        """Store durably when the collector listened. What begins like an earlier stretch is that, longer."""
        since, until = (pa.array(times, pa.uint64()) for times in zip(*stretches, strict=True))
        self._database.insert("listening", pa.table({"since": since, "until": until}))

    def listened(self, limit: int) -> list[Stretch]:
        """The newest *limit* of them, in order."""
        answer = self._database.query(
            "SELECT since, max(until) AS ended FROM listening GROUP BY since ORDER BY since DESC"
            " LIMIT {limit:UInt32}",
            {"limit": limit},
            columns=["since", "ended"],
        )
        found = zip(answer["since"].to_pylist(), answer["ended"].to_pylist(), strict=True)
        return [Stretch(*one) for one in found][::-1]

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
            answer = in_parts(self._database, ["id", "begun", "trace_id"], question, values)
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
        newest = newest_of(f"id IN {LISTED.format('String')}")
        question = f"SELECT id FROM ({newest}) WHERE state = {{done:UInt8}}"
        answer = in_parts(self._database, ["id"], question, ids, {"done": done, **self._moment(EVERY)})
        return [] if answer is None else answer["id"].to_pylist()

    def examples(self, before: int, each: int = 200, limit: int = 4_000, begun_since: int = 0) -> pa.Table:
        """(id, traces) of the newest that taught and were received by then: at most *each* of an outcome."""
        names = ["id", "traces", "received", "outcome", "last_event_type"]
        condition = (
            "taught AND received <= {before:Int64} AND if(begun > 0, begun, started) >= {begun:Int64}"
            " AND state != 255 ORDER BY received DESC, id LIMIT {each:UInt32} BY outcome, last_event_type"
            " LIMIT {limit:UInt32}"
        )
        settled = self._settled(Search())
        among, values = settled.condition()
        values |= {"before": before, "begun": begun_since, "each": each, "limit": limit, "by": settled.by}
        parts = (f"{UNSETTLED} WHERE {condition}", f"flows WHERE {among} AND {condition}")
        questions = (f"SELECT {', '.join(names)} FROM {part}" for part in parts)
        found = pa.concat_tables([self._database.query(one, values, names) for one in questions])
        newest = found.take(pc.sort_indices(found, [("received", "descending"), ("id", "ascending")]))
        chosen = of_each(newest, ("outcome", "last_event_type"), each).slice(0, limit)
        return stored_columns(chosen, ("id", "traces"))

    def together(self, limit: int) -> list[tuple[frozenset[str], int]]:
        """Which event types and services occur in one flow, and when the first such flow started."""
        answer = self._database.query(
            "SELECT names, min(started) AS since FROM flows WHERE state != 255 AND names != ''"
            " GROUP BY names ORDER BY count() DESC, names LIMIT {limit:UInt32}",
            {"limit": limit},
            ["names", "since"],
        )
        rows = zip(answer["names"].to_pylist(), answer["since"].to_pylist(), strict=True)
        return [(frozenset(names.split("\n")), since) for names, since in rows]

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
        return self._unsettled(f"state IN (3, 4) AND stuck_from != {SET_ASIDE}", limit)

    def set_aside(self, limit: int) -> pa.Table:
        """STORED_FLOWS that were set aside, newest first."""
        return self._unsettled(f"stuck_from = {SET_ASIDE}", limit)

    def found(self, search: Search, limit: int, after: Place | None = None) -> pa.Table:
        """STORED_FLOWS that match *search* and follow *after*, in its order."""
        condition, values = condition_of(search)
        following, order = "state != 255", f"ORDER BY {order_by(search.order)} LIMIT {{limit:UInt32}}"
        values["limit"] = limit
        if after is not None:
            following += f" AND {follows(search.order)}"
            values |= {"rank": after.rank, "at": after.last, "id": after.id}
        settled = self._settled(search)
        found = self._rows(f"{condition} AND {following} {order}", values, by=settled.by)
        before_done = sum(state >= State.RUNNING for state in found["state"].to_pylist())
        if settled.wanted and (search.order != BY_STATE or before_done < limit):
            found = ordered(search.order, pa.concat_tables([found, settled.first(limit, after)]))
        return found.slice(0, limit)

    def _newest(self, condition: str, parameters: dict[str, object], limit: int) -> pa.Table:
        """STORED_FLOWS among the few that *condition* names by their ids, newest activity first."""
        answer = self._database.query(
            f"SELECT * FROM ({newest_of(condition)}) WHERE state != 255"
            " ORDER BY last DESC, id LIMIT {limit:UInt32}",
            {**parameters, "limit": limit, "now": self._clock(), "by": EVERY},
            STORED_FLOWS.names,
        )
        return stored_flows(answer)

    def counts(self, search: Search) -> dict[int, int]:
        """How many flows match *search*, by state."""
        return {state: n for (state, _), n in self._counts(search, "false").items()}

    def counts_apart(self, search: Search) -> dict[tuple[int, bool], int]:
        """How many flows match *search*, by state and whether they are dismissed."""
        return self._counts(search, DISMISSED)

    def _counts(self, search: Search, gone: str) -> dict[tuple[int, bool], int]:
        condition, values = condition_of(search)
        settled = self._settled(search)
        answer = self._database.query(
            f"SELECT {STATE}, {gone} AS gone, count() AS n FROM {UNSETTLED}"
            f" WHERE {condition} AND state != 255 GROUP BY state, gone",
            self._moment(settled.by) | values,
            ["state", "gone", "n"],
        )
        rows = zip(*(answer[name].to_pylist() for name in ("state", "gone", "n")), strict=True)
        counted = {(state, bool(gone)): n for state, gone, n in rows}
        if settled.wanted and (n := settled.count()):
            done = (int(State.DONE), False)  # what is done cannot be dismissed
            counted[done] = counted.get(done, 0) + n
        return counted

    def stopped(self, search: Search, since: int) -> dict[tuple[int, bool, bool], int]:
        """How many that stopped match: by state, whether dismissed, whether nothing came before *since*."""
        condition, parameters = condition_of(search)
        names = ["state", "gone", "whole", "n"]
        answer = self._database.query(
            f"SELECT {STATE}, {DISMISSED} AS gone, {BEGUN} >= {{kept:Int64}} AS whole, count() AS n"
            f" FROM {UNSETTLED} WHERE {condition} AND state IN (3, 4) GROUP BY state, gone, whole",
            {**self._moment(EVERY), **parameters, "kept": since},
            names,
        )
        rows = zip(*(answer[name].to_pylist() for name in names), strict=True)
        return {(state, bool(gone), bool(whole)): n for state, gone, whole, n in rows}

    def tallied(self, search: Search, most: int) -> pa.Table:
        """TALLIES of the flows that match *search*: the *most* rows with the most flows."""
        return tallies.tallied(self._database, self._counted(search), most)

    def paced(self, search: Search, share: int) -> pa.Table:
        """PACED, of one in *share* of the flows that match *search*."""
        return tallies.paced(self._database, self._counted(search), share)

    def sampled(self, search: Search, sample: Sample) -> pa.Table:
        """(id, state, traces, last) of a *sample* of the flows that match *search*, by last activity."""
        return sampled(self._database, self._counted(search), sample)

    def _counted(self, search: Search) -> Rows:
        """The rows that count for *search*."""
        condition, values = condition_of(search)
        settled = self._settled(search)
        among, more = settled.condition()
        sources = [Source(f"{UNSETTLED} WHERE {condition} AND state != 255", MOVING_STATE)]
        if settled.wanted:
            sources.append(Source(f"flows WHERE {among}", f"toUInt8({int(State.DONE)})"))
        return sources, self._moment(settled.by) | values | more

    def _settled(self, search: Search) -> Settled:
        """The settled rows that match *search*, as far as they are written."""
        # Others may write meanwhile, over a store of their own: two questions must see the same rows.
        # What is found for a version is found once, unless some of its rows may still be on their way.
        if search.stored_by is not None:
            return Settled(self._database, search, search.stored_by, self._left_out)
        return Settled(self._database, search, self._newest_row(), partial(left_out, self._database))

    def _unsettled(self, condition: str, limit: int) -> pa.Table:
        """STORED_FLOWS that *condition* holds for, newest activity first: none that were done at once."""
        order = "state != 255 ORDER BY last DESC, id LIMIT {limit:UInt32}"
        return self._rows(f"{condition} AND {order}", {"limit": limit})

    def _rows(self, condition: str, values: dict[str, object], by: int = EVERY) -> pa.Table:
        """STORED_FLOWS of flows that have a row that is not settled, as they are in the newest one.

        *condition* holds for them; it may end in an order and a limit.
        """
        question = f"SELECT {COLUMNS} FROM {UNSETTLED} WHERE {condition}"
        return stored_flows(self._database.query(question, self._moment(by) | values, STORED_FLOWS.names))

    def _moment(self, by: int) -> dict[str, object]:
        return {"now": self._clock(), "by": by}

    def _next_version(self) -> int:
        """A version above that of every row written so far, even if the clock was set back."""
        with self._version_lock:
            self._version = max(self._clock(), self._known_version() + 1)
            return self._version

    def _known_version(self) -> int:
        if self._version is None:
            self._version = self._written = self._newest_row()
        return self._version

    def _newest_row(self) -> int:
        answer = self._database.query("SELECT max(stored_unix_nano) AS n FROM flows", columns=["n"])
        return int(answer["n"][0].as_py() or 0)


def _among(ids: pa.ChunkedArray, some: Sequence[str]) -> Mask:
    """Which of *ids* are in *some*."""
    if not some:
        return np.zeros(len(ids), np.bool_)
    found = pc.is_in(ids, pa.array(some, pa.string()))
    return np.asarray(found.to_numpy(zero_copy_only=False), np.bool_)
