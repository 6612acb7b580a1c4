"""Which consumers received the context of another message than theirs, because a framework passed it on?

A framework that publishes what a handler returns may send the context that the handler received, not that of
the new message. The consumer's parent then is a message to another destination, which says less than it
seems to: the only inference that overrides what a span says. So everything has to fit: a handler of just
that parent published the one message of the same trace and conversation that went to where the consumer
reads, and destinations mean the same on both sides: that handler's own is that of the message it took. With
brokers where they differ (an exchange, and the queue behind it), a parent is never doubted.
"""

import numpy as np
import pyarrow as pa

from collector.columns.joins import alike, among
from collector.columns.keys import codes_of, pair_keys, whole
from collector.model.readings import Role
from collector.stitching.clocks import had_by
from collector.stitching.distinct import Spans
from collector.stitching.graph import Pairs, Rows, at, climb, numbers
from collector.stitching.messages import Messages, only_one


def find_passed_on(spans: Spans, messages: Messages, by_parent: Pairs, by_link: Pairs) -> Rows:
    """The message that each consumer of *by_parent* took, if it is not the one that is there; -1 if it is.

    Both are (message, consumer) pairs, where -1 stands for a message that is not here.
    """
    parents, consumers = by_parent
    found = np.full(len(consumers), -1)
    destination = spans.codes("destination")
    there, named = at(destination, parents), destination[consumers]
    strange = np.flatnonzero((there >= 0) & (named >= 0) & (there != named))
    if not len(strange):
        return found
    message = _of_conversation(spans, messages, destination, consumers[strange])
    strange, message = strange[message >= 0], message[message >= 0]
    parent, consumer = parents[strange], consumers[strange]
    handler = _handlers_above(spans)[message]
    took = np.concatenate([pair_keys(*by_parent), pair_keys(*by_link)])
    # The handler took the parent itself, or it had been passed on to it as well.
    itself = among(pair_keys(parent, handler), took) & (at(destination, handler) == destination[parent])
    place = np.full(len(spans), -1)
    place[consumer] = np.arange(len(consumer))
    before, rows = at(place, handler), np.arange(len(consumer))
    # Who would have published its own message leads back to itself, and so nowhere.
    first = climb(np.where((before >= 0) & (at(parent, before) == parent), before, rows))
    in_time = numbers(spans.table, "start")[message] <= had_by(spans.table)[consumer]
    fits = itself[first] & in_time
    found[strange[fits]] = message[fits]
    return found


def _of_conversation(spans: Spans, messages: Messages, destination: Rows, consumers: Rows) -> Rows:
    """The only message of each consumer's trace, conversation and destination; -1 if there is not just one.

    Some libraries write the message's own id as its conversation.
    """
    columns = [whole(spans.table[name]) for name in ("conversation", "message_id")]
    codes = codes_of(pa.concat_arrays(columns).dictionary_encode())
    place, _ = alike([destination, codes_of(pa.array(spans.trace).dictionary_encode())])
    width = int(place.max()) + 1
    names = [
        np.where((code >= 0) & (destination >= 0), code * width + place, -1) for code in np.split(codes, 2)
    ]
    found = np.full(len(consumers), -1)
    for name in reversed(names):
        mine = name[consumers]
        message = np.where(mine >= 0, only_one(messages, names[0], mine), -1)
        found = np.where(message >= 0, message, found)
    return found


def _handlers_above(spans: Spans) -> Rows:
    """The nearest span above each span, or itself, that takes messages; -1 if there is none."""
    takes = (spans.role == Role.PROCESS) | (spans.role == Role.RECEIVE)
    rows = np.arange(len(spans))
    return climb(np.where(takes, rows, spans.parent))
