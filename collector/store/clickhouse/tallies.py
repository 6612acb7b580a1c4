"""How are flows counted by the courses that they took? The store adds up; no span is read."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa

from collector.model.courses import LENGTH_SQL, PACED, TALLIES
from collector.store.clickhouse.connections import Database

_FEW = 100


class Source(NamedTuple):
    """Where rows are that have a flow once each, in SQL: table and condition; and what their state is."""

    rows: str
    state: str


# Which flows are asked, and the values of that.
Rows = tuple[Sequence[Source], Mapping[str, object]]


def tallied(database: Database, rows: Rows, most: int) -> pa.Table:
    """TALLIES of *rows*; of each source at most *most*, those of the most flows."""
    sources, values = rows

    # By course and length at once it takes four times as long: two columns of different kinds are one key,
    # which is put together for each row. The state of settled flows is a constant, which is no key.
    def question(source: Source) -> str:
        lengths = f"sumMap([{LENGTH_SQL}], [toInt64(1)])"
        return (
            f"SELECT course, state, length, n FROM (SELECT course, {source.state} AS state, {lengths} AS each"
            f" FROM {source.rows} GROUP BY course, state)"
            " ARRAY JOIN each.1 AS length, each.2 AS n ORDER BY n DESC LIMIT {most:UInt32}"
        )

    return _all(database, sources, question, {**values, "most": most}, TALLIES)


def paced(database: Database, rows: Rows, share: int) -> pa.Table:
    """PACED, of one in *share* of *rows*, and of all of the courses that few of them took."""
    sources, values = rows

    def question(source: Source) -> str:
        rare = f"SELECT course FROM {source.rows} GROUP BY course HAVING count() < {_FEW}"
        return (
            "SELECT course, groupArrayArray(paces) AS paces, toInt64(count()) AS n"
            f" FROM {source.rows} AND course != ''"
            " AND (intHash64(bitXor(last, started)) % {share:UInt64} = 0"
            f" OR course IN ({rare})) GROUP BY course"
        )

    return _all(database, sources, question, {**values, "share": share}, PACED)


def _all(
    database: Database,
    sources: Sequence[Source],
    question: Callable[[Source], str],
    values: Mapping[str, object],
    schema: pa.Schema,
) -> pa.Table:
    found = [schema.empty_table()]
    for source in sources:
        answer = database.query(question(source), values, schema.names).select(schema.names)
        columns = [answer[field.name].cast(field.type) for field in schema]
        found.append(pa.table(columns, schema=schema))
    return pa.concat_tables(found)
