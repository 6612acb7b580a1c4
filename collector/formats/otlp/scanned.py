"""Makes the span table of what the scanner finds: allocates its columns, and hands their memory to Arrow."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.formats.otlp import octets, scanner
from collector.formats.otlp.rows import Bools, Ints, Octets
from collector.formats.otlp.scanner import Area, Count, Counts
from collector.formats.otlp.table import services
from collector.formats.otlp.values import text, typed
from collector.model.spans import SPANS

_MOST = 2**31 - 1  # of what an offset can say
_DOUBLE_BYTES = 9  # in a body: its tag, and itself


@dataclass(frozen=True, slots=True)
class Scanned:
    """The spans of the bodies that were *taken*, the body of each, and no span of any other body."""

    taken: Bools
    spans: pa.Table
    body_of: Ints


def scanned(bodies: Sequence[bytes], received_unix_nano: int, max_attributes: int) -> Scanned:
    """Scan *bodies*: take those in which everything is usual. None is while the scanner is not compiled."""
    nothing = Scanned(np.zeros(len(bodies), np.bool_), SPANS.empty_table(), np.zeros(0, np.int32))
    scan = scanner.ready()
    if scan is None or not bodies:
        return nothing
    data = np.frombuffer(bodies[0] if len(bodies) == 1 else b"".join(bodies), np.uint8)
    bounds = np.zeros(len(bodies) + 1, np.int64)
    np.cumsum([len(body) for body in bodies], out=bounds[1:])
    found = _Columns(data, bounds, max_attributes)
    if not found.fit:
        return nothing
    return Scanned(found.taken.view(np.bool_), found.table(received_unix_nano), found.ints(Area.BODY_OF))


class _Columns:
    """The columns of the spans in *data*, as the scanner fills them."""

    def __init__(self, data: Octets, bounds: Counts, max_attributes: int) -> None:
        self.taken = np.zeros(len(bounds) - 1, np.uint8)
        self._size = size = np.zeros(len(Count), np.int64)
        self._before = np.zeros(len(Count), np.int64)
        bits = np.empty(len(data) // _DOUBLE_BYTES, np.uint64)  # pages that are not used cost nothing
        none = _NO_COUNTS
        run = (data, len(data), bounds, len(self.taken), self.taken)
        self._scan(*run, 0, max_attributes, size, size, none, none, *_arrays((0,) * 6), bits, *_NO_DECIMALS)
        decimals = pa.array(bits[: size[Count.DOUBLES]].view(np.float64)).cast(pa.string())
        ends, digits = _parts(decimals)
        size[Count.VALUE] += ends[-1]
        self._limits = _running(size[Count.NAME : Count.WRONG])
        self._starts = _running(_lengths(size))
        self.fit = max(self._limits[-1], self._starts[-1]) <= _MOST
        if not self.fit:
            return
        spans, links = self.count(Count.SPANS), self.count(Count.LINKS)
        arrays = _arrays(
            (
                32 * spans + 24 * links,
                2 * spans + self.count(Count.ATTRIBUTES),
                int(self._starts[-1]),
                4 * spans,
                2 * spans,
                int(self._limits[-1]),
            )
        )
        self._ids, self._kinds, self._ints, self._halves, self._words, self._texts = arrays
        at = np.zeros(len(Count), np.int64)
        self._scan(
            *run, 1, max_attributes, at, size, self._limits, self._starts, *arrays, bits[:0], digits, ends
        )
        if (at != size).any():
            raise AssertionError(f"The scanner counted {size.tolist()} and filled {at.tolist()}.")

    def _scan(self, data: Octets, length: int, bounds: Counts, bodies: int, *others: Any) -> None:
        taken, fill, most_attributes, at, *arrays, bits, decimals, ends = others
        scan = scanner.ready()
        assert scan is not None
        given = (data, length, bounds, bodies, taken, fill, most_attributes, at, self._before, *arrays)
        given = (*given, bits, len(bits), decimals, ends)
        scan(*(one if isinstance(one, int) else one.ctypes.data for one in given))

    def table(self, received_unix_nano: int) -> pa.Table:
        """The spans as SPANS."""
        spans, links = self.count(Count.SPANS), self.count(Count.LINKS)
        ids, kinds = self._ids, self._kinds
        resource, scope = pa.array(self.ints(Area.RESOURCE_OF)), pa.array(self.ints(Area.SCOPE_OF))
        resources = self._binary(Count.RESOURCE)
        held = typed(kinds[2 * spans :], self._binary(Count.VALUE))
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
            "attribute_types": self._lists(Area.ATTRIBUTES, held.field("type")),
            "attribute_values": self._lists(Area.ATTRIBUTES, held.field("octets")),
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
        bounds, place = self.ints(Area[what.name]), what - Count.NAME
        data = self._texts[self._limits[place] : self._limits[place + 1]]
        buffers = [None, pa.py_buffer(bounds), pa.py_buffer(data)]
        return pa.BinaryArray.from_buffers(pa.binary(), len(bounds) - 1, buffers)

    def _text(self, what: Count) -> pa.Array:
        return text(self._binary(what))

    def _lists(self, area: Area, entries: pa.Array) -> pa.ListArray:
        return pa.ListArray.from_arrays(pa.array(self.ints(area)), entries)


def _arrays(sizes: tuple[int, ...]) -> tuple[npt.NDArray[np.generic], ...]:
    """Ids, kinds, integers, halves, words and texts. Zeros, where what is not written is zero."""
    ids, kinds, ints, halves, words, texts = sizes
    return (
        np.zeros(ids, np.uint8),
        np.zeros(kinds, np.uint8),
        np.zeros(ints, np.int32),
        np.zeros(halves, np.uint32),
        np.zeros(words, np.uint64),
        np.empty(texts, np.uint8),
    )


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


_NO_COUNTS = np.zeros(1, np.int64)
_NO_DECIMALS = (np.zeros(0, np.uint8), np.zeros(1, np.int32))
