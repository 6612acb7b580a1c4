"""What people said about what is expected, in ClickHouse. See `contracts.DecisionStore`."""

import threading
import time
from dataclasses import fields

import pyarrow as pa

from collector.model.decisions import Decision
from collector.store.clickhouse.connections import Database

_COLUMNS = {"at_unix_nano": "at"} | {one.name: one.name for one in fields(Decision) if one.name != "at"}


class ClickHouseDecisions:
    """The decisions in *database*, which must be migrated."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._write_lock = threading.Lock()

    def write(self, decision: Decision) -> None:
        """Return once *decision* is durable, beside all earlier ones."""
        with self._write_lock:
            question = "SELECT max(stored_unix_nano) AS newest FROM decisions"
            newest = self._database.query(question, columns=["newest"])["newest"][0].as_py()
            # Later than every row so far, even if the clock was set back.
            stored = max(time.time_ns(), int(newest or 0) + 1)
            row = {column: [getattr(decision, name)] for column, name in _COLUMNS.items()}
            row["stored_unix_nano"] = pa.array([stored], pa.uint64())
            self._database.insert("decisions", pa.table(row))

    def all(self) -> list[Decision]:
        """All decisions, oldest first."""
        answer = self._database.query(
            f"SELECT {', '.join(_COLUMNS)} FROM decisions ORDER BY at_unix_nano, stored_unix_nano",
            columns=list(_COLUMNS),
        )
        rows = answer.select(list(_COLUMNS)).rename_columns(list(_COLUMNS.values())).to_pylist()
        return [Decision(**row) for row in rows]
