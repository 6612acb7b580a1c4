"""Which reaction made this message, if no span says so but the message names its cause by id?

Events may carry the id of the event that their publisher reacted to. This still works if a span was lost or
a context was not propagated: the message was made by its own service's reaction to the message with that id.
Ids are looked up only where spans leave the cause unknown.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.columns.joins import distinct_pairs, find, matches, once, sole_pairs
from collector.columns.keys import codes_of, pair_keys, whole
from collector.stitching.deliveries import Deliveries
from collector.stitching.distinct import Spans
from collector.stitching.graph import Pairs, Rows, at, components, marked, numbers
from collector.stitching.messages import Messages
from collector.stitching.reactions import Causes


@dataclass(frozen=True)
class Claims:
    """What causation ids say and spans do not."""

    deliveries: Pairs  # (message, reaction), for reactions whose message is not known otherwise
    causes: Pairs  # (reaction, message), for messages whose cause is not known otherwise
    led: Pairs  # (message, one of those messages that names it as its cause)
    unclear: Rows  # those messages for which no single reaction to their cause is found
    spans: Rows  # spans whose causation id counts, whether or not it names a message that is here


_NONE = np.empty(0, np.int64)
_NOTHING = Claims((_NONE, _NONE), (_NONE, _NONE), (_NONE, _NONE), _NONE, _NONE)


def find_claims(spans: Spans, messages: Messages, told: Deliveries, causes: Causes) -> Claims:
    """The claims beyond what is *told*: the deliveries to reactions, their messages seen or not."""
    said = whole(spans.table["causation"])
    if said.null_count == len(said):
        return _NOTHING
    count = len(spans)
    known = marked(count, told.target)
    member, message = messages.folded
    open_ = ~marked(count, causes.message[known[causes.reaction]])[message]
    open_ &= said.is_valid().to_numpy(zero_copy_only=False)[member]
    if not open_.any():
        return _NOTHING
    source, target = _named(spans, messages, said, (member[open_], message[open_]))
    made = marked(count, causes.message)[target]
    # A reaction that published both messages was not triggered by one of them.
    which, cause = matches(causes.message, target[made])
    reaction, by = causes.reaction[cause], source[made][which]
    own = find(np.sort(pair_keys(causes.reaction, causes.message)), pair_keys(reaction, by)) >= 0
    source, target = source[~made], target[~made]
    reacted, reacting = _reactions_to(spans, told, source, target)
    deliveries, found = _forward(
        spans, told, causes, distinct_pairs(by[~own], reaction[~own]), (reacting, target[reacted])
    )
    return Claims(
        deliveries=deliveries,
        causes=found,
        led=(source, target),
        unclear=np.setdiff1d(target, found[1]),
        spans=once(member[open_]),
    )


def _forward(
    spans: Spans, told: Deliveries, causes: Causes, deliveries: Pairs, found: Pairs
) -> tuple[Pairs, Pairs]:
    """*deliveries* and *found* causes without those that lead back to where they begin, or back in time."""
    seen = told.source >= 0
    circle = components(
        len(spans),
        np.concatenate([told.source[seen], causes.reaction, deliveries[0], found[0]]),
        np.concatenate([told.target[seen], causes.message, deliveries[1], found[1]]),
        connection="strong",
    )
    start, end = numbers(spans.table, "start"), numbers(spans.table, "end")
    message, reaction = deliveries
    ahead = (circle[message] != circle[reaction]) & (start[message] <= end[reaction])
    onward = circle[found[0]] != circle[found[1]]
    return (message[ahead], reaction[ahead]), (found[0][onward], found[1][onward])


def _named(spans: Spans, messages: Messages, said: pa.Array, claiming: Pairs) -> Pairs:
    """(message, message that names it) for those of *claiming* (span, its message) that name exactly one."""
    encoded = said.take(pa.array(claiming[0])).dictionary_encode()
    target, wanted = sole_pairs(claiming[1], codes_of(encoded))
    member, message = messages.folded
    codes, places = [], []
    for column in ("message_id", "event_id"):
        found = pc.index_in(whole(spans.table[column]), value_set=encoded.dictionary)
        code = np.asarray(pc.fill_null(found, -1).to_numpy(zero_copy_only=False), np.int64)[member]
        codes.append(code[code >= 0])
        places.append(message[code >= 0])
    named, of = sole_pairs(np.concatenate(codes), np.concatenate(places))
    source = at(of, find(named, wanted))
    kept = (source >= 0) & (source != target)
    return source[kept], target[kept]


def _reactions_to(spans: Spans, told: Deliveries, source: Rows, target: Rows) -> Pairs:
    """(place in *target*, reaction) where the target's service has exactly one reaction to its *source*."""
    asked = np.flatnonzero((told.source >= 0) & marked(len(spans), source)[told.source])
    which, place = matches(told.source[asked], source)
    reaction = told.target[asked][place]
    same = spans.service[reaction] == spans.service[target[which]]
    return sole_pairs(which[same], reaction[same])
