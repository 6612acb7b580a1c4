"""What becomes of memory that was freed: which of two ways is the better one depends on the process."""

import ctypes

import pyarrow as pa

# glibc's mallopt(3). At most 32 MiB can be asked for of the first; the second takes a C int.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST, _ALL = 2**25, 2**31 - 1


def give_back() -> None:
    """Of a process that goes on: Arrow's memory is given back soon, which under load saves a sixth of all."""
    if "jemalloc" in pa.supported_memory_backends():
        pa.set_memory_pool(pa.jemalloc_memory_pool())


def keep() -> None:
    """Of one that works on large columns and ends: what one column leaves behind, the next one gets.

    What is given back is cleared when it is had again, a fifth of the time it takes to stitch four million
    spans. Without glibc nothing changes.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    if mallopt(_MMAP_THRESHOLD, _LARGEST) and mallopt(_TRIM_THRESHOLD, _ALL):
        pa.set_memory_pool(pa.system_memory_pool())
