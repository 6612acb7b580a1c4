"""What brokers reported, in ClickHouse. See `reported.FactStore`."""

import pyarrow as pa

from collector.model.facts import FACTS
from collector.store.clickhouse.connections import Database


class ClickHouseFacts:
    """The facts in *database*, which must be migrated."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, facts: pa.Table) -> None:
        """Return once *facts* are durable."""
        if facts.num_rows:
            self._database.insert("facts", facts)

    def between(self, since: int, until: int, limit: int) -> pa.Table:
        """FACTS of that time, oldest first."""
        answer = self._database.query(
            f"SELECT {', '.join(FACTS.names)} FROM facts FINAL WHERE at >= {since:d} AND at < {until:d}"
            f" ORDER BY at, broker, kind, stream, consumer, sequence, connection LIMIT {limit:d}",
            columns=FACTS.names,
        )
        return pa.table([answer[field.name].cast(field.type) for field in FACTS], schema=FACTS)

    def forget(self, before: int) -> None:
        """Remove what was reported before then."""
        answer = self._database.query(f"SELECT count() AS n FROM facts WHERE at < {before:d}", columns=["n"])
        if answer["n"][0].as_py():
            self._database.execute(
                f"ALTER TABLE facts DELETE WHERE at < {before:d} SETTINGS mutations_sync = 1"
            )
