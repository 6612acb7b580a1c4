"""The embedded store keeps its promises, and its folder."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from collector.store import Database, Engine, FolderError, SpanStore, StoreError
from collector.store.flows import FlowStore
from tests.factories import NOW, refs, request, span, table, trace_id
from tests.store_contract import StoreContract


@pytest.fixture
def store(database: Database) -> SpanStore:
    return SpanStore(database)


class TestSpanStore(StoreContract):
    """In ClickHouse, embedded."""

    @pytest.fixture
    def store(self, database: Database) -> SpanStore:
        return SpanStore(database)


def test_readers_and_the_writer_do_not_disturb_each_other(store: SpanStore) -> None:
    """The API asks from several threads while the intake stores."""

    def write(group: int) -> int:
        store.write(
            table(request(*(span(f"{n}", trace=f"t{group}") for n in range(20))), received=NOW + group)
        )
        return len(refs(store.spans_of([trace_id(f"t{group}")])))

    with ThreadPoolExecutor(8) as threads:
        counts = list(threads.map(write, range(40)))

    assert counts == [20] * 40
    assert store.span_count() == 800


def test_values_in_queries_are_data(database: Database) -> None:
    nasty = "'; DROP TABLE spans; --\\ {x:String}"

    answer = database.query("SELECT {it:String} AS it", {"it": nasty})

    assert answer["it"].to_pylist() == [nasty]


@pytest.mark.parametrize(
    "fails",
    [
        lambda d: d.query("SELECT nobody"),
        lambda d: d.execute("DROP TABLE nobody"),
        lambda d: d.insert("nobody", table(request(span()))),
    ],
)
def test_what_the_engine_refuses_is_a_store_error_of_one_line(database: Database, fails: object) -> None:
    assert callable(fails)
    with pytest.raises(StoreError, match=r"^The store could not .*: Code: \d+") as caught:
        fails(database)
    assert "\n" not in str(caught.value)


def test_a_folder_in_use_is_refused_untouched(engine: Engine) -> None:
    before = _contents(engine.folder)

    with pytest.raises(FolderError, match=r"in use by another collector: .* CHOREOSCOPE_DATA"):
        Engine(engine.folder, 2**29)

    assert _contents(engine.folder).keys() >= before.keys()


def test_a_folder_of_a_newer_version_is_refused_untouched(tmp_path: Path) -> None:
    """An older program would read half of it wrongly, and write what the newer one no longer expects."""
    for stamp in ("2\n", "a later idea\n"):
        (tmp_path / "schema-version").write_text(stamp)

        with pytest.raises(FolderError, match=r"newer version .* CHOREOSCOPE_DATA"):
            Engine(tmp_path, 2**29)

        assert [path.name for path in tmp_path.iterdir()] == ["schema-version"]
        assert (tmp_path / "schema-version").read_text() == stamp


def test_a_folder_that_can_not_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(FolderError, match=r"can not be used: Not a directory.*CHOREOSCOPE_DATA"):
        Engine(tmp_path / "file" / "data", 2**29)


def test_a_folder_from_before_a_column_gets_it(database: Database) -> None:
    """A new version opens the data of an old one; what it could not know then is empty."""
    SpanStore(database)
    database.execute("ALTER TABLE flows DROP COLUMN names")
    database.execute("INSERT INTO flows (id, key, state) VALUES ('A-1', 'A-1', 0)")

    found = FlowStore(database, SpanStore(database)).named("A-1").to_pylist()

    assert [(row["id"], row["names"]) for row in found] == [("A-1", None)]


def test_what_was_stored_is_there_after_a_restart(tmp_path: Path) -> None:
    """In processes of their own: this one has its engine already."""
    script = """
import sys
from pathlib import Path
from collector.store import Engine, SpanStore
from tests.factories import request, span, table
engine = Engine(Path(sys.argv[1]), 2**29)
database = engine.database("choreoscope")
store = SpanStore(database)
store.write(table(request(span(id=sys.argv[2]))))
print(store.span_count())
database.close()
engine.close()
"""
    counts = [
        subprocess.run(
            [sys.executable, "-c", script, str(tmp_path), name], check=True, capture_output=True, text=True
        ).stdout
        for name in ("a", "b")
    ]

    assert counts == ["1\n", "2\n"]


def _contents(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_size for path in folder.iterdir() if path.is_file()}
