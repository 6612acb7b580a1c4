"""Makes the span table of what the scanner finds: allocates its columns, and hands their memory to Arrow."""

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from importlib.util import find_spec
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.formats.otlp import octets
from collector.formats.otlp.rows import Bools, Ints, Octets
from collector.formats.otlp.table import services
from collector.formats.otlp.values import text, typed
from collector.model.spans import NO_SPANS, SPANS

Counts: TypeAlias = npt.NDArray[np.int64]
Scan: TypeAlias = Callable[..., None]

_MOST = 2**31 - 1  # of what an offset can say
_DOUBLE_BYTES = 9  # in a body: its tag, and itself


class Count(IntEnum):
    """What is counted, by its place in an array of counts. From `NAME` on, these are bytes of texts."""

    RESOURCES, SCOPES, SPANS, ATTRIBUTES, LINKS, LINK_ATTRIBUTES, EVENTS, DOUBLES = range(8)
    NAME, STATE, MESSAGE, KEY, VALUE, LINK_ATTRIBUTE, EVENT, RESOURCE, SCOPE = range(8, 17)
    WRONG = 17  # writes that would have been out of bounds: a mistake in this module


class Area(IntEnum):
    """The parts of the array of 32-bit integers: indices of what a span belongs to, and offsets."""

    BODY_OF, RESOURCE_OF, SCOPE_OF = range(3)
    NAME, STATE, MESSAGE, KEY, VALUE, LINK_ATTRIBUTE, EVENT, RESOURCE, SCOPE = range(3, 12)
    ATTRIBUTES, LINKS, EVENTS, LINK_ATTRIBUTES = range(12, 16)


class _Loaded:
    scan: Scan | None = None


def ready() -> Scan | None:
    """The scanner's compiled walk, or None until it was loaded."""
    return _Loaded.scan


def can_compile() -> bool:
    """Whether there is a compiler."""
    return find_spec("numba") is not None


def load() -> bool:
    """Whether the scanner is ready, now that it was loaded if an earlier process had compiled it."""
    if _Loaded.scan is None and can_compile():
        from collector.formats.otlp import scanner  # noqa: PLC0415  # it imports a compiler

        if scanner.is_kept():
            _Loaded.scan = scanner.compiled()
    return _Loaded.scan is not None


def prepare() -> None:
    """Load the scanner, or compile it, which takes many seconds; do nothing where there is no compiler."""
    if _Loaded.scan is None and can_compile():
        from collector.formats.otlp import scanner  # noqa: PLC0415  # it imports a compiler

        _Loaded.scan = scanner.compiled()


@dataclass(frozen=True, slots=True)
class Scanned:
    """The spans of the bodies that were *taken*, the body of each, and no span of any other body."""

    taken: Bools
    spans: pa.Table
    body_of: Ints

    def counts(self) -> npt.NDArray[np.int64]:
        """How many spans each body has that was taken."""
        counts: npt.NDArray[np.int64] = np.bincount(self.body_of, minlength=len(self.taken))[self.taken]
        return counts


def scanned(bodies: Sequence[bytes], received_unix_nano: int, max_attributes: int) -> Scanned:
    """Scan *bodies*: take those in which everything is usual. None is while the scanner is not compiled."""
    nothing = Scanned(np.zeros(len(bodies), np.bool_), NO_SPANS, np.zeros(0, np.int32))
    if ready() is None or not bodies:
        return nothing
    pointers = (ctypes.c_char_p * len(bodies))(*bodies)
    found = Columns(pointers, np.array([len(body) for body in bodies], np.int64), max_attributes)
    if not found.sound:
        return nothing
    return Scanned(found.taken.view(np.bool_), found.table(received_unix_nano), found.ints(Area.BODY_OF))


