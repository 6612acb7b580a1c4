"""How were the messages of each reaction settled, and how often had they been delivered?

A settle is not a reaction: what it says belongs to the reaction whose message it settles.
"""

import numpy as np

from collector.columns.joins import distinct_pairs, find, last_of_runs
from collector.columns.keys import Keys, pair_keys
from collector.model.readings import Role, Settled
from collector.stitching.deliveries import Deliveries
from collector.stitching.distinct import Spans
from collector.stitching.graph import Pairs, Rows, Settles, at, climb, numbers
from collector.stitching.messages import Messages
from collector.stitching.reactions import Reactions


def find_settles(spans: Spans, messages: Messages, found: Deliveries, reactions: Reactions) -> Settles:
    """What settles and their own spans say about *reactions*; *found* has the deliveries of all attempts."""
    count = len(reactions.rows)
    word, delivery = numbers(spans.table, "settled"), numbers(spans.table, "deliveries")
    settles = np.flatnonzero(spans.role == Role.SETTLE)
    if not (len(settles) or word.any() or delivery.any()):
        nothing = np.zeros(count, np.int64)
        return Settles(nothing, nothing, nothing, nothing, nothing)
    number = np.full(len(spans), -1)
    number[reactions.rows] = np.arange(count)
    member, own = reactions.folded[0], number[reactions.folded[1]]
    settle = whose = settles
    if len(settles):
        outermost = _outermost(spans)[settles]
        np.maximum.at(word, outermost, word[settles])
        np.maximum.at(delivery, outermost, delivery[settles])
        settle, reaction = _settled(spans, messages, found, reactions)
        whose = number[reaction]

    def told(way: Settled) -> Rows:
        # A handling and a settle may both report one settlement, so take the larger count, not the sum.
        by_itself = np.bincount(own[word[member] == way], minlength=count)
        return np.maximum(by_itself, np.bincount(whose[word[settle] == way], minlength=count))

    acked, nacked, terminated = (told(way) for way in Settled if way is not Settled.UNSAID)
    deliveries = np.zeros(count, np.int64)
    if delivery.any():
        np.maximum.at(deliveries, own, delivery[member])
        np.maximum.at(deliveries, whose, delivery[settle])
    return Settles(
        settled=np.maximum(np.bincount(whose, minlength=count), acked + nacked + terminated),
        acked=acked,
        nacked=nacked,
        terminated=terminated,
        deliveries=deliveries,
    )


def _outermost(spans: Spans) -> Rows:
    """The outermost settle around each settle: two libraries may record one settle as two nested spans."""
    settles = spans.role == Role.SETTLE
    inner = settles & settles[spans.parent] & spans.within_service
    return climb(np.where(inner, spans.parent, np.arange(len(spans))))


def _settled(spans: Spans, messages: Messages, found: Deliveries, reactions: Reactions) -> Pairs:
    """(outermost settle, reaction whose message it settles), distinct pairs.

    A link is trusted most, then the reaction around the settle, then its parent. If two reactions of a
    service took the same message, a link to that message is ambiguous and does not count.
    """
    links, rows = spans.links, np.arange(len(spans))
    settles = (spans.role == Role.SETTLE) & (_outermost(spans) == rows)
    known = _of_messages(spans, found, reactions)

    def of_message(message: Keys, settle: Rows) -> Rows:
        keys, reaction = known
        return at(reaction, find(keys, pair_keys(message, spans.service[settle])))

    def around(span: Rows, settle: Rows) -> Rows:
        reaction = at(reactions.around, span)
        return np.where(at(spans.service, reaction) == spans.service[settle], reaction, -1)

    linking = np.flatnonzero(settles[links.owner])
    owner, target = links.owner[linking], links.target[linking]
    message = at(messages.of, target)
    key = np.where(message >= 0, spans.key[message], links.key[linking])
    names = (message >= 0) | (target < 0)
    by_link = np.where(names, of_message(key, owner), around(target, owner))
    owner, by_link = owner[by_link >= 0], by_link[by_link >= 0]

    rest = np.setdiff1d(np.flatnonzero(settles), owner)
    parent = spans.parent[rest]
    message = at(messages.of, parent)
    key = np.where(message >= 0, spans.key[message], spans.parent_key[rest])
    names = (message >= 0) | spans.lost_parent[rest]
    within = around(parent, rest)
    within = np.where((within < 0) & names, of_message(key, rest), within)
    settle = np.concatenate([owner, rest[within >= 0]])
    return distinct_pairs(settle, np.concatenate([by_link, within[within >= 0]]))


def _of_messages(spans: Spans, found: Deliveries, reactions: Reactions) -> tuple[Keys, Rows]:
    """(key of a message and a service, the only reaction of that service to that message), ascending."""
    key, reaction = pair_keys(found.key, spans.service[found.target]), reactions.of[found.target]
    order = np.lexsort((reaction, key))
    key, reaction = key[order], reaction[order]
    if not len(key):
        return key, reaction
    new = np.append(True, (key[1:] != key[:-1]) | (reaction[1:] != reaction[:-1]))
    key, reaction = key[new], reaction[new]
    alone = last_of_runs(key) & np.append(True, key[1:] != key[:-1])
    return key[alone], reaction[alone]
