"""Which flow keys are on too many runs to name one?

A tenant's id taken for an order's would join all of the tenant's orders. What counts is how many traces with
the key begin by themselves: without the key, each would be a flow. An order is touched from outside a few
dozen times, by people and by jobs. What its services do with it follows from that, in any number of traces,
and does not count. Later spans can only raise the count, so a refused key stays refused.
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
    """Which flow keys are believed."""

    most: int = 200  # traces that may begin by themselves with a key that still names a flow
    refused: frozenset[str] = frozenset()  # keys known to be on more, whatever is seen of them here


BELIEVED = Keying()


def shared_keys(graph: Graph, keying: Keying, own_key: Rows, names: pa.Array) -> Mask:
    """Which of *names* are not flow keys; *own_key* is the place in *names* of each span's own key, or -1."""
    known = pa.array(sorted(keying.refused), pa.string())
    refused: Mask = np.asarray(pc.is_in(names, value_set=known))
    keyed = own_key >= 0
    # A cheap check first: nearly all keys are on too few spans to matter.
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
    """The spans that certainly published without a cause: no late span can still turn out to be one."""
    role = graph.numbers("role")
    publishes = (role == Role.CREATE) | (role == Role.SEND)
    root = pc.equal(graph.spans["parent_span_id"], bytes(8)).to_numpy()
    inside = (role == Role.RECEIVE) | (role == Role.PROCESS) | (role == Role.ANSWERED)
    end = climb(np.where(inside | (graph.parent < 0), np.arange(len(role)), graph.parent))
    # A link may lead to the reaction that caused it, and so may a causation id.
    linked = pc.list_value_length(graph.spans["link_trace_ids"]).to_numpy() > 0
    named = graph.spans["causation"].is_valid().to_numpy()
    return np.flatnonzero(publishes & root[end] & ~inside[end] & ~linked & ~named)
