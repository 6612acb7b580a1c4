"""What does stitching produce? The causal graph as columns, with functions to walk its rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from collector.columns.joins import ascending, once
from collector.columns.keys import Keys, pair_keys, whole

Rows: TypeAlias = npt.NDArray[np.int64]  # rows of a span table; -1 for none
Mask: TypeAlias = npt.NDArray[np.bool_]
Pairs: TypeAlias = tuple[Rows, Rows]


class EdgeKind(IntEnum):
    """What an edge stands for."""

    DELIVERY = 0
    CAUSE = 1


class Because(IntEnum):
    """How an edge is known, most trusted first."""

    LINK = 0
    PARENT = 1
    MESSAGE_ID = 2  # inferred, like all that follow
    CAUSATION_ID = 3
    CONVERSATION = 4
    FLOW_KEY = 5

    @property
    def is_observed(self) -> bool:
        """Whether a span itself says so."""
        return self <= Because.PARENT


# Nanoseconds. A message handled this long after it was published was published again, read again from a
# stream, or left in a queue that nothing read. Each of these is worth a note.
REPLAY_AFTER = 3_600 * 10**9


@dataclass(frozen=True)
class Edges:
    """Deliveries (message to reaction) and causes (reaction to message), one entry per edge.

    *source* is -1 if the other end was not seen; `Graph.sources` still knows its ids.
    """

    kind: npt.NDArray[np.int8]
    because: npt.NDArray[np.int8]
    source: Rows
    target: Rows
    told_by: Rows  # the link that says so (LINK) or else the consumer; -1 of causes and claims

    def of(self, kind: EdgeKind) -> Mask:
        """Which edges are of *kind*."""
        mask: Mask = self.kind == kind
        return mask

    @property
    def is_observed(self) -> Mask:
        """Which edges a span itself states, and both ends are here.

        What was not received may not have been a message: a parent may as well have been other work.
        """
        mask: Mask = np.array([because.is_observed for because in Because])[self.because] & (self.source >= 0)
        return mask


@dataclass(frozen=True)
class Settles:
    """How the messages of each reaction were settled; one entry per reaction."""

    settled: Rows  # how often, in any way: once per attempt, and per message of a batch
    acked: Rows
    nacked: Rows
    terminated: Rows
    deliveries: Rows  # the highest delivery number of its messages; 0 if unknown


@dataclass(frozen=True)
class Notes:
    """One entry per note: its kind and the span it is about."""

    kind: npt.NDArray[np.int8]
    row: Rows


@dataclass(frozen=True)
class Graph:
    """All that stitching knows; every number is a row of *spans*.

    A message or a reaction is identified by the row of its first span. The other spans folded into it (the
    send of a create, a receive, a later attempt) refer to that row.
    """

    spans: pa.Table  # READINGS, deduplicated, sorted by key
    # The same as they were read: to be stitched again with others, which may say something else of them.
    read: pa.Table
    key: Keys  # of each span, ascending
    trace: Keys  # of each span's trace
    parent: Rows  # of each span; never itself, and without cycles
    links: tuple[pa.Array, pa.Array]  # the trace id and the span id that each link names
    messages: Rows  # ascending
    requests: Rows  # ascending: messages whose senders wait for a reply; they are not events
    reactions: Rows  # ascending
    folded: Pairs  # (span, a message or reaction that it is part of), first spans included; distinct pairs
    polls: Rows  # receives around the handlings that they are folded into; not attempts themselves
    begun: Pairs  # (message, announcement of a handling of it that has not ended as far as is known)
    heads: Rows  # consumers and messages that may begin work for another order
    led: Pairs  # (message, message that names it as its cause): in one flow, even without edges between them
    claims: Rows  # spans whose causation id counts, because nothing else says what caused their message
    attempts: Rows  # of each reaction
    pause: Rows  # of each reaction: between its last two attempts, nanoseconds; 0 if there was one
    start: Rows  # of each reaction's first attempt, nanoseconds
    end: Rows  # of each reaction's last attempt, nanoseconds
    failed: Mask  # of each reaction's last attempt
    settles: Settles  # of each reaction
    edges: Edges
    notes: Notes

    def strings(self, column: str, rows: Rows) -> Sequence[str | None]:
        """The texts of *column* at *rows*."""
        texts: Sequence[str | None] = self.spans[column].take(pa.array(rows)).to_pylist()
        return texts

    def numbers(self, column: str) -> Rows:
        """A whole column of integers or booleans."""
        return numbers(self.spans, column)

    def sources(self, edges: Rows) -> tuple[pa.Array, pa.Array]:
        """The trace ids and the span ids of the sources of *edges*, whether they are here or not."""
        source, told_by = self.edges.source[edges], self.edges.told_by[edges]
        count, links = len(self.key), len(self.links[0])
        by_link = self.edges.because[edges] == Because.LINK
        place = np.where(source >= 0, source, np.where(by_link, count, count + links) + told_by)
        trace_id, span_id = whole(self.spans["trace_id"]), whole(self.spans["span_id"])
        return (
            pa.concat_arrays([trace_id, self.links[0], trace_id]).take(pa.array(place)),
            pa.concat_arrays([span_id, self.links[1], whole(self.spans["parent_span_id"])]).take(
                pa.array(place)
            ),
        )


def numbers(table: pa.Table, column: str) -> Rows:
    """A whole column of integers or booleans."""
    return np.asarray(table[column].to_numpy(), dtype=np.int64)


def at(values: Rows, places: Rows) -> Rows:
    """*values* at *places*; -1 where a place is -1."""
    return np.append(values, -1)[places]


def marked(count: int, rows: Rows) -> Mask:
    """A mask of *count* rows that is true at *rows*."""
    mask = np.zeros(count, np.bool_)
    mask[rows] = True
    return mask


def firsts(rows: Rows, other: npt.NDArray[Any]) -> Rows:
    """The places where each distinct pair of *rows* and *other* first occurs, ascending."""
    kept = np.ones(len(rows), np.bool_)
    several = np.flatnonzero(np.bincount(rows)[rows] > 1)  # few: most rows occur once
    _, first = np.unique(pair_keys(rows[several], other[several]), return_index=True)
    kept[several] = marked(len(several), first)
    return np.flatnonzero(kept)


def repeated(keys: Keys) -> Rows:
    """The places of *keys* that occur more than once, ascending."""
    order = ascending(keys)
    same = keys[order[1:]] == keys[order[:-1]]
    twice = np.append(same, False) | np.append(False, same)
    return np.sort(order[twice[: len(keys)]])


def climb(above: Rows) -> Rows:
    """Follow *above* from every row to its end: a row that points at itself, or -1. No cycles allowed."""
    count = len(above)
    end = _climbed(above)
    return np.where(end == count, -1, end)


def circles(above: Rows) -> Rows:
    """The rows on cycles of *above* that pass through two or more rows."""
    end = _climbed(above)
    # A row without an end now points into its cycle, and each row of a cycle is pointed at by some row.
    return once(end[np.append(above, len(above))[end] != end])


def _climbed(above: Rows) -> Rows:
    """Where each row leads in more steps than there are rows; the number of rows means "nowhere".

    Steps double with every round (Wyllie's list ranking), so a chain of a million spans takes 20 rounds and
    no recursion.
    """
    count = len(above)
    pointer = np.append(np.where(above < 0, count, above), count)
    for _ in range(count.bit_length() + 1):
        further = pointer[pointer]
        if np.array_equal(further, pointer):
            break
        pointer = further
    return pointer[:count]


def components(count: int, left: Rows, right: Rows, connection: Literal["weak", "strong"] = "weak") -> Rows:
    """The component number of each of *count* nodes, given edges from *left* to *right*."""
    apart = left != right
    if not apart.any():
        return np.arange(count)
    ends = left[apart], right[apart]
    joined = coo_array((np.ones(len(ends[0]), np.bool_), ends), shape=(count, count))
    _, label = connected_components(joined, directed=connection == "strong", connection=connection)
    return np.asarray(label, np.int64)
