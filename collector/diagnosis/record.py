"""What happened in a set of flows? Columns of small integers, for learning and judging."""

from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.columns.joins import Ints, Mask, among, matches
from collector.columns.keys import pair_keys
from collector.diagnosis.vocabulary import OTHER, Names, Vocabulary, reactor_of, step_of, type_of
from collector.model.wording import MINUTE
from collector.stitching import EdgeKind, Flows, Graph, Stitched
from collector.stitching.graph import climb, repeated
from collector.stitching.replays import find_replays
from collector.stitching.told_apart import apart_codes

__all__ = ["Emits", "Ints", "Mask", "Messages", "Names", "Reactions", "Record", "Vocabulary", "record"]
__all__ += ["OTHER", "reactor_of", "step_of", "type_of"]


@dataclass(frozen=True)
class Messages:
    """One entry for each message and flow."""

    row: Ints
    flow: Ints
    type: Ints
    service: Ints
    time: Ints  # nanoseconds; see `Record`
    received: Ints  # when its span was received
    caused: Mask  # by a reaction that was seen
    rooted: (
        Mask  # nothing above it is missing, and it links to nothing: if it is not caused, it has no context
    )
    followed: Mask  # a reaction to it published an event
    request: Mask  # its sender waits for a reply: it is not an event
    answered: Mask  # and has received one


@dataclass(frozen=True)
class Reactions:
    """One entry for each reaction, message it reacts to, and flow."""

    row: Ints
    flow: Ints
    step: Ints  # the reactor and the event type
    message: Ints  # -1 if it was not seen
    published: Ints  # when its message was published; its own start if that was not seen
    start: Ints
    end: Ints
    received: Ints  # when its span was received
    heard: Ints  # when its message's span was received; its own if that was not seen
    attempts: Ints
    pause: Ints  # nanoseconds between its last two attempts; 0 if there was one
    failed: Mask
    final: Mask  # its message will not be redelivered
    emitted: Mask  # it published an event in this flow
    answers: Mask  # its message is a request
    rooted: Mask  # as of messages
    record: Ints  # tells it from other records of its message; -1 if nothing does, or none is to be told from

    @property
    def stopped(self) -> Mask:
        """It failed and published nothing; a declined payment, say, is an error that leads on."""
        return self.failed & ~self.emitted

    def handling(self, names: Names) -> Ints:
        """One number for a message and the group that handled it; -1 where the message was not seen."""
        width = names.groups.limit
        pair = self.message * width + names.group_of(self.step)
        return np.where((self.message >= 0) & (self.step >= 0), pair, -1)


@dataclass(frozen=True)
class Begun:
    """One entry for each handling that was announced but not seen to end, its message, and flow."""

    row: Ints  # of the announcement
    flow: Ints
    step: Ints
    message: Ints
    service: Ints
    published: Ints
    start: Ints
    received: Ints

    def handling(self, names: Names) -> Ints:
        """See `Reactions.handling`."""
        return self.message * names.groups.limit + names.group_of(self.step)


@dataclass(frozen=True)
class Emits:
    """One entry for each event that a reaction published and each message that it reacts to."""

    row: Ints
    reaction: Ints  # row
    flow: Ints
    step: Ints
    type: Ints  # of what was published
    received: Ints  # when its span was received
    delay: Ints  # nanoseconds from the end of the reaction, 0 if published before

    def where(self, mask: Mask) -> "Emits":
        """The entries that *mask* marks."""
        return Emits(**{name.name: getattr(self, name.name)[mask] for name in fields(self)})


@dataclass(frozen=True)
class Record:
    """What happened, flow by flow.

    Times are by the senders' clocks. If such a time is impossible (0, or more than a minute after the span
    was received), the time of receipt replaces it. Rows are those of the stitched graph.
    """

    flows: int
    messages: Messages
    reactions: Reactions
    begun: Begun
    emits: Emits
    asks: Emits  # the requests that reactions sent; sending one does not count as publishing
    unanswered: Emits  # those requests that got no reply
    aside: Mask  # of each row: it looks back at its flow, and does not extend it
    started: Ints  # of each flow
    last: Ints  # of each flow: the latest time of anything in it that is not aside
    received: Ints  # of each flow: when its last span was received


