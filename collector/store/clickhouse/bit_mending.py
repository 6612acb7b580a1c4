"""Undoes single flipped bits in a copy of a part, where a checksum proves what the bit was."""

import contextlib
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

from clickhouse_cityhash.cityhash import CityHash128, CityHash128WithSeed

from collector.store.clickhouse.part_files import (
    CHECKSUMS,
    COLUMNS,
    HASHED,
    PartError,
    check_columns,
    checksums,
)

_COMPRESSED = {".bin", ".cidx", ".cmrk", ".cmrk2", ".cmrk3", ".cmrk4"}
_HEAD = 25  # bytes of a block: its checksum (16), method, size and inflated size
_MOST = 64 * 1024  # bytes of a block that is searched: half a million bits, some seconds
_LARGEST = 64 * 1024 * 1024


def mend_bits(part: Path, columns: Mapping[str, str]) -> list[str]:
    """Mend the files of *part*, a folder of links to files; return the names of those that were mended.

    Files are replaced, never written to: the originals stay as they are.
    """
    mended = []

    def mend(name: str, content: bytes | None) -> None:
        if content is not None:
            (part / name).unlink()
            (part / name).write_bytes(content)
            mended.append(name)

    mend(CHECKSUMS, _list_of(part, CHECKSUMS, checksums))
    mend(COLUMNS, _list_of(part, COLUMNS, lambda folder: check_columns(folder, columns)))
    try:
        listed = checksums(part)
    except PartError:
        return mended
    for name, expected in listed.items():
        with contextlib.suppress(OSError):
            content = (part / name).read_bytes()
            if len(content) == expected.size:
                mend(name, _mended(name, content, expected.hash))
    return mended


def _mended(name: str, content: bytes, expected: int) -> bytes | None:
    """*content* of *name* with a flipped bit undone; None if there is none, or it cannot be found."""

    def is_right(some: bytes) -> bool:
        return bool(CityHash128WithSeed(some, 0) == expected)

    if not content or len(content) > HASHED:
        return _mended_blocks(content) if Path(name).suffix in _COMPRESSED else None
    return None if is_right(content) else _flipped(content, is_right)


def _list_of(part: Path, name: str, check: Callable[[Path], object]) -> bytes | None:
    """What *name* holds with the one bit flipped that makes *check* pass; None if it passes, or none does."""

    def passes(content: bytes) -> bool:
        (part / name).unlink()
        (part / name).write_bytes(content)
        try:
            check(part)
        except PartError:
            return False
        return True

    try:
        check(part)
    except PartError:
        with contextlib.suppress(OSError):
            content = (part / name).read_bytes()
            found = _flipped(content, passes) if len(content) <= 8 * HASHED else None
            if found is None:
                passes(content)  # as it was
            return found
    return None


def _flipped(content: bytes, passes: Callable[[bytes], bool]) -> bytes | None:
    """*content* with the one bit flipped that makes it pass; None if there is no such bit."""
    tried = bytearray(content)
    for bit in range(len(tried) * 8):
        tried[bit // 8] ^= 1 << bit % 8
        if passes(bytes(tried)):
            return bytes(tried)
        tried[bit // 8] ^= 1 << bit % 8
    return None


def _mended_blocks(content: bytes) -> bytes | None:
    """*content*, compressed blocks, with flipped bits undone; None if nothing was, or can be."""
    mended, at = bytearray(content), 0
    while at < len(mended):
        block = _mended_block(mended, at)
        if block is None:
            return None
        mended[at : at + len(block)] = block
        at += len(block)
    return bytes(mended) if mended != content else None


def _mended_block(content: bytearray, at: int) -> bytes | None:
    block = _block(content, at)
    if block is not None and _is_whole(block):
        return block
    for bit in range(_HEAD * 8):  # in its head, where its size is
        tried = bytearray(content[at : at + _HEAD])
        if len(tried) < _HEAD:
            return None
        tried[bit // 8] ^= 1 << bit % 8
        whole = _block(tried + content[at + _HEAD : at + _size(tried) + 16], 0)
        if whole is not None and _is_whole(whole):
            return whole
    if block is None or len(block) > _MOST:
        return None
    return _flipped(block, _is_whole)


def _block(content: bytes | bytearray, at: int) -> bytes | None:
    head = bytes(content[at : at + _HEAD])
    if len(head) < _HEAD or not 9 <= _size(head) <= _LARGEST or at + 16 + _size(head) > len(content):
        return None
    return bytes(content[at : at + 16 + _size(head)])


def _size(head: bytes | bytearray) -> int:
    return int(struct.unpack_from("<I", head, 17)[0])


def _is_whole(block: bytes) -> bool:
    first, second = struct.unpack_from("<QQ", block)
    return bool(CityHash128(block[16:]) == first << 64 | second)
