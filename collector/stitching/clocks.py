"""How far apart are the clocks of two services?

Nothing is handled before it was published, no poll has ended with it before that, and nothing is
published before that which caused it began. So the smallest difference of these two times, each by its own
clock, is the most by which the second clock may be ahead of the first one. What goes the other way bounds
it from the other side, as an exchange with a time server does. Nothing is rewritten: times stay as their
senders' clocks had them.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from collector.columns.dictionary import coded
from collector.columns.joins import once
from collector.model.readings import Role
from collector.stitching.graph import EdgeKind, Edges, Graph, Mask, Rows, numbers

# Nanoseconds. Some senders' clocks tick once a millisecond, so that less says nothing of two clocks.
PLAUSIBLE = 10**6

_NEVER, _EVER = np.iinfo(np.int64).min, np.iinfo(np.int64).max

Pair: TypeAlias = tuple[str, str]  # two services, by name


@dataclass(frozen=True)
class Apart:
    """By how many nanoseconds the clock of a pair's second service is ahead of that of its first one."""

    at_least: int | None  # None: nobody knows
    at_most: int | None
    edges: int  # by how many edges that is known

    @property
    def about(self) -> float | None:
        """The middle, where both bounds are known.

        None also where they contradict each other: then the clocks did not differ by the same all the time,
        or one of the services has several.
        """
        if self.at_least is None or self.at_most is None or self.at_least > self.at_most:
            return None
        return (self.at_least + self.at_most) / 2


def clocks(graph: Graph, edges: Rows) -> dict[Pair, Apart]:
    """What the chosen *edges* of *graph* say of each two services that they lead across, by name."""
    code, texts = coded(graph.spans["service"])
    names: list[str] = texts.to_pylist()
    ordered = sorted(names)
    service = np.array([ordered.index(name) for name in names], np.int64)[code]
    start, had = graph.numbers("start"), had_by(graph.spans)
    told = edges[(graph.edges.is_observed & across(graph.edges, service))[edges]]
    source, target = graph.edges.source[told], graph.edges.target[told]
    timed = (start[source] > 0) & (start[target] > 0)  # 0 is no time
    source, target = source[timed], target[timed]
    after, forth = had[target] - start[source], service[source] < service[target]
    key = np.where(forth, service[source], service[target]) * len(names) + np.where(
        forth, service[target], service[source]
    )
    pairs = once(key)
    place = np.searchsorted(pairs, key)
    at_least, at_most = np.full(len(pairs), _NEVER), np.full(len(pairs), _EVER)
    np.minimum.at(at_most, place[forth], after[forth])
    np.maximum.at(at_least, place[~forth], -after[~forth])
    count = np.bincount(place, minlength=len(pairs))
    return {
        (ordered[pair // len(names)], ordered[pair % len(names)]): Apart(
            None if low == _NEVER else low, None if high == _EVER else high, edges_told
        )
        for pair, low, high, edges_told in zip(
            *(column.tolist() for column in (pairs, at_least, at_most, count)), strict=True
        )
    }


def across(edges: Edges, service: Rows) -> Mask:
    """Which edges lead from one service to another, both of them here: what lies between has two clocks."""
    mask: Mask = (edges.source >= 0) & (service[edges.source] != service[edges.target])
    return mask


def had_by(spans: pa.Table) -> Rows:
    """When each of *spans* had its message at the latest: a poll begins before that, and waits."""
    start, end = numbers(spans, "start"), numbers(spans, "end")
    return np.where(numbers(spans, "role") == Role.RECEIVE, np.maximum(start, end), start)


def early(edges: Edges, spans: pa.Table) -> Mask:
    """Which deliveries seem to have come before their message was published, by more than is plausible."""
    start, had = numbers(spans, "start"), had_by(spans)[edges.target]
    timed = (edges.source >= 0) & (start[edges.source] > 0) & (start[edges.target] > 0)
    mask: Mask = edges.of(EdgeKind.DELIVERY) & timed & (start[edges.source] - had > PLAUSIBLE)
    return mask
