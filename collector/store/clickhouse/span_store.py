"""Spans in ClickHouse: reads and writes the table `spans`. See `contracts.SpanStore`."""

import secrets
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from collector.model.senders import SENDERS
from collector.model.spans import NO_SPANS, SPANS
from collector.store.clickhouse.span_parts import BEST, SpanParts
from collector.store.clickhouse.span_rows import COLUMNS, rows_of, spans_of_rows
from collector.store.contracts import NEVER, StoreError

_COLUMNS = ", ".join(COLUMNS)
_IDS_A_QUERY = 3_000  # 99,000 bytes as hex and commas: a server accepts 128 KiB per value


class ClickHouseSpans(SpanParts):
    """The spans in *database*, which must be migrated."""

    def write(self, spans: pa.Table) -> None:
        """Return once *spans* (SPANS) are durable."""
        if spans.num_rows:
            self._database.insert("spans", rows_of(spans))

    def spans_of(self, trace_ids: Iterable[bytes]) -> pa.Table:
        """The spans (SPANS) of these traces (16 bytes each), deduplicated, in no particular order."""
        ids = [trace_id.hex() for trace_id in set(trace_ids)]
        asked = [ids[start : start + _IDS_A_QUERY] for start in range(0, len(ids), _IDS_A_QUERY)]
        question = (
            f"SELECT {_COLUMNS} FROM spans WHERE trace_id IN"
            " (SELECT toFixedString(unhex(arrayJoin(splitByChar(',', {ids:String}))), 16))"
            f" ORDER BY {BEST} LIMIT 1 BY trace_id, span_id"
        )
        return _joined([self._ask(question, ids=",".join(some)) for some in asked])

    def spans_since(self, received_unix_nano: int, limit: int) -> pa.Table:
        """About *limit* copies of spans (SPANS) received after that time, in order of arrival."""
        return self._ask(
            f"SELECT {_COLUMNS} FROM spans WHERE received_unix_nano > {{since:UInt64}}"
            " ORDER BY received_unix_nano LIMIT {limit:UInt64} WITH TIES",
            since=received_unix_nano,
            limit=limit,
        )

    def ids_since(self, received_unix_nano: int, limit: int) -> pa.Table:
        """(trace_id, span_id) of at most *limit* copies received after that time, latest first."""
        return self._database.query(
            "SELECT trace_id, span_id FROM spans WHERE received_unix_nano > {since:UInt64}"
            " ORDER BY received_unix_nano DESC LIMIT {limit:UInt64}",
            {"since": received_unix_nano, "limit": limit},
            ["trace_id", "span_id"],
        )

    def arrival_of_newest(self, limit: int, since: int, until: int = NEVER) -> int:
        """The time to give to `spans_since` for the newest *limit* copies, going back to *since* at most."""
        answer = self._database.query(
            "SELECT min(received_unix_nano) AS arrival FROM (SELECT received_unix_nano FROM spans"
            " WHERE received_unix_nano > {since:UInt64} AND received_unix_nano <= {until:UInt64}"
            " ORDER BY received_unix_nano DESC LIMIT {limit:UInt64})",
            {"since": since, "until": until, "limit": limit},
            ["arrival"],
        )
        return max(int(answer["arrival"][0].as_py() or 0) - 1, since)

    def senders(self, since: int, limit: int) -> pa.Table:
        """SENDERS among the newest *limit* copies that were received after *since* (nanoseconds)."""
        # What ended an hour before it came was imported, or is of a clock that is wrong.
        delay = "(toInt64(received_unix_nano) - toInt64(end_unix_nano)) / 1e9"
        usual = f"{delay}, {delay} BETWEEN 0 AND 3600"
        # Minutes bound what is kept of each service, however much it sends.
        minutes = "arraySort(groupUniqArray(toInt64(intDiv(received_unix_nano, 60000000000))))"
        answer = self._database.query(
            "SELECT service, argMax(resource, received_unix_nano) AS resource,"
            " min(received_unix_nano) AS first, max(received_unix_nano) AS last,"
            f" 60 * arrayMax(arrayDifference({minutes})) AS pause_s,"
            f" quantileTDigestIf(0.5)({usual}) AS median_s,"
            f" quantileTDigestIf(0.99)({usual}) AS delay_s FROM spans"
            " WHERE received_unix_nano > {since:UInt64} GROUP BY service ORDER BY service LIMIT 10000",
            {"since": self.arrival_of_newest(limit, since)},
            SENDERS.names,
        )
        return pa.table([answer[field.name].cast(field.type) for field in SENDERS], schema=SENDERS)

    def prove(self) -> None:
        """Store a span of our own, find it again, and remove it; in a table beside the spans of others."""
        trace = secrets.token_bytes(16)
        try:
            self._database.insert("proofs", rows_of(_proof(trace)))
            found = self._ask(
                f"SELECT {_COLUMNS} FROM proofs WHERE trace_id = unhex({{id:String}})", id=trace.hex()
            )
            if found.num_rows != 1:
                raise StoreError("it was stored, and cannot be found.")
        finally:
            self._database.execute("TRUNCATE TABLE proofs")

    def span_count(self) -> int:
        """How many distinct spans there are."""
        answer = self._database.query("SELECT uniqExact(trace_id, span_id) AS n FROM spans", columns=["n"])
        return int(answer["n"][0].as_py())

    def _ask(self, question: str, **parameters: int | str) -> pa.Table:
        return spans_of_rows(self._database.query(question, parameters, COLUMNS))


def _proof(trace_id: bytes) -> pa.Table:
    """A span without any content."""
    nothing: dict[str, Any] = {"trace_id": trace_id, "span_id": bytes(8), "parent_span_id": bytes(8)}
    for field in SPANS:
        if pa.types.is_list(field.type):
            nothing[field.name] = []
        elif pa.types.is_integer(field.type):
            nothing[field.name] = 0
    row = {field.name: nothing.get(field.name, "") for field in SPANS}
    return pa.Table.from_pylist([row], schema=SPANS)


def _joined(tables: list[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables) if tables else NO_SPANS
