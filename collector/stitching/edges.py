"""Which message made this consumer run, and which reaction made this message?

The answer may not depend on the order in which spans arrived, nor on how often an exporter sent
them, so everything here is a function of a set of spans.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.conventions import Role
from collector.keys import NONE, Keys, codes_of, span_keys, trace_keys, whole
from collector.stitching.graph import (
    Because,
    EdgeKind,
    Edges,
    Graph,
    Mask,
    NoteKind,
    Notes,
    Rows,
    climb,
    find,
)


@dataclass(frozen=True)
class _Spans:
    """The distinct spans and what each of them points at."""

    table: pa.Table
    key: Keys
    trace: Keys
    role: Rows
    service: Rows  # code of its name
    parent: Rows
    lost_parent: Mask  # it names a parent that is not here
    owner: Rows  # of each link
    target: Rows  # of each link; -1 where it is not here
    target_key: Keys  # of each link
    link_trace_id: pa.Array
    link_span_id: pa.Array
    notes: list[tuple[NoteKind, Rows]]

    @property
    def publishes(self) -> Mask:
        mask: Mask = (self.role == Role.CREATE) | (self.role == Role.SEND)
        return mask


@dataclass(frozen=True)
class _Deliveries:
    """Message to consumer; *source* is -1 where only *link* or the consumer's parent names it."""

    source: Rows
    source_key: Keys
    target: Rows
    because: Rows
    link: Rows  # the link that says so; -1 where the parent does


def stitch_edges(readings: pa.Table) -> Graph:
    """The graph of *readings* (READINGS, in any order, with any repeats)."""
    spans = _distinct(readings)
    message_of, folds = _messages(spans)
    deliveries, consumers = _deliveries(spans, message_of)
    reaction_of, attempts, last = _attempts(spans, deliveries, consumers)
    reactions = np.flatnonzero(reaction_of == np.arange(len(reaction_of)))
    # A send that went into its creates is a part of each of them, every other span of one node.
    part = np.flatnonzero(reaction_of >= 0)
    folded = (np.concatenate([folds[0], part]), np.concatenate([folds[1], reaction_of[part]]))
    messages = np.flatnonzero(message_of == np.arange(len(message_of)))
    start = np.asarray(spans.table["start"].to_numpy())
    end = np.asarray(spans.table["end"].to_numpy())
    failed = np.asarray(spans.table["failed"].to_numpy(zero_copy_only=False))
    edges = _edges(spans, deliveries, _causes(spans, messages, reaction_of), reaction_of)
    return Graph(
        spans=spans.table,
        key=spans.key,
        trace=spans.trace,
        messages=messages,
        reactions=reactions,
        folded=folded,
        attempts=attempts[reactions],
        start=start[reactions],
        end=end[last[reactions]],
        failed=failed[last[reactions]],
        edges=edges,
        notes=_notes(spans, edges, start, end),
    )


def _distinct(readings: pa.Table) -> _Spans:
    trace = trace_keys(readings["trace_id"])
    key = span_keys(trace, readings["span_id"])
    # One id with two contents: the one that ended last is kept, whichever came first.
    content = [np.asarray(readings[name].to_numpy(), np.int64) for name in ("role", "failed", "start", "end")]
    order = np.lexsort((*content, key))
    ascending = key[order]
    latest = np.append(ascending[1:] != ascending[:-1], True)[: len(order)]
    rows = order[latest]
    again = order[~latest]
    table = readings if np.array_equal(rows, np.arange(readings.num_rows)) else readings.take(pa.array(rows))
    key, trace = key[rows], trace[rows]
    kept = find(key, ascending[~latest])
    differs = np.zeros(len(again), bool)
    for column in content:
        differs |= column[again] != column[rows][kept]

    parent_key = span_keys(trace, table["parent_span_id"])
    parent = find(key, parent_key)
    parent[parent_key == NONE] = -1
    own = parent == np.arange(len(key))
    owner, target_key, link_trace_id, link_span_id = _links(table)
    target = find(key, target_key)
    to_itself = target == owner
    notes = [
        (NoteKind.ID_REUSED, np.unique(kept[differs])),
        (NoteKind.SELF_LINK, np.unique(np.concatenate([np.flatnonzero(own), owner[to_itself]]))),
    ]
    parent[own] = -1
    away = pa.array(~to_itself)
    return _Spans(
        table=table,
        key=key,
        trace=trace,
        role=np.asarray(table["role"].to_numpy(), np.int64),
        service=codes_of(whole(table["service"]).dictionary_encode()),
        parent=parent,
        lost_parent=(parent < 0) & (parent_key != NONE) & ~own,
        owner=owner[~to_itself],
        target=target[~to_itself],
        target_key=target_key[~to_itself],
        link_trace_id=link_trace_id.filter(away),
        link_span_id=link_span_id.filter(away),
        notes=notes,
    )


