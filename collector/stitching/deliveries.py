"""Which message made this consumer run?

A link names a message's own publisher, and a batch has one per message; the parent is only a fallback,
because in a batch receive it is the poll. A consumer whose publisher is not here keeps a dangling
delivery: a lost message is what the reader came to see. A consumer without any context is still matched by
message id, if no other message of that system has the same id.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from collector.columns.dictionary import coded
from collector.columns.joins import among, matches
from collector.columns.keys import NONE, Keys, pair_keys
from collector.conventions.same_broker import brokers
from collector.model.readings import Role
from collector.stitching.distinct import Spans
from collector.stitching.graph import Because, Mask, Pairs, Rows, at, components, firsts, marked, numbers
from collector.stitching.messages import Messages, only_one
from collector.stitching.passed_on import find_passed_on
from collector.stitching.told_apart import differ


@dataclass(frozen=True)
class Deliveries:
    """Message to consumer, one entry for each message of each consumer."""

    source: Rows  # -1 if it is not here
    key: Keys  # of the source, here or not
    target: Rows
    because: npt.NDArray[np.int8]  # Because
    told_by: Rows  # the link that says so (LINK), otherwise the consumer

    def where(self, kept: Mask | Rows) -> "Deliveries":
        """The entries that *kept* selects."""
        return Deliveries(
            self.source[kept], self.key[kept], self.target[kept], self.because[kept], self.told_by[kept]
        )

    def with_more(self, more: "Deliveries") -> "Deliveries":
        """These entries, then *more*."""
        sides = zip(vars(self).values(), vars(more).values(), strict=True)
        return Deliveries(*(np.concatenate(both) for both in sides))


@dataclass(frozen=True)
class Consumers:
    """Which spans handle messages, and which messages."""

    deliveries: Deliveries
    are: Mask  # which spans handle a message, or a batch of them
    around: Pairs  # (receive, consumer that handles what it received)


def find_consumers(spans: Spans, messages: Messages) -> Consumers:
    """The consumers of *messages*."""
    count, above, within = len(spans), spans.parent, spans.within_service
    process, receive = spans.role == Role.PROCESS, spans.role == Role.RECEIVE
    told = _told(spans, messages, process | receive)
    polled, poller, told = _through_receives(spans, told, process)
    ignorant = process & ~marked(count, told.target)
    # A second instrumentation's span inside the first one's, for the same handler, is not a second one.
    ignorant &= within
    nested = ignorant & process[above]
    inner = np.flatnonzero(nested)
    nested[inner[differ(spans.table, inner, above[inner])]] = False
    handler = process & within & receive[above]
    heir = ignorant & handler

    # A receive's deliveries pass to its handlers, except those that the handlers name themselves.
    opened = marked(count, above[handler])
    of_handler = handler[told.target]
    taken = pair_keys(above[told.target[of_handler]], told.key[of_handler])
    drained = marked(count, polled)
    offered = np.flatnonzero((opened & ~drained)[told.target])
    left = offered[~among(pair_keys(told.target[offered], told.key[offered]), taken)]
    # A batch's handler need not repeat what the batch's own span says. If several handlers name no message,
    # it is unknown which of them handles which, so the batch itself is the reaction to all messages.
    heirs = np.bincount(above[heir], minlength=count)
    only_heir = np.full(count, -1)
    only_heir[above[heir]] = np.flatnonzero(heir)
    target = told.target.copy()
    passed_on = left[heirs[target[left]] == 1]
    target[passed_on] = only_heir[target[passed_on]]
    entries = np.concatenate([np.flatnonzero(~(opened | drained)[told.target]), left])
    deliveries = Deliveries(told.source, told.key, target, told.because, told.told_by).where(entries)
    # A link and a parent to the same message, or two links, are one delivery.
    deliveries = deliveries.where(firsts(deliveries.target, deliveries.key))
    deliveries = deliveries.where(~_handled_beside(spans, deliveries, opened))

    reached = marked(count, deliveries.target)
    # A poll that returned nothing is not a reaction.
    are = (process & ~nested & ~(heir & reached[above])) | (receive & reached)
    inside = np.flatnonzero(handler & are & ~reached[above] & ~drained[above])
    used = are[poller]
    around = np.concatenate([above[inside], polled[used]]), np.concatenate([inside, poller[used]])
    return Consumers(deliveries, are, around)


def _through_receives(spans: Spans, told: Deliveries, process: Mask) -> tuple[Rows, Rows, Deliveries]:
    """(receive, handling that links to it), distinct pairs, and *told* with what such handlings took.

    They took what was received, in spans of their service. If several link to one receive of several
    messages, it is unknown which of them took which.
    """
    links, receive = spans.links, spans.role == Role.RECEIVE
    mine = process[links.owner] & receive[links.target] & (links.target >= 0)
    mine &= spans.service[links.owner] == spans.service[links.target]
    if not mine.any():
        return links.owner[:0], links.owner[:0], told
    poll, owner = links.target[mine], links.owner[mine]
    kept = firsts(poll, owner)
    poll, owner = poll[kept], owner[kept]
    users, messages = np.bincount(poll, minlength=len(spans)), np.bincount(told.target, minlength=len(spans))
    clear = (messages[poll] > 0) & ((users[poll] == 1) | (messages[poll] == 1))
    poll, owner = poll[clear], owner[clear]
    which, entry = matches(told.target, poll)
    more = Deliveries(
        told.source[entry], told.key[entry], owner[which], told.because[entry], told.told_by[entry]
    )
    return poll, owner, told.with_more(more)


def _handled_beside(spans: Spans, deliveries: Deliveries, opened: Mask) -> Mask:
    """Which deliveries to a poll without handlers inside are repeated by handlings of its group.

    A service that names no group counts as one group: if one of its consumers only polls, nothing shows that
    it is another subscriber.
    """
    target = deliveries.target
    receive: Mask = spans.role[target] == Role.RECEIVE
    polled = receive & ~opened[target]
    if not polled.any() or receive.all():
        return polled & False
    group, destination = (spans.codes(name)[target] for name in ("group", "destination"))
    key = pair_keys(pair_keys(deliveries.key, spans.service[target]), pair_keys(group, destination))
    return polled & among(key, key[~receive])


def _told(spans: Spans, messages: Messages, candidates: Mask) -> Deliveries:
    """The deliveries to *candidates*, by their links, else by their parents, else by message ids."""
    links = spans.links
    source, parent = at(messages.of, links.target), at(messages.of, spans.parent)
    # A link to a span that published nothing is not about a message.
    naming = candidates[links.owner] & ((source >= 0) | (links.target < 0))
    linked = marked(len(spans), links.owner[naming])
    linked_here = marked(len(spans), links.owner[naming & (source >= 0)])
    remote = np.asarray(spans.table["remote"].to_numpy(zero_copy_only=False))
    # A consumer of a single message has that message as its parent. Its links are then about other things,
    # unless one leads to a message that is here.
    certain = (parent >= 0) & remote & ~linked_here
    by_link = np.flatnonzero(naming & ~certain[links.owner])
    by_parent = np.flatnonzero(
        candidates & (certain | (~linked & ((parent >= 0) | (spans.lost_parent & remote))))
    )
    by_id, identified = _by_message_id(spans, messages, candidates)
    parents = parent[by_parent]
    repaired = find_passed_on(spans, messages, (parents, by_parent), (source[by_link], links.owner[by_link]))
    why = np.where(repaired >= 0, Because.CONVERSATION, Because.PARENT)
    sources = np.concatenate([source[by_link], np.where(repaired >= 0, repaired, parents), identified])
    named = np.concatenate([links.key[by_link], spans.parent_key[by_parent], spans.key[identified]])
    return Deliveries(
        source=sources,
        key=np.where(sources >= 0, spans.key[sources], named),
        target=np.concatenate([links.owner[by_link], by_parent, by_id]),
        because=np.concatenate(
            [np.full(len(by_link), Because.LINK), why, np.full(len(by_id), Because.MESSAGE_ID)], dtype=np.int8
        ),
        told_by=np.concatenate([by_link, by_parent, by_id]),
    )


def _by_message_id(spans: Spans, messages: Messages, candidates: Mask) -> Pairs:
    """(consumer, message) for each of *candidates* that has no context but names one message by id."""
    remote = np.asarray(spans.table["remote"].to_numpy(zero_copy_only=False))
    # A call that polls is part of other work at home, which is no context of its message.
    at_home = spans.within_service & (spans.role[spans.parent] == Role.NONE) & ~remote
    ignorant = candidates & ((spans.parent_key == NONE) | at_home) & ~marked(len(spans), spans.links.owner)
    if not ignorant.any():
        return np.empty(0, np.int64), np.empty(0, np.int64)
    said, system = spans.codes("message_id"), coded(brokers(spans.table["system"]))[0]
    name = np.where((said >= 0) & (system >= 0), said * (system.max() + 1) + system, -1)
    consumers = np.flatnonzero(ignorant & (name >= 0))
    message = only_one(messages, name, name[consumers])
    return _forward(spans, consumers[message >= 0], message[message >= 0])


def _forward(spans: Spans, consumer: Rows, message: Rows) -> Pairs:
    """(consumer, message) without those whose message the consumer led to, or that began after its end."""
    if not len(consumer):
        return consumer, message
    rows, links = np.arange(len(spans)), spans.links
    up, here = np.flatnonzero(spans.parent >= 0), np.flatnonzero(links.target >= 0)
    circle = components(
        len(spans),
        np.concatenate([rows[up], links.owner[here], consumer]),
        np.concatenate([spans.parent[up], links.target[here], message]),
        connection="strong",
    )
    kept = numbers(spans.table, "start")[message] <= numbers(spans.table, "end")[consumer]
    kept &= circle[consumer] != circle[message]
    return consumer[kept], message[kept]
