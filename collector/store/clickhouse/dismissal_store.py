"""What people said about flows that had stopped, in ClickHouse. See `contracts.DismissalStore`."""

import threading
from collections.abc import Sequence

import pyarrow as pa

from collector.columns.joins import Ints
from collector.model.dismissals import STANDING, Dismissal
from collector.store.clickhouse.connections import Database

# A word counts once its row is there; of the words on a flow, the newest.
_STANDING = (
    "(SELECT flow, argMax(until, at_unix_nano) AS until, max(at_unix_nano) AS at FROM dismissed_flows"
    " WHERE at_unix_nano IN (SELECT at_unix_nano FROM dismissals) GROUP BY flow)"
)
# Which rows of `flows` are dismissed: as a condition for a question to that table, which never waits for more
# than the flows that were ever dismissed. Only what stopped can be.
DISMISSED = (
    "(state IN (3, 4) AND (id, received) IN (SELECT f.id, f.received FROM"
    " (SELECT id, received FROM flows WHERE id IN (SELECT flow FROM dismissed_flows)) AS f"
    f" INNER JOIN {_STANDING} AS d ON f.id = d.flow WHERE f.received <= d.until))"
)


class ClickHouseDismissals:
    """The dismissals in *database*, which must be migrated."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._write_lock = threading.Lock()

    def write(self, said: Dismissal, flows: Sequence[str], until: Ints) -> None:
        """Return once *said* is durable, with the flows that it is about."""
        rows = {
            "flow": pa.array(flows, pa.string()),
            "until": pa.array(until, pa.int64()),
            "at_unix_nano": pa.array([said.at] * len(flows), pa.int64()),
        }
        word = {
            "at_unix_nano": pa.array([said.at], pa.int64()),
            **{name: [getattr(said, name)] for name in ("word", "incident", "author", "reason")},
        }
        with self._write_lock:
            self._database.insert("dismissed_flows", pa.table(rows))
            self._database.insert("dismissals", pa.table(word))

    def said(self) -> list[Dismissal]:
        """All words, oldest first."""
        columns = ["at_unix_nano", "word", "incident", "author", "reason"]
        answer = self._database.query(
            f"SELECT {', '.join(columns)} FROM dismissals ORDER BY at_unix_nano", columns=columns
        )
        return [Dismissal(*row.values()) for row in answer.select(columns).to_pylist()]

    def standing(self) -> pa.Table:
        """STANDING: the newest word on each flow."""
        answer = self._database.query(f"SELECT flow, until, at FROM {_STANDING}", columns=STANDING.names)
        return pa.table([answer[field.name].cast(field.type) for field in STANDING], schema=STANDING)

    def count(self) -> int:
        """How many words on flows are stored."""
        answer = self._database.query("SELECT count() AS n FROM dismissed_flows", columns=["n"])
        return int(answer["n"][0].as_py())

    def forget_gone(self, before: int) -> None:
        """Remove the words said before that time on flows that are stored no more."""
        self._remove(
            "dismissed_flows",
            f"at_unix_nano < {before:d} AND flow NOT IN (SELECT id FROM flows WHERE state != 255)",
        )
        self._remove(
            "dismissals",
            f"at_unix_nano < {before:d} AND at_unix_nano NOT IN (SELECT at_unix_nano FROM dismissed_flows)",
        )

    def _remove(self, table: str, condition: str) -> None:
        self._database.execute(f"ALTER TABLE {table} DELETE WHERE {condition} SETTINGS mutations_sync = 1")