def _links(table: pa.Table) -> tuple[Rows, Keys, pa.Array, pa.Array]:
    traces = whole(table["link_trace_ids"])
    owner = np.repeat(np.arange(table.num_rows), np.asarray(pc.list_value_length(traces).to_numpy()))
    trace_ids, span_ids = traces.flatten(), whole(table["link_span_ids"]).flatten()
    return owner, span_keys(trace_keys(trace_ids), span_ids), trace_ids, span_ids


def _messages(spans: _Spans) -> tuple[Rows, tuple[Rows, Rows]]:
    """The message of each span that publishes, and which spans went into which message.

    A send is the transport of the creates it links to (a batch), or of the create it is a child of;
    without one it is the message itself.
    """
    rows = np.arange(len(spans.role))
    message_of = np.where(spans.publishes, rows, -1)
    of_send = (spans.role[spans.owner] == Role.SEND) & (spans.target >= 0)
    of_send &= spans.role[np.maximum(spans.target, 0)] == Role.CREATE
    sends, creates = spans.owner[of_send], spans.target[of_send]
    message_of[sends] = creates
    above = np.maximum(spans.parent, 0)
    destination = codes_of(whole(spans.table["destination"]).dictionary_encode())
    child = (spans.role == Role.SEND) & (spans.parent >= 0) & (message_of == rows)
    child &= (spans.role[above] == Role.CREATE) & (spans.service[above] == spans.service)
    child &= (destination[above] == destination) | (destination < 0) | (destination[above] < 0)
    message_of[child] = above[child]
    alone = (message_of >= 0) & ~np.isin(rows, sends)
    return message_of, (np.concatenate([sends, rows[alone]]), np.concatenate([creates, message_of[alone]]))


def _deliveries(spans: _Spans, message_of: Rows) -> tuple[_Deliveries, Mask]:
    """One delivery for each publisher of each consumer, and which spans are consumers.

    A link names a message's own publisher, and a batch has one per message; the parent is only a
    fallback, because in a batch receive it is the poll. A consumer whose publisher is not here keeps
    a dangling delivery: a lost message is what the reader came to see.
    """
    count = len(spans.role)
    above = np.maximum(spans.parent, 0)
    inside = (spans.parent >= 0) & (spans.service[above] == spans.service)
    linked = np.zeros(count, bool)
    linked[spans.owner] = True
    process = spans.role == Role.PROCESS
    # A second instrumentation's span around the same handler is no second reaction.
    process &= ~(inside & (spans.role[above] == Role.PROCESS) & ~linked)
    receive = spans.role == Role.RECEIVE
    wrapped = process & inside & receive[above]
    wrapper = np.where(wrapped, above, -1)
    opened = np.zeros(count, bool)
    opened[above[wrapped]] = True
    consumer = process | (receive & ~opened)

    names = (spans.target < 0) | (message_of[np.maximum(spans.target, 0)] >= 0)
    links = np.flatnonzero(names)
    own = links[consumer[spans.owner[links]]]
    told = np.zeros(count, bool)
    told[spans.owner[own]] = True
    # A batch's own span holds the links, the handler is its child and has none.
    heirs = np.flatnonzero(wrapped & ~told)
    heir, inherited = _pairs(wrapper[heirs], spans.owner, links)
    link = np.concatenate([own, inherited])
    target = np.concatenate([spans.owner[own], heirs[heir]])
    told[target] = True

    # For a handler inside a receive, the receive's parent is the publisher.
    outer = np.where(wrapped & (message_of[above] < 0), above, np.arange(count))
    parent, lost = spans.parent[outer], spans.lost_parent[outer]
    remote = np.asarray(spans.table["remote"].to_numpy(zero_copy_only=False))[outer]
    by_parent = consumer & ~told & (parent >= 0) & (message_of[np.maximum(parent, 0)] >= 0)
    dangling = consumer & ~told & lost & remote
    parents = np.flatnonzero(by_parent | dangling)
    parent_key = span_keys(spans.trace, spans.table["parent_span_id"])[outer]

    seen = spans.target[link] >= 0
    source = np.concatenate(
        [np.where(seen, message_of[np.maximum(spans.target[link], 0)], -1), _at(message_of, parent[parents])]
    )
    deliveries = _Deliveries(
        source=source,
        source_key=np.where(
            source >= 0,
            spans.key[np.maximum(source, 0)] if count else NONE,
            np.concatenate([spans.target_key[link], parent_key[parents]]),
        ),
        target=np.concatenate([target, parents]),
        because=np.repeat([int(Because.LINK), int(Because.PARENT)], [len(link), len(parents)]),
        link=np.concatenate([link, np.full(len(parents), -1)]),
    )
    # A poll that brought nothing is no reaction.
    reached = np.zeros(count, bool)
    reached[deliveries.target] = True
    return _once(deliveries), process | (receive & reached & consumer)


