"""What is kept in ClickHouse, and what removes it. See `contracts.RetentionStore`."""

import os
from pathlib import Path

import numpy as np

from collector.store.clickhouse import store_settings
from collector.store.clickhouse.connections import Database
from collector.store.contracts import StoreError
from collector.store.removal import Day, Room

# Of what was stored before message ids had a time, those whose spans are gone.
_LEADS_NOWHERE = (
    "trace_id NOT IN (SELECT trace_id FROM spans"
    " WHERE trace_id IN (SELECT trace_id FROM message_ids WHERE stored_unix_nano = 0))"
)


class ClickHouseRetention:
    """Retention in *database*, which must be migrated; its files are in *folder*, or on a server (None)."""

    def __init__(self, database: Database, folder: Path | None) -> None:
        self._database = database
        self._folder = folder

    def allow_merges(self, allowed: bool) -> None:
        """Let what is stored be merged in the background, or stop that."""
        if self._folder is not None:
            self._database.execute(f"SYSTEM {'START' if allowed else 'STOP'} MERGES")

    def days(self) -> list[Day]:
        """The days that have spans, oldest first."""
        answer = self._database.query(
            "SELECT partition_id AS day, sum(rows) AS spans, sum(bytes_on_disk) AS bytes FROM system.parts"
            " WHERE database = currentDatabase() AND table = 'spans' AND active AND rows > 0"
            " GROUP BY day ORDER BY day",
            columns=["day", "spans", "bytes"],
        )
        return [Day(_number(row["day"]), row["spans"], row["bytes"]) for row in answer.to_pylist()]

    def size(self) -> int:
        """The bytes on the disk of all that is stored."""
        return self._number(
            "SELECT sum(bytes_on_disk) AS n FROM system.parts WHERE database = currentDatabase() AND active"
        )

    def room(self) -> Room:
        """The disk that is written to."""
        if self._folder is None:
            answer = self._database.query(
                "SELECT free_space AS free, total_space AS total FROM system.disks"
                " ORDER BY name IN (SELECT disk_name FROM system.parts WHERE database = currentDatabase()"
                " AND active) DESC, name = 'default' DESC, free_space LIMIT 1",
                columns=["free", "total"],
            )
            return Room(*(int(answer[name][0].as_py()) for name in ("free", "total")))
        try:
            disk = os.statvfs(self._folder)
        except OSError as error:
            raise StoreError(f"The disk of {self._folder} cannot be looked at: {error.strerror}") from error
        return Room(disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize)

    def oldest(self) -> int:
        """When the oldest span that is kept was received, nanoseconds; 0 if there is none."""
        answer = self._database.query(
            "SELECT received_unix_nano AS n FROM spans ORDER BY received_unix_nano LIMIT 1", columns=["n"]
        )
        return int(answer["n"][0].as_py()) if answer.num_rows else 0

    def drop_day(self, number: int) -> None:
        """Remove all spans of this day."""
        # Its parts go one by one: if the process is killed meanwhile, the next one has to know.
        store_settings.write_half_dropped(self._database, number)
        # A server refuses to drop more than 50 GB unless it is told that this is meant.
        self._database.execute(
            f"ALTER TABLE spans DROP PARTITION ID '{_partition(number)}'"
            " SETTINGS max_partition_size_to_drop = 0"
        )
        store_settings.write_half_dropped(self._database, None)

    def half_dropped(self) -> int | None:
        """The day whose drop was interrupted, also in a process before; None if there is none."""
        return store_settings.half_dropped(self._database)

    def forget_ids(self, before: int) -> None:
        """Remove message ids that were stored before then, when the oldest day that is kept began."""
        self._delete("message_ids", before, _LEADS_NOWHERE)

    def oldest_flow(self) -> int:
        """When the oldest row of a flow was stored, nanoseconds; 0 if there is none."""
        return self._number("SELECT min(stored_unix_nano) AS n FROM flows")

    def forget_flows(self, before: int) -> None:
        """Remove the rows of flows that were stored before then, for the last time, nanoseconds.

        By the time of storing, which rises with every row: where the last row of a flow says that it is part
        of another, no earlier row of it may stay.
        """
        self._delete("flows", before)

    def _delete(self, table: str, before: int, undated: str = "1") -> None:
        """Delete the rows of *table* that were stored before then; those without a date if *undated* holds.

        What is under way already is left to go on: the engine tries again by itself.
        """
        old = f"stored_unix_nano < {int(before):d}"
        going = (
            "SELECT count() AS n FROM system.mutations"
            f" WHERE database = currentDatabase() AND table = '{table}' AND NOT is_done"
        )
        if not self._number(f"SELECT count() AS n FROM {table} WHERE {old}") or self._number(going):
            return
        condition = f"{old} AND (stored_unix_nano > 0 OR {undated})"
        self._database.execute(f"ALTER TABLE {table} DELETE WHERE {condition} SETTINGS mutations_sync = 2")

    def _number(self, question: str) -> int:
        return int(self._database.query(question, columns=["n"])["n"][0].as_py() or 0)


def _number(partition: str) -> int:
    """The day of a partition such as 20261116."""
    day = np.datetime64(f"{partition[:4]}-{partition[4:6]}-{partition[6:]}", "D")
    return int(day.astype(np.int64))


def _partition(number: int) -> str:
    return str(np.datetime64(number, "D")).replace("-", "")
