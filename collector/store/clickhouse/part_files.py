"""Is a part of a table whole, by its files alone? And what was in it, if it is not?

A part is a folder that is never changed once it is written. Its `checksums.txt`, which has a checksum itself,
holds the size and the hash of nearly every other file. The engine verifies blocks of columns when it reads
them, but takes small files as they are: a flipped bit in the number of rows or in the range of times would
give wrong answers. So these are verified before the engine sees them.
"""

import errno
import os
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
from clickhouse_cityhash.cityhash import CityHash128, CityHash128WithSeed

_NAME = re.compile(
    r"(?P<partition>[0-9A-Za-z]+)_(?P<first>\d+)_(?P<last>\d+)_(?P<level>\d+)(?:_(?P<mutation>\d+))?"
)
CHECKSUMS, COLUMNS = "checksums.txt", "columns.txt"
SUPERSEDED = "superseded"  # a file in parts whose rows are in others, which do not cover them by name
_COLUMN = re.compile(r"`((?:[^`\\]|\\.)+)` (.+)")
_CODECS = {0x82: "lz4_raw", 0x90: "zstd"}
_PLAIN = 0x02  # a block that is not compressed
_MOST = 64 * 1024 * 1024  # bytes of a list of checksums: beyond, its length is damaged
# The engine hashes larger files in pieces. All that it takes as they are, without checksums inside, are
# smaller.
HASHED = 2_048
_DAY = 86_400 * 10**9


class PartError(Exception):
    """What is wrong with a part."""


@dataclass(frozen=True)
class PartName:
    """What the name of a part says."""

    partition: str
    first: int  # the first and the last block of rows in it
    last: int
    level: int  # how often its rows were merged
    mutation: int  # the last change of rows that is in it

    def covers(self, other: "PartName") -> bool:
        """Whether the rows of *other* are in this one, which is newer."""
        return (
            self.partition == other.partition
            and self.first <= other.first
            and self.last >= other.last
            and (self.level, self.mutation) > (other.level, other.mutation)
        )


@dataclass(frozen=True)
class Listed:
    """What checksums.txt says of a file."""

    size: int
    hash: int


@dataclass(frozen=True)
class Extent:
    """What was in a part: None is unknown. Times are nanoseconds since the epoch."""

    begins: int | None
    ends: int | None
    rows: int | None


def names_of_parts(table: Path) -> list[str]:
    """The names of the folders of all parts in the folder of a *table*; none if there is no such folder."""
    try:
        found = os.listdir(table)  # noqa: PTH208  # at each insert, with hundreds of entries
    except FileNotFoundError:
        return []
    return [name for name in found if _NAME.fullmatch(name)]


def part_name(folder: str) -> PartName | None:
    """What *folder*, the name of a part's folder, says; None if it is no part's."""
    found = _NAME.fullmatch(folder)
    if found is None:
        return None
    numbers = (int(found[name] or 0) for name in ("first", "last", "level", "mutation"))
    return PartName(found["partition"], *numbers)


def check_part(part: Path, columns: Mapping[str, str]) -> None:
    """Raise `PartError` if a file of *part* is damaged or missing; *columns* are the types of the table's.

    Of large files, only the size is checked. The engine's CHECK TABLE does the rest. Raise `OSError` if a
    file cannot be read for a reason that is not its own, such as too many open files.
    """
    listed = checksums(part)
    check_columns(part, columns)
    for name, expected in listed.items():
        path = part / name
        size = _size(path)
        if size != expected.size:
            raise PartError(f"{name} has {size:,} bytes instead of {expected.size:,}")
        if 0 < size <= HASHED and CityHash128WithSeed(_content(path), 0) != expected.hash:
            raise PartError(f"the checksum of {name} is wrong")


def check_others(part: Path, listed: Mapping[str, Listed]) -> None:
    """Raise `PartError` if a file of *part* that is not *listed* in its checksums is empty: none may be."""
    for path in part.iterdir():
        if path.name not in listed and path.name not in {CHECKSUMS, SUPERSEDED} and not path.stat().st_size:
            raise PartError(f"{path.name} is empty")


