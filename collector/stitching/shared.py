"""Which flow keys are of too many runs to name one? A tenant's id taken for an order's joins all its orders.

What counts is how many traces that carry a key begin by themselves: without the key each of them would be a
flow. An order is touched from outside some dozens of times, by people and by jobs; what its services do with
it follows from that, in however many traces, and does not count. Spans that come later only ever add to the
count, so that a key that was refused stays refused, whatever else comes.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.columns.keys import pair_keys
from collector.model.readings import Role
from collector.stitching.graph import Graph, Mask, Rows, climb


@dataclass(frozen=True)
class Keying:
    """What of flow keys is believed."""

    most: int = 200  # traces that begin by themselves, of a key that names a flow
    refused: frozenset[str] = frozenset()  # keys that are known to be of more, whatever is seen of them here


BELIEVED = Keying()


def shared_keys(graph: Graph, keying: Keying, own_key: Rows, names: pa.Array) -> Mask:
    """Which of *names* are no flow keys; *own_key* is the place in *names* of each span's own, or -1."""
    known = pa.array(sorted(keying.refused), pa.string())
    refused: Mask = np.asarray(pc.is_in(names, value_set=known))
    keyed = own_key >= 0
    # Cheap first: nearly all keys are on fewer spans than could be too many.
    many = np.bincount(own_key[keyed], minlength=len(names)) > keying.most
    many &= ~refused
    if not many.any():
        return refused
    carrying = np.flatnonzero(keyed)
    carrying = carrying[many[own_key[carrying]]]
    _, first = np.unique(pair_keys(graph.trace[carrying], own_key[carrying]), return_index=True)
    carrying = carrying[first]
    many = np.bincount(own_key[carrying], minlength=len(names)) > keying.most
    if not many.any():
        return refused
    begins = np.isin(graph.trace[carrying], graph.trace[_beginnings(graph)])
    return refused | (np.bincount(own_key[carrying[begins]], minlength=len(names)) > keying.most)


def _beginnings(graph: Graph) -> Rows:
    """The spans that published for no reason, for sure: not even what may still come can be one."""
    role = graph.numbers("role")
    publishes = (role == Role.CREATE) | (role == Role.SEND)
    root = pc.equal(graph.spans["parent_span_id"], bytes(8)).to_numpy()
    inside = (role == Role.RECEIVE) | (role == Role.PROCESS) | (role == Role.ANSWERED)
    end = climb(np.where(inside | (graph.parent < 0), np.arange(len(role)), graph.parent))
    # A link may lead to a reaction that it came of, and so does the id of a cause.
    linked = pc.list_value_length(graph.spans["link_trace_ids"]).to_numpy() > 0
    named = graph.spans["causation"].is_valid().to_numpy()
    return np.flatnonzero(publishes & root[end] & ~inside[end] & ~linked & ~named)
