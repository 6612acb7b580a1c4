"""Which consumers are one reaction, and which reaction made this message?"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from collector.columns.dictionary import coded
from collector.columns.joins import distinct_pairs, matches
from collector.columns.keys import Keys, pair_keys, whole
from collector.conventions.same_broker import brokers
from collector.model.readings import Role
from collector.stitching.deliveries import Consumers
from collector.stitching.distinct import Spans
from collector.stitching.graph import (
    Because,
    Mask,
    Pairs,
    Rows,
    at,
    climb,
    firsts,
    marked,
    numbers,
    repeated,
)
from collector.stitching.messages import Messages
from collector.stitching.told_apart import apart_codes, codes_at, differ, identity_codes


@dataclass(frozen=True)
class Reactions:
    """The reactions and the spans that form them."""

    rows: Rows  # ascending: the first attempt of each
    of: Rows  # the reaction of each consumer; -1 for other spans
    around: Rows  # the reaction that each span is part of, or inside at any depth; -1 for none
    within: Rows  # likewise the consumer, which may be any attempt of that reaction
    folded: Pairs  # (span, reaction)
    attempts: Rows  # of each reaction
    last: Rows  # of each reaction: its last attempt
    pause: Rows  # of each reaction: from the end of the attempt before to the start of the last, nanoseconds


@dataclass(frozen=True)
class Causes:
    """Reaction to message, one entry for each message that a reaction made."""

    reaction: Rows
    message: Rows
    because: Rows


def find_reactions(spans: Spans, consumers: Consumers) -> Reactions:
    """The reactions that *consumers* form."""
    within = _consumer_around(spans, consumers)
    of, attempts, last, pause = _attempts(spans, consumers, within)
    rows = np.flatnonzero(of == np.arange(len(spans)))
    parts = np.flatnonzero(consumers.are)
    receives = distinct_pairs(consumers.around[0], of[consumers.around[1]])
    return Reactions(
        rows=rows,
        of=of,
        around=at(of, within),
        within=within,
        folded=(np.concatenate([parts, receives[0]]), np.concatenate([of[parts], receives[1]])),
        attempts=attempts[rows],
        last=last[rows],
        pause=pause[rows],
    )


def find_causes(spans: Spans, messages: Messages, reactions: Reactions) -> Causes:
    """For each message, the nearest reaction above it, at any depth, and those that it links to.

    Without either, those that the work around it links to: an outbox's relay links to what stored the event.
    """
    links, count = spans.links, len(spans)
    above = at(reactions.around, messages.rows)
    caused = above >= 0
    # A link to a publishing span says "this is that message", and nothing about a cause.
    linked = at(reactions.around, np.where(spans.publishes[links.target], -1, links.target))
    by_link = marked(count, messages.rows)[links.owner] & (linked >= 0)
    reaction = np.concatenate([linked[by_link], above[caused]])
    message = np.concatenate([links.owner[by_link], messages.rows[caused]])
    because = np.repeat([int(Because.LINK), int(Because.PARENT)], [by_link.sum(), caused.sum()])
    relayed = _relayed(spans, linked, messages.rows[~marked(count, message)[messages.rows]])
    reaction, message = np.concatenate([reaction, relayed[0]]), np.concatenate([message, relayed[1]])
    because = np.append(because, np.full(len(relayed[0]), int(Because.LINK)))
    kept = firsts(message, reaction)
    return Causes(reaction[kept], message[kept], because[kept])


def _relayed(spans: Spans, linked: Rows, messages: Rows) -> Pairs:
    """(reaction, message) for each of *messages* inside work of its service that links to the reaction.

    *linked* has the reaction that each link leads to, or -1.
    """
    links = spans.links
    telling = np.flatnonzero((linked >= 0) & (spans.role[links.owner] == Role.NONE))
    if not len(telling) or not len(messages):
        return messages[:0], messages[:0]
    around = marked(len(spans), links.owner[telling])
    up = np.where(spans.within_service, spans.parent, -1)
    nearest = climb(np.where(around, np.arange(len(spans)), up))
    which, entry = matches(links.owner[telling], nearest[messages])
    return linked[telling][entry], messages[which]


def find_replies(spans: Spans, consumers: Consumers, reactions: Reactions) -> Pairs:
    """(span, message) for the spans that reply to a request or receive the reply: parts of its exchange."""
    rows = np.arange(len(spans))
    alone = np.bincount(consumers.deliveries.target, minlength=len(spans)) == 1
    asked = np.full(len(spans), -1)  # of each consumer of a single message: that message
    asked[consumers.deliveries.target] = consumers.deliveries.source
    links = spans.links
    to_reply = np.flatnonzero(at(spans.role, links.target) == Role.REPLY)[::-1]
    reply = np.full(
        len(spans), -1
    )  # that each span took: its parent or, without one, the first that it links to
    reply[links.owner[to_reply]] = links.target[to_reply]
    reply = np.where(at(spans.role, spans.parent) == Role.REPLY, spans.parent, reply)
    answered = (spans.role == Role.ANSWERED) & (reply >= 0)
    answers = np.where(answered, reply, np.where(spans.role == Role.REPLY, rows, -1))
    within = at(reactions.within, answers)
    message = np.where(at(alone.astype(np.int64), within) == 1, at(asked, within), -1)
    found = np.flatnonzero(message >= 0)
    return found, message[found]


def _consumer_around(spans: Spans, consumers: Consumers) -> Rows:
    """The consumer that each span is, or is inside at any depth; -1 for none."""
    rows = np.arange(len(spans))
    receive, handler = consumers.around
    consumer = np.where(consumers.are, rows, -1)
    alone = np.bincount(receive, minlength=len(spans))[receive] == 1
    consumer[receive[alone]] = handler[alone]
    # Do not climb past another service's message: it caused what is below, even if its handling was not seen.
    # Nor past another service's reply: what we do with it is our own work, not the responder's.
    foreign = (spans.publishes[spans.parent] | (spans.role == Role.ANSWERED)) & ~spans.within_service
    return at(consumer, climb(np.where(consumer >= 0, rows, np.where(foreign, -1, spans.parent))))


def _attempts(spans: Spans, consumers: Consumers, within: Rows) -> tuple[Rows, Rows, Rows, Rows]:
    """The reaction of each consumer; and of each reaction, the number of attempts, the last, and its pause.

    A group that handles a message again makes another attempt of the same reaction. A batch is always a
    reaction of its own, because its messages may be redelivered in other batches.
    """
    count, deliveries = len(spans), consumers.deliveries
    alone = np.bincount(deliveries.target, minlength=count)[deliveries.target] == 1
    row, message, source = deliveries.target[alone], deliveries.key[alone], deliveries.source[alone]
    unseen, named = _unseen(spans, consumers)
    row, message = np.concatenate([row, unseen]), np.concatenate([message, named])
    source = np.append(source, np.full(len(unseen), -1))
    outermost = _outermost(spans, row, message, within)
    outer = outermost[row] == row
    row, run = _runs(spans, row[outer], message[outer], source[outer], marked(count, unseen))
    bounds = np.flatnonzero(np.diff(run, prepend=-1, append=-1))
    first, several = row[bounds[:-1]], np.diff(bounds)
    of = np.where(consumers.are, np.arange(count), -1)
    of[row] = np.repeat(first, several)
    attempts, last = np.ones(count, np.int64), np.arange(count)
    attempts[first], last[first] = several, row[bounds[1:] - 1]
    pause = np.zeros(count, np.int64)
    again = several > 1
    before, latest = row[bounds[1:][again] - 2], row[bounds[1:][again] - 1]
    waited = numbers(spans.table, "start")[latest] - numbers(spans.table, "end")[before]
    pause[first[again]] = np.maximum(waited, 0)
    return np.where(consumers.are, of[outermost], -1), attempts, last, pause


def _unseen(spans: Spans, consumers: Consumers) -> tuple[Rows, Keys]:
    """The handlings of messages of which nothing is known but what they say, and a key of that message.

    A worker that fails tries again in the same trace. In another one, it may as well be another subscriber.
    """
    known = marked(len(spans), consumers.deliveries.target)
    rows = np.flatnonzero(consumers.are & ~known & (spans.role == Role.PROCESS))
    if len(rows):
        identity = identity_codes(spans.table, rows)
        rows, identity = rows[identity >= 0], identity[identity >= 0]
    if not len(rows):
        return rows, spans.trace[:0]
    system = coded(brokers(whole(spans.table["system"]).take(pa.array(rows))))[0]
    destination = codes_at(spans.table, "destination", rows)
    return rows, pair_keys(pair_keys(spans.trace[rows], identity), pair_keys(system, destination))


def _outermost(spans: Spans, row: Rows, message: Keys, within: Rows) -> Rows:
    """For each consumer *row* of a *message*, the outermost consumer around it that handles the same message.

    Two libraries may record one handler as two nested spans; the inner one is not another attempt. All other
    spans map to themselves.
    """
    handled = np.zeros(len(spans), np.uint64)
    handled[row] = pair_keys(message, spans.service[row])
    outer = at(within, spans.parent[row])
    inner = np.flatnonzero((outer >= 0) & (outer != row) & (handled[outer] == handled[row]))
    inner = inner[~differ(spans.table, row[inner], outer[inner])]
    up = np.arange(len(spans))
    up[row[inner]] = outer[inner]
    return climb(up)


def _runs(spans: Spans, row: Rows, message: Keys, source: Rows, unseen: Mask) -> Pairs:
    """The rows that share a reaction with others, by time, and the number of that reaction.

    Messages that were sent together are told apart by what identifies them or, if nothing does, not folded:
    one that failed must not look as if it had been tried again. Consumers without a group must have the same
    name and follow each other: two of them at the same time are two subscribers. Of an *unseen* message only
    its id is known, which may come again: what went well was not tried again.
    """
    key = pair_keys(message, spans.service[row])
    again = repeated(key)  # few, so few texts are compared
    row, key, source = row[again], key[again], source[again]
    group, handler, tag = (codes_at(spans.table, name, row) for name in ("group", "handler", "delivery_tag"))
    key = pair_keys(pair_keys(key, group), pair_keys(handler, apart_codes(spans.table, row, source)))
    _, run = np.unique(key, return_inverse=True)
    start, end = numbers(spans.table, "start")[row], numbers(spans.table, "end")[row]
    order = np.lexsort((row, start, run))
    row, run, handler, start, end = (column[order] for column in (row, run, handler, start, end))
    at_once = (run[1:] == run[:-1]) & (handler[1:] >= 0) & (start[1:] < end[:-1])
    kept = ~np.isin(run, run[1:][at_once])
    if (tag >= 0).any() or unseen[row].any():
        run = _cut_where_well(run, tag[order], unseen[row], numbers(spans.table, "failed")[row])
    return row[kept], run[kept]


def _cut_where_well(run: Rows, tag: Rows, unseen: Mask, failed: Rows) -> Rows:
    """*run*, cut where a delivery that went well is followed by one with another tag, or is unseen.

    A redelivery has a tag of its own, but what went well is not delivered again.
    """
    other = ((tag[1:] >= 0) & (tag[:-1] >= 0) & (tag[1:] != tag[:-1])) | unseen[1:]
    other &= failed[:-1] == 0
    return np.append(0, np.cumsum((run[1:] != run[:-1]) | other))
