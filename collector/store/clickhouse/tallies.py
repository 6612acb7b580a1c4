"""How are flows counted by the courses that they took? The store adds up; no span is read."""

from collections.abc import Callable, Mapping, Sequence

import pyarrow as pa

from collector.model.courses import LENGTH_SQL, PACED, TALLIES
from collector.store.clickhouse.connections import Database
from collector.store.clickhouse.flow_questions import STATE

_FEW = 100

# Which flows are asked, and the values of that: *sources* of rows, each of which has a flow once.
Rows = tuple[Sequence[str], Mapping[str, object]]


def tallied(database: Database, rows: Rows, most: int) -> pa.Table:
    """TALLIES of *rows*; of each source at most *most*, those of the most flows."""
    sources, values = rows
    question = (
        f"SELECT course, {STATE}, {LENGTH_SQL} AS length, toInt64(count()) AS n FROM {{}}"
        " GROUP BY course, state, length ORDER BY n DESC LIMIT {most:UInt32}"
    )
    return _all(
        database, sources, lambda source: question.replace("{}", source), {**values, "most": most}, TALLIES
    )


def paced(database: Database, rows: Rows, share: int) -> pa.Table:
    """PACED of one in *share* of *rows*, and of all of the courses that few of them took."""
    sources, values = rows

    def question(source: str) -> str:
        rare = f"SELECT course FROM {source} GROUP BY course HAVING count() < {_FEW}"
        return (
            "SELECT course, groupArrayArray(paces) AS paces, toInt64(count()) AS n"
            f" FROM {source} AND course != ''"
            f" AND (cityHash64(id) % {{share:UInt64}} = 0 OR course IN ({rare})) GROUP BY course"
        )

    return _all(database, sources, question, {**values, "share": share}, PACED)


def _all(
    database: Database,
    sources: Sequence[str],
    question: Callable[[str], str],
    values: Mapping[str, object],
    schema: pa.Schema,
) -> pa.Table:
    found = [schema.empty_table()]
    for source in sources:
        answer = database.query(question(source), values, schema.names).select(schema.names)
        columns = [answer[field.name].cast(field.type) for field in schema]
        found.append(pa.table(columns, schema=schema))
    return pa.concat_tables(found)
