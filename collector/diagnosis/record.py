"""What happened in a set of flows, as columns of small integers: what learning and judging read."""

from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.keys import codes_of, whole
from collector.stitching import EdgeKind, Stitched

Ints: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]

_SHIFT = 24  # a class is (event type << _SHIFT) + reactor
MINUTE = 60 * 10**9


@dataclass
class Vocabulary:
    """Small integers for the few names that come again and again: services, groups, event types.

    A system has hundreds of them. Of one that puts ids into them, `limit` are told apart, and the
    rest are one.
    """

    limit: int = 20_000
    names: list[str] = field(default_factory=lambda: ["(other)"])
    _codes: dict[str, int] = field(default_factory=dict)

    def code(self, name: str) -> int:
        """The code of *name*, a new one if need be."""
        if name not in self._codes:
            if len(self.names) >= self.limit:
                return 0
            self._codes[name] = len(self.names)
            self.names.append(name)
        return self._codes[name]

    def codes(self, texts: pa.Array) -> Ints:
        """The code of each text; -1 where there is none."""
        encoded = texts.dictionary_encode()
        known = [self.code(name) for name in encoded.dictionary.to_pylist()]
        return np.array([*known, -1], np.int64)[codes_of(encoded)]


@dataclass
class Names:
    """What the integers of records mean, for as long as the process lives."""

    event_types: Vocabulary = field(default_factory=Vocabulary)
    services: Vocabulary = field(default_factory=Vocabulary)
    groups: Vocabulary = field(default_factory=Vocabulary)

    def reactor(self, service: Ints, group: Ints) -> Ints:
        """A service and one of its groups as one number."""
        return service * self.groups.limit + group

    def of_reactor(self, reactor: int) -> tuple[str, str]:
        """(service, group)."""
        service, group = divmod(reactor, self.groups.limit)
        return self.services.names[service], self.groups.names[group]


def step_of(event_type: Ints, reactor: Ints) -> Ints:
    """One number for "this reactor handles this event type"; -1 where the type is not known."""
    return np.where(event_type >= 0, (reactor << _SHIFT) + event_type, -1)


Steps = TypeVar("Steps", int, Ints)


def type_of(step: Steps) -> Steps:
    """The event type of a step."""
    return step & ((1 << _SHIFT) - 1)


def reactor_of(step: Steps) -> Steps:
    """The reactor of a step."""
    return step >> _SHIFT


@dataclass(frozen=True)
class Messages:
    """One entry for each message and flow."""

    row: Ints
    flow: Ints
    type: Ints
    service: Ints
    time: Ints  # nanoseconds; see `Record`
    caused: Mask  # by a reaction that was seen
    followed: Mask  # a reaction to it published something


@dataclass(frozen=True)
class Reactions:
    """One entry for each reaction, message it reacts to, and flow."""

    row: Ints
    flow: Ints
    step: Ints  # the reactor and the event type
    message: Ints  # -1: it was not seen
    published: Ints  # when its message was; its own start where that was not seen
    start: Ints
    end: Ints
    attempts: Ints
    failed: Mask
    final: Mask
    emitted: Mask  # it published something in this flow


@dataclass(frozen=True)
class Emits:
    """One entry for each message that a reaction published, by each of what the reaction reacts to."""

    reaction: Ints  # row
    flow: Ints
    step: Ints
    type: Ints  # of what was published
    delay: Ints  # nanoseconds from the end of the reaction, 0 if it came before


@dataclass(frozen=True)
class Record:
    """What happened, flow by flow.

    Times are those of the senders' clocks; where such a time can not be (0, or a minute after the
    span was received) the time of receipt stands in. Rows are those of the stitched graph.
    """

    flows: int
    messages: Messages
    reactions: Reactions
    emits: Emits
    started: Ints  # of each flow
    last: Ints  # of each flow: the latest time of anything in it
    received: Ints  # of each flow: when its last span came


