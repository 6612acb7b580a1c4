"""Which flows have a row already? Asked for every row that is written, so hardly ever of the store."""

import threading

import pyarrow as pa

from collector.columns.keys import text_keys
from collector.columns.maybe import MaybeSet
from collector.store.clickhouse.connections import Database
from collector.store.clickhouse.flow_questions import LISTED, in_parts

_AT_ONCE = 1_000_000  # ids


class StoredIds:
    """The ids of the flows in *database*. Its methods raise `StoreError` if the store does.

    Whoever writes rows says so here before, so that a row whose insert failed, and which may be there, is
    looked for as well. Nobody else may write them meanwhile.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: MaybeSet | None = None  # None until the first write
        self._lock = threading.Lock()

    def among(self, ids: pa.ChunkedArray) -> dict[str, bool]:
        """Those of *ids* that have a row, and whether one of their rows is settled."""
        with self._lock:
            maybe = self._all().among(text_keys(ids))
        asked = ids.filter(pa.array(maybe)).to_pylist()
        question = (
            f"SELECT id, max(settled) AS was FROM flows WHERE id IN {LISTED.format('String')} GROUP BY id"
        )
        answer = in_parts(self._database, ["id", "was"], question, asked)
        if answer is None:
            return {}
        return dict(zip(answer["id"].to_pylist(), map(bool, answer["was"].to_pylist()), strict=True))

    def add(self, ids: pa.ChunkedArray) -> None:
        """Rows of *ids* are about to be written."""
        with self._lock:
            self._all().add(text_keys(ids))

    def _all(self) -> MaybeSet:
        if self._known is None:
            known, place, name = MaybeSet(), -(2**63), ""
            while (some := self._read(place, name)).num_rows:
                known.add(text_keys(some["id"]))
                place, name = some["place"][-1].as_py(), some["id"][-1].as_py()
            self._known = known
        return self._known

    def _read(self, place: int, name: str) -> pa.Table:
        return self._database.query(
            "SELECT DISTINCT place, id FROM flows WHERE place >= {place:Int64}"
            " AND (place > {place:Int64} OR id > {id:String}) ORDER BY place, id LIMIT {most:UInt32}",
            {"place": place, "id": name, "most": _AT_ONCE},
            ["place", "id"],
        )