def _once(deliveries: _Deliveries) -> _Deliveries:
    """One delivery for each pair, the most trusted: a link and a parent to one message are one edge."""
    order = np.lexsort((deliveries.link, deliveries.because, deliveries.source_key, deliveries.target))
    source, target = deliveries.source_key[order], deliveries.target[order]
    first = np.append(True, (source[1:] != source[:-1]) | (target[1:] != target[:-1]))[: len(order)]
    kept = order[first]
    return _Deliveries(
        source=deliveries.source[kept],
        source_key=deliveries.source_key[kept],
        target=deliveries.target[kept],
        because=deliveries.because[kept],
        link=deliveries.link[kept],
    )


def _attempts(spans: _Spans, deliveries: _Deliveries, consumers: Mask) -> tuple[Rows, Rows, Rows]:
    """The reaction of each consumer span; and, of each reaction, its number of attempts and the last one.

    One group that handles one message again makes another attempt of the same reaction. A batch is a
    reaction of its own: its messages may come again in other company.
    """
    count = len(spans.role)
    rows = np.arange(count)
    reaction_of = np.where(consumers, rows, -1)
    attempts, last = np.ones(count, np.int64), rows.copy()
    single = np.bincount(deliveries.target, minlength=count)[deliveries.target] == 1
    row, message = deliveries.target[single], deliveries.source_key[single]
    if not len(row):
        return reaction_of, attempts, last
    group = codes_of(whole(spans.table["group"]).dictionary_encode())[row]
    start = np.asarray(spans.table["start"].to_numpy())[row]
    order = np.lexsort((row, start, group, spans.service[row], message))
    row, message, group = row[order], message[order], group[order]
    service = spans.service[row]
    new = np.append(
        True, (message[1:] != message[:-1]) | (group[1:] != group[:-1]) | (service[1:] != service[:-1])
    )
    first = np.flatnonzero(new)
    reaction_of[row] = row[first][np.cumsum(new) - 1]
    attempts[row[first]] = np.diff(np.append(first, len(row)))
    last[row[first]] = row[np.append(first[1:], len(row)) - 1]
    return reaction_of, attempts, last


