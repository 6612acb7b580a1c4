"""What groups spans before any edge does? Their flow key or, without one, their trace."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from collector.columns.dictionary import coded
from collector.columns.keys import codes_of
from collector.stitching.graph import Graph, Mask, Rows, at, climb
from collector.stitching.shared import Keying, shared_keys


@dataclass(frozen=True)
class Anchors:
    """Anchors are numbered: traces, or units within them, come first, then flow keys."""

    count: int
    keyed: int  # the number of the first anchor that is a key
    of: Rows  # the anchor of each span
    key: Rows  # the flow key of each span, its own or its nearest ancestor's; -1 for none
    names: pa.Array  # of keys
    refused: Mask  # of each name: on too many flows to identify one
    shared: Mask  # of each span: it carries a refused key


def find_anchors(graph: Graph, keying: Keying) -> Anchors:
    """The anchors of the spans of *graph*.

    A trace with exactly one key belongs to it as a whole. In a trace with several, only the spans that carry
    or inherit a key belong to it.
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

    A unit is a trace, except for long-lived workers: a trace that took messages from other traces twice or
    more is not one business run, so each of its heads (see `Graph.heads`) begins a new unit.
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
