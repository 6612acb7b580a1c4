"""Flows in the store: those that came to rest, and how to find them again."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.diagnosis.record import Ints, Mask
from collector.flowtable import FLOWS
from collector.keys import Keys
from collector.spans import SPANS
from collector.store.engine import Database
from collector.store.spans import SpanStore

STORED_FLOWS = FLOWS.append(pa.field("state", pa.uint8())).append(pa.field("taught", pa.bool_()))
# What was put away while it ran is stuck from a time on, if nothing more came of it.
_STATE = "if(state IN (1, 2) AND stuck_from BETWEEN 1 AND {now:Int64}, 3, state) AS state"
_COLUMNS = ", ".join(_STATE if name == "state" else name for name in STORED_FLOWS.names)
_TEXTS = tuple(field.name for field in FLOWS if field.type == pa.string())
# The trace ids in a parameter that holds them in hex.
_TRACES = "arrayMap(t -> toFixedString(unhex(t), 16), {traces:Array(String)})"
# Stuck first, then late, running and done; of each the newest.
_RANK = "multiIf(state >= 3, 0, state = 2, 1, state = 1, 2, 3)"
_GONE = 255  # the state of a row whose flow is part of another now


@dataclass(frozen=True)
class Search:
    """Which flows are wanted. Every part that is given must hold."""

    text: str = ""  # in the key, the id, an event type or a service of it, or the start of a trace id
    states: Sequence[int] = ()  # diagnosis.State; none: all
    since: int = 0  # nanoseconds: the flow's last activity
    without: Sequence[str] = ()  # ids that are shown from elsewhere
    waiting_for: str = ""  # the service, in full, that owes it something; only flows in memory know that


class Place(NamedTuple):
    """A place in the list of all flows. It is the same wherever a flow is kept."""

    rank: int  # 0: stuck or failed, 1: late, 2: running, 3: done
    last: int  # the flow's last activity
    id: str


class FlowStore:
    """The archive of the live part, and the lists of flows that are over."""

    def __init__(self, database: Database, spans: SpanStore, clock: Callable[[], int] = time.time_ns) -> None:
        self._database = database
        self._spans = spans
        self._clock = clock

    def put(
        self, flows: pa.Table, state: Ints, taught: Mask, stuck_from: Ints | None = None, *, only_new: bool
    ) -> None:
        """Keep *flows* (FLOWS) durably. Raise `StoreError`.

        A flow of the same id is replaced; with *only_new*, one that is here stays as it is. *stuck_from* is
        when each that runs or is late will be stuck, in nanoseconds since the epoch; 0 is never.
        """
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
        stored = pa.array(np.full(flows.num_rows, time.time_ns(), np.uint64))
        rows = rows.append_column("stored_unix_nano", stored)
        for name in _TEXTS:
            place = rows.schema.get_field_index(name)
            rows = rows.set_column(place, name, pc.fill_null(rows[name], ""))
        self._database.insert("flows", rows)

    def forget(self, ids: Sequence[str]) -> None:
        """Remove the flows of these ids. Raise `StoreError`."""
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
        """Keep durably which trace leads to the flow that has a message of each of *ids*."""
        self._database.insert("message_ids", pa.table({"id": ids, "trace_id": trace_ids}))

    def offering(self, ids: Keys) -> pa.Array:
        """The traces (16 bytes each) that lead to the flows of the messages with *ids*."""
        answer = self._database.query(
            "SELECT DISTINCT trace_id FROM message_ids WHERE id IN {ids:Array(UInt64)}",
            {"ids": ids.tolist()},
        )
        return pa.array(_bytes(answer["trace_id"]), pa.binary(16))

    def refuse(self, keys: Sequence[str]) -> None:
        """Remember durably that these are no flow keys. Raise `StoreError`."""
        self._database.insert("refused_keys", pa.table({"key": pa.array(keys, pa.string())}))

    def refused_keys(self) -> list[str]:
        """The flow keys that were found to be none."""
        found: list[str] = self._database.query("SELECT DISTINCT key FROM refused_keys")["key"].to_pylist()
        return found

    def fetch(self, trace_ids: pa.Array, flow_keys: pa.Array) -> tuple[list[str], pa.Table]:
        """The ids of the kept flows with these keys or traces, and SPANS of all traces of both."""
        traces = {trace for trace in trace_ids.to_pylist() if trace is not None}
        answer = self._database.query(
            "SELECT DISTINCT id, arrayJoin(traces) AS trace_id FROM flows"  # noqa: S608  # our own words
            f" WHERE id IN {{keys:Array(String)}} OR hasAny(traces, {_TRACES})",
            {"keys": flow_keys.to_pylist(), "traces": [trace.hex() for trace in traces]},
        )
        traces.update(_bytes(answer["trace_id"]))
        ids = answer["id"].unique().to_pylist()
        return ids, self._spans.spans_of(traces) if traces else SPANS.empty_table()

    def named(self, name: str) -> pa.Table:
        """STORED_FLOWS with this key, id or trace id (hex); no row where there is none."""
        found = self._ask("id = {name:String}", {"name": name}, limit=1)  # a key is its flow's id
        if found.num_rows or len(name) != 32 or not begins_trace_id(name):
            return found
        answer = self._database.query(
            f"SELECT DISTINCT id FROM flows WHERE hasAny(traces, {_TRACES})",  # noqa: S608  # our own words
            {"traces": [name.lower()]},
        )
        return self._ask("id IN {ids:Array(String)}", {"ids": answer["id"].to_pylist()}, limit=1)

    def done_among(self, ids: Sequence[str], done: int) -> list[str]:
        """Those of *ids* whose flow is here in the state *done*."""
        answer = self._database.query(
            "SELECT id FROM flows FINAL WHERE id IN {ids:Array(String)} AND state = {done:UInt8}",
            {"ids": ids, "done": done},
        )
        found: list[str] = answer["id"].to_pylist()
        return found

    def examples(self, before: int, each: int = 200, limit: int = 4_000) -> pa.Table:
        """STORED_FLOWS that taught and were received before that time: of each outcome the newest."""
        return self._ask(
            "taught AND received <= {before:Int64}",
            {"before": before},
            limit=limit,
            order=f"received DESC, id LIMIT {each:d} BY outcome, last_event_type",
        )

    def newest_names(self, before: int, limit: int) -> tuple[pa.ChunkedArray, pa.Array]:
        """The keys and the trace ids of the newest *limit* flows that were received before that time."""
        answer = self._database.query(
            "SELECT key, traces FROM flows WHERE received <= {before:Int64}"
            " ORDER BY received DESC LIMIT {limit:UInt32}",
            {"before": before, "limit": limit},
        )
        traces = answer["traces"].combine_chunks().flatten().cast(pa.binary(16))
        return pc.if_else(pc.equal(answer["key"], ""), None, answer["key"]), traces

    def unfinished(self, limit: int) -> pa.Table:
        """STORED_FLOWS that are stuck or failed, as far as is known here, the newest first."""
        return self._ask("state IN (3, 4)", {}, limit=limit)

    def found(self, search: Search, limit: int, after: Place | None = None) -> pa.Table:
        """STORED_FLOWS that *search* asks for: stuck first, then the newest; from *after* on."""
        condition, parameters = _condition(search)
        if after is not None:
            condition += f" AND ({_RANK}, -last, id) > ({{rank:UInt8}}, -{{at:Int64}}, {{id:String}})"
            parameters |= {"rank": after.rank, "at": after.last, "id": after.id}
        return self._ask(condition, parameters, limit=limit, order=f"{_RANK}, last DESC, id")

    def counts(self, search: Search) -> dict[int, int]:
        """How many flows *search* would find, by state."""
        condition, parameters = _condition(search)
        answer = self._database.query(
            f"SELECT {_STATE}, count() AS n FROM flows FINAL"  # noqa: S608  # see _condition
            f" WHERE {condition} AND state != 255 GROUP BY state",
            {**parameters, "now": self._clock()},
        )
        return dict(zip(answer["state"].to_pylist(), answer["n"].to_pylist(), strict=True))

    def newest(self, since: int, limit: int) -> pa.Table:
        """STORED_FLOWS whose last activity was after *since*, the newest *limit*."""
        return self._ask("last > {since:Int64}", {"since": since}, limit=limit)

    def _here(self, ids: Sequence[str]) -> set[str]:
        """Those of *ids* that are here."""
        answer = self._database.query(
            "SELECT DISTINCT id FROM flows WHERE id IN {ids:Array(String)}", {"ids": ids}
        )
        return set(answer["id"].to_pylist())

    def _ask(
        self,
        condition: str,
        parameters: dict[str, object],
        limit: int,
        order: str = "last DESC, id",
    ) -> pa.Table:
        answer = self._database.query(
            f"SELECT {_COLUMNS} FROM flows FINAL WHERE {condition} AND state != 255"  # noqa: S608  # our own words; values are parameters
            f" ORDER BY {order} LIMIT {{limit:UInt32}}",
            {**parameters, "limit": limit, "now": self._clock()},
        )
        columns = {field.name: answer[field.name].cast(field.type) for field in STORED_FLOWS}
        for name in _TEXTS:
            empty = pc.equal(columns[name], "")
            columns[name] = pc.if_else(empty, None, columns[name])
        return pa.table(columns, schema=STORED_FLOWS)


def _condition(search: Search) -> tuple[str, dict[str, object]]:
    """WHERE of *search*: fixed words; every value is a parameter."""
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
    if search.states:
        parts.append("state IN {states:Array(UInt8)}")
        values["states"] = list(search.states)
    if search.without:
        # As JSON: an array for a parameter takes time with the square of its length, minutes for 100,000 ids.
        parts.append("id NOT IN (SELECT arrayJoin(JSONExtract({without:String}, 'Array(String)')))")
        values["without"] = json.dumps(list(search.without))
    return " AND ".join(parts), values


def begins_trace_id(text: str) -> bool:
    """Whether *text* could be the beginning of a trace id in hex."""
    return 2 <= len(text) <= 32 and set(text.lower()) <= set("0123456789abcdef")


def _bytes(column: pa.ChunkedArray) -> list[bytes]:
    return [value for value in column.cast(pa.binary(16)).to_pylist() if value is not None]