def record(stitched: Stitched, names: Names) -> Record:
    """The record of *stitched*; new names get new numbers in *names*."""
    graph, flows = stitched.graph, stitched.flows
    facts = _facts(graph, names)
    replays = find_replays(graph)
    reactions = _reactions(stitched, facts, names, replays.end)
    made = _emits(stitched, facts, reactions)
    request = facts.request[made.row]
    row, flow = flows.row, flows.flow
    counted = ~replays.aside[row]
    # If nothing else happened in a flow, what looks back sets its start and end.
    counted |= ~_marked(flows.count, flow[counted])[flow]
    row, flow = row[counted], flow[counted]
    return Record(
        flows=flows.count,
        messages=_messages(stitched, facts),
        reactions=reactions,
        begun=_begun(stitched, facts),
        emits=made.where(~request),
        asks=made.where(request),
        unanswered=made.where(request & facts.failed[made.row]),
        aside=replays.aside,
        started=_reduced(np.minimum, flow, facts.start[row], flows.count),
        last=_reduced(np.maximum, flow, facts.end[row], flows.count),
        received=_reduced(np.maximum, flows.flow, facts.received[flows.row], flows.count),
    )


@dataclass(frozen=True)
class _Facts:
    """What each span of a graph says, as numbers."""

    received: Ints
    start: Ints
    end: Ints
    event_type: Ints
    service: Ints
    reactor: Ints
    delivery: Mask  # of each edge
    cause: Mask  # of each edge: a cause that was seen
    publishes: Mask  # of each edge: such a cause, of an event and not of a request
    request: Mask
    rooted: Mask
    failed: Mask


def _facts(graph: Graph, names: Names) -> _Facts:
    received = graph.numbers("received")
    service = names.services.codes(graph.spans["service"])
    group = np.maximum(names.groups.codes(graph.spans["group"]), OTHER)
    delivery = graph.edges.of(EdgeKind.DELIVERY)
    cause = ~delivery & (graph.edges.source >= 0)
    request = _marked(len(graph.key), graph.requests)
    return _Facts(
        received=received,
        start=_sane(graph.numbers("start"), received),
        end=_sane(graph.numbers("end"), received),
        event_type=names.event_types.codes(graph.spans["event_type"]),
        service=service,
        reactor=names.reactor(service, group),
        delivery=delivery,
        cause=cause,
        publishes=cause & ~request[graph.edges.target],
        request=request,
        rooted=_rooted(graph),
        failed=graph.numbers("failed") != 0,
    )


def _rooted(graph: Graph) -> Mask:
    """Of which spans nothing above is missing, and that link to nothing: they began by themselves."""
    top = climb(np.where(graph.parent >= 0, graph.parent, np.arange(len(graph.key))))
    root = pc.equal(graph.spans["parent_span_id"], pa.scalar(bytes(8), pa.binary(8))).to_numpy()
    alone = pc.list_value_length(graph.spans["link_trace_ids"]).to_numpy() == 0
    mask: Mask = np.asarray(root)[top] & np.asarray(alone)[top] & np.asarray(alone)
    return mask


def _messages(stitched: Stitched, facts: _Facts) -> Messages:
    graph = stitched.graph
    edges, count = graph.edges, len(graph.key)
    emitting = _marked(count, edges.source[facts.publishes])
    led_on = facts.delivery & (edges.source >= 0) & emitting[edges.target]
    place, flow = stitched.flows.of(graph.messages)
    row = graph.messages[place]
    return Messages(
        row=row,
        flow=flow,
        type=facts.event_type[row],
        service=facts.service[row],
        time=facts.start[row],
        received=facts.received[row],
        caused=_marked(count, edges.target[facts.cause])[row],
        rooted=facts.rooted[row],
        followed=_marked(count, edges.source[led_on])[row],
        request=facts.request[row],
        answered=(facts.request & ~facts.failed)[row],
    )


