"""Spans in the store: the writer and the reader of the table `spans`."""

from collections.abc import Iterable
from importlib.resources import files

import pyarrow as pa

from collector.spans import SPANS
from collector.store.engine import Database

_COLUMNS = ", ".join(SPANS.names)
_IDS_A_QUERY = 5_000  # a query's text is kept small enough for any server's limit


class SpanStore:
    """All spans ever received, each once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        for statement in _statements():
            database.execute(statement)

    def write(self, spans: pa.Table) -> None:
        """Return once *spans*, a `SPANS` table, are durable; raise `StoreError` if they may not be.

        Idempotent: a span stored already is replaced, because exporters send a batch again when they
        miss its answer.
        """
        if spans.num_rows:
            self._database.insert("spans", spans)

    def spans_of(self, trace_ids: Iterable[bytes]) -> pa.Table:
        """Every span of these traces (16 bytes each), in no particular order.

        An unknown trace gives no spans and no error: retention may have removed it between the search
        and the click.
        """
        ids = [trace_id.hex() for trace_id in set(trace_ids)]
        asked = [ids[start : start + _IDS_A_QUERY] for start in range(0, len(ids), _IDS_A_QUERY)]
        question = (
            f"SELECT {_COLUMNS} FROM spans WHERE trace_id IN"  # noqa: S608  # our own column names
            " (SELECT toFixedString(unhex(arrayJoin(splitByChar(',', {ids:String}))), 16))"
            # Of a span that was sent again, the copy written last.
            " ORDER BY received_unix_nano DESC LIMIT 1 BY trace_id, span_id"
        )
        return _joined([self._ask(question, ids=",".join(some)) for some in asked])

    def spans_since(self, received_unix_nano: int, limit: int) -> pa.Table:
        """The first spans received after that time, in the order of their arrival.

        About *limit* of them: those received in the same instant as the last one are here too, so the
        last one's time is where to go on. A span that was sent again may be here as often as it came.
        """
        return self._ask(
            f"SELECT {_COLUMNS} FROM spans WHERE received_unix_nano > {{since:UInt64}}"  # noqa: S608
            " ORDER BY received_unix_nano LIMIT {limit:UInt64} WITH TIES",
            since=received_unix_nano,
            limit=limit,
        )

    def ids_since(self, received_unix_nano: int, limit: int) -> pa.Table:
        """The ids of at most *limit* spans received after that time, latest first, some perhaps twice."""
        return self._database.query(
            "SELECT trace_id, span_id FROM spans WHERE received_unix_nano > {since:UInt64}"
            " ORDER BY received_unix_nano DESC LIMIT {limit:UInt64}",
            {"since": received_unix_nano, "limit": limit},
        )

    def arrival_of_newest(self, limit: int, since: int) -> int:
        """When the oldest of the newest *limit* spans received after *since* came; *since* without any."""
        answer = self._database.query(
            "SELECT min(received_unix_nano) AS arrival FROM (SELECT received_unix_nano FROM spans"
            " WHERE received_unix_nano > {since:UInt64} ORDER BY received_unix_nano DESC"
            " LIMIT {limit:UInt64})",
            {"since": since, "limit": limit},
        )
        return max(int(answer["arrival"][0].as_py() or 0) - 1, since)

    def span_count(self) -> int:
        """How many distinct spans there are."""
        count: int = self._database.query("SELECT uniqExact(trace_id, span_id) AS n FROM spans")["n"][
            0
        ].as_py()
        return count

    def _ask(self, question: str, **parameters: int | str) -> pa.Table:
        return _as_spans(self._database.query(question, parameters))


def _statements() -> list[str]:
    text = files("collector.store").joinpath("schema.sql").read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("--"))
    return [statement for statement in "\n".join(lines).split(";") if statement.strip()]


def _as_spans(answer: pa.Table) -> pa.Table:
    columns = [answer[field.name].cast(field.type) for field in SPANS]
    return pa.table(columns, schema=SPANS)


def _joined(tables: list[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables) if tables else SPANS.empty_table()
