"""Does the embedded store keep the promises of every store, and does it protect its folder?"""

import os
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest

from collector.columns.keys import PUBLIC, text_keys
from collector.model.flows import State
from collector.store.clickhouse import store_settings
from collector.store.clickhouse.connections import READERS, Database
from collector.store.clickhouse.decision_store import ClickHouseDecisions
from collector.store.clickhouse.embedded import Engine
from collector.store.clickhouse.flow_store import ClickHouseFlows
from collector.store.clickhouse.migrations import VERSION, migrate
from collector.store.clickhouse.span_store import ClickHouseSpans
from collector.store.clickhouse.store_settings import secret
from collector.store.contracts import FolderError, Search, StoreError
from tests.conftest import new_database, new_stores
from tests.factories import NOW, SECOND, request, span, table, trace_id
from tests.reopening import OLDER, in_a_process, killed_after_a_decision
from tests.stores.contract import (
    FlowStoreContract,
    Opened,
    SpanStoreContract,
    flows,
    names,
    put,
)
from tests.stores.decision_contract import DecisionStoreContract
from tests.stores.deletion_contract import DeletionStoreContract
from tests.stores.dismissal_contract import DismissalStoreContract
from tests.stores.fact_contract import FactStoreContract


@pytest.fixture
def opened(engine: Engine) -> Iterator[Opened]:
    with new_stores(engine) as opened:
        yield opened


class TestSpanStore(SpanStoreContract):
    """Embedded, on a folder."""


class TestFlowStore(FlowStoreContract):
    """Embedded, on a folder."""


class TestDecisionStore(DecisionStoreContract):
    """Embedded, on a folder."""


class TestFactStore(FactStoreContract):
    """Embedded, on a folder."""


class TestDismissalStore(DismissalStoreContract):
    """Embedded, on a folder."""


class TestDeletionStore(DeletionStoreContract):
    """Embedded, on a folder."""


def test_a_slow_question_holds_up_no_other(database: Database) -> None:
    """A page that counts for seconds must block neither another page nor a write."""
    asking = [threading.Thread(target=database.query, args=["SELECT sleep(2)"]) for _ in range(READERS - 1)]
    for one in asking:
        one.start()
    for number in range(5):
        assert database.query("SELECT 1 AS n")["n"].to_pylist() == [1]
        database.insert("refused_keys", pa.table({"key": [str(number)]}))
    still = [one.is_alive() for one in asking]
    for one in asking:
        one.join()

    assert all(still)


def test_a_flow_that_finishes_is_done_though_the_clock_was_set_back(database: Database) -> None:
    """By the wall clock its new row would be older than the stuck one, and would lose to it for good."""
    spans = ClickHouseSpans(database)
    for state, now in ((State.STUCK, NOW), (State.DONE, NOW - 60 * SECOND)):
        store = ClickHouseFlows(database, spans, clock=lambda now=now: now)  # type: ignore[misc]
        put(store, flows("A-1"), state)

        assert store.counts(Search()) == {state: 1}


def test_what_was_put_since_can_be_left_out_though_the_clock_was_set_back(database: Database) -> None:
    """By the order in which rows were written: nothing that stopped before may be left out."""
    now = NOW
    store = ClickHouseFlows(database, ClickHouseSpans(database), clock=lambda: now)
    marks = [store.newest_version()]
    for key in ("A-1", "A-2"):
        put(store, flows(key), State.STUCK)
        marks.append(store.newest_version())
        now -= 3600 * SECOND

    for by, stuck in zip([*marks, None], (0, 1, 2, 2), strict=True):
        assert sum(store.counts(Search(stored_by=by)).values()) == stuck


