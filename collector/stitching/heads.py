"""Which spans begin a new unit of work inside a trace that is not one business run?

A trace may be that of a worker that handles one message after another and never begins a new one, or keeps
the context of the last message open while it takes the next.
"""

import numpy as np

from collector.columns.joins import among, once
from collector.columns.keys import pair_keys
from collector.stitching.causation import Claims
from collector.stitching.deliveries import Deliveries
from collector.stitching.distinct import Spans
from collector.stitching.graph import Mask, Rows, at, climb, marked, repeated
from collector.stitching.messages import Messages
from collector.stitching.reactions import Causes, Reactions
from collector.stitching.told_apart import differ


def find_heads(
    spans: Spans, messages: Messages, found: Deliveries, reactions: Reactions, causes: Causes, claims: Claims
) -> Rows:
    """The spans that may begin a new unit of work, ascending; *found* has the deliveries of all attempts.

    A trace is a worker's if two of its spans have their causes in other traces, or are handlings of messages
    of which nothing is known. In it, every such span is a head, and every span whose cause is here, even if
    the cause is in the same trace: a message published for one order may be taken during the work for the
    next. A handling inside that of another message is a head even if it is the only one.
    """
    abroad = spans.trace[causes.reaction] != spans.trace[causes.message]
    by = np.concatenate([found.source, claims.deliveries[0], claims.led[0], causes.reaction[abroad]])
    caused = np.concatenate([found.target, claims.deliveries[1], claims.led[1], causes.message[abroad]])
    by, caused = by[by >= 0], caused[by >= 0]
    arrived = once(caused[spans.trace[by] != spans.trace[caused]])
    known = np.concatenate([found.target, claims.deliveries[1]])
    unknown = np.flatnonzero((reactions.of >= 0) & ~marked(len(spans), known))
    unknown = unknown[spans.within_service[unknown]]
    outer = at(reactions.within, spans.parent)
    # The receive around a handling is a part of it.
    outer = np.where(
        outer == np.arange(len(spans)), at(reactions.within, at(spans.parent, spans.parent)), outer
    )
    leaked = arrived[_inside_another(spans, reactions, outer, arrived)]
    strangers = unknown[_inside_another(spans, reactions, outer, unknown)]
    strangers = strangers[differ(spans.table, strangers, outer[strangers])]
    alone = _of_workers(spans, messages, causes, unknown[outer[unknown] < 0])
    begins = once(np.concatenate([arrived, alone]))
    heads = np.concatenate([caused, alone])
    heads = heads[among(spans.trace[heads], spans.trace[begins][repeated(spans.trace[begins])])]
    return once(np.concatenate([heads, leaked, strangers]))


def _inside_another(spans: Spans, reactions: Reactions, outer: Rows, rows: Rows) -> Mask:
    """Which of *rows* are consumers inside the handling, *outer*, of another message by their service."""
    there = outer[rows]
    other = (reactions.of[rows] >= 0) & (there >= 0) & (reactions.of[there] != reactions.of[rows])
    mask: Mask = other & (spans.service[there] == spans.service[rows])
    return mask


def _of_workers(spans: Spans, messages: Messages, causes: Causes, rows: Rows) -> Rows:
    """The *rows*, handlings of unknown messages, in traces that their own service began by itself.

    A call that is served is one run, whatever it handles within. So is a trace that published before to where
    a handling reads: it is known then what was handled, only not which of it.
    """
    if not len(rows):
        return rows
    count = len(spans)
    serves = np.asarray(spans.table["serves"].to_numpy()).astype(np.bool_)
    stops = serves | ~spans.within_service
    top = climb(np.where(stops, np.arange(count), spans.parent))[rows]
    own = ~serves[top] & (spans.parent[top] < 0) & ~spans.lost_parent[top]
    rows = rows[own & ~spans.publishes[top]]
    if not len(rows):
        return rows
    destination = spans.codes("destination")
    begun = messages.rows[~marked(count, causes.message)[messages.rows]]
    sent = pair_keys(spans.trace[begun], destination[begun])
    return rows[~among(pair_keys(spans.trace[rows], destination[rows]), sent)]