def _causes(spans: _Spans, messages: Rows, reaction_of: Rows) -> tuple[Rows, Rows, Rows]:
    """(reaction, message, because): the nearest reaction above each message, at any depth."""
    rows = np.arange(len(spans.role))
    above = np.maximum(spans.parent, 0)
    # Beyond another service's message lies what that message caused, seen or not: not our cause.
    over = (spans.parent >= 0) & spans.publishes[above] & (spans.service[above] != spans.service)
    end, circles = climb(np.where(reaction_of >= 0, rows, np.where(over, -1, spans.parent)))
    spans.notes.append((NoteKind.CYCLE, np.flatnonzero(circles)))
    caused = messages[end[messages] >= 0]
    of_link = np.isin(spans.owner, messages) & (spans.target >= 0)
    of_link &= _at(reaction_of, spans.target) >= 0
    reaction = np.concatenate([_at(reaction_of, spans.target[of_link]), reaction_of[end[caused]]])
    message = np.concatenate([spans.owner[of_link], caused])
    because = np.repeat([int(Because.LINK), int(Because.PARENT)], [int(of_link.sum()), len(caused)])
    if not len(message):
        return reaction, message, because
    order = np.lexsort((because, reaction, message))
    reaction, message, because = reaction[order], message[order], because[order]
    first = np.append(True, (reaction[1:] != reaction[:-1]) | (message[1:] != message[:-1]))
    return reaction[first], message[first], because[first]


def _edges(spans: _Spans, found: _Deliveries, causes: tuple[Rows, Rows, Rows], reaction_of: Rows) -> Edges:
    # Later attempts repeat the first one's delivery.
    kept = np.flatnonzero(reaction_of[found.target] == found.target)
    source, target, link = found.source[kept], found.target[kept], found.link[kept]
    reaction, message, because = causes
    source = np.concatenate([source, reaction])
    target = np.concatenate([target, message])
    link = np.concatenate([link, np.full(len(reaction), -1)])
    traces, ids = whole(spans.table["trace_id"]), whole(spans.table["span_id"])
    parents = whole(spans.table["parent_span_id"])
    # The other end's ids: from its own span, else from the link, else from the consumer's parent.
    count, links = len(spans.role), len(spans.owner)
    place = np.where(source >= 0, source, np.where(link >= 0, count + link, count + links + target))
    return Edges(
        kind=np.repeat([int(EdgeKind.DELIVERY), int(EdgeKind.CAUSE)], [len(kept), len(reaction)]).astype(
            np.int8
        ),
        because=np.concatenate([found.because[kept], because]).astype(np.int8),
        source=source,
        target=target,
        trace_id=pa.concat_arrays([traces, spans.link_trace_id, traces]).take(pa.array(place)),
        span_id=pa.concat_arrays([ids, spans.link_span_id, parents]).take(pa.array(place)),
    )


def _notes(spans: _Spans, edges: Edges, start: Rows, end: Rows) -> Notes:
    delivered = edges.of(EdgeKind.DELIVERY) & (edges.source >= 0)
    early = delivered & (start[edges.target] < _at(start, edges.source))
    found = [
        *spans.notes,
        (NoteKind.MISSING_PARENT, np.flatnonzero(spans.lost_parent)),
        (NoteKind.MISSING_LINK_TARGET, np.unique(spans.owner[spans.target < 0])),
        (NoteKind.DROPPED_LINKS, np.flatnonzero(np.asarray(spans.table["dropped_links"].to_numpy()) > 0)),
        (NoteKind.CLOCK_SKEW, np.unique(edges.target[early])),
        (NoteKind.END_BEFORE_START, np.flatnonzero(end < start)),
    ]
    kind = np.repeat([int(kind) for kind, _ in found], [len(rows) for _, rows in found]).astype(np.int8)
    return Notes(kind=kind, row=np.concatenate([rows for _, rows in found]).astype(np.int64))


def _at(values: Rows, places: Rows) -> Rows:
    """*values* at *places*; -1 where a place is -1."""
    if not len(values):
        return np.full(len(places), -1)
    return np.where(places >= 0, values[np.maximum(places, 0)], -1)


def _pairs(wanted: Rows, of: Rows, items: Rows) -> tuple[Rows, Rows]:
    """(place in *wanted*, item) for each of *items* whose `of[item]` is wanted there."""
    owners = of[items]
    order = np.argsort(owners, kind="stable")
    left = np.searchsorted(owners[order], wanted, "left")
    count = np.searchsorted(owners[order], wanted, "right") - left
    place = np.repeat(np.arange(len(wanted)), count)
    within = np.arange(len(place)) - np.repeat(np.cumsum(count) - count, count)
    return place, items[order[left[place] + within]]
