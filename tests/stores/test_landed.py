"""Is what an insert reported as done really on the disk? The engine says yes even if a write failed."""

from pathlib import Path

import pytest

from collector.store.clickhouse import landed
from collector.store.clickhouse.connections import Database
from collector.store.clickhouse.embedded import Engine
from collector.store.clickhouse.span_store import ClickHouseSpans
from collector.store.contracts import StoreError
from tests.factories import request, span, table, trace_id


def folder_of(engine: Engine, database: Database) -> Path:
    assert engine.place is not None
    (name,) = database.query("SELECT currentDatabase() AS name", columns=["name"])["name"].to_pylist()
    return engine.place / "data" / str(name) / "spans"


def files_of_a_part(engine: Engine, database: Database) -> tuple[Path, list[str]]:
    ClickHouseSpans(database).write(table(request(span())))
    files = folder_of(engine, database)
    (part,) = landed.parts(files)
    landed.require_landed(files, frozenset())
    return files, sorted(path.name for path in (files / part).iterdir())


def test_each_file_that_is_short_is_noticed(engine: Engine, database: Database) -> None:
    files, names = files_of_a_part(engine, database)
    (part,) = landed.parts(files)
    assert len(names) > 8
    for name in names:
        path = files / part / name
        whole = path.read_bytes()
        path.write_bytes(b"")

        with pytest.raises(landed.ShortError) as short:
            landed.require_landed(files, frozenset())
        assert short.value.part == part
        path.write_bytes(whole)
    landed.require_landed(files, frozenset())


def test_a_part_that_is_short_is_dropped_and_the_insert_fails(
    engine: Engine, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the sender was told that its spans are kept, and no query could read the table any more."""
    spans = ClickHouseSpans(database)
    spans.write(table(request(span(trace="before"))))
    sound = landed.require_landed

    def cut(files: Path, before: frozenset[str]) -> None:
        for name in landed.parts(files) - before:
            (files / name / "data.bin").write_bytes(b"")
        sound(files, before)

    monkeypatch.setattr(landed, "require_landed", cut)
    with pytest.raises(StoreError, match="the disk is full or broken"):
        spans.write(table(request(span(trace="lost"))))
    monkeypatch.undo()
    spans.write(table(request(span(trace="after"))))

    found = spans.spans_of([trace_id(name) for name in ("before", "lost", "after")])
    assert found.num_rows == 2
