"""What does a power loss leave of a folder? What was synced, and of the rest as much as luck had it.

The journal that `disk_and_clock.c` writes says of each file (by its inode) when it was new, written and
synced. ClickHouse only appends, so a file that was written after its last sync is cut somewhere between what
was synced and what is there: torn at any byte, as a disk may have it. New names and renames are kept, which a
real power loss may lose as well: a file system that orders them is assumed.
"""

import random
from pathlib import Path


def lose_power(folder: Path, journal: Path, rng: random.Random) -> int:
    """Cut the files in *folder*, and begin a new *journal*; return how many files lost something."""
    synced: dict[int, int] = {}
    written: set[int] = set()
    for line in journal.read_text().splitlines():
        what, inode, size = line[0], *map(int, line[1:].split())
        if what == "N":
            synced[inode] = 0
            written.discard(inode)
        elif what == "S":
            synced[inode] = size
            written.discard(inode)
        else:
            written.add(inode)
    journal.write_text("")
    cut = 0
    for path in folder.rglob("*"):
        if not path.is_file() or path.is_symlink():
            continue
        found = path.stat()
        least = synced.get(found.st_ino, found.st_size)
        if found.st_ino in written and least < found.st_size:
            with path.open("r+b") as file:
                file.truncate(rng.randint(least, found.st_size - 1))
            cut += 1
    return cut
