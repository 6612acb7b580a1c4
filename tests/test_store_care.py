"""Is damage found while a store is in use, is the rest readable, and is what can be read brought back?"""

import hashlib
import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from collector.store.care import BackupError, Damage
from collector.store.clickhouse.backing_up import LIST, Content, content
from collector.store.clickhouse.connections import Database
from collector.store.clickhouse.embedded import Engine
from collector.store.clickhouse.embedded_care import EmbeddedCare
from collector.store.clickhouse.migrations import VERSION
from collector.store.clickhouse.repairing import repair
from collector.store.clickhouse.restoring_backup import lay_out
from collector.store.clickhouse.span_store import ClickHouseSpans
from collector.store.contracts import StoreError
from collector.store.open import restore_backup
from collector.upkeep.checking import damage_line, damage_text
from tests.conftest import new_database
from tests.factories import NOW
from tests.test_part_files import flip, stored, write


@pytest.fixture
def database(engine: Engine) -> Iterator[Database]:
    """A database in whose folder nothing is left of another test."""
    with new_database(engine, own=True) as database:
        yield database


@pytest.fixture
def care(engine: Engine, database: Database, tmp_path: Path) -> EmbeddedCare:
    """Care for a database with 100 spans in two parts; merges would make one of them."""
    database.execute("SYSTEM STOP MERGES spans")
    for name in ("a", "b"):
        write(database, name)
    return EmbeddedCare(engine, tmp_path / "backups", name_of(database))


def name_of(database: Database) -> str:
    return str(database.query("SELECT currentDatabase() AS d")["d"][0].as_py())


def spoil(engine: Engine, database: Database, *, bits: int = 1) -> str:
    """Damage the data of the first part, and drop what the engine remembers of it; return the part's name."""
    part = stored(engine, database).parts()[0]
    size = (part / "data.bin").stat().st_size
    for bit in random.Random(1).sample(range(size * 4, size * 5), bits):
        flip(part / "data.bin", bit)
    return part.name


def test_a_broken_part_is_set_aside_and_the_rest_is_readable(
    engine: Engine, database: Database, care: EmbeddedCare
) -> None:
    """A flipped bit made every question about the spans of that day fail."""
    part = spoil(engine, database)
    spans = ClickHouseSpans(database)
    with pytest.raises(StoreError, match=r"(?i)checksum"):
        spans.spans_since(0, 1_000)
    assert care.check(full=False) == []

    found = care.check(full=True)

    assert [(one.table, one.part, one.rows, one.begins_unix_nano) for one in found] == [
        ("spans", part, 50, NOW)
    ]
    assert "hecksum" in found[0].reason
    assert spans.span_count() == spans.spans_since(0, 1_000).num_rows == 50
    assert care.check(full=False) == found
    assert EmbeddedCare(engine, Path("unused"), name_of(database)).check(full=False)[0].rows == 50


def test_a_check_ends_when_it_is_told_to(engine: Engine, database: Database, care: EmbeddedCare) -> None:
    spoil(engine, database)

    assert care.check(full=True, stop=lambda: True) == []


def test_figures_say_what_is_stored(care: EmbeddedCare) -> None:
    found = care.figures()

    assert found.rows["spans"] == 100
    assert found.oldest_unix_nano == NOW
    assert found.bytes > 1_000


@pytest.mark.parametrize(("bits", "back"), [(1, 50), (60, 0)])
def test_what_can_be_read_is_brought_back(
    engine: Engine, database: Database, care: EmbeddedCare, bits: int, back: int
) -> None:
    """One flipped bit is undone. Of more, whole granules are lost: here the part has only one."""
    part = spoil(engine, database, bits=bits)
    care.check(full=True)
    name, spans = name_of(database), ClickHouseSpans(database)

    said = repair(engine, change=False, drop=False, database=name)
    assert [(one.part, one.rows, one.readable, one.new, one.removed) for one in said] == [
        (part, 50, back, back, False)
    ]
    assert spans.span_count() == 50
    done = repair(engine, change=True, drop=False, database=name)

    assert [(one.is_whole, one.removed) for one in done] == [(back == 50, back == 50)]
    assert spans.span_count() == spans.spans_since(0, 1_000).num_rows == 50 + back
    left = repair(engine, change=True, drop=True, database=name)
    assert [one.removed for one in left] == [True] * (back == 0)
    assert repair(engine, change=True, drop=True, database=name) == []


def test_rows_that_are_there_already_are_not_brought_back_again(
    engine: Engine, database: Database, care: EmbeddedCare
) -> None:
    """Of a part that was merged, the sources may still be there."""
    stay = stored(engine, database)
    shutil.copytree(stay.parts()[0], stay.folder / "detached" / f"broken-on-start_{stay.parts()[0].name}")
    before = care.figures().rows["spans"]

    done = repair(engine, change=True, drop=False, database=name_of(database))

    assert [(one.readable, one.new, one.removed) for one in done] == [(50, 0, True)]
    assert care.figures().rows["spans"] == before


# Backups


@pytest.fixture
def backup(care: EmbeddedCare) -> Path:
    return care.back_up("monday")


def test_a_backup_has_what_was_stored_and_leaves_nothing_behind(
    engine: Engine, care: EmbeddedCare, backup: Path
) -> None:
    found = content(backup)

    assert engine.place is not None
    assert found.rows["spans"] == 100
    assert found.version == VERSION
    assert sorted(path.name for path in backup.parent.iterdir()) == ["monday"]
    assert list((engine.place / "shadow").glob("*/store")) == []
    with pytest.raises(BackupError, match=r"There is a backup .*monday already: name another"):
        care.back_up("monday")


