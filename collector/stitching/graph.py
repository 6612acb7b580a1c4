"""The causal graph as columns: what stitching makes of a set of spans; and how to go from row to row."""

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

Rows: TypeAlias = npt.NDArray[np.int64]  # rows of a span table; -1 where there is none
Mask: TypeAlias = npt.NDArray[np.bool_]
Pairs: TypeAlias = tuple[Rows, Rows]


class EdgeKind(IntEnum):
    """What an edge says."""

    DELIVERY = 0
    CAUSE = 1


class Because(IntEnum):
    """How an edge is known, most trusted first."""

    LINK = 0
    PARENT = 1
    MESSAGE_ID = 2  # inferred, as are those that follow
    CAUSATION_ID = 3
    CONVERSATION = 4
    FLOW_KEY = 5

    @property
    def is_observed(self) -> bool:
        """Whether a span says so itself."""
        return self <= Because.PARENT


class NoteKind(IntEnum):
    """A repair or a doubt; the names are those of the document."""

    MISSING_PARENT = 0
    MISSING_LINK_TARGET = 1
    DROPPED_LINKS = 2
    CLOCK_SKEW = 3
    END_BEFORE_START = 4
    CYCLE = 5
    SELF_LINK = 6
    ID_REUSED = 7
    REPLAY = 8
    UNCLEAR_CAUSE = 9
    SHARED_KEY = 10


# What a lost span leaves behind; the other notes are about what is there.
LOST = (NoteKind.MISSING_PARENT, NoteKind.MISSING_LINK_TARGET, NoteKind.DROPPED_LINKS)


# Nanoseconds. A message that was handled so long after its time was published again by somebody, read again
# from a stream, or lay in a queue that nobody read: each of them is worth a word.
REPLAY_AFTER = 3_600 * 10**9


@dataclass(frozen=True)
class Edges:
    """Deliveries (message to reaction) and causes (reaction to message), one entry an edge.

    *source* is -1 where the other end was not seen; `Graph.sources` knows its ids all the same.
    """

    kind: npt.NDArray[np.int8]
    because: npt.NDArray[np.int8]
    source: Rows
    target: Rows
    told_by: Rows  # the link that says so or, because of a parent, the span whose parent it is

    def of(self, kind: EdgeKind) -> Mask:
        """Which edges are of *kind*."""
        mask: Mask = self.kind == kind
        return mask

    @property
    def is_observed(self) -> Mask:
        """Which edges a span tells of itself."""
        return np.array([because.is_observed for because in Because])[self.because]


@dataclass(frozen=True)
class Settles:
    """How the messages of each reaction were settled; one entry a reaction."""

    settled: Rows  # how often, in whatever way: once for each attempt, and for each message of a batch
    acked: Rows
    nacked: Rows
    terminated: Rows
    deliveries: Rows  # the highest number that a delivery of its messages had; 0 where nobody said


@dataclass(frozen=True)
class Notes:
    """One entry a note: its kind and the span it is about."""

    kind: npt.NDArray[np.int8]
    row: Rows


@dataclass(frozen=True)
class Graph:
    """All that stitching knows; every number is a row of *spans*.

    A message or a reaction is named by the row of its first span; the other spans folded into it
    (the send of a create, a receive, a later attempt) name that row.
    """

    spans: pa.Table  # READINGS, each span once, in the order of its key
    key: Keys  # of each span, ascending
    trace: Keys  # of each span's trace
    parent: Rows  # of each span; never itself, and never round in a circle
    links: tuple[pa.Array, pa.Array]  # the trace id and the span id that each link names
    messages: Rows  # ascending
    requests: Rows  # ascending: the messages whose senders wait for an answer, which are no events
    reactions: Rows  # ascending
    folded: Pairs  # (span, a message or reaction it is a part of), themselves included; each pair once
    polls: Rows  # receives around the handlings that they are folded into, and no attempts themselves
    begun: Pairs  # (message, word that a handling of it began, which has not ended as far as is known)
    heads: Rows  # consumers, and messages, with which work for another order may begin
    led: Pairs  # (message, message that names it as its cause): of one flow, with or without edges between
    claims: Rows  # spans of which the causation id counts: nothing else says what their message came of
    attempts: Rows  # of each reaction
    start: Rows  # of each reaction, nanoseconds: of its first attempt
    end: Rows  # of each reaction, nanoseconds: of its last attempt
    failed: Mask  # of each reaction: of its last attempt
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
        """The trace id and the span id of the other end of each of *edges*, whether it is here or not."""
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
    """The places of the first of each of equal pairs of *rows* and *other*, ascending."""
    kept = np.ones(len(rows), np.bool_)
    several = np.flatnonzero(np.bincount(rows)[rows] > 1)  # few, of all that have one message or made one
    _, first = np.unique(pair_keys(rows[several], other[several]), return_index=True)
    kept[several] = marked(len(several), first)
    return np.flatnonzero(kept)


def repeated(keys: Keys) -> Rows:
    """The places of those of *keys* that are there more than once, ascending."""
    order = ascending(keys)
    same = keys[order[1:]] == keys[order[:-1]]
    twice = np.append(same, False) | np.append(False, same)
    return np.sort(order[twice[: len(keys)]])


def climb(above: Rows) -> Rows:
    """Follow *above* from every row to its end: a row that names itself, or -1. It has no circles."""
    count = len(above)
    end = _climbed(above)
    return np.where(end == count, -1, end)


def circles(above: Rows) -> Rows:
    """The rows from which *above* leads back to themselves over others."""
    end = _climbed(above)
    # Who has no end is somewhere on a circle by now, and all of a circle is reached by somebody.
    return once(end[np.append(above, len(above))[end] != end])


def _climbed(above: Rows) -> Rows:
    """Where each row is after more steps than there are rows; their number is "nowhere".

    Pointers double with every round (Wyllie's list ranking), so a chain of a million spans takes 20
    rounds and no recursion.
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
    """The number of the component that each of *count* things is in, when *left* and *right* are joined."""
    apart = left != right
    if not apart.any():
        return np.arange(count)
    ends = left[apart], right[apart]
    joined = coo_array((np.ones(len(ends[0]), np.bool_), ends), shape=(count, count))
    _, label = connected_components(joined, directed=connection == "strong", connection=connection)
    return np.asarray(label, np.int64)
