"""Many mutations of sound inputs at once, each of which ends at a page that nobody may touch.

What changes is what `tests.mutating` changes, a hundred times as fast: the loop is compiled where there is a
compiler, and all its choices are random numbers that are drawn beforehand.
"""

import ctypes
import mmap
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from tests.guarding import protect
from tests.mutating import PIECES

Octets = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

_MOST_CHANGES, _CHOICES = 4, 5
_NUMBERS = 2 + _MOST_CHANGES * _CHOICES  # that one mutation needs


class Mutants:
    """*count* mutations of *seeds*, in the same memory again and again."""

    def __init__(
        self, seeds: Sequence[bytes], seed: int, *, count: int = 512, most: int = 8_192, compiled: bool = True
    ) -> None:
        """None of them is longer than *most* bytes. Compiling takes some seconds."""
        self._random = np.random.Generator(np.random.SFC64(seed))
        self._pieces = _joined(PIECES)
        self._room = -(-most // mmap.PAGESIZE) * mmap.PAGESIZE
        self._stride = self._room + mmap.PAGESIZE
        self._memory = mmap.mmap(-1, count * self._stride)
        self._start = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        for slot in range(count):
            protect(self._start + slot * self._stride + self._room, mmap.PAGESIZE)
        self._octets = np.frombuffer(self._memory, np.uint8)
        self._most, self._count = most, count
        self.lengths = np.zeros(count, np.int64)
        self._mutate = _compiled() if compiled else _mutation(_splice)
        self.use(seeds)

    def use(self, seeds: Sequence[bytes]) -> None:
        """Mutate these from now on."""
        fitting = [one for one in seeds if len(one) <= self._most]
        self._seeds = _joined(fitting)

    def draw(self) -> Ints:
        """Make the next mutations; return their addresses."""
        numbers = self._random.integers(0, 2**62, (self._count, _NUMBERS), np.int64)
        ends = np.arange(self._count, dtype=np.int64) * self._stride + self._room
        self._mutate(*self._seeds, *self._pieces, numbers, ends, self._most, self._octets, self.lengths)
        return self._start + ends - self.lengths

    def bodies(self) -> list[bytes]:
        """The next mutations, as copies that do not end at a guard."""
        return [
            ctypes.string_at(place, length)
            for place, length in zip(self.draw().tolist(), self.lengths.tolist(), strict=True)
        ]


def _joined(parts: Sequence[bytes]) -> tuple[Octets, Ints]:
    """All *parts* in one array, and where each of them begins and ends."""
    bounds = np.cumsum([0, *map(len, parts)], dtype=np.int64)
    return np.frombuffer(b"".join(parts) or b"\0", np.uint8), bounds


def _splice(
    work: Octets, size: int, place: int, gone: int, new: Octets, begin: int, length: int, most: int
) -> int:
    """Put *length* bytes of *new* where *gone* bytes were; return the new size."""
    gone = min(gone, size - place)
    if size - gone + length > most:
        return size
    shift = length - gone
    if shift > 0:
        for at in range(size - 1, place + gone - 1, -1):
            work[at + shift] = work[at]
    elif shift < 0:
        for at in range(place + gone, size):
            work[at + shift] = work[at]
    for at in range(length):
        work[place + at] = new[begin + at]
    return size + shift


def _mutation(splice: Callable[..., int]) -> Callable[..., None]:
    """What writes mutations, with *splice* compiled or not."""

    def mutate(
        seeds: Octets,
        seed_bounds: Ints,
        pieces: Octets,
        piece_bounds: Ints,
        numbers: Ints,
        ends: Ints,
        most: int,
        out: Octets,
        lengths: Ints,
    ) -> None:
        """Write a mutation that ends at each of *ends* in *out*, and its length."""
        work, few = np.zeros(most, np.uint8), np.zeros(128, np.uint8)
        for one in range(len(ends)):
            row = numbers[one]
            which = row[0] % (len(seed_bounds) - 1)
            begin = seed_bounds[which]
            size = seed_bounds[which + 1] - begin
            for at in range(size):
                work[at] = seeds[begin + at]
            for change in range(1 + row[1] % _MOST_CHANGES):
                first = 2 + change * _CHOICES
                kind, place, number = row[first] % 9, row[first + 1] % (size + 1), row[first + 2]
                value, other = row[first + 3], row[first + 4]
                if kind <= 1 and size:
                    place = place % size
                    work[place] = value % 256 if kind == 0 else work[place] ^ (1 << value % 8)
                elif kind <= 3:
                    piece = value % (len(piece_bounds) - 1)
                    start = piece_bounds[piece]
                    gone = 1 + number % 10 if kind == 3 else 0
                    long = piece_bounds[piece + 1] - start
                    size = splice(work, size, place, gone, pieces, start, long, most)
                elif kind == 4:
                    size = splice(work, size, place, 1 + number % 8, few, 0, 0, most)
                elif kind == 5:
                    for at in range(6):
                        few[at] = value >> 8 * at & 255
                    size = splice(work, size, place, 0, few, 0, 1 + number % 6, most)
                elif kind == 6:
                    long = min(1 + number % 40, size - place)
                    times = 1 + value % 3
                    for at in range(long * times):
                        few[at] = work[place + at % long]
                    size = splice(work, size, place, 0, few, 0, long * times, most)
                elif kind == 7:
                    start = other % (len(seeds) + 1)
                    long = min(1 + number % 60, len(seeds) - start)
                    size = splice(work, size, place, 0, seeds, start, long, most)
                else:
                    size = place
            lengths[one] = size
            for at in range(size):
                out[ends[one] - size + at] = work[at]

    return mutate


@cache
def _compiled() -> Callable[..., None]:
    try:
        import numba  # noqa: PLC0415  # a quarter of a second, and not on every machine
    except ImportError:
        return _mutation(_splice)
    made: Callable[..., None] = numba.njit(nogil=True)(_mutation(numba.njit(_splice)))
    return made
