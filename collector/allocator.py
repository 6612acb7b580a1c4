"""What becomes of memory that was freed: which of two ways is the better one depends on the process."""

import ctypes
from collections.abc import Callable

import pyarrow as pa

# glibc's mallopt(3). At most 32 MiB can be asked for of the second; each takes a C int.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_LARGEST, _ALL = 2**25, 2**31 - 1


def give_back() -> None:
    """Of a process that goes on: what is freed is given back soon, or is there for every thread.

    Under load, Arrow's own allocator would hold a sixth of all memory more, and the C library, which has a
    store of freed memory for each thread, a twentieth.
    """
    _mallopt(_ARENA_MAX, 2)
    if "jemalloc" in pa.supported_memory_backends():
        pa.set_memory_pool(pa.jemalloc_memory_pool())


def keep() -> None:
    """Of one that works on large columns and ends: what one column leaves behind, the next one gets.

    What is given back is cleared when it is had again, a fifth of the time it takes to stitch four million
    spans. Without glibc nothing changes.
    """
    if _mallopt(_MMAP_THRESHOLD, _LARGEST) and _mallopt(_TRIM_THRESHOLD, _ALL):
        pa.set_memory_pool(pa.system_memory_pool())


def _mallopt(option: int, value: int) -> bool:
    """Whether the C library has this option, and took *value* for it."""
    try:
        mallopt: Callable[[int, int], int] = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return mallopt(option, value) == 1