def checksums(part: Path) -> dict[str, Listed]:
    """What checksums.txt of *part* says, by file; raise `PartError` if it is damaged."""
    head, _, rest = _content(part / CHECKSUMS).partition(b"\n")
    if head != b"checksums format version: 4":
        raise PartError(f"{CHECKSUMS} is damaged")
    try:
        return _files(_inflated(rest))
    except (IndexError, KeyError, UnicodeDecodeError, struct.error, pa.ArrowException, OSError) as error:
        raise PartError(f"{CHECKSUMS} is damaged") from error


def extent(part: Path, name: str) -> Extent:
    """What was in *part*, which was called *name*, by those of its files that are whole.

    Of a part whose range of times is damaged, it is the day that the name says.
    """
    try:
        listed = checksums(part)
    except PartError:
        listed = {}
    rows = _verified(part, "count.txt", listed)
    begins, ends = _day(name)
    times = next((file for file in listed if re.fullmatch(r"minmax_.*\.idx", file)), "")
    if times and len(found := _verified(part, times, listed) or b"") == 16:
        begins, ends = struct.unpack("<QQ", found)
    return Extent(begins, ends, int(rows) if rows else None)


def _day(name: str) -> tuple[int | None, int | None]:
    found = part_name(name)
    try:
        day = datetime.strptime(found.partition if found else "", "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return None, None
    begins = int(day.timestamp()) * 10**9
    return begins, begins + _DAY - 1


def _verified(part: Path, name: str, listed: dict[str, Listed]) -> bytes | None:
    try:
        content = _content(part / name)
    except PartError:
        return None
    return content if name in listed and CityHash128WithSeed(content, 0) == listed[name].hash else None


def check_columns(part: Path, columns: Mapping[str, str]) -> None:
    """Compare columns.txt with the table's: a part may lack columns that were added later."""
    try:
        text = _content(part / COLUMNS).decode()
        head, count, *lines = text.splitlines()
    except (UnicodeDecodeError, ValueError) as error:
        raise PartError(f"{COLUMNS} is damaged") from error
    matched = [_COLUMN.fullmatch(line) for line in lines]
    found = {match[1]: match[2] for match in matched if match}
    if (
        head != "columns format version: 1"
        or not text.endswith("\n")
        or count != f"{len(lines)} columns:"
        or len(found) != len(lines)
        or any(columns.get(name) != kind for name, kind in found.items())
    ):
        raise PartError(f"{COLUMNS} is damaged")


def _inflated(compressed: bytes) -> bytes:
    content = b""
    while compressed:
        first, second, method, size, inflated = struct.unpack_from("<QQBII", compressed)
        block = compressed[16 : 16 + size]
        if CityHash128(block) != first << 64 | second or not size > 9 or inflated > _MOST:
            raise PartError(f"the checksum of {CHECKSUMS} is wrong")
        body = block[9:]
        content += (
            body if method == _PLAIN else pa.decompress(body, inflated, codec=_CODECS[method], asbytes=True)
        )
        compressed = compressed[16 + size :]
    return content


def _files(content: bytes) -> dict[str, Listed]:
    count, at = _number(content, 0)
    found = {}
    for _ in range(count):
        length, at = _number(content, at)
        name = content[at : at + length].decode()
        size, at = _number(content, at + length)
        first, second = struct.unpack_from("<QQ", content, at)
        at += 17
        if content[at - 1]:  # its columns are compressed: their size and hash before that follow
            _, at = _number(content, at)
            at += 16
        if "/" in name:
            raise PartError(f"{CHECKSUMS} is damaged")
        found[name] = Listed(size, first << 64 | second)
    return found


def _number(content: bytes, at: int) -> tuple[int, int]:
    """The number at *at*, seven bits a byte, and where the next value is."""
    number = shift = 0
    while True:
        number |= (content[at] & 127) << shift
        shift += 7
        at += 1
        if content[at - 1] < 128:
            return number, at


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise _unreadable(path, error) from error


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> Exception:
    """What is damaged if *path* cannot be read; *error* itself if that is not the file's fault."""
    damaged = error.errno in (errno.ENOENT, errno.EIO, errno.EISDIR, errno.ENOTDIR)
    return PartError(f"{path.name} cannot be read: {error.strerror}") if damaged else error
