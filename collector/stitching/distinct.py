"""Which distinct spans are there, in one fixed order, and what do they point at? Stitching starts here."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.columns.dictionary import WORD, coded, lean, taken
from collector.columns.joins import ascending, find, inverse, once, taken_lists
from collector.columns.keys import NONE, Keys, are_public, content_keys, whole
from collector.model.identity import public_span_keys, ranked, span_keys, trace_keys
from collector.model.notes import NoteKind
from collector.model.readings import Role
from collector.stitching.graph import Mask, Rows, circles, numbers
from collector.stitching.recorded import with_column, with_records


@dataclass(frozen=True)
class Links:
    """All links, ordered by owner; links from a span to itself are left out."""

    owner: Rows
    target: Rows  # -1 if it is not here
    key: Keys
    trace: Keys
    trace_id: pa.Array
    span_id: pa.Array


@dataclass(frozen=True)
class Spans:
    """The distinct spans, in an order that their ids alone decide, and what each of them points at."""

    table: pa.Table  # READINGS
    read: pa.Table  # the same, without what records and replies say of other spans
    key: Keys
    trace: Keys
    role: Rows
    service: Rows  # code of its name
    publishes: Mask
    parent: Rows  # never itself, and without cycles
    parent_key: Keys  # as its sender wrote it, `NONE` for a root
    lost_parent: Mask  # it names a parent that is not here
    links: Links
    notes: tuple[tuple[NoteKind, Rows], ...]

    def __len__(self) -> int:
        return len(self.key)

    def codes(self, column: str) -> Rows:
        """A small integer for each text of *column*, -1 for none."""
        return coded(self.table[column])[0]

    @cached_property
    def within_service(self) -> Mask:
        """Which spans have a parent of their own service; never changed."""
        mask: Mask = (self.parent >= 0) & (self.service[self.parent] == self.service)
        return mask


@dataclass(frozen=True)
class _Index:
    """Where the spans with given keys are."""

    ascending: Keys
    row: Rows | None = None  # the row of each key; None if rows are in the order of their keys

    def rows(self, place: Rows) -> Rows:
        """The rows of the keys at *place*; -1 stays."""
        return place if self.row is None else np.append(self.row, -1)[place]

    def find(self, wanted: Keys) -> Rows:
        """The row of each of *wanted*; -1 if it is not here."""
        return self.rows(find(self.ascending, wanted))


def distinct(readings: pa.Table) -> Spans:
    """The spans of *readings* (READINGS, in any order, with any repeats)."""
    trace = trace_keys(readings["trace_id"])
    key = span_keys(trace, readings["span_id"])
    rows, reused = _once(readings, key)
    index = _Index(key[rows])
    if not are_public():
        # Rows decide ties, so the secret of the keys must not decide rows.
        order = ascending(public_span_keys(readings["trace_id"], readings["span_id"])[rows])
        index = _Index(key[rows], inverse(order))
        rows, reused = rows[order], np.sort(index.rows(reused))
    table = _taken(readings, rows)
    key, trace = key[rows], trace[rows]
    parent_key = span_keys(trace, table["parent_span_id"])
    parent = np.where(parent_key == NONE, -1, index.find(parent_key))
    own = parent == np.arange(len(key))
    lost = (parent < 0) & (parent_key != NONE)
    parent[own] = -1
    round_and_round = _circles(parent, numbers(table, "start"))
    parent[round_and_round] = -1
    links, self_linked = _links(table, index)
    read, role = table, numbers(table, "role")
    table = with_records(table, role, parent)
    answered = _answered(role, parent, links)
    if len(answered):
        role[answered] = Role.ANSWERED
        table = with_column(table, "role", pa.array(role, pa.uint8()))
    return Spans(
        table=table,
        read=read,
        key=key,
        trace=trace,
        role=role,
        service=coded(table["service"])[0],
        publishes=(role == Role.CREATE) | (role == Role.SEND),
        parent=parent,
        parent_key=parent_key,
        lost_parent=lost,
        links=links,
        notes=(
            (NoteKind.ID_REUSED, reused),
            (NoteKind.SELF_LINK, np.union1d(np.flatnonzero(own), self_linked)),
            (NoteKind.CYCLE, round_and_round),
        ),
    )


def _answered(role: Rows, parent: Rows, links: Links) -> Rows:
    """The spans that took a reply, as a parent or a link shows: its queue may be called like any other."""
    reply = np.append(role == Role.REPLY, False)
    if not reply.any():
        return parent[:0]
    took = reply[parent]
    took[links.owner[reply[links.target]]] = True
    return np.flatnonzero(took & ((role == Role.PROCESS) | (role == Role.RECEIVE)))


def _circles(parent: Rows, start: Rows) -> Rows:
    """The spans that are their own ancestors. There are none if each begins later than its parent."""
    doubtful = start[parent] >= start
    return circles(parent) if doubtful[parent >= 0].any() else parent[:0]


def _taken(readings: pa.Table, rows: Rows) -> pa.Table:
    """The *rows* of *readings*."""
    if np.array_equal(rows, np.arange(readings.num_rows)):
        return readings
    place = pa.array(rows)

    def of(column: pa.Array) -> pa.Array:
        if column.null_count == len(column):  # many columns are filled by a few services only
            return pa.nulls(len(rows), column.type)
        if column.type == WORD:
            return taken(column, rows)
        return taken_lists(column, rows) if pa.types.is_list(column.type) else column.take(place)

    return lean(pa.table([of(whole(column)) for column in readings.columns], schema=readings.schema))


def _once(readings: pa.Table, key: Keys) -> tuple[Rows, Rows]:
    """The row of each distinct span, ascending by key, and which of those also came with other contents.

    `model.identity` says which of several copies counts.
    """
    order = ascending(key)
    ordered = key[order]
    same = ordered[1:] == ordered[:-1]
    if not same.any():
        return order, order[:0]
    copies = np.append(same, False) | np.append(False, same)
    rows = order[copies]
    table = readings.take(pa.array(rows))
    content = content_keys(table.drop_columns(["received", "quotable"]))  # rules change no graph
    start, end, received = (numbers(table, name) for name in ("start", "end", "received"))
    sorted_copies = ranked(key[rows], end, start, received, content)
    order[copies] = rows[sorted_copies]
    differs = np.zeros(len(order), np.bool_)
    differs[np.flatnonzero(copies)[1:]] = np.diff(content[sorted_copies]) != 0
    last = np.append(~same, True)
    changes = np.cumsum(differs & np.append(False, same))[last]
    return order[last], np.flatnonzero(np.diff(changes, prepend=0))


def _links(table: pa.Table, index: _Index) -> tuple[Links, Rows]:
    """The links, and which spans link to themselves."""
    lists = whole(table["link_trace_ids"])
    trace_id, span_id = lists.flatten(), whole(table["link_span_ids"]).flatten()
    trace = trace_keys(trace_id)
    link_key = span_keys(trace, span_id)
    owner = np.repeat(np.arange(table.num_rows), np.asarray(pc.list_value_length(lists).to_numpy()))
    target = index.find(link_key)
    away = target != owner
    kept = pa.array(away)
    links = Links(
        owner=owner[away],
        target=target[away],
        key=link_key[away],
        trace=trace[away],
        trace_id=trace_id.filter(kept),
        span_id=span_id.filter(kept),
    )
    return links, once(owner[~away])
