"""Which spans are one message?

A message may have several spans: one that created it and one that sent it, or one of each library that
saw it go. It is named by the first of them, whose context it carries.
"""

from dataclasses import dataclass

import numpy as np

from collector.columns.joins import distinct_pairs, matches_in_order
from collector.model.readings import Role
from collector.stitching.distinct import Spans
from collector.stitching.graph import Mask, Pairs, Rows, at, climb, marked


@dataclass(frozen=True)
class Messages:
    """The messages, and what went into them."""

    rows: Rows  # ascending: the first span of each
    of: Rows  # the message of each span that publishes; -1 of the others
    folded: Pairs  # (span, message); the send of a batch is a part of each of its messages


def find_messages(spans: Spans) -> Messages:
    """The messages of *spans*."""
    rows = np.arange(len(spans))
    sends, creates = _sent_together(spans)
    together = marked(len(spans), sends)
    outermost = climb(np.where(_repeats(spans, together), spans.parent, rows))
    # Who is told of the send of a batch is told of one of its messages; of which, nobody said.
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
    """(send, create) for each create that a send links to, ascending; each pair once."""
    links = spans.links
    of_send = (spans.role[links.owner] == Role.SEND) & (at(spans.role, links.target) == Role.CREATE)
    return distinct_pairs(links.owner[of_send], links.target[of_send])


def _repeats(spans: Spans, together: Mask) -> Mask:
    """Which sends say once more what the span above them says: the transport of a create, or of a send.

    A send around several others of its kind is the work of several messages, not one of them.
    """
    above = spans.parent
    destination = spans.codes("destination")
    there = at(destination, above)
    agrees = (destination == there) | (destination < 0) | (there < 0)
    inner = (spans.role == Role.SEND) & ~together & agrees & spans.within_service & spans.publishes[above]
    only = np.bincount(above[inner], minlength=len(spans))[above] == 1
    mask: Mask = inner & ((spans.role[above] == Role.CREATE) | only)
    return mask
