"""What people had deleted, and its removal from ClickHouse. See `contracts.DeletionStore`."""

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from collector.model.deletions import Counted, Deletion, Doomed, Recorded
from collector.model.identity import span_keys, trace_keys
from collector.store.clickhouse.connections import Database
from collector.store.clickhouse.flow_questions import COUNTING
from collector.store.contracts import StoreError

_OF_DELETION = ("id", "until", "service", "before", "flow", "author", "reason")
_OF_RECORD = ("event", "at_unix_nano", "spans", "flows", "error")
_DAY = "toYYYYMMDD(fromUnixTimestamp64Nano(toInt64(received_unix_nano), 'UTC'))"
_CUT = "(SELECT trace_id FROM cut_traces WHERE deletion = {id:Int64})"
_CUT_FLOWS = f"(SELECT id FROM (SELECT id, arrayJoin(traces) AS trace FROM flows) WHERE trace IN {_CUT})"
_SERVICES, _EXAMPLES = 20, 20  # shown of what would go
_IDS_A_QUERY = 3_000  # 99,000 bytes as hex and commas: a server accepts 128 KiB per value
_LOOK_S = 0.1  # between two looks at what runs in the background
_MOST_ROUNDS = 5


class ClickHouseDeletions:
    """The deletions in *database*, which must be migrated."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._write_lock = threading.Lock()

    def write(self, recorded: Recorded) -> None:
        """Return once *recorded* is durable."""
        one = recorded.deletion
        row: dict[str, Any] = {name: [getattr(one, name)] for name in _OF_DELETION}
        row |= {"event": [recorded.event], "at_unix_nano": [recorded.at], "error": [recorded.error]}
        row |= {name: pa.array([getattr(recorded, name)], pa.uint64()) for name in ("spans", "flows")}
        with self._write_lock:
            self._database.insert("deletions", pa.table(row))

    def records(self) -> list[Recorded]:
        """All records, by deletion, each from its beginning to its end."""
        columns = [*_OF_DELETION, *_OF_RECORD]
        answer = self._database.query(
            f"SELECT {', '.join(columns)} FROM deletions ORDER BY id, at_unix_nano", columns=columns
        )
        return [
            Recorded(
                Deletion(**{name: row[name] for name in _OF_DELETION}),
                row["event"],
                row["at_unix_nano"],
                row["spans"],
                row["flows"],
                row["error"],
            )
            for row in answer.to_pylist()
        ]

    def doom(self, deletion: Deletion, spans: pa.Table) -> None:
        """Return once it is durable that *deletion* is about these spans."""
        rows = {"deletion": pa.array(np.full(spans.num_rows, deletion.id), pa.int64())}
        rows |= {name: spans[name] for name in ("trace_id", "span_id")}
        self._database.insert("doomed_spans", pa.table(rows))

    def doomed(self, deletion: Deletion) -> Doomed:
        """The spans of *deletion*."""
        if not deletion.flow:
            return Doomed(deletion)
        answer = self._database.query(
            "SELECT trace_id, span_id FROM doomed_spans WHERE deletion = {id:Int64}",
            {"id": deletion.id},
            ["trace_id", "span_id"],
        )
        trace = trace_keys(answer["trace_id"].cast(pa.binary(16)))
        return Doomed(deletion, np.unique(span_keys(trace, answer["span_id"].cast(pa.binary(8)))))

    def count(self, deletion: Deletion) -> Counted:
        """What *deletion* would remove."""
        condition, values = _condition(deletion)
        spans = f"FROM spans WHERE {condition}"
        days = self._ask(
            f"SELECT {_DAY} AS day, count() AS n {spans} GROUP BY day ORDER BY day", values, "day", "n"
        )
        services = self._ask(
            f"SELECT service, count() AS n {spans} GROUP BY service"
            f" ORDER BY n DESC, service LIMIT {_SERVICES}",
            values,
            "service",
            "n",
        )
        some = f"(SELECT DISTINCT trace_id {spans})"
        touched = f"arrayExists(t -> t IN {some}, traces) AND state != 255"
        theirs = f"(SELECT arrayJoin(traces) FROM {COUNTING} WHERE {touched})"
        # A flow may have traces that lose nothing.
        rest = f"(SELECT DISTINCT trace_id FROM spans WHERE NOT ({condition}) AND trace_id IN {theirs})"
        ((flows, whole),) = self._ask(
            f"SELECT count() AS flows, countIf(NOT arrayExists(t -> t IN {rest}, traces)) AS whole"
            f" FROM {COUNTING} WHERE {touched}",
            values,
            "flows",
            "whole",
        )
        examples = self._ask(
            f"SELECT id FROM {COUNTING} WHERE {touched} ORDER BY last DESC, id LIMIT {_EXAMPLES}",
            values,
            "id",
        )
        return Counted(dict(days), dict(services), flows, whole, tuple(name for (name,) in examples))

    def mark(self, deletion: Deletion) -> None:
        """Return once it is durable which traces lose spans to *deletion*: a day at a time."""
        condition, values = _condition(deletion)
        days = self._ask(f"SELECT DISTINCT {_DAY} AS day FROM spans WHERE {condition}", values, "day")
        for (day,) in sorted(days):
            self._database.execute(
                f"INSERT INTO cut_traces SELECT DISTINCT trace_id, {{id:Int64}} FROM spans"
                f" WHERE {condition} AND {_DAY} = {int(day):d}",
                {**values, "id": deletion.id},
            )

    def cut_traces(self, deletion: int, limit: int) -> pa.Array:
        """At most *limit* of the traces that were marked for this deletion."""
        answer = self._database.query(
            "SELECT DISTINCT trace_id FROM cut_traces WHERE deletion = {id:Int64} LIMIT {limit:UInt64}",
            {"id": deletion, "limit": limit},
            ["trace_id"],
        )
        return answer["trace_id"].combine_chunks().cast(pa.binary(16))

    def cuts_of(self, trace_ids: Iterable[bytes]) -> list[int]:
        """The ids of the deletions for which any of these traces was marked, oldest first."""
        found: set[int] = set()
        for ids in _in_parts(sorted(set(trace_ids))):
            found.update(
                deletion
                for (deletion,) in self._ask(
                    "SELECT DISTINCT deletion FROM cut_traces WHERE trace_id IN"
                    " (SELECT toFixedString(unhex(arrayJoin(splitByChar(',', {ids:String}))), 16))",
                    {"ids": ids},
                    "deletion",
                )
            )
        return sorted(found)

    def remove_spans(self, deletion: Deletion, stop: Callable[[], bool]) -> None:
        """Remove the spans of *deletion*, and what leads to their traces."""
        condition, values = _condition(deletion)
        self._remove("spans", condition, values, stop)
        self._remove("message_ids", f"trace_id IN {_CUT}", {"id": deletion.id}, stop)

    def flows_of(self, deletion: Deletion, after: str, limit: int) -> pa.Table:
        """(id, traces, state, begun) of *limit* stored flows with a marked trace, by id from *after* on."""
        return self._database.query(
            f"SELECT id, traces, state, begun FROM {COUNTING} WHERE id > {{after:String}} AND state != 255"
            f" AND arrayExists(t -> t IN {_CUT}, traces) ORDER BY id LIMIT {{limit:UInt64}}",
            {"id": deletion.id, "after": after, "limit": limit},
            ["id", "traces", "state", "begun"],
        )

    def newest_flow(self) -> int:
        """A number that every row of a flow that is stored later exceeds."""
        ((newest,),) = self._ask("SELECT max(stored_unix_nano) AS newest FROM flows", {}, "newest")
        return int(newest or 0)

    def remove_leftovers(self, deletion: Deletion, stored_by: int, stop: Callable[[], bool]) -> None:
        """Remove all rows of the flows of *deletion* that newer ones replaced."""
        values = {"id": deletion.id, "by": stored_by}
        newer = "(SELECT id FROM flows WHERE stored_unix_nano > {by:UInt64})"
        gone = "(SELECT id FROM flows WHERE stored_unix_nano > {by:UInt64} AND state = 255)"
        self._remove("dismissed_flows", f"flow IN {gone} AND flow IN {_CUT_FLOWS}", values, stop)
        condition = f"stored_unix_nano <= {{by:UInt64}} AND id IN {newer} AND id IN {_CUT_FLOWS}"
        self._remove("flows", condition, values, stop)
        # What says that a flow is gone is needed only as long as older rows of it are there.
        self._remove("flows", "state = 255 AND id NOT IN (SELECT id FROM flows WHERE state != 255)", {}, stop)
        self._remove("doomed_spans", "deletion = {id:Int64}", {"id": deletion.id}, stop)

    def _remove(self, table: str, condition: str, values: dict[str, Any], stop: Callable[[], bool]) -> None:
        """Remove the rows of *table* for which *condition* holds: in the background, and wait for it.

        Parts that were attached meanwhile (`merge_watch`) escape it: it is looked whether all are gone.
        """
        for _ in range(_MOST_ROUNDS):
            self._database.execute(
                f"ALTER TABLE {table} DELETE WHERE {condition} SETTINGS mutations_sync = 0", values
            )
            self._wait(table, stop)
            if stop() or not self._ask(f"SELECT 1 AS n FROM {table} WHERE {condition} LIMIT 1", values, "n"):
                return
        raise StoreError(f"The store could not delete from {table}: some rows are still there.")

    def _wait(self, table: str, stop: Callable[[], bool]) -> None:
        """Return when all removals from *table* have ended."""
        question = (
            "SELECT mutation_id, latest_fail_reason AS reason FROM system.mutations"
            " WHERE database = currentDatabase() AND table = {table:String} AND NOT is_done"
        )
        while left := self._ask(question, {"table": table}, "mutation_id", "reason"):
            reason = next((reason for _, reason in left if reason), "")
            if reason:  # it would be tried for ever
                self._database.execute(
                    "KILL MUTATION WHERE database = currentDatabase() AND table = {table:String}",
                    {"table": table},
                )
                raise StoreError(f"The store could not delete from {table}: {reason[:300]}")
            if stop():
                return
            threading.Event().wait(_LOOK_S)

    def _ask(self, question: str, values: dict[str, Any], *columns: str) -> list[tuple[Any, ...]]:
        answer = self._database.query(question, values, columns)
        return list(zip(*(answer[name].to_pylist() for name in columns), strict=True))


def _condition(deletion: Deletion) -> tuple[str, dict[str, Any]]:
    """The WHERE clause of *deletion* in fixed words, and its parameters."""
    parts, values = ["received_unix_nano <= {until:UInt64}"], {"until": deletion.until}
    found: dict[str, Any] = dict(values)
    if deletion.before:
        parts.append("received_unix_nano < {before:UInt64}")
        found["before"] = deletion.before
    if deletion.service:
        parts.append("service = {service:String}")
        found["service"] = deletion.service
    if deletion.flow:
        doomed = "(SELECT trace_id, span_id FROM doomed_spans WHERE deletion = {doomed:Int64})"
        parts.append(f"(trace_id, span_id) IN {doomed}")
        found["doomed"] = deletion.id
    return " AND ".join(parts), found


def _in_parts(trace_ids: list[bytes]) -> Iterator[str]:
    for start in range(0, len(trace_ids), _IDS_A_QUERY):
        yield ",".join(one.hex() for one in trace_ids[start : start + _IDS_A_QUERY])
