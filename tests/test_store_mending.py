"""Does a data folder open whatever is damaged in it, and is what cannot be mended one clear line?"""

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from benchmarks.torture import faults
from collector.store.care import Damage
from collector.store.clickhouse import kept_tables
from collector.store.clickhouse.connections import Database
from collector.store.clickhouse.data_folder import DataFolder
from collector.store.clickhouse.embedded import Engine
from collector.store.clickhouse.flow_store import ClickHouseFlows
from collector.store.clickhouse.mending import mend
from collector.store.clickhouse.migrations import VERSION, definition, migrate
from collector.store.clickhouse.span_store import ClickHouseSpans
from collector.store.clickhouse.store_settings import secret
from collector.store.clickhouse.table_files import definitions, is_whole
from collector.store.contracts import FolderError
from tests.test_attribute_words import AWKWARD, spans_with
from tests.test_commands import run
from tests.test_part_files import flip

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a span in it."""
    folder = tmp_path_factory.mktemp("made") / "data"
    assert faults.opened(folder, "write") == "1"
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(made, tmp_path / "data", symlinks=True))


def mended(folder: Path) -> list[Damage]:
    return mend(folder, folder / "clickhouse", definition)


def test_a_whole_folder_is_left_as_it_is(folder: Path) -> None:
    before = {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}

    assert mended(folder) == []
    assert {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_every_definition_is_restored_from_the_copy(folder: Path) -> None:
    """A flipped bit, nothing at all, half of it, or no file: the engine does not start with any."""
    place = folder / "clickhouse"
    right = definitions(place)
    assert {Path(name).name for name in right} >= {"choreoscope.sql", "spans.sql", "format_version.txt"}
    for name, text in right.items():
        for content in (text.replace("1", "0", 1).replace("A", "I", 1), "", text[: len(text) // 2], None):
            (place / name).unlink()
            if content is not None:
                (place / name).write_text(content)

            assert [(one.part, one.rows) for one in mended(folder)] == [(name, 0)]
            assert definitions(place) == right


def test_links_that_are_gone_are_restored(folder: Path) -> None:
    for link in ("metadata/choreoscope", "data/choreoscope/spans"):
        (folder / "clickhouse" / link).unlink()

        assert [one.part for one in mended(folder)] == [link]
        assert (folder / "clickhouse" / link).exists()


def test_without_a_copy_definitions_are_made_again(folder: Path) -> None:
    """A full disk left empty files in folders of earlier versions, which have no copy."""
    place = folder / "clickhouse"
    (folder / "tables.json").unlink()
    names = [name for name in definitions(place) if not name.endswith("format_version.txt")]
    for name in names:
        (place / name).write_text("")

    assert {one.part for one in mended(folder)} == set(names)
    assert all(is_whole(name, text) for name, text in definitions(place).items())
    assert faults.opened(folder) == "1"
    assert faults.opened(folder, "write") == "1"  # the same span again


def test_a_damaged_copy_is_made_again(folder: Path) -> None:
    flip(folder / "tables.json", 900)

    assert [one.part for one in mended(folder)] == ["tables.json"]
    assert faults.opened(folder) == "1"
    assert kept_tables.read(folder) is not None
    assert mended(folder) == []


def test_what_was_being_changed_is_kept_if_it_is_whole(folder: Path) -> None:
    """A kill between a change and its copy must undo nothing."""
    place, kept = folder / "clickhouse", kept_tables.read(folder)
    assert kept is not None
    files = {**kept.files}
    name = next(name for name in files if name.endswith("/flows.sql"))
    files[name] = files[name].replace("    `names` LowCardinality(String),\n", "")
    kept_tables.write(folder, kept_tables.Kept(VERSION, True, files, kept.links, kept.settings))
    new = place / Path(name).with_name("new.sql")
    new.write_text("")  # a table that was being made

    assert mended(folder) == []
    assert "`names`" in (place / name).read_text()
    assert not new.exists()


def test_the_secret_of_the_keys_outlives_its_table(database: Database) -> None:
    """With another secret, no late span would find the flow of its message."""
    found = secret(database)
    kept = {"key_secret_ids": str(found.ids), "key_secret_texts": found.texts}
    database.execute("TRUNCATE TABLE settings")

    assert secret(database, kept) == found
    assert secret(database) == found


def test_a_damaged_stamp_is_no_newer_version(folder: Path) -> None:
    (folder / "schema-version").write_text("7\n")

    home = DataFolder(folder)
    home.stamp()
    home.unlock()

    assert home.stamp_was_damaged
    assert (folder / "schema-version").read_text() == f"{VERSION}\n"


def test_a_newer_version_is_known_though_its_stamp_is_gone(folder: Path) -> None:
    kept = kept_tables.read(folder)
    assert kept is not None
    (folder / "schema-version").unlink()
    kept_tables.write(folder, kept_tables.Kept(VERSION + 1, False, kept.files, kept.links, kept.settings))

    with pytest.raises(
        FolderError, match=rf"newer version \(its schema is '{VERSION + 1}', ours {VERSION}\)"
    ):
        DataFolder(folder)


# Modes and owners


def test_nobody_else_can_read_what_is_stored(made: Path) -> None:
    modes = {path: stat.S_IMODE(path.lstat().st_mode) for path in (made, *made.rglob("*"))}

    assert {mode for path, mode in modes.items() if path.is_dir() and not path.is_symlink()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file() and not path.is_symlink()} == {0o600}


def test_a_folder_of_an_earlier_version_becomes_private(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)

    DataFolder(folder).unlock()

    test_nobody_else_can_read_what_is_stored(folder)


def test_a_folder_of_somebody_else_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4_321)

    with pytest.raises(
        FolderError, match=r"belongs to the user with the number \d+, and this one has 4321: .*chown"
    ):
        DataFolder(folder)


# What cannot be mended


def lock_is_a_folder(folder: Path) -> None:
    (folder / "lock").unlink()
    (folder / "lock").mkdir()


def lock_is_a_link(folder: Path) -> None:
    (folder / "lock").unlink()
    (folder / "lock").symlink_to(folder / "schema-version")


def place_is_a_file(folder: Path) -> None:
    shutil.rmtree(folder / "clickhouse")
    (folder / "clickhouse").write_text("")


def definition_is_a_folder(folder: Path) -> None:
    path = next((folder / "clickhouse").glob("store/*/*/spans.sql"))
    path.unlink()
    path.mkdir()


def nothing_leads_to_the_database(folder: Path) -> None:
    (folder / "tables.json").unlink()
    (folder / "clickhouse" / "metadata" / "choreoscope.sql").write_text("ATTACH")
    path = next((folder / "clickhouse").glob("data/choreoscope/*"))
    path.unlink()
    (folder / "clickhouse" / "metadata" / "choreoscope").unlink()


@pytest.mark.parametrize(
    "harm",
    [
        lock_is_a_folder,
        lock_is_a_link,
        place_is_a_file,
        definition_is_a_folder,
        nothing_leads_to_the_database,
    ],
)
def test_what_cannot_be_mended_is_one_line(folder: Path, harm: Callable[[Path], None]) -> None:
    """No traceback at start, whatever is damaged: whoever runs it must learn what to do."""
    harm(folder)
    environment = {**os.environ, "CHOREOSCOPE_DATA": str(folder), "PYTHONPATH": str(ROOT)}
    done = run("store", "check", environment=environment)

    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert len((done.stdout + done.stderr).strip().splitlines()) <= 4
    assert str(folder) in done.stdout + done.stderr or done.returncode == 1


# Every earlier schema

COLUMNS = """trace_id FixedString(16), span_id FixedString(8), parent_span_id FixedString(8),
name LowCardinality(String), kind UInt8, start_unix_nano UInt64, end_unix_nano UInt64, status_code UInt8,
status_message String, service LowCardinality(String), attribute_keys Array(LowCardinality(String)),
attribute_types Array(UInt8), attribute_values Array(String), link_trace_ids Array(FixedString(16)),
link_span_ids Array(FixedString(8)), link_attributes Array(Array(String)), events Array(String),
dropped_attributes UInt32, dropped_events UInt32, dropped_links UInt32, trace_state LowCardinality(String),
flags UInt32, resource LowCardinality(String), scope LowCardinality(String), received_unix_nano UInt64"""
DAYS = "PARTITION BY toYYYYMMDD(fromUnixTimestamp64Nano(toInt64(received_unix_nano), 'UTC'))"
DURABLE = "SETTINGS fsync_after_insert = 1, fsync_part_directory = 1"
BY_TRACE = f"ENGINE = ReplacingMergeTree {DAYS} ORDER BY (trace_id, span_id) {DURABLE}"
BY_ARRIVAL = f"ENGINE = MergeTree {DAYS} ORDER BY received_unix_nano {DURABLE}, merge_selector_base = 20"
INDEXED = ", INDEX by_trace trace_id TYPE bloom_filter(0.001) GRANULARITY 1"
FLOWS = """id String, key String, traces Array(FixedString(16)), started Int64, last Int64, received Int64,
last_event_type LowCardinality(String), last_service LowCardinality(String), outcome LowCardinality(String),
messages Int32, reactions Int32, wait_ms Float64, work_ms Float64, incomplete Bool"""
BY_ID = f"ENGINE = ReplacingMergeTree(stored_unix_nano) ORDER BY id {DURABLE}"
KEYS = f"CREATE TABLE refused_keys (key String) ENGINE = ReplacingMergeTree ORDER BY key {DURABLE}"
IDS = (
    "CREATE TABLE message_ids (id UInt64, trace_id FixedString(16)) ENGINE = ReplacingMergeTree"
    f" ORDER BY (id, trace_id) {DURABLE}"
)


def flows(*more: str) -> str:
    index = ", INDEX by_trace traces TYPE bloom_filter(0.001) GRANULARITY 1" if "index" in more else ""
    names = ", names LowCardinality(String)" if "names" in more else ""
    stuck = ", stuck_from Int64" if "stuck_from" in more else ""
    state = f", state UInt8, taught Bool{stuck}, stored_unix_nano UInt64"
    return f"CREATE TABLE flows ({FLOWS}{names}{state}{index}) {BY_ID}"


# The statements of each schema that ever was, by the first commit that had it.
EARLIER = {
    "79766b0": [f"CREATE TABLE spans ({COLUMNS}) {BY_TRACE}", flows()],
    "0046fde": [f"CREATE TABLE spans ({COLUMNS}) {BY_TRACE}, merge_selector_base = 20", flows()],
    "d9ead34": [f"CREATE TABLE spans ({COLUMNS}) {BY_TRACE}, merge_selector_base = 20", flows("index")],
    "04a4236": [f"CREATE TABLE spans ({COLUMNS}) {BY_TRACE}", flows("index", "names")],
    "171201c": [f"CREATE TABLE spans ({COLUMNS}{INDEXED}) {BY_ARRIVAL}", flows("index")],
    "63ed2a2": [f"CREATE TABLE spans ({COLUMNS}) {BY_TRACE}", flows("index"), KEYS],
    "fe15b2a": [f"CREATE TABLE spans ({COLUMNS}) {BY_TRACE}", flows("index"), KEYS, IDS],
    "f72af31": [f"CREATE TABLE spans ({COLUMNS}{INDEXED}) {BY_ARRIVAL}", flows("index", "names"), KEYS, IDS],
    "7c62076": [
        f"CREATE TABLE spans ({COLUMNS}{INDEXED}) {BY_ARRIVAL}",
        flows("index", "names", "stuck_from"),
        KEYS,
        IDS,
    ],
}


@pytest.mark.parametrize("commit", EARLIER)
def test_a_folder_of_every_earlier_schema_opens(engine: Engine, commit: str) -> None:
    """It gets what is missing, twice without harm, and old and new rows are found, with every attribute."""
    name = f"earlier_{commit}"
    database = engine.database(name)
    try:
        for statement in EARLIER[commit]:
            database.execute(statement)
        spans = ClickHouseSpans(database)
        old, new = spans_with(AWKWARD, "old"), spans_with(AWKWARD, "new")
        database.insert("spans", old)  # in the columns of all versions up to here
        database.execute("INSERT INTO flows (id, key, state, last) VALUES ('A-1', 'A-1', 0, 1)")

        for _ in range(2):
            migrate(database)

        spans.write(new)
        both = pa.concat_tables([old, new]).sort_by("span_id")
        ids = both["span_id"].to_pylist()
        # Deleting writes parts anew, and so does merging.
        gone = f"ALTER TABLE spans DELETE WHERE span_id = unhex('{ids[0].hex()}') SETTINGS mutations_sync = 2"
        for statement in ("", gone, "OPTIMIZE TABLE spans FINAL"):
            if statement:
                database.execute(statement)
            left = both.slice(1 if statement else 0)
            assert spans.span_count() == left.num_rows
            assert spans.spans_since(0, 100).sort_by("span_id").equals(left)
        assert ClickHouseFlows(database, spans).named("A-1").num_rows == 1
        assert len(secret(database).texts) == 16
    finally:
        database.close()
        engine.drop(name)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = faults.built(tmp_path_factory.mktemp("library"))
    if found is None:
        pytest.skip("needs Linux and a C compiler")
    return found


@pytest.mark.parametrize(("kind", "at"), [("full", 34), ("kill", 61), ("full", 90)])
def test_a_migration_survives_a_full_disk_and_a_kill(
    library: Path, tmp_path: Path, older: Path, kind: str, at: int
) -> None:
    """At three of its calls: `python -m benchmarks.torture.faults` tries every one."""
    one = faults.fault(library, "older", older, tmp_path, kind, at)

    assert one.is_well, one


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return faults.prepared(tmp_path_factory.mktemp("older").resolve(), "older")
