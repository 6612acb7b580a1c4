"""A set of 64-bit keys in two bytes a key, which may take a key for its own that it was never given.

A Bloom filter (Bloom, 1970) whose two hashes are the halves of a key: keys are scattered already.
"""

import numpy as np
import numpy.typing as npt

from collector.columns.joins import Ints, Mask
from collector.columns.keys import Keys

_BITS = 16  # for each key
_PROBES = 6  # with so many bits, one key in 1,500 that was never given is taken for one that was
_FIRST = 1 << 16  # keys of the first layer; each further one has room for twice as many

_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)


class MaybeSet:
    """Keys that were added, and few others. It grows in layers; none is ever forgotten."""

    def __init__(self) -> None:
        self._layers: list[npt.NDArray[np.uint8]] = []
        self._room = 0  # keys that fit into the last layer

    def add(self, keys: Keys) -> None:
        """Add *keys*."""
        while len(keys):
            if not self._room:
                self._room = _FIRST << len(self._layers)
                self._layers.append(np.zeros(self._room * _BITS // 8, np.uint8))
            taken, keys = keys[: self._room], keys[self._room :]
            self._room -= len(taken)
            places = _places(taken, self._layers[-1]).ravel()
            np.bitwise_or.at(self._layers[-1], places >> 3, _bit(places))

    def among(self, keys: Keys) -> Mask:
        """Which of *keys* may have been added: all that were."""
        found = np.zeros(len(keys), np.bool_)
        for layer in self._layers:
            places = _places(keys, layer)
            found |= (layer[places >> 3] & _bit(places) != 0).all(axis=0)
        return found


def _places(keys: Keys, layer: npt.NDArray[np.uint8]) -> Ints:
    """The bits of each of *keys* in *layer*, one probe after the other."""
    probes = np.arange(_PROBES, dtype=np.uint64)[:, None]
    step = (keys & _LOW) | np.uint64(1)
    scattered = (keys >> _HALF) + probes * step
    return (scattered % np.uint64(8 * len(layer))).astype(np.int64)


def _bit(places: Ints) -> npt.NDArray[np.uint8]:
    return np.left_shift(np.uint8(1), (places & 7).astype(np.uint8))