def record(stitched: Stitched, names: Names) -> Record:
    """The record of *stitched*; new names get new numbers in *names*."""
    graph, flows = stitched.graph, stitched.flows
    count = len(graph.key)
    spans = graph.spans
    received = graph.numbers("received")
    start, end = (_sane(graph.numbers(name), received) for name in ("start", "end"))
    event_type = names.event_types.codes(whole(spans["event_type"]))
    service = names.services.codes(whole(spans["service"]))
    reactor = names.reactor(service, np.maximum(names.groups.codes(whole(spans["group"])), 0))
    edges = graph.edges
    delivery, seen = edges.of(EdgeKind.DELIVERY), edges.source >= 0
    message_type = np.where(delivery & seen, event_type[edges.source] if count else -1, -1)
    cause = ~delivery & seen
    caused = _marked(count, edges.target[cause])
    emitting = _marked(count, edges.source[cause])
    followed = _marked(count, edges.source[delivery & seen & (emitting[edges.target] if count else False)])

    place, flow = flows.of(graph.messages)
    row = graph.messages[place]
    messages = Messages(
        row=row,
        flow=flow,
        type=event_type[row],
        service=service[row],
        time=start[row],
        caused=caused[row],
        followed=followed[row],
    )

    # A reaction whose message nobody saw still says what it was about.
    of_reaction = np.full(count, -1)
    of_reaction[graph.reactions] = np.arange(len(graph.reactions))
    told = edges.target[delivery]
    unknown = graph.reactions[~_marked(count, told)[graph.reactions]]
    reacts = np.concatenate([told, unknown])
    message = np.concatenate([edges.source[delivery], np.full(len(unknown), -1)])
    of_message = np.concatenate([message_type[delivery], np.full(len(unknown), -1)])
    type_seen = np.where(of_message >= 0, of_message, event_type[reacts])
    place, flow = flows.of(reacts)
    # A batch's reaction is in several flows, each of its messages in its own.
    message_flow = _pair_set(*flows.of(graph.messages), graph.messages, flows.count)
    there = np.isin(message[place] * max(flows.count, 1) + flow, message_flow) | (message[place] < 0)
    place, flow = place[there], flow[there]
    row, message, kind = reacts[place], message[place], type_seen[place]
    index = of_reaction[row]
    published = np.where(message >= 0, start[np.maximum(message, 0)] if count else 0, start[row])

    emit_place, emit_flow = flows.of(edges.target[cause])
    emit_reaction = edges.source[cause][emit_place]
    emit_message = edges.target[cause][emit_place]
    width = max(flows.count, 1)
    step = step_of(kind, reactor[row])
    reactions = Reactions(
        row=row,
        flow=flow,
        step=step,
        message=message,
        published=published,
        start=start[row],
        end=_sane(graph.end, received[graph.reactions])[index],
        attempts=graph.attempts[index],
        failed=graph.failed[index],
        final=np.asarray(spans["final"].to_numpy(), dtype=np.bool_)[row],
        emitted=np.isin(row * width + flow, emit_reaction * width + emit_flow),
    )
    # Each emission counts for every message its reaction reacts to in that flow: a join's both.
    order = np.argsort(row * width + flow, kind="stable")
    pair = (row * width + flow)[order]
    wanted = emit_reaction * width + emit_flow
    left = np.searchsorted(pair, wanted, "left")
    each = np.searchsorted(pair, wanted, "right") - left
    which = np.repeat(np.arange(len(wanted)), each)
    entry = order[left[which] + np.arange(len(which)) - np.repeat(np.cumsum(each) - each, each)]
    emits = Emits(
        reaction=emit_reaction[which],
        flow=emit_flow[which],
        step=step[entry],
        type=event_type[emit_message[which]],
        delay=np.maximum(start[emit_message[which]] - reactions.end[entry], 0),
    )
    return Record(
        flows=flows.count,
        messages=messages,
        reactions=reactions,
        emits=emits,
        started=_reduced(np.minimum, flows.flow, start[flows.row], flows.count),
        last=_reduced(np.maximum, flows.flow, end[flows.row], flows.count),
        received=_reduced(np.maximum, flows.flow, received[flows.row], flows.count),
    )


def _sane(times: Ints, received: Ints) -> Ints:
    return np.where((times > 0) & (times <= received + MINUTE), times, received)


def _marked(count: int, rows: Ints) -> Mask:
    mask = np.zeros(count, np.bool_)
    mask[rows] = True
    return mask


def _pair_set(place: Ints, flow: Ints, rows: Ints, flows: int) -> Ints:
    return rows[place] * max(flows, 1) + flow


def _reduced(ufunc: np.ufunc, group: Ints, values: Ints, count: int) -> Ints:
    low = ufunc is np.maximum
    result = np.full(count, np.iinfo(np.int64).min if low else np.iinfo(np.int64).max)
    ufunc.at(result, group, values)
    return result
