"""Flows in the store: those that came to rest, and how to find them again."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.diagnosis.record import Ints, Mask
from collector.flowtable import FLOWS
from collector.spans import SPANS
from collector.store.engine import Database
from collector.store.spans import SpanStore

STORED_FLOWS = FLOWS.append(pa.field("state", pa.uint8())).append(pa.field("taught", pa.bool_()))
_COLUMNS = ", ".join(STORED_FLOWS.names)
_TEXTS = tuple(field.name for field in FLOWS if field.type == pa.string())


@dataclass(frozen=True)
class Search:
    """Which flows are wanted. Every part that is given must hold."""

    text: str = ""  # in the key, the id, the last event type, or the start of a trace id
    states: Sequence[int] = ()  # diagnosis.State; none: all
    since: int = 0  # nanoseconds: the flow's last activity
    without: Sequence[str] = ()  # ids that are shown from elsewhere


class FlowStore:
    """The archive of the live part, and the lists of flows that are over."""

    def __init__(self, database: Database, spans: SpanStore) -> None:
        self._database = database
        self._spans = spans

    def put(self, flows: pa.Table, state: Ints, taught: Mask, *, only_new: bool) -> None:
        """Keep *flows* (FLOWS) durably. Raise `StoreError`.

        A flow of the same id is replaced; with *only_new*, one that came to rest stays as it is.
        """
        if only_new:
            kept = self._at_rest(flows["id"].to_pylist())
            new = np.array([name not in kept for name in flows["id"].to_pylist()], np.bool_)
            flows, state, taught = flows.filter(pa.array(new)), state[new], taught[new]
        if not flows.num_rows:
            return
        rows = flows.append_column("state", pa.array(state.astype(np.uint8)))
        rows = rows.append_column("taught", pa.array(taught))
        stored = pa.array(np.full(flows.num_rows, time.time_ns(), np.uint64))
        rows = rows.append_column("stored_unix_nano", stored)
        for name in _TEXTS:
            place = rows.schema.get_field_index(name)
            rows = rows.set_column(place, name, pc.fill_null(rows[name], ""))
        self._database.insert("flows", rows)

    def spans_of(self, trace_ids: pa.Array, flow_keys: pa.Array) -> pa.Table:
        """SPANS of these traces, and of every trace of the kept flows with these keys or traces."""
        traces = {trace for trace in trace_ids.to_pylist() if trace is not None}
        answer = self._database.query(
            "SELECT DISTINCT arrayJoin(traces) AS trace_id FROM flows FINAL"
            " WHERE key IN {keys:Array(String)}"
            " OR hasAny(arrayMap(t -> hex(t), traces), {traces:Array(String)})",
            {"keys": flow_keys.to_pylist(), "traces": [trace.hex().upper() for trace in traces]},
        )
        traces.update(_bytes(answer["trace_id"]))
        return self._spans.spans_of(traces) if traces else SPANS.empty_table()

    def named(self, name: str) -> pa.Table:
        """STORED_FLOWS with this key, id or trace id (hex); no row where there is none."""
        return self._ask(
            "id = {name:String} OR key = {name:String}"
            " OR has(arrayMap(t -> lower(hex(t)), traces), lower({name:String}))",
            {"name": name},
            limit=1,
        )

    def unfinished(self, limit: int) -> pa.Table:
        """STORED_FLOWS that were stuck or failed when they were last stored, the newest first."""
        return self._ask("state >= 3", {}, limit=limit)

    def found(self, search: Search, limit: int, offset: int) -> pa.Table:
        """STORED_FLOWS that *search* asks for, the newest first."""
        condition, parameters = _condition(search)
        return self._ask(condition, parameters, limit=limit, offset=offset)

    def counts(self, search: Search) -> dict[int, int]:
        """How many flows *search* would find, by state."""
        condition, parameters = _condition(search)
        answer = self._database.query(
            f"SELECT state, count() AS n FROM flows FINAL WHERE {condition} GROUP BY state",  # noqa: S608  # see _condition
            parameters,
        )
        return dict(zip(answer["state"].to_pylist(), answer["n"].to_pylist(), strict=True))

    def pace(self, since: int, state: int) -> tuple[int, float | None]:
        """(number, p95 of the seconds from start to end) of the flows in *state* that ended after *since*."""
        answer = self._database.query(
            "SELECT count() AS n, quantile(0.95)((last - started) / 1e9) AS p95 FROM flows FINAL"
            " WHERE last > {since:Int64} AND state = {state:UInt8}",
            {"since": since, "state": state},
        )
        n, p95 = answer["n"][0].as_py(), answer["p95"][0].as_py()
        return n, (p95 if n else None)

    def newest(self, since: int, limit: int) -> pa.Table:
        """STORED_FLOWS whose last activity was after *since*, the newest *limit*."""
        return self._ask("last > {since:Int64}", {"since": since}, limit=limit)

    def _at_rest(self, ids: Sequence[str]) -> set[str]:
        """Those of *ids* that are here."""
        answer = self._database.query(
            "SELECT DISTINCT id FROM flows WHERE id IN {ids:Array(String)}", {"ids": ids}
        )
        return set(answer["id"].to_pylist())

    def _ask(self, condition: str, parameters: dict[str, object], limit: int, offset: int = 0) -> pa.Table:
        answer = self._database.query(
            f"SELECT {_COLUMNS} FROM flows FINAL WHERE {condition}"  # noqa: S608  # our own words; values are parameters
            " ORDER BY last DESC, id LIMIT {limit:UInt32} OFFSET {offset:UInt32}",
            {**parameters, "limit": limit, "offset": offset},
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
        parts.append(
            "(positionCaseInsensitiveUTF8(id, {text:String}) > 0"
            " OR positionCaseInsensitiveUTF8(last_event_type, {text:String}) > 0"
            " OR arrayExists(t -> startsWith(lower(hex(t)), lower({text:String})), traces))"
        )
        values["text"] = search.text
    if search.states:
        parts.append("state IN {states:Array(UInt8)}")
        values["states"] = list(search.states)
    if search.without:
        parts.append("id NOT IN {without:Array(String)}")
        values["without"] = list(search.without)
    return " AND ".join(parts), values


def _bytes(column: pa.ChunkedArray) -> list[bytes]:
    return [value for value in column.cast(pa.binary(16)).to_pylist() if value is not None]
