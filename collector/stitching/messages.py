"""Which spans are one message?

A message may have several spans: one that created it and one that sent it, or one from each library that sent
it on. It is identified by the first of them, whose context it carries.
"""

from dataclasses import dataclass

import numpy as np

from collector.columns.joins import distinct_pairs, find, matches_in_order, sole_pairs
from collector.model.readings import Role
from collector.stitching.distinct import Spans
from collector.stitching.graph import Mask, Pairs, Rows, at, circles, climb, marked
from collector.stitching.told_apart import same_message, without_others


@dataclass(frozen=True)
class Messages:
    """The messages and the spans that form them."""

    rows: Rows  # ascending: the first span of each
    of: Rows  # the message of each span that publishes; -1 for others
    folded: Pairs  # (span, message); the send of a batch is part of each of its messages


def find_messages(spans: Spans) -> Messages:
    """The messages of *spans*."""
    rows = np.arange(len(spans))
    sends, creates = _sent_together(spans)
    together = marked(len(spans), sends)
    up = np.where(_repeats(spans, together), spans.parent, rows)
    again, before = _sent_later(spans, ~together & (up == rows), together)
    up[again] = before
    around = circles(up) if len(again) else again
    up[around] = around
    outermost = climb(up)
    # A pointer to the send of a batch means one of its messages, unknown which: take the first.
    first_create = np.full(len(spans), -1)
    first_create[sends[::-1]] = creates[::-1]
    of = np.where(spans.publishes, np.where(together[outermost], first_create[outermost], outermost), -1)
    alone = np.flatnonzero(spans.publishes & ~together[outermost])
    others = np.flatnonzero(spans.publishes & together[outermost])
    place, pair = matches_in_order(sends, outermost[others])
    return Messages(
        rows=np.flatnonzero(of == rows),
        of=of,
        folded=(
            np.concatenate([alone, others[place]]),
            np.concatenate([of[alone], creates[pair]]),
        ),
    )


def _sent_together(spans: Spans) -> Pairs:
    """(send, create) for each create that a send links to; distinct and ascending."""
    links = spans.links
    of_send = (spans.role[links.owner] == Role.SEND) & (at(spans.role, links.target) == Role.CREATE)
    return distinct_pairs(links.owner[of_send], links.target[of_send])


def _sent_later(spans: Spans, alone: Mask, together: Mask) -> Pairs:
    """(send, the span that published the same message before), for sends *alone*.

    A job is scheduled, and sent by a poller when it is due. The later span links to the earlier one or, if
    the context went along, is its child in another service; both name the same message or event, and the
    same destination. What a handler sends again is another message, whatever it is called.
    """
    links, rows = spans.links, np.arange(len(spans))
    sends, first = (spans.role == Role.SEND) & alone, spans.publishes & ~together
    linked = np.flatnonzero(sends[links.owner] & np.append(first, False)[links.target])
    below = np.flatnonzero(sends & (spans.parent >= 0) & ~spans.within_service)
    below = below[first[spans.parent[below]]]
    # The parent, or else the first link.
    send = np.concatenate([below, links.owner[linked]])
    before = np.concatenate([spans.parent[below], links.target[linked]])
    if not len(send):
        return send, send
    fits = same_message(spans.table, send, before)
    handles = (spans.role == Role.PROCESS) | (spans.role == Role.RECEIVE)
    fits &= climb(np.where(handles, rows, spans.parent))[send] < 0
    send, before = send[fits], before[fits]
    _, place = np.unique(send, return_index=True)
    return send[place], before[place]


def _repeats(spans: Spans, together: Mask) -> Mask:
    """Which sends repeat their parent: those that transport a create, or another send.

    If a send has several sends inside, none of these repeats it: each is a message of its own. So is one that
    is identified as another message than what is around it, or beside it.
    """
    above = spans.parent
    destination = spans.codes("destination")
    there = at(destination, above)
    agrees = (destination == there) | (destination < 0) | (there < 0)
    inner = (spans.role == Role.SEND) & ~together & agrees & spans.within_service & spans.publishes[above]
    inner = without_others(spans.table, above, inner)
    only = np.bincount(above[inner], minlength=len(spans))[above] == 1
    mask: Mask = inner & ((spans.role[above] == Role.CREATE) | only)
    return mask


def only_one(messages: Messages, name: Rows, wanted: Rows) -> Rows:
    """The only message with a span of each *wanted* name; -1 if there is none, or several."""
    member, message = messages.folded
    has = name[member] >= 0
    names, of = sole_pairs(name[member][has], message[has])
    return at(of, find(names, wanted))
