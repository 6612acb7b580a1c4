"""Is what was inserted really in its files?

chDB (26.9) reports no error if a write fails while a part is written: with a full or a broken disk the insert
succeeded, a file of the new part was short, and no later read could use the part. (A sync that fails is
reported.) So the new parts are compared with their own lists of sizes before anything is acknowledged.
"""

from pathlib import Path

from collector.store.clickhouse.part_files import (
    PartError,
    check_others,
    checksums,
    names_of_parts,
    part_name,
)


class ShortError(Exception):
    """A new part has not all of its bytes; *part* is its name."""

    def __init__(self, part: str, what: str) -> None:
        super().__init__(f"{what}: the disk is full or broken")
        self.part = part


def parts(table: Path) -> frozenset[str]:
    """The names of the parts in the folder of a *table*."""
    return frozenset(names_of_parts(table))  # none: the engine says what is wrong with it


def require_landed(table: Path, before: frozenset[str]) -> None:
    """Raise `ShortError` if a part that was inserted into *table* since *before* is not whole."""
    for name in sorted(parts(table) - before):
        known = part_name(name)
        # Others are merges, which the engine does meanwhile. Where rows replace others, inserts have a level.
        if known is not None and known.first == known.last and not known.mutation:
            _require_whole(table / name)


def _require_whole(part: Path) -> None:
    try:
        listed = checksums(part)
        sizes = {path.name: path.stat().st_size for path in part.iterdir()}
        check_others(part, listed)
    except PartError as error:
        raise ShortError(part.name, str(error)) from error
    except FileNotFoundError:  # merged meanwhile, and removed: it was read in full
        return
    for name, expected in listed.items():
        if sizes.get(name) != expected.size:
            raise ShortError(part.name, f"{name} has {sizes.get(name, 0):,} of {expected.size:,} bytes")