@pytest.mark.parametrize("name", ["", "..", "a/b", "/etc", ".hidden", "a b", "a" * 101, "a\n", "-x"])
def test_a_backup_has_a_plain_name(care: EmbeddedCare, name: str) -> None:
    with pytest.raises(BackupError, match="expected 1 to 100 letters"):
        care.back_up(name)


def test_a_backup_without_room_leaves_nothing(care: EmbeddedCare, monkeypatch: pytest.MonkeyPatch) -> None:
    full = os.statvfs("/")
    monkeypatch.setattr(
        "collector.store.clickhouse.data_folder.os.statvfs",
        lambda _: os.statvfs_result((*full[:4], 1, *full[5:])),
    )
    with pytest.raises(BackupError, match=r"monday could not be made: .* bytes free: the backup needs"):
        care.back_up("monday")

    assert list(care._backups.iterdir()) == []


def cut_off(backup: Path) -> None:
    path = next(backup.rglob("data.bin"))
    path.write_bytes(path.read_bytes()[:-1])


def flipped(backup: Path) -> None:
    flip(next(backup.rglob("count.txt")), 3)


def missing(backup: Path) -> None:
    next(backup.rglob("primary.cidx")).unlink()


def linked(backup: Path) -> None:
    path = next(backup.rglob("columns.txt"))
    path.unlink()
    path.symlink_to("/etc/passwd")


def more(backup: Path) -> None:
    (backup / "store" / "more.txt").write_text("?")


def list_changed(backup: Path) -> None:
    flip(backup / LIST, 4_000)


def without_list(backup: Path) -> None:
    (backup / LIST).unlink()


def rewritten(backup: Path, **changed: object) -> None:
    found = content(backup)
    fields = {name: changed.get(name, getattr(found, name)) for name in Content.__dataclass_fields__}
    text = msgspec.json.encode(Content(**fields))  # type: ignore[arg-type]  # its own fields
    (backup / LIST).write_bytes(text + b"\n" + hashlib.sha256(text).hexdigest().encode() + b"\n")


def newer(backup: Path) -> None:
    rewritten(backup, version=VERSION + 1)


def leading_out(backup: Path) -> None:
    rewritten(backup, files={**content(backup).files, "../../../out.txt": (1, "x")})


def defining_elsewhere(backup: Path) -> None:
    kept = content(backup).kept
    files = {**kept.files, "../../out.sql": next(iter(kept.files.values()))}
    rewritten(backup, kept=replace(kept, files=files))


def linking_elsewhere(backup: Path) -> None:
    kept = content(backup).kept
    rewritten(backup, kept=replace(kept, links={"metadata/choreoscope": "/etc"}))


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (cut_off, "data.bin is not as it was written"),
        (flipped, "count.txt is not as it was written"),
        (missing, r"1 of \d+ files are missing, such as store/.*primary.cidx"),
        (linked, "columns.txt is neither a file nor a folder"),
        (more, "store/more.txt is not in its list"),
        (list_changed, "backup.json is not as it was written"),
        (without_list, "is no backup: its list backup.json cannot be read"),
        (newer, "was made by a newer version"),
        (leading_out, r"'../../../out.txt', which is no file of a table"),
        (defining_elsewhere, r"'../../out.sql', which defines no table"),
        (linking_elsewhere, r"the link 'metadata/choreoscope', which leads elsewhere"),
    ],
)
def test_a_damaged_backup_is_refused_and_nothing_is_made(
    backup: Path, tmp_path: Path, harm: Callable[[Path], None], said: str
) -> None:
    harm(backup)

    with pytest.raises(BackupError, match=said):
        lay_out(backup, tmp_path / "new")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["backups"]


def test_a_backup_is_restored_only_into_a_new_or_empty_folder(backup: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    (tmp_path / "empty").mkdir()

    for folder in (tmp_path / "full", tmp_path / "full" / "mine"):
        with pytest.raises(BackupError, match="is not empty: name a new folder"):
            restore_backup(backup, folder, 2**29)
    assert lay_out(backup, tmp_path / "empty").rows["spans"] == 100
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine"]


def test_damage_has_a_time_range_and_a_number_that_is_honest() -> None:
    known = Damage("spans", "p", NOW, NOW + 10**9, 50, "broken")
    unknown = Damage("spans", "q", None, None, None, "broken")
    flows = Damage("flows", "r", None, None, 3, "broken")

    assert "at most 50 spans that arrived from 2026-11-18 11:06:40 to 2026-11-18 11:06:41 UTC" in (
        damage_text([known])
    )
    assert "50 spans and an unknown number more" in damage_text([known, unknown])
    assert "an unknown number of spans and at most 3 rows of flows cannot be read" in (
        damage_text([unknown, flows])
    )
    assert damage_line(Damage("", "x.sql", None, None, 0, "it was damaged")) == (
        "x.sql: it was damaged (nothing is lost)"
    )


@pytest.fixture(autouse=True)
def _nothing_scratched(engine: Engine) -> Iterator[None]:
    """No database for repairs is left behind."""
    yield
    assert engine.place is not None
    assert not (engine.place / "metadata" / "repair.sql").exists()