def test_a_row_that_is_not_there_yet_is_not_the_newest(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that is read meanwhile would take the row before it for superseded, and skip the flow."""
    store = ClickHouseFlows(database, ClickHouseSpans(database))
    during: list[int | None] = []
    monkeypatch.setattr(database, "insert", lambda *_: during.append(store.newest_version()))
    put(store, flows("A-1"))
    assert during == [0]
    assert (store.newest_version() or 0) > 0


@pytest.mark.parametrize("superseded", [2, 300])
def test_a_list_shows_each_flow_as_it_is_now(database: Database, superseded: int) -> None:
    """Rows that are superseded and not merged away yet come first in it: "stuck" is before "done"."""
    store = ClickHouseFlows(database, ClickHouseSpans(database))
    keys = [f"A-{number:03d}" for number in range(superseded)]
    put(store, flows(*keys), State.STUCK)
    put(store, flows(*keys), State.DONE)
    put(store, flows("B-1", "B-2"), State.STUCK)
    put(store, flows("B-1"), State.FAILED)
    store.forget(["A-000"])

    listed = store.found(Search(), 3)
    assert names(listed) == ["B-2", "B-1", f"A-{superseded - 1:03d}"]
    assert listed["state"].to_pylist() == [State.STUCK, State.FAILED, State.DONE]
    assert names(store.found(Search(states=(State.STUCK,)), 3)) == ["B-2"]
    assert store.stopped(Search(), NOW) == {(State.STUCK, False, True): 1, (State.FAILED, False, True): 1}
    assert store.stopped(Search(without=["B-1"]), NOW + 1) == {(State.STUCK, False, False): 1}


def test_a_newer_schema_is_known_though_the_clock_was_set_back(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older program would write into a folder that it does not understand."""
    ahead = store_settings.schema_version(database) + 1
    for version, now in ((ahead, NOW), (ahead + 1, NOW - 3600 * SECOND)):
        monkeypatch.setattr(store_settings, "time", SimpleNamespace(time_ns=lambda now=now: now))
        store_settings.write_schema_version(database, version)

        assert store_settings.schema_version(database) == version


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
    """An older program would misread half of it, and write what the newer one no longer expects."""
    for stamp in (f"{VERSION + 1}\n", "a later idea\n"):
        (tmp_path / "schema-version").write_text(stamp)

        with pytest.raises(FolderError, match=r"newer version .* CHOREOSCOPE_DATA"):
            Engine(tmp_path, 2**29)

        assert [path.name for path in tmp_path.iterdir()] == ["schema-version"]
        assert (tmp_path / "schema-version").read_text() == stamp


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(FolderError, match=r"cannot be used: Not a directory.*CHOREOSCOPE_DATA"):
        Engine(tmp_path / "file" / "data", 2**29)


@pytest.mark.parametrize("name", ["a?b=c", "a?b/data"])
def test_a_folder_that_the_engine_would_take_for_another_is_refused(tmp_path: Path, name: str) -> None:
    """It opened what is before the question mark, without its options."""
    (tmp_path / "link").symlink_to(tmp_path / name)
    for folder in (tmp_path / name, tmp_path / "link"):
        with pytest.raises(FolderError, match=r"has a '\?'.*CHOREOSCOPE_DATA"):
            Engine(folder, 2**29)

    assert [path.name for path in tmp_path.iterdir()] == ["link"]


@pytest.mark.parametrize("name", ["a&b=c", "a%3Fb", "a#b", "file:a", ":memory:a", "ä '\"\\"])
def test_a_folder_of_any_other_name_is_exactly_that_folder(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert in_a_process(Path(name), "a") == "1"
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name / "clickhouse").is_dir()


@pytest.mark.parametrize("steps", range(1, len(OLDER) + 1))
def test_a_folder_of_an_older_version_gets_what_is_missing(database: Database, steps: int) -> None:
    """A new version opens an old version's data; what that could not know is empty."""
    for statement in OLDER[:steps]:
        database.execute(statement)
    database.execute("INSERT INTO flows (id, key, state) VALUES ('A-1', 'A-1', 0)")

    migrate(database)

    found = ClickHouseFlows(database, ClickHouseSpans(database)).named("A-1").to_pylist()
    assert [(row["id"], row["names"]) for row in found] == [("A-1", None)]
    assert secret(database) == secret(database)
    assert ClickHouseDecisions(database).all() == []


def test_what_is_there_is_not_migrated_again(database: Database) -> None:
    """A start on a full disk must write nothing."""
    changes: list[None] = []

    migrate(database, before=lambda: changes.append(None))

    assert changes == []


def test_the_secret_of_the_keys_is_kept_and_differs_from_store_to_store(engine: Engine) -> None:
    with new_database(engine) as one, new_database(engine) as other:
        found = secret(one)

        assert secret(one) == found
        assert secret(other) not in (found, PUBLIC)
        assert len(found.texts) == len(PUBLIC.texts)


def test_message_ids_from_before_there_was_a_secret_are_still_found(database: Database) -> None:
    """Their keys cannot be rebuilt with a secret, because the texts are not stored."""
    store = ClickHouseFlows(database, ClickHouseSpans(database))
    store.offer(text_keys(pa.array(["message 1"])), pa.array([trace_id("A-1")], pa.binary(16)))

    assert secret(database).texts == PUBLIC.texts
    assert secret(database).ids != PUBLIC.ids


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A separate disk of 48 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def fill(disk: Path, left: int) -> Path:
    """Fill *disk* until less than *left* bytes are free."""
    filler = disk / "filler"
    with filler.open("ab", buffering=0) as file:
        while (free := os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize) > left:
            file.write(bytes(free - left))
    return filler


@pytest.mark.parametrize("left", [0, 4096])
def test_a_start_on_a_full_disk_changes_nothing(small_disk: Path, left: int) -> None:
    """Such a start once left an empty table file, and no later start succeeded."""
    folder = small_disk / "data"
    assert in_a_process(folder, "a") == "1"
    filler = fill(small_disk, left)
    before = _all_files(folder)

    assert in_a_process(folder) == "1"
    assert [name for name, size in _all_files(folder).items() if not size] == [
        name for name, size in before.items() if not size
    ]
    filler.unlink()
    assert in_a_process(folder, "b") == "2"


def test_a_change_of_tables_on_a_full_disk_is_refused_before_it_begins(small_disk: Path) -> None:
    folder = small_disk / "data"
    assert in_a_process(folder, "a", "older") == "1"
    filler = fill(small_disk, 4096)

    for _ in range(2):
        assert re.match(
            r"FolderError: The disk of .* has [\d,]+ bytes free: .* Free some", in_a_process(folder)
        )
    filler.unlink()
    assert in_a_process(folder, "b") == "2"


@pytest.mark.parametrize("stamp", ["", "1\n"])
def test_a_stamp_that_power_loss_left_empty_is_written_again(tmp_path: Path, stamp: str) -> None:
    (tmp_path / "schema-version").write_text(stamp)

    assert in_a_process(tmp_path, "a") == "1"
    assert (tmp_path / "schema-version").read_text() == f"{VERSION}\n"


def test_what_was_stored_is_there_after_a_restart(tmp_path: Path) -> None:
    """In separate processes, because this one already has its engine."""
    assert [in_a_process(tmp_path, name) for name in ("a", "b")] == ["1", "2"]


def _all_files(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_size for path in folder.rglob("*") if path.is_file()}


def _contents(folder: Path | None) -> dict[str, int]:
    assert folder is not None
    return {str(path): path.stat().st_size for path in folder.iterdir() if path.is_file()}


def test_what_a_person_said_survives_a_kill(tmp_path: Path) -> None:
    """Nobody says it twice: once the collector has answered, it is kept."""
    told = [killed_after_a_decision(tmp_path) for _ in range(3)]

    assert told == ["0\n", "0 1\n", "0 1 2\n"]


def test_an_answer_that_broke_off_does_not_spoil_the_next(database: Database) -> None:
    """What had been written of it came before the next answer over the same connection."""
    asked = "SELECT number, throwIf(number = 200000) AS t FROM numbers(300000) SETTINGS max_block_size = 1000"
    for _ in range(READERS + 1):
        with pytest.raises(StoreError):
            database.query(asked)

        assert database.query("SELECT 1 AS n")["n"].to_pylist() == [1]
