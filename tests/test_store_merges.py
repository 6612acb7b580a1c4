"""What becomes of merges during which a write failed, of which the engine says nothing?"""

import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from collector.store.clickhouse import landed, merge_watch
from collector.store.clickhouse.connections import Database
from collector.store.clickhouse.embedded import DATABASE, Engine
from collector.store.clickhouse.embedded_care import EmbeddedCare
from collector.store.clickhouse.migrations import migrate
from collector.store.clickhouse.part_files import part_name
from collector.store.clickhouse.span_store import ClickHouseSpans
from collector.store.contracts import StoreError
from tests.conftest import Engines, new_database
from tests.factories import request, span, table

PARTS = 4


class Store:
    """A table of spans with a merged part, and what looks after it."""

    def __init__(self, engine: Engine, database: Database) -> None:
        assert engine.place is not None
        name = str(database.query("SELECT currentDatabase() AS name")["name"][0])
        self.database, self.folder = database, engine.place / "data" / name / "spans"
        self.care = EmbeddedCare(engine, self.folder, name)
        self.spans = ClickHouseSpans(database)
        for number in range(PARTS):
            self.spans.write(table(request(span(id=f"s{number}"))))
        merge_watch.keep_sources(database, lambda: None)
        # However slow the machine is, they are there as long as a test takes.
        database.execute("ALTER TABLE spans MODIFY SETTING old_parts_lifetime = 600")
        database.execute("OPTIMIZE TABLE spans FINAL")

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if part_name(path.name))

    @property
    def merged(self) -> Path:
        (found,) = [path for path in self.folder.iterdir() if (n := part_name(path.name)) and n.level == 1]
        return found

    def aside(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "detached").iterdir())


@pytest.fixture
def store(engines: Engines) -> Iterator[Store]:
    with new_database(engines.on_folder(), own=True) as database:
        yield Store(engines.on_folder(), database)


def test_sources_of_a_merge_stay_for_a_while(store: Store) -> None:
    assert len(store.names()) == PARTS + 1
    assert store.care.undo_broken_merges() == []
    assert store.aside() == []


@pytest.mark.parametrize(
    "file",
    [
        "data.bin",
        "data.cmrk4",
        "columns.txt",
        "serialization.json",
        "primary.cidx",
        "count.txt",
        "checksums.txt",
    ],
)
@pytest.mark.parametrize("left", [0.0, 0.5])
def test_short_part_is_replaced_by_what_it_was_made_of(store: Store, file: str, left: float) -> None:
    """Each of these files was short after a write error during a merge, and all its spans were lost."""
    path = store.merged / file
    if not path.exists():
        pytest.skip(f"parts have no {file} here")
    os.truncate(path, int(path.stat().st_size * left))

    (undone,) = store.care.undo_broken_merges()

    assert (undone.table, undone.rows, undone.is_covered) == ("spans", PARTS, True)
    assert store.spans.span_count() == PARTS
    assert store.spans.spans_since(0, 10).num_rows == PARTS
    assert store.care.undo_broken_merges() == []
    assert store.aside() == []
    assert store.care.check(full=True) == []


def test_start_soon_after_it_finds_each_span_once(engines: Engines, tmp_path: Path) -> None:
    """What was undone is still on the disk, and must neither be taken for lost nor be used again."""
    folder = tmp_path / "data"
    engines.close()  # a process can have only one
    engine = Engine(folder, memory_limit=512 * 1024 * 1024)
    try:
        database = engine.database(DATABASE)
        migrate(database)
        store = Store(engine, database)
        os.truncate(store.merged / "data.bin", 0)
        assert len(store.care.undo_broken_merges()) == 1
        database.close()
    finally:
        engine.close()
    engine = Engine(folder, memory_limit=512 * 1024 * 1024)
    try:
        database = engine.database(DATABASE)
        assert engine.damages == []
        assert database.query("SELECT count() AS n FROM spans")["n"][0].as_py() == PARTS
        database.close()
    finally:
        engine.close()


def test_missing_source_is_said(store: Store) -> None:
    """Then some of the merged part's spans are nowhere else."""
    source = next(name for name in store.names() if name != store.merged.name)
    os.truncate(store.folder / source / "data.bin", 0)
    os.truncate(store.merged / "data.bin", 0)

    (undone,) = store.care.undo_broken_merges()

    assert not undone.is_covered
    assert store.spans.span_count() == PARTS - 1
    assert [one.part for one in store.care.check(full=False)] == store.aside()


