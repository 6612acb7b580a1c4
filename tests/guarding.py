"""How is a read or write out of bounds seen? Memory that ends where a page begins that nobody may touch."""

import ctypes
import mmap
from typing import Any

import numpy as np
import numpy.typing as npt

_NOBODY = 0  # PROT_NONE
_libc = ctypes.CDLL(None, use_errno=True)
_libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


def protect(address: int, size: int) -> None:
    """End the process that touches these bytes, which must be whole pages."""
    if _libc.mprotect(address, size, _NOBODY):
        raise OSError(ctypes.get_errno(), "mprotect")


class Guarded:
    """*size* bytes, of which the last is followed by the guard."""

    def __init__(self, size: int) -> None:
        pages = -(-size // mmap.PAGESIZE)
        self._memory = mmap.mmap(-1, (pages + 1) * mmap.PAGESIZE)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        self.end = start + pages * mmap.PAGESIZE
        self.size = pages * mmap.PAGESIZE
        protect(self.end, mmap.PAGESIZE)

    def put(self, octets: bytes) -> int:
        """The address of *octets*, which end at the guard."""
        ctypes.memmove(self.end - len(octets), octets, len(octets))
        return self.end - len(octets)

    def array(self, kind: Any, size: int) -> npt.NDArray[Any]:
        """An array of zeros that ends at the guard."""
        octets = size * np.dtype(kind).itemsize
        there = (ctypes.c_uint8 * octets).from_address(self.end - octets)
        found = np.frombuffer(there, kind)
        found[:] = 0
        return found


class Guards:
    """Arrays that end at guards, each in memory of its own; their memory is used again after `again`."""

    def __init__(self) -> None:
        self._all: list[Guarded] = []
        self._next = 0

    def array(self, kind: Any, size: int, *, zeros: bool = False) -> npt.NDArray[Any]:
        """What `scanning._array` returns."""
        wide = size * np.dtype(kind).itemsize
        if self._next == len(self._all):
            self._all.append(Guarded(max(wide, 2**16)))
        elif self._all[self._next].size < wide:
            self._all[self._next] = Guarded(wide * 2)
        self._next += 1
        return self._all[self._next - 1].array(kind, size)

    def again(self) -> None:
        """Use the memory again."""
        self._next = 0
