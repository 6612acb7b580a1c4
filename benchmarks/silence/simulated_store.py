"""A store in memory that is made of Python's own dicts: fast for the few thousand flows of a run."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.silence.simulated_senders import senders
from collector.columns.joins import Ints, Mask
from collector.columns.keys import Keys
from collector.model.conditions import Condition, Order
from collector.model.decisions import Decision
from collector.model.deletions import Recorded
from collector.model.flows import SET_ASIDE, STORED_FLOWS
from collector.model.identity import each_once, span_keys, trace_keys
from collector.model.spans import SPANS
from collector.queries.holding import holding
from collector.store.contracts import (
    NEVER,
    PLACES,
    Cut,
    Known,
    Place,
    Search,
    SpanPlace,
    Stores,
    Stretch,
    begins_trace_id,
)
from collector.store.flow_order import ranks_of

Row = dict[str, Any]


class SimulatedSpans:
    """All spans written, in order of arrival."""

    def __init__(self) -> None:
        self._tables: list[pa.Table] = [SPANS.empty_table()]
        self._lock = threading.Lock()  # a replay reads ahead in a thread of its own

    def write(self, spans: pa.Table) -> None:
        """Keep *spans*."""
        with self._lock:
            self._tables.append(spans)

    def spans_of(self, trace_ids: Iterable[bytes]) -> pa.Table:
        """The spans (SPANS) of these traces, deduplicated."""
        found = self._copies(trace_ids).combine_chunks()
        return each_once(found, span_keys(trace_keys(found["trace_id"]), found["span_id"]))

    def first_of(self, trace_ids: Iterable[bytes], each: int, limit: int, cut: Cut) -> pa.Table:
        """At most *limit* spans of these traces, of each trace the first; nothing is cut here."""
        found = self.spans_of(trace_ids).to_pylist()
        seen: Counter[bytes] = Counter()
        kept = []
        for place, row in enumerate(found):
            seen[row["trace_id"]] += 1
            if seen[row["trace_id"]] <= each:
                kept.append(place)
        return self.spans_of(trace_ids).take(pa.array(kept[:limit], pa.int64()))

    def few_of(self, trace_ids: Sequence[bytes], most: int) -> pa.Table | None:
        """The spans of these traces, deduplicated; None if there are more than *most* copies."""
        return self.spans_of(trace_ids) if self.copies_of(trace_ids) <= most else None

    def copies_of(self, trace_ids: Sequence[bytes]) -> int:
        """How many copies of spans there are of these traces."""
        return int(self._copies(trace_ids).num_rows)

    def count_of(self, trace_ids: Sequence[bytes]) -> int:
        """How many distinct spans these traces have."""
        return int(self.spans_of(trace_ids).num_rows)

    def count_before(self, trace_ids: Sequence[bytes], place: SpanPlace, *, distinct: bool) -> int:
        """How many spans of these traces come before *place*."""
        found = self.spans_of(trace_ids) if distinct else self._copies(trace_ids)
        return sum(tuple(row.values()) < place for row in found.select(PLACES.names).to_pylist())

    def part_of(
        self,
        trace_ids: Sequence[bytes],
        limit: int,
        *,
        after: SpanPlace | None = None,
        before: SpanPlace | None = None,
    ) -> pa.Table:
        """PLACES of at most *limit* copies: the first after *after*, or else the last before *before*."""
        rows = sorted(tuple(row.values()) for row in self._copies(trace_ids).select(PLACES.names).to_pylist())
        if after is not None:
            chosen = [row for row in rows if row > after][:limit]
        else:
            chosen = [row for row in rows if before is None or row < before][-limit:]
        return pa.Table.from_pylist([dict(zip(PLACES.names, row, strict=True)) for row in chosen], PLACES)

    def octets_at(self, trace_ids: Sequence[bytes], places: pa.Table) -> Ints:
        """How many bytes each span at *places* has, about."""
        return np.zeros(places.num_rows, np.int64)

    def spans_at(self, ids: pa.Table, cut: Cut | None = None) -> pa.Table:
        """The spans with these *ids*, deduplicated; nothing is cut here."""
        wanted = {tuple(row.values()) for row in ids.to_pylist()}
        found = self.spans_of(ids["trace_id"].to_pylist())
        here = [tuple(row.values()) in wanted for row in found.select(["trace_id", "span_id"]).to_pylist()]
        return found.filter(pa.array(here, pa.bool_()))

    def _copies(self, trace_ids: Iterable[bytes]) -> pa.Table:
        wanted = pa.array(sorted(set(trace_ids)), pa.binary(16))
        every = self._every()
        return every.filter(pc.is_in(every["trace_id"], value_set=wanted))

    def spans_since(self, received_unix_nano: int, limit: int) -> pa.Table:
        """All copies of spans (SPANS) received after that time, in order of arrival."""
        found = self._since(received_unix_nano)
        if found.num_rows <= limit:
            return found
        last = found["received_unix_nano"][limit - 1].as_py()
        return found.filter(pc.less_equal(found["received_unix_nano"], pa.scalar(last, pa.uint64())))

    def ids_since(self, received_unix_nano: int, limit: int) -> pa.Table:
        """(trace_id, span_id) of at most *limit* copies received after that time, latest first."""
        found = self._since(received_unix_nano)
        latest = pa.array(np.arange(found.num_rows)[::-1][:limit])
        return found.take(latest).select(["trace_id", "span_id"])

    def arrival_of_newest(self, limit: int, since: int, until: int = NEVER) -> int:
        """The time to give to `spans_since` for the newest *limit* copies."""
        found = self._since(since)["received_unix_nano"]
        found = found.filter(pc.less_equal(found, pa.scalar(until, pa.uint64())))
        return max(found[max(len(found) - limit, 0)].as_py() - 1, since) if len(found) else since

    def senders(self, since: int, limit: int) -> pa.Table:
        """SENDERS among the newest *limit* copies that were received after *since*."""
        return senders(self._since(self.arrival_of_newest(limit, since)))

    def prove(self) -> None:
        """Nothing can fail here."""

    def span_count(self) -> int:
        """How many distinct spans there are."""
        every = self._every()
        return len(set(zip(every["trace_id"].to_pylist(), every["span_id"].to_pylist(), strict=True)))

    def _every(self) -> pa.Table:
        with self._lock:
            if len(self._tables) > 1:
                self._tables = [pa.concat_tables(self._tables)]
            return self._tables[0]

    def _since(self, received: int) -> pa.Table:
        every = self._every()
        found = every.filter(
            pc.greater(every["received_unix_nano"], pa.scalar(max(received, 0), pa.uint64()))
        )
        return found.sort_by("received_unix_nano").combine_chunks()


class SimulatedFlows:
    """Evicted and stopped flows."""

    def __init__(self, spans: SimulatedSpans) -> None:
        self.now = 0
        self._spans = spans
        self._rows: dict[str, Row] = {}
        self._by_trace: dict[bytes, set[str]] = {}
        self._offers: dict[int, bytes] = {}
        self._refused: list[str] = []
        self._listened: dict[int, int] = {}

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
        """Keep *flows*; nobody draws a map of them, so their *courses* are not kept."""
        froms = np.zeros(flows.num_rows, np.int64) if stuck_from is None else stuck_from
        told = zip(flows.to_pylist(), state.tolist(), taught.tolist(), froms.tolist(), strict=True)
        for row, its_state, its_taught, its_from in told:
            if only_new and row["id"] in self._rows:
                continue
            self._rows[row["id"]] = {**row, "state": its_state, "taught": its_taught, "stuck_from": its_from}
            for trace in row["traces"]:
                self._by_trace.setdefault(trace, set()).add(row["id"])

    def newest_version(self) -> int | None:
        """None: rows have no versions here, so that all of them count."""
        return None

    def forget(self, ids: Sequence[str]) -> None:
        """Remove the flows with these ids."""
        for name in ids:
            self._rows.pop(name, None)

    def offer(self, ids: Keys, trace_ids: pa.Array) -> None:
        """Keep the trace that leads to the flow of each message."""
        self._offers.update(zip(ids.tolist(), trace_ids.to_pylist(), strict=True))

    def offering(self, ids: Keys) -> pa.Array:
        """The traces that lead to the flows of these messages."""
        found = {self._offers[one] for one in ids.tolist() if one in self._offers}
        return pa.array(sorted(found), pa.binary(16))

    def refuse(self, keys: Sequence[str]) -> None:
        """These are not flow keys."""
        self._refused += [key for key in keys if key not in self._refused]

    def refused_keys(self) -> list[str]:
        """The keys that were refused as flow keys."""
        return list(self._refused)

    def listen(self, stretches: Sequence[Stretch]) -> None:
        """Keep when the collector listened."""
        for since, until in stretches:
            self._listened[since] = max(until, self._listened.get(since, 0))

    def listened(self, limit: int) -> list[Stretch]:
        """The newest *limit* of them, in order."""
        return [Stretch(*one) for one in sorted(self._listened.items())[-limit:]]

    def fetch(self, trace_ids: pa.Array, flow_keys: pa.Array) -> tuple[dict[str, Known], pa.Table]:
        """The stored flows with these keys or traces, by id, and SPANS of all traces."""
        traces = {trace for trace in trace_ids.to_pylist() if trace is not None}
        ids = {name for trace in traces for name in self._by_trace.get(trace, ())}
        found = [name for name in sorted(ids | set(flow_keys.to_pylist())) if name in self._rows]
        traces.update(trace for name in found for trace in self._rows[name]["traces"])
        known = {
            name: Known(self._rows[name]["begun"], frozenset(self._rows[name]["traces"])) for name in found
        }
        return known, self._spans.spans_of(traces) if traces else SPANS.empty_table()

    def named(self, name: str) -> pa.Table:
        """The row with this key, id or trace id (hex); no row if there is none."""
        ids = {name} if name in self._rows else set[str]()
        if not ids and len(name) == 32 and begins_trace_id(name):
            ids = self._by_trace.get(bytes.fromhex(name), set()) & self._rows.keys()
        return _stored([row for row in self._newest() if row["id"] in ids][:1])

    def done_among(self, ids: Sequence[str], done: int) -> list[str]:
        """Those of *ids* whose flow is stored in the state *done*."""
        return [name for name in ids if name in self._rows and self._rows[name]["state"] == done]

    def examples(self, before: int, each: int = 200, limit: int = 4_000, begun_since: int = 0) -> pa.Table:
        """The newest rows that taught and were received by then."""
        found, seen = [], dict[tuple[Any, Any], int]()
        for row in sorted(self._rows.values(), key=lambda row: (-row["received"], row["id"])):
            like = row["outcome"], row["last_event_type"]
            whole = row["begun"] >= begun_since
            if row["taught"] and whole and row["received"] <= before and seen.get(like, 0) < each:
                seen[like] = seen.get(like, 0) + 1
                found.append(row)
        return _stored(found[:limit])

    def together(self, limit: int) -> list[tuple[frozenset[str], int]]:
        """Which event types and services occur in one flow, and when the first such flow started."""
        first: dict[frozenset[str], int] = {}
        for row in self._rows.values():
            words = frozenset((row["names"] or "").split("\n"))
            first[words] = min(first.get(words, row["started"]), row["started"])
        return list(first.items())[:limit]

    def newest_names(self, before: int, limit: int) -> tuple[pa.ChunkedArray, pa.Array]:
        """The keys and the trace ids of the newest flows received by that time."""
        rows = sorted(
            (row for row in self._rows.values() if row["received"] <= before),
            key=lambda row: -row["received"],
        )[:limit]
        traces = pa.array([trace for row in rows for trace in row["traces"]], pa.binary(16))
        return pa.chunked_array([pa.array([row["key"] for row in rows], pa.string())]), traces

    def unfinished(self, limit: int) -> pa.Table:
        """Rows that are stuck or failed, newest first."""
        return _stored(
            [row for row in self._newest() if row["state"] in {3, 4} and row["stuck_from"] != SET_ASIDE][
                :limit
            ]
        )

    def set_aside(self, limit: int) -> pa.Table:
        """Rows that were set aside, newest first."""
        return _stored([row for row in self._newest() if row["stuck_from"] == SET_ASIDE][:limit])

    def found(self, search: Search, limit: int, after: Place | None = None) -> pa.Table:
        """Rows that match *search* and follow *after*, in its order."""
        rows = list(filter(_matches(search), self._newest()))  # the newest first
        order, table = search.order, _stored(rows)
        ranks = ranks_of(order, table, table["state"].to_numpy()).tolist()
        placed = sorted(zip(ranks, rows, strict=True), key=lambda one: one[0], reverse=order.reverse)
        if after is not None:
            placed = [one for one in placed if _comes_after(order, one[0], one[1], after)]
        return _stored([row for _, row in placed][:limit])

    def counts(self, search: Search) -> dict[int, int]:
        """How many rows match *search*, by state."""
        return dict(Counter(row["state"] for row in filter(_matches(search), self._newest())))

    def newest(self, since: int, limit: int) -> pa.Table:
        """The newest rows with any activity after *since*."""
        return _stored([row for row in self._newest() if row["last"] > since][:limit])

    def states(self) -> dict[str, int]:
        """The state of each flow, as readers see it."""
        return {name: self._now(row)["state"] for name, row in self._rows.items()}

    def _newest(self) -> Iterator[Row]:
        return map(
            self._now, sorted(self._rows.values(), key=lambda row: (row["last"], row["id"]), reverse=True)
        )

    def _now(self, row: Row) -> Row:
        stuck = row["state"] in {1, 2} and 0 < row["stuck_from"] <= self.now
        return {**row, "state": 3} if stuck else row


class SimulatedDecisions:
    """What people said."""

    def __init__(self) -> None:
        self._said: list[Decision] = []

    def write(self, decision: Decision) -> None:
        """Keep *decision*."""
        self._said.append(decision)

    def all(self) -> list[Decision]:
        """All decisions, oldest first."""
        return sorted(self._said, key=lambda decision: decision.at)


class SimulatedDeletions:
    """Nobody deletes anything."""

    def records(self) -> list[Recorded]:
        """None."""
        return []


def _matches(search: Search) -> Callable[[Row], bool]:
    text = search.text.lower()

    def matches(row: Row) -> bool:
        begins = begins_trace_id(text) and any(trace.hex().startswith(text) for trace in row["traces"])
        return (
            row["last"] > search.since
            and not search.waiting_for
            and (not search.states or row["state"] in search.states)
            and row["id"] not in search.without
            and (text in row["id"].lower() or text in (row["names"] or "").lower() or begins)
            and all(_holds(row, condition) for condition in search.conditions)
        )

    return matches


def _holds(row: Row, condition: Condition) -> bool:
    table = _stored([row])
    return bool(holding(table, table["state"].to_numpy(), condition)[0])


def _comes_after(order: Order, rank: Any, row: Row, after: Place) -> bool:
    if rank != after.rank:
        return bool((rank > after.rank) != order.reverse)
    return (row["last"], row["id"]) < after[1:]


def simulated_stores() -> tuple[Stores, SimulatedFlows]:
    """Empty stores, and the flows among them."""
    spans = SimulatedSpans()
    flows = SimulatedFlows(spans)
    parts: dict[str, Any] = {"spans": spans, "flows": flows, "decisions": SimulatedDecisions()}
    parts["deletions"] = SimulatedDeletions()
    # Only readers ask for the others, and the simulator has none.
    absent: Any = None
    return Stores(**{part.name: parts.get(part.name, absent) for part in fields(Stores)}), flows


def _stored(rows: Iterable[Row]) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                **{name: row.get(name) for name in STORED_FLOWS.names},
                "set_aside": row["stuck_from"] == SET_ASIDE,
            }
            for row in rows
        ],
        STORED_FLOWS,
    )