class Columns:
    """The columns of the spans of all bodies that the scanner takes."""

    def __init__(self, bodies: ctypes.Array[Any], lengths: Counts, max_attributes: int) -> None:
        """*bodies* are pointers, which must stay valid meanwhile."""
        # Arrow keeps freed memory for a while; new pages cost more than all that is done to them here.
        bits = _array(np.uint64, int(lengths.sum()) // _DOUBLE_BYTES)
        self.taken = np.zeros(len(lengths), np.uint8)
        self._size = size = np.zeros(len(Count), np.int64)
        run = (ctypes.addressof(bodies), lengths, len(lengths), self.taken)
        _scan(
            *run,
            0,
            max_attributes,
            size,
            size.copy(),
            size,
            *[_NOTHING] * 8,
            bits,
            len(bits),
            *[_NOTHING] * 2,
        )
        decimals = pa.array(bits[: size[Count.DOUBLES]].view(np.float64)).cast(pa.string())
        ends, digits = _parts(decimals)
        size[Count.VALUE] += ends[-1]
        self._limits = _running(size[Count.NAME : Count.WRONG])
        self._starts = _running(_lengths(size))
        # False: they are too large for offsets of 32 bits, or there is a mistake in the scanner.
        self.sound = max(self._limits[-1], self._starts[-1]) <= _MOST
        if not self.sound:
            return
        spans, links = self.count(Count.SPANS), self.count(Count.LINKS)
        # What is not written is zero.
        self._ids = _array(np.uint8, 32 * spans + 24 * links, zeros=True)
        self._kinds = _array(np.uint8, 2 * spans + self.count(Count.ATTRIBUTES), zeros=True)
        self._ints = _array(np.int32, int(self._starts[-1]), zeros=True)
        self._halves = _array(np.uint32, 4 * spans, zeros=True)
        self._words = _array(np.uint64, 2 * spans, zeros=True)
        self._texts = _array(np.uint8, int(self._limits[-1]))
        arrays = (self._ids, self._kinds, self._ints, self._halves, self._words, self._texts)
        at = np.zeros(len(Count), np.int64)
        places = (at, at.copy(), size, self._limits, self._starts)
        _scan(*run, 1, max_attributes, *places, *arrays, _NOTHING, 0, digits, ends)
        self.sound = bool((at == size).all())

    def table(self, received_unix_nano: int) -> pa.Table:
        """The spans as SPANS."""
        spans, links = self.count(Count.SPANS), self.count(Count.LINKS)
        ids, kinds = self._ids, self._kinds
        resource, scope = pa.array(self.ints(Area.RESOURCE_OF)), pa.array(self.ints(Area.SCOPE_OF))
        resources = self._binary(Count.RESOURCE)
        kinds_of_values, held = self._values()
        starts, dropped_events, dropped_links, flags = self._halves.reshape(4, -1)
        columns = {
            "trace_id": octets.fixed(ids[: 16 * spans].reshape(-1, 16)),
            "span_id": octets.fixed(ids[16 * spans : 24 * spans].reshape(-1, 8)),
            "parent_span_id": octets.fixed(ids[24 * spans : 32 * spans].reshape(-1, 8)),
            "name": self._text(Count.NAME),
            "kind": pa.array(kinds[:spans]),
            "start_unix_nano": pa.array(self._words[:spans]),
            "end_unix_nano": pa.array(self._words[spans:]),
            "status_code": pa.array(kinds[spans : 2 * spans]),
            "status_message": self._text(Count.MESSAGE),
            "service": services(resources).take(resource),
            "attribute_keys": self._lists(Area.ATTRIBUTES, self._text(Count.KEY)),
            "attribute_types": self._lists(Area.ATTRIBUTES, kinds_of_values),
            "attribute_values": self._lists(Area.ATTRIBUTES, held),
            "link_trace_ids": self._lists(
                Area.LINKS, octets.fixed(ids[32 * spans : 32 * spans + 16 * links].reshape(-1, 16))
            ),
            "link_span_ids": self._lists(
                Area.LINKS, octets.fixed(ids[32 * spans + 16 * links :].reshape(-1, 8))
            ),
            "link_attributes": self._lists(
                Area.LINKS, self._lists(Area.LINK_ATTRIBUTES, self._binary(Count.LINK_ATTRIBUTE))
            ),
            "events": self._lists(Area.EVENTS, self._binary(Count.EVENT)),
            "dropped_attributes": pa.array(starts),
            "dropped_events": pa.array(dropped_events),
            "dropped_links": pa.array(dropped_links),
            "trace_state": self._text(Count.STATE),
            "flags": pa.array(flags),
            "resource": resources.take(resource),
            "scope": self._binary(Count.SCOPE).take(scope),
            "received_unix_nano": pa.array(np.full(spans, received_unix_nano, np.uint64)),
        }
        return pa.table([columns[name] for name in SPANS.names], schema=SPANS)

    def count(self, what: Count) -> int:
        """How many there are, or how many bytes."""
        return int(self._size[what])

    def ints(self, area: Area) -> Ints:
        """A part of the integers."""
        found: Ints = self._ints[self._starts[area] : self._starts[area + 1]]
        return found

    def _binary(self, what: Count) -> pa.BinaryArray:
        bounds = self.ints(Area[what.name])
        buffers = [None, pa.py_buffer(bounds), pa.py_buffer(self._data(what))]
        return pa.BinaryArray.from_buffers(pa.binary(), len(bounds) - 1, buffers)

    def _text(self, what: Count) -> pa.Array:
        octets = self._binary(what)
        return octets.view(pa.string()) if self._is_ascii(what) else text(octets)

    def _values(self) -> tuple[pa.Array, pa.Array]:
        """The types of attributes' values, and the values."""
        kinds, octets = self._kinds[2 * self.count(Count.SPANS) :], self._binary(Count.VALUE)
        if self._is_ascii(Count.VALUE):
            return pa.array(kinds), octets
        return tuple(typed(kinds, octets).flatten())

    def _is_ascii(self, what: Count) -> bool:
        """Whether it is UTF-8 at a glance."""
        return int(self._data(what).max(initial=0)) < 128

    def _data(self, what: Count) -> Octets:
        place = what - Count.NAME
        data: Octets = self._texts[self._limits[place] : self._limits[place + 1]]
        return data

    def _lists(self, area: Area, entries: pa.Array) -> pa.ListArray:
        return pa.ListArray.from_arrays(pa.array(self.ints(area)), entries)


def _scan(*given: int | npt.NDArray[Any]) -> None:
    scan = ready()
    assert scan is not None
    scan(*(one if isinstance(one, int) else one.ctypes.data for one in given))


def _array(kind: type[np.generic], size: int, *, zeros: bool = False) -> npt.NDArray[Any]:
    """An array in memory of Arrow's."""
    array = np.frombuffer(pa.allocate_buffer(size * np.dtype(kind).itemsize), kind)
    if zeros:
        array[:] = 0
    return array


def _lengths(size: Counts) -> list[int]:
    """The length of each `Area`, with one offset more than there are entries."""
    spans, attributes, links = size[Count.SPANS], size[Count.ATTRIBUTES], size[Count.LINKS]
    texts = [spans, spans, spans, attributes, attributes]
    others = [size[Count.LINK_ATTRIBUTES], size[Count.EVENTS], size[Count.RESOURCES], size[Count.SCOPES]]
    return [spans] * 3 + [entries + 1 for entries in (*texts, *others, spans, spans, spans, links)]


def _running(sizes: Sequence[int] | Counts) -> Counts:
    """Where each of several parts begins, and where the last one ends."""
    ends = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=ends[1:])
    return ends


def _parts(texts: pa.StringArray) -> tuple[Ints, Octets]:
    """The offsets and bytes of *texts*."""
    if not len(texts):
        return np.zeros(1, np.int32), np.zeros(0, np.uint8)
    _, bounds, data = texts.buffers()
    return np.frombuffer(bounds, np.int32, len(texts) + 1), np.frombuffer(data, np.uint8)


_NOTHING = np.zeros(1, np.int64)
