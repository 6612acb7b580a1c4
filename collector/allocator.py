"""What happens to freed memory? Of two strategies, the better one depends on the process."""

import ctypes
from collections.abc import Callable

import pyarrow as pa

# glibc's mallopt(3). Its mmap threshold is at most 32 MiB; every value is a C int.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_LARGEST, _ALL = 2**25, 2**31 - 1


def give_back() -> None:
    """For a long-running process: return freed memory soon, or make it available to all threads.

    Under load, Arrow's own allocator would hold a sixth more memory, and the C library, which keeps an arena
    of freed memory per thread, a twentieth more.
    """
    _mallopt(_ARENA_MAX, 2)
    if "jemalloc" in pa.supported_memory_backends():
        pa.set_memory_pool(pa.jemalloc_memory_pool())


def count_exactly() -> None:
    """For a process with a limit of memory: reserve nothing that is not used."""
    _mallopt(_ARENA_MAX, 2)
    pa.set_memory_pool(pa.system_memory_pool())


def keep() -> None:
    """For a process that works on large columns and ends: keep freed memory for the next column.

    Pages returned to the operating system are zeroed when they are mapped again. That takes a fifth of the
    time to stitch four million spans. Without glibc, nothing changes.
    """
    if _mallopt(_MMAP_THRESHOLD, _LARGEST) and _mallopt(_TRIM_THRESHOLD, _ALL):
        pa.set_memory_pool(pa.system_memory_pool())


def _mallopt(option: int, value: int) -> bool:
    """Whether the C library has this option, and accepted *value* for it."""
    try:
        mallopt: Callable[[int, int], int] = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return mallopt(option, value) == 1