def test_what_fails_is_tried_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk that was too full for the merge may be too full for the mending, at any step."""
    os.truncate(store.merged / "data.bin", 0)
    execute, steps = Database.execute, iter(range(100))
    failing = {0, 2, 3}  # dropping once, attaching twice

    def maybe(self: Database, statement: str) -> None:
        if next(steps) in failing:
            raise StoreError("No space left on device")
        execute(self, statement)

    with monkeypatch.context() as patched:
        patched.setattr(Database, "execute", maybe)
        for left in (0, 2):
            with pytest.raises(StoreError):
                store.care.undo_broken_merges()
            aside = sorted(one.part for one in store.care.check(full=False))
            assert len(aside) == left
            assert aside == store.aside(), "what cannot be read now is said"
        (undone,) = store.care.undo_broken_merges()

    assert undone.is_covered
    assert store.care.check(full=False) == []
    assert store.spans.span_count() == PARTS
    assert store.database.query("SELECT count() AS n FROM spans")["n"][0].as_py() == PARTS
    assert store.aside() == []


def test_linking_that_fails_is_tried_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    os.truncate(store.merged / "data.bin", 0)
    with monkeypatch.context() as patched:
        patched.setattr(os, "link", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "full")))
        with pytest.raises(StoreError, match="could not be undone"):
            store.care.undo_broken_merges()

    store.care.undo_broken_merges()

    assert store.spans.span_count() == PARTS


def test_rows_that_were_changed_do_not_come_back(store: Store) -> None:
    """What people had deleted is in the parts before: these stay away."""
    store.database.execute("ALTER TABLE spans DELETE WHERE name = 'nothing' SETTINGS mutations_sync = 2")
    (changed,) = [name for name in store.names() if (n := part_name(name)) and n.mutation]
    os.truncate(store.folder / changed / "data.bin", 0)

    (undone,) = store.care.undo_broken_merges()

    assert not undone.is_covered
    assert store.aside() == [changed]


def test_what_is_newer_than_a_deletion_comes_back(store: Store) -> None:
    """After one deletion, every later merge of that day has its number."""
    store.database.execute("ALTER TABLE spans DELETE WHERE name = 'nothing' SETTINGS mutations_sync = 2")
    for number in range(3):
        store.spans.write(table(request(span(id=f"new{number}"))))
    store.database.execute("OPTIMIZE TABLE spans FINAL")
    merged = max(store.names(), key=lambda name: part_name(name).last - part_name(name).first)  # type: ignore[union-attr]
    os.truncate(store.folder / merged / "data.bin", 0)

    (undone,) = store.care.undo_broken_merges()

    assert undone.is_covered
    assert store.spans.span_count() == PARTS + 3


def test_deletion_under_way_is_not_escaped(store: Store) -> None:
    """A part that comes back has a new number, which the deletion does not concern."""
    store.database.execute("SYSTEM STOP MERGES spans")
    store.database.execute("ALTER TABLE spans DELETE WHERE 1 SETTINGS mutations_sync = 0")
    os.truncate(store.merged / "data.bin", 0)

    (undone,) = store.care.undo_broken_merges()
    store.database.execute("SYSTEM START MERGES spans")

    assert not undone.is_covered
    assert store.spans.span_count() == 0
    assert [one.part for one in store.care.check(full=False)] == store.aside()


def test_part_that_went_in_spite_of_an_error_is_replaced(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine may say that dropping failed, and have done it; or retention drops the day meanwhile."""
    os.truncate(store.merged / "data.bin", 0)
    execute = Database.execute

    def and_fail(self: Database, statement: str) -> None:
        execute(self, statement)
        if "DROP PART" in statement:
            raise StoreError("Cannot fsync")

    with monkeypatch.context() as patched:
        patched.setattr(Database, "execute", and_fail)
        (undone,) = store.care.undo_broken_merges()

    assert undone.is_covered
    assert store.spans.span_count() == PARTS


def test_short_insert_where_rows_replace_others_is_refused(store: Store) -> None:
    """The engine merges such an insert within itself: it has a level, as if it were a merge."""
    folder = store.folder.parent / "settings"
    before = landed.parts(folder)
    store.database.insert("settings", pa.table({"name": ["a"], "value": ["b"], "stored_unix_nano": [1]}))
    (part,) = landed.parts(folder) - before
    os.truncate(folder / part / "data.bin", 0)

    with pytest.raises(landed.ShortError):
        landed.require_landed(folder, before)


def test_tables_of_older_versions_keep_sources_too(store: Store) -> None:
    asked: list[None] = []
    store.database.execute("ALTER TABLE flows RESET SETTING old_parts_lifetime")

    merge_watch.keep_sources(store.database, lambda: asked.append(None))
    merge_watch.keep_sources(store.database, lambda: asked.append(None))

    made = "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
    answer = store.database.query(f"{made} AND create_table_query NOT LIKE '%old_parts_lifetime = 20%'")
    assert answer["name"].to_pylist() == ["spans"], "which has a time of its own here"
    assert len(asked) == 1
