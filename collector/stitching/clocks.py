"""How far apart are the clocks of two services?

No message is handled, or returned by a poll, before it was published, and none is published before the
reaction that caused it began. So the smallest difference between two such times, each by its own clock, is
the most by which the second clock can be ahead of the first. Edges in the other direction bound it from the
other side, as in an exchange with a time server. Times are never rewritten: they stay as the senders' clocks
had them.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from collector.columns.dictionary import coded
from collector.columns.joins import once
from collector.model.readings import Role
from collector.stitching.graph import EdgeKind, Edges, Graph, Mask, Rows, numbers

# Nanoseconds. Some senders' clocks tick once a millisecond, so less than that says nothing about two clocks.
PLAUSIBLE = 10**6

_NEVER, _EVER = np.iinfo(np.int64).min, np.iinfo(np.int64).max

Pair: TypeAlias = tuple[str, str]  # two services, by name


@dataclass(frozen=True)
class Apart:
    """By how many nanoseconds the clock of a pair's second service is ahead of the first's."""

    at_least: int | None  # None if unknown
    at_most: int | None
    edges: int  # the number of edges that this rests on

    @property
    def about(self) -> float | None:
        """The midpoint if both bounds are known, else None.

        Also None if they contradict each other: the difference changed over time, or a service has several
        clocks.
        """
        if self.at_least is None or self.at_most is None or self.at_least > self.at_most:
            return None
        return (self.at_least + self.at_most) / 2


def clocks(graph: Graph, edges: Rows) -> dict[Pair, Apart]:
    """What the chosen *edges* of *graph* say about each pair of services that they connect, by name."""
    code, texts = coded(graph.spans["service"])
    names: list[str] = texts.to_pylist()
    ordered = sorted(names)
    service = np.array([ordered.index(name) for name in names], np.int64)[code]
    start, had = graph.numbers("start"), had_by(graph.spans)
    told = edges[(graph.edges.is_observed & across(graph.edges, service))[edges]]
    source, target = graph.edges.source[told], graph.edges.target[told]
    timed = (start[source] > 0) & (start[target] > 0)  # 0 means no time
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
    """Which edges lead from one service to another, both ends here: two clocks measure their duration."""
    mask: Mask = (edges.source >= 0) & (service[edges.source] != service[edges.target])
    return mask


def had_by(spans: pa.Table) -> Rows:
    """When each of *spans* had its message at the latest: a poll begins earlier and waits."""
    start, end = numbers(spans, "start"), numbers(spans, "end")
    return np.where(numbers(spans, "role") == Role.RECEIVE, np.maximum(start, end), start)


def early(edges: Edges, spans: pa.Table) -> Mask:
    """Which deliveries seem to precede the publishing of their message, by more than is plausible."""
    start, had = numbers(spans, "start"), had_by(spans)[edges.target]
    timed = (edges.source >= 0) & (start[edges.source] > 0) & (start[edges.target] > 0)
    mask: Mask = edges.of(EdgeKind.DELIVERY) & timed & (start[edges.source] - had > PLAUSIBLE)
    return mask