def _reactions(stitched: Stitched, facts: _Facts, names: Names, ends: Ints) -> Reactions:
    graph, flows = stitched.graph, stitched.flows
    edges, count = graph.edges, len(graph.key)
    told, source = edges.target[facts.delivery], edges.source[facts.delivery]
    # A reaction whose message was not seen still tells its event type.
    unknown = graph.reactions[~_marked(count, told)[graph.reactions]]
    reacts = np.concatenate([told, unknown])
    message = np.concatenate([source, np.full(len(unknown), -1)])
    place, flow = flows.of(reacts)
    # A batch's reaction is in several flows, but each of its messages only in its own.
    there = _met(flows, flow, message[place])
    # A message that was not seen is in no flow with others of the batch: its own flow may have ended.
    width = max(flows.count, 1)
    pair, unseen = reacts[place] * width + flow, np.flatnonzero(message[place] < 0)
    if len(unseen):
        there[unseen] = ~among(pair[unseen], pair[there])
    place, flow = place[there], flow[there]
    row, message = reacts[place], message[place]
    kind = np.where(message >= 0, _at(facts.event_type, message), -1)
    of_reaction = np.full(count, -1)
    of_reaction[graph.reactions] = np.arange(len(graph.reactions))
    index = of_reaction[row]
    caused_place, caused_flow = flows.of(edges.target[facts.publishes])
    emitting = edges.source[facts.publishes][caused_place] * width + caused_flow
    return Reactions(
        row=row,
        flow=flow,
        step=step_of(np.where(kind >= 0, kind, facts.event_type[row]), facts.reactor[row]),
        message=message,
        published=np.where(message >= 0, _at(facts.start, message), facts.start[row]),
        start=facts.start[row],
        end=_sane(ends, facts.received[graph.reactions])[index],
        received=facts.received[row],
        heard=np.where(message >= 0, _at(facts.received, message), facts.received[row]),
        attempts=graph.attempts[index],
        pause=graph.pause[index],
        failed=graph.failed[index],
        final=np.asarray(graph.spans["final"].to_numpy(), dtype=np.bool_)[row] | terminated(graph)[index],
        emitted=among(row * width + flow, emitting),
        answers=np.append(facts.request, False)[message],
        rooted=facts.rooted[row],
        record=_records(graph, row, message, facts.reactor[row]),
    )


def _records(graph: Graph, row: Ints, message: Ints, reactor: Ints) -> Ints:
    """What tells each reaction from others of its reactor to the same message; few need to be told."""
    found = np.full(len(row), -1)
    seen = np.flatnonzero(message >= 0)
    again = seen[repeated(pair_keys(message[seen], reactor[seen]))]
    if len(again):
        found[again] = apart_codes(graph.spans, row[again], message[again])
    return found


def _begun(stitched: Stitched, facts: _Facts) -> Begun:
    message, word = stitched.graph.begun
    place, flow = stitched.flows.of(word)
    there = _met(stitched.flows, flow, message[place]) & (facts.event_type[message[place]] >= 0)
    place, flow = place[there], flow[there]
    message, word = message[place], word[place]
    return Begun(
        row=word,
        flow=flow,
        step=step_of(facts.event_type[message], facts.reactor[word]),
        message=message,
        service=facts.service[word],
        published=facts.start[message],
        start=facts.start[word],
        received=facts.received[word],
    )


def _met(flows: Flows, flow: Ints, message: Ints) -> Mask:
    """Which of *message* are in the *flow* at the same place; those that were not seen are in none."""
    seen = np.flatnonzero(message >= 0)
    entry, home = flows.of(message[seen])
    return _marked(len(flow), seen[entry[home == flow[seen[entry]]]])


def terminated(graph: Graph) -> Mask:
    """Which reactions told the broker never to redeliver their message; not batches, which have several."""
    told = graph.edges.target[graph.edges.of(EdgeKind.DELIVERY)]
    alone = np.bincount(told, minlength=len(graph.key))[graph.reactions] == 1
    mask: Mask = alone & (graph.settles.terminated > 0)
    return mask


def _emits(stitched: Stitched, facts: _Facts, reactions: Reactions) -> Emits:
    """Each emission counts for every message its reaction reacts to in that flow: for both of a join."""
    edges = stitched.graph.edges
    place, flow = stitched.flows.of(edges.target[facts.cause])
    reaction, message = edges.source[facts.cause][place], edges.target[facts.cause][place]
    width = max(stitched.flows.count, 1)
    which, entry = matches(reactions.row * width + reactions.flow, reaction * width + flow)
    return Emits(
        row=message[which],
        reaction=reaction[which],
        flow=flow[which],
        step=reactions.step[entry],
        type=facts.event_type[message[which]],
        received=facts.received[message[which]],
        delay=np.maximum(facts.start[message[which]] - reactions.end[entry], 0),
    )


def _sane(times: Ints, received: Ints) -> Ints:
    return np.where((times > 0) & (times <= received + MINUTE), times, received)


def _at(values: Ints, places: Ints) -> Ints:
    """*values* at *places*; an arbitrary one where a place is -1."""
    return values[np.maximum(places, 0)] if len(values) else np.zeros(len(places), np.int64)


def _marked(count: int, rows: Ints) -> Mask:
    mask = np.zeros(count, np.bool_)
    mask[rows] = True
    return mask


def _reduced(ufunc: np.ufunc, group: Ints, values: Ints, count: int) -> Ints:
    low = ufunc is np.maximum
    result = np.full(count, np.iinfo(np.int64).min if low else np.iinfo(np.int64).max)
    ufunc.at(result, group, values)
    return result
