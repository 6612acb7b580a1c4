"""Is a damaged part told from a whole one by its files alone, and are single flipped bits undone?"""

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.store.clickhouse.bit_mending import mend_bits
from collector.store.clickhouse.connections import Database
from collector.store.clickhouse.embedded import Engine
from collector.store.clickhouse.mending import original, set_aside
from collector.store.clickhouse.part_files import PartError, check_part, extent, part_name
from collector.store.clickhouse.span_store import ClickHouseSpans
from collector.store.clickhouse.table_files import TableFolder, tables
from tests.conftest import Engines, new_database
from tests.factories import NOW, request, span, table

DAY = "20261118"  # of NOW


@pytest.fixture(scope="module")
def spans(engines: Engines) -> Iterator[TableFolder]:
    """A table with two parts: a small one, all in one file, and one with files for each column."""
    engine = engines.on_folder()
    with new_database(engine, own=True) as database:
        write(database, "a")
        database.execute("ALTER TABLE spans MODIFY SETTING min_bytes_for_wide_part = 0")
        write(database, "b")
        yield stored(engine, database)


def write(database: Database, name: str, spans: int = 50) -> None:
    rows = table(request(*(span(id=f"{name}.{one}", trace=f"{name}.{one}") for one in range(spans))))
    ClickHouseSpans(database).write(rows)


def stored(engine: Engine, database: Database, name: str = "spans") -> TableFolder:
    assert engine.place is not None
    where = database.query("SELECT currentDatabase() AS d")["d"][0].as_py()
    return next(one for one in tables(engine.place) if (one.database, one.name) == (where, name))


def flip(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.unlink()  # it may be a link to a part in use
    path.write_bytes(content)


@pytest.fixture
def part(spans: TableFolder, tmp_path: Path) -> Path:
    """A copy of the small part."""
    return Path(shutil.copytree(spans.parts()[0], tmp_path / spans.parts()[0].name))


def test_whole_parts_are_found_whole(spans: TableFolder) -> None:
    """A false alarm would set aside what is well. This fails if a new engine writes other files."""
    small, large = spans.parts()

    assert (small / "data.bin").exists()
    assert (large / "trace_id.bin").exists()
    assert [path.stat().st_size for path in large.glob("*.bin")].count(0)
    for part in (small, large):
        check_part(part, spans.columns)
        found = extent(part, part.name)
        assert (found.begins, found.ends, found.rows) == (NOW, NOW, 50)


@pytest.mark.parametrize(
    "name",
    [
        "checksums.txt",
        "columns.txt",
        "count.txt",
        "data.cmrk4",
        "minmax_received_unix_nano.idx",
        "partition.dat",
        "primary.cidx",
        "serialization.json",
        "skp_idx.packed",
    ],
)
def test_every_flipped_bit_of_a_small_file_is_found_and_undone(
    spans: TableFolder, part: Path, name: str
) -> None:
    """The engine takes the number of rows, and the range of times, as they are."""
    right, chance = (part / name).read_bytes(), random.Random(name)
    for bit in chance.sample(range(len(right) * 8), 8):
        flip(part / name, bit)
        with pytest.raises(PartError, match=r"^\S"):
            check_part(part, spans.columns)

        assert mend_bits(part, spans.columns) == [name]
        assert (part / name).read_bytes() == right
        check_part(part, spans.columns)


def test_a_bit_in_a_block_of_data_is_undone(spans: TableFolder, part: Path) -> None:
    """In its head as well, where its size is."""
    right = (part / "data.bin").read_bytes()
    for bit in (3, 130, 140, 180, 1_000, len(right) * 8 - 1):
        flip(part / "data.bin", bit)

        assert mend_bits(part, spans.columns) == ["data.bin"]
        assert (part / "data.bin").read_bytes() == right


def test_what_is_not_one_bit_stays_as_it_is(spans: TableFolder, part: Path) -> None:
    for name, content in (("count.txt", b"99"), ("data.bin", os.urandom(5_000))):
        (part / name).write_bytes(content)

    assert mend_bits(part, spans.columns) == []
    assert (part / "count.txt").read_bytes() == b"99"


@pytest.mark.parametrize("file", ["count.txt", "columns.txt", "data.bin", "checksums.txt"])
def test_a_file_that_is_cut_off_or_gone_is_found(spans: TableFolder, part: Path, file: str) -> None:
    (part / file).write_bytes((part / file).read_bytes()[:-1])
    with pytest.raises(PartError, match=file):
        check_part(part, spans.columns)
    (part / file).unlink()

    with pytest.raises(PartError, match=f"{file} cannot be read: No such file"):
        check_part(part, spans.columns)


def test_of_a_part_with_damaged_times_the_day_is_known(part: Path) -> None:
    """Its name says so, and whoever reads the report can tell which orders are concerned."""
    flip(part / "minmax_received_unix_nano.idx", 40)
    flip(part / "count.txt", 1)

    found = extent(part, part.name)

    assert found.begins is not None
    assert found.ends is not None
    assert found.begins <= NOW <= found.ends
    assert found.ends - found.begins < 86_400 * 10**9
    assert found.rows is None


@pytest.fixture
def folder(spans: TableFolder, tmp_path: Path) -> TableFolder:
    """A table's folder with the small part in it."""
    place = tmp_path / "table"
    shutil.copytree(spans.parts()[0], place / f"{DAY}_1_1_0")
    return TableFolder("d", "spans", place, spans.columns)


def test_a_broken_part_is_set_aside(folder: TableFolder) -> None:
    flip(folder.folder / f"{DAY}_1_1_0" / "primary.cidx", 9)

    found = list(set_aside(folder))

    assert [(one.table, one.rows, one.begins_unix_nano) for one in found] == [("spans", 50, NOW)]
    assert folder.parts() == []
    assert [path.name for path in folder.detached()] == [f"broken-on-start_{DAY}_1_1_0"]
    assert list(set_aside(folder)) == []


def test_a_broken_part_whose_rows_are_in_a_newer_one_is_no_damage(folder: TableFolder) -> None:
    shutil.copytree(folder.folder / f"{DAY}_1_1_0", folder.folder / f"{DAY}_1_5_1")
    flip(folder.folder / f"{DAY}_1_1_0" / "count.txt", 1)

    assert list(set_aside(folder)) == []


def test_a_broken_part_that_was_merged_from_parts_that_are_there_loses_nothing(folder: TableFolder) -> None:
    """The engine uses these again."""
    shutil.copytree(folder.folder / f"{DAY}_1_1_0", folder.folder / f"{DAY}_1_5_1")
    flip(folder.folder / f"{DAY}_1_5_1" / "partition.dat", 1)

    assert [one.rows for one in set_aside(folder)] == [0]


@pytest.mark.parametrize("prefix", ["", "broken-on-start_", "broken_", "ignored_", "clone_"])
@pytest.mark.parametrize("suffix", ["", "_try1"])
@pytest.mark.parametrize("name", ["20261118_1_1_0", "all_1_20_3", "20261118_1_20_3_25"])
def test_the_name_of_a_part_is_known_when_it_lies_aside(prefix: str, suffix: str, name: str) -> None:
    assert original(f"{prefix}{name}{suffix}") == name
    assert part_name(name) is not None
