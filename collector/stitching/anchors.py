"""What holds spans together before any edge does: their flow key or, without one, their trace."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from collector.columns.dictionary import coded
from collector.columns.keys import codes_of
from collector.stitching.graph import Graph, Mask, Rows, at, climb
from collector.stitching.shared import Keying, shared_keys


@dataclass(frozen=True)
class Anchors:
    """Traces, or what of them stands by itself, come first, then flow keys."""

    count: int
    keyed: int  # the number of the first one that is a key
    of: Rows  # the anchor of each span
    key: Rows  # the flow key of each span, its own or that of the nearest span above it; -1
    names: pa.Array  # of keys
    refused: Mask  # of names: keys of too many flows to be one
    shared: Mask  # spans that carry such a key


def find_anchors(graph: Graph, keying: Keying) -> Anchors:
    """The anchors of the spans of *graph*.

    A trace in which one key was seen belongs to that key as a whole; in one with several, only the
    spans that carry a key do.
    """
    own_key, names = coded(graph.spans["flow_key"])
    refused = shared_keys(graph, keying, own_key, names)
    shared = np.append(refused, False)[own_key]
    own_key = np.where(shared, -1, own_key)
    key = at(own_key, climb(np.where(own_key >= 0, np.arange(len(own_key)), graph.parent)))
    unit, units = _units(graph)
    keyed = key >= 0
    low, high = np.full(units, len(names)), np.full(units, -1)
    np.minimum.at(low, unit[keyed], key[keyed])
    np.maximum.at(high, unit[keyed], key[keyed])
    only = np.where(low == high, low, -1)
    held = np.where(keyed, key, only[unit])
    of = np.where(held >= 0, units + held, unit)
    return Anchors(units + len(names), units, of, key, names, refused, shared)


def _units(graph: Graph) -> tuple[Rows, int]:
    """The unit of each span, and how many there are.

    A unit is a trace, but for those of workers that go on and on: one that took messages from other
    traces twice or more is no business run, and each consumer in it begins a unit of its own.
    """
    encoded = pa.array(graph.trace).dictionary_encode()
    trace, traces = codes_of(encoded), len(encoded.dictionary)
    heads = graph.heads
    if not len(heads):
        return trace, traces
    number = np.full(len(trace), -1)
    number[heads] = np.arange(len(heads))
    head = at(number, climb(np.where(number >= 0, np.arange(len(number)), graph.parent)))
    return np.where(head >= 0, traces + head, trace), traces + len(heads)
