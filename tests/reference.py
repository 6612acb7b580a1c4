"""Stitching as one would explain it: one span at a time, with sets and loops, however slow.

The columns have to say the same, edge for edge and flow for flow.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

import pyarrow as pa

from collector.conventions import READINGS, Role
from collector.keys import content_keys, span_keys, trace_keys
from collector.stitching.parts import MOST_SHARED

Ref = tuple[bytes, bytes]  # a trace id and a span id
Row = Mapping[str, Any]  # of READINGS

ROOT = bytes(8)


@dataclass(frozen=True)
class Delivery:
    """A message, here or not, and how its consumer is known to have had it."""

    message: Ref
    because: str
    told_by: Ref


@dataclass
class Reaction:
    spans: set[Ref]
    attempts: int
    start: int
    end: int
    failed: bool


@dataclass
class Story:
    """What a set of spans tells."""

    messages: dict[Ref, set[Ref]] = field(default_factory=dict)
    reactions: dict[Ref, Reaction] = field(default_factory=dict)
    edges: dict[tuple[str, Ref, Ref], str] = field(default_factory=dict)  # kind, from, to: because
    flows: list[tuple[str | None, set[Ref]]] = field(default_factory=list)
    notes: set[tuple[str, Ref]] = field(default_factory=set)


class Stitcher:
    """Asks and answers one question after the other about the spans of *rows* (READINGS)."""

    def __init__(self, rows: Sequence[Row], most_shared: int) -> None:
        self.most_shared = most_shared
        self.notes: set[tuple[str, Ref]] = set()
        self.spans = self._distinct(rows)
        self.rank = ranks(self.spans)
        self.parents = self._parents()
        self.links = self._links()

    # The ground

    def _distinct(self, rows: Sequence[Row]) -> dict[Ref, Row]:
        copies: dict[Ref, list[tuple[int, int, int, Row]]] = defaultdict(list)
        for row, content in zip(rows, contents(rows), strict=True):
            copies[row["trace_id"], row["span_id"]].append((row["end"], row["start"], content, row))
        for ref, found in copies.items():
            if len({content for _, _, content, _ in found}) > 1:
                self.notes.add(("id_reused", ref))
        return {ref: max(found, key=lambda copy: copy[:3])[3] for ref, found in copies.items()}

    def _parents(self) -> dict[Ref, Ref]:
        parents = {}
        for ref, row in self.spans.items():
            parent = (ref[0], row["parent_span_id"])
            if parent == ref:
                self.notes.add(("self_link", ref))
            elif parent in self.spans:
                parents[ref] = parent
            elif row["parent_span_id"] != ROOT:
                self.notes.add(("missing_parent", ref))
        on_circle = {ref for ref in parents if ref in above(ref, parents)}
        self.notes |= {("cycle", ref) for ref in on_circle}
        return {ref: parent for ref, parent in parents.items() if ref not in on_circle}

    def _links(self) -> dict[Ref, list[Ref]]:
        links = {}
        for ref, row in self.spans.items():
            targets = list(zip(row["link_trace_ids"], row["link_span_ids"], strict=True))
            if ref in targets:
                self.notes.add(("self_link", ref))
            if any(target not in self.spans for target in targets):
                self.notes.add(("missing_link_target", ref))
            links[ref] = [target for target in targets if target != ref]
        return links

    def _role(self, ref: Ref | None) -> Role:
        return Role.NONE if ref is None else Role(self.spans[ref]["role"])

    def _publishes(self, ref: Ref | None) -> bool:
        return self._role(ref) in (Role.CREATE, Role.SEND)

    def _local_parent(self, ref: Ref) -> Ref | None:
        parent = self.parents.get(ref)
        same = parent is not None and self.spans[parent]["service"] == self.spans[ref]["service"]
        return parent if same else None

    # Messages

    @cached_property
    def creates_of(self) -> dict[Ref, list[Ref]]:
        """The creates that a send links to."""
        found = {}
        for ref in self.spans:
            targets = {target for target in self.links[ref] if target in self.spans}
            creates = [target for target in targets if self._role(target) is Role.CREATE]
            if self._role(ref) is Role.SEND and creates:
                found[ref] = sorted(creates, key=self.rank.__getitem__)
        return found

    @cached_property
    def outermost(self) -> dict[Ref, Ref]:
        """The span that a publishing span repeats, or itself."""
        inner: dict[Ref, list[Ref]] = defaultdict(list)
        for ref in self.spans:
            parent = self._local_parent(ref)
            if self._role(ref) is not Role.SEND or ref in self.creates_of or not self._publishes(parent):
                continue
            assert parent is not None
            named = {self.spans[one]["destination"] for one in (ref, parent)} - {None}
            if len(named) < 2:
                inner[parent].append(ref)
        repeats = {
            ref: parent
            for parent, refs in inner.items()
            for ref in refs
            if self._role(parent) is Role.CREATE or len(refs) == 1
        }
        return {ref: (ref, *above(ref, repeats))[-1] for ref in self.spans if self._publishes(ref)}

    def messages_of(self, ref: Ref | None) -> list[Ref]:
        """The messages that a publishing span is a part of."""
        if ref is None or ref not in self.outermost:
            return []
        outer = self.outermost[ref]
        return self.creates_of.get(outer, [outer])

    def message_of(self, ref: Ref | None) -> Ref | None:
        return next(iter(self.messages_of(ref)), None)

    @cached_property
    def messages(self) -> dict[Ref, set[Ref]]:
        found: dict[Ref, set[Ref]] = defaultdict(set)
        for ref in self.outermost:
            for message in self.messages_of(ref):
                found[message].add(ref)
        return dict(found)

    # Consumers

    def _told(self, ref: Ref) -> list[Delivery]:
        row, parent = self.spans[ref], self.parents.get(ref)
        seen, unseen = [], []
        for target in self.links[ref]:
            message = self.message_of(target)
            if message is not None:
                seen.append(Delivery(message, "link", ref))
            elif target not in self.spans:
                unseen.append(Delivery(target, "link", ref))
        if seen:
            return seen + unseen
        by_parent = []
        message = self.message_of(parent)
        if message is not None:
            by_parent.append(Delivery(message, "parent", ref))
            if row["remote"]:
                return by_parent
        elif row["remote"] and ("missing_parent", ref) in self.notes:
            by_parent.append(Delivery((ref[0], row["parent_span_id"]), "parent", ref))
        return unseen or by_parent

    @cached_property
    def deliveries(self) -> dict[Ref, list[Delivery]]:
        """What each consumer handles; nothing, if that is not known."""
        consumers = [ref for ref in self.spans if self._role(ref) in (Role.RECEIVE, Role.PROCESS)]
        told = {ref: once(self._told(ref)) for ref in consumers}
        found: dict[Ref, list[Delivery]] = {}
        handlers: dict[Ref, list[Ref]] = defaultdict(list)
        for ref in consumers:
            parent = self._local_parent(ref)
            if self._role(ref) is Role.RECEIVE:
                continue
            if self._role(parent) is Role.RECEIVE:
                assert parent is not None
                handlers[parent].append(ref)
            if told[ref] or self._role(parent) is not Role.PROCESS:
                found[ref] = told[ref]
        self.around: list[tuple[Ref, Ref]] = []
        for ref in consumers:
            if self._role(ref) is not Role.RECEIVE:
                continue
            taken = {delivery.message for handler in handlers[ref] for delivery in told[handler]}
            left = [delivery for delivery in told[ref] if delivery.message not in taken]
            heirs = [handler for handler in handlers[ref] if not told[handler]]
            if left and len(heirs) == 1:
                found[heirs[0]] = left
            elif left:
                found[ref] = left
                for heir in heirs:
                    del found[heir]
            if ref not in found:
                self.around += [(ref, handler) for handler in handlers[ref]]
        return found

    @cached_property
    def consumer_around(self) -> dict[Ref, Ref]:
        """The nearest consumer at or above each span that is in one."""
        receives = [receive for receive, _ in self.around]
        at = {receive: handler for receive, handler in self.around if receives.count(receive) == 1}
        at |= {ref: ref for ref in self.deliveries}
        found = {}
        for ref in self.spans:
            here: Ref | None = ref
            while here is not None and here not in at:
                parent = self.parents.get(here)
                if self._publishes(parent) and self._local_parent(here) is None:
                    parent = None  # another service's message: what it caused is not our doing
                here = parent
            if here is not None:
                found[ref] = at[here]
        return found

    @cached_property
    def reaction_of(self) -> dict[Ref, Ref]:
        """The first attempt of each consumer."""
        found = {ref: attempts[0] for attempts in self.attempts for ref in attempts}
        return {ref: found[self._outermost(ref)] for ref in self.deliveries}

    @cached_property
    def attempts(self) -> list[list[Ref]]:
        """The attempts of each reaction, by time."""
        runs: dict[Any, list[Ref]] = defaultdict(list)
        for ref, deliveries in self.deliveries.items():
            row = self.spans[ref]
            alone = len(deliveries) == 1
            reactor = row["group"], row["handler"]
            same = (self._handles(ref), reactor, row["message_id"]) if alone else ref
            if self._outermost(ref) == ref:
                runs[same].append(ref)
        found = []
        for run in runs.values():
            run.sort(key=lambda ref: (self.spans[ref]["start"], self.rank[ref]))
            at_once = any(self.spans[b]["start"] < self.spans[a]["end"] for a, b in pairwise(run))
            in_a_group = self.spans[run[0]]["handler"] is None
            found += [run] if in_a_group or not at_once else [[ref] for ref in run]
        return found

    def _outermost(self, ref: Ref) -> Ref:
        """The consumer that *ref* is within, if that handles the same message in the same service."""
        parent = self.parents.get(ref)
        outer = None if parent is None else self.consumer_around.get(parent)
        if outer is None or outer == ref or self._handles(outer) != self._handles(ref):
            return ref
        return self._outermost(outer)

    def _handles(self, ref: Ref) -> Any:
        alone = len(self.deliveries[ref]) == 1
        return (self.deliveries[ref][0].message, self.spans[ref]["service"]) if alone else ref

    # Edges

    @cached_property
    def edges(self) -> dict[tuple[str, Ref, Ref], str]:
        found: dict[tuple[str, Ref, Ref], str] = {}
        for ref, deliveries in self.deliveries.items():
            if self.reaction_of[ref] == ref:
                found |= {("delivery", d.message, ref): d.because for d in deliveries}
        for message in self.messages:
            for target in self.links[message]:
                if target in self.spans and not self._publishes(target) and target in self.consumer_around:
                    reaction = self.reaction_of[self.consumer_around[target]]
                    found["cause", reaction, message] = "link"
            if message in self.consumer_around:
                reaction = self.reaction_of[self.consumer_around[message]]
                found.setdefault(("cause", reaction, message), "parent")
        return found

    # Flows

    @cached_property
    def keys(self) -> dict[Ref, str]:
        found = {}
        for ref in self.spans:
            line = [self.spans[one]["flow_key"] for one in (ref, *above(ref, self.parents))]
            key = next((key for key in line if key is not None), None)
            if key is not None:
                found[ref] = key
        return found

    @cached_property
    def units(self) -> dict[Ref, Any]:
        """A trace or, in one whose consumers took messages from other traces, what each of them did."""
        abroad = defaultdict(set)
        for ref, deliveries in self.deliveries.items():
            if any(d.message in self.spans and d.message[0] != ref[0] for d in deliveries):
                abroad[ref[0]].add(ref)
        heads = {ref for refs in abroad.values() if len(refs) > 1 for ref in refs}
        return {
            ref: next((one for one in (ref, *above(ref, self.parents)) if one in heads), ref[0])
            for ref in self.spans
        }

    @cached_property
    def anchors(self) -> dict[Ref, Any]:
        keys_of_unit = defaultdict(set)
        for ref, key in self.keys.items():
            keys_of_unit[self.units[ref]].add(key)
        found: dict[Ref, Any] = {}
        for ref, unit in self.units.items():
            keys = {self.keys[ref]} if ref in self.keys else keys_of_unit[unit]
            found[ref] = ("key", *keys) if len(keys) == 1 else unit
        return found

    @cached_property
    def parts_of(self) -> dict[Ref, set[Ref]]:
        """The messages and reactions that each span is a part of."""
        found: dict[Ref, set[Ref]] = defaultdict(set)
        for message, spans in self.messages.items():
            for span in spans:
                found[span].add(message)
        for consumer, reaction in self.reaction_of.items():
            found[consumer].add(reaction)
        for receive, handler in self.around:
            found[receive].add(self.reaction_of[handler])
        return found

    @cached_property
    def flows(self) -> list[tuple[str | None, set[Ref]]]:
        spans_of: dict[Any, set[Ref]] = defaultdict(set)
        for ref, parts in self.holding.members.items():
            for part in parts:
                spans_of[part].add(ref)
        found = []
        for part, spans in spans_of.items():
            if not any(node in spans for nodes in self.parts_of.values() for node in nodes):
                continue
            own = [ref for ref in spans if self.holding.part(ref) == part]
            by_time = sorted(own, key=lambda ref: (ref not in self.messages, *self._when(ref)))
            key = next((self.keys[ref] for ref in by_time if ref in self.keys), None)
            found.append((self._when(by_time[0]), key, spans))
        return [(key, spans) for _, key, spans in sorted(found, key=lambda flow: flow[0])]

    @cached_property
    def holding(self) -> "Holding":
        return Holding(self)

    def _when(self, ref: Ref) -> tuple[int, int]:
        return self.spans[ref]["start"], self.rank[ref]


class Holding:
    """What holds together, and what belongs to several because a batch joins them."""

    def __init__(self, told: Stitcher) -> None:
        self.told = told
        self.joins: dict[Any, Any] = {anchor: anchor for anchor in told.anchors.values()}
        self.feeds: dict[Ref, set[Ref]] = defaultdict(set)
        self.made: dict[Ref, set[Ref]] = defaultdict(set)
        for kind, source, target in told.edges:
            (self.feeds[target] if kind == "delivery" else self.made[source]).add(
                source if kind == "delivery" else target
            )
        self.batches = {ref for ref, messages in self.feeds.items() if len(messages) > 1}
        self._hold_what_is_sure()
        self.owners: dict[Any, set[Any]] = {}
        self.joined: set[Ref] = set()
        while self._circles() or self._joins():
            pass
        self.members = self._members()

    def part(self, ref: Ref) -> Any:
        return self._root(self.told.anchors[ref])

    def _root(self, anchor: Any) -> Any:
        while self.joins[anchor] != anchor:
            anchor = self.joins[anchor]
        return anchor

    def _join(self, left: Any, right: Any) -> bool:
        left, right = self._root(left), self._root(right)
        self.joins[left] = right
        return bool(left != right)

    def _join_all(self, pairs: Iterable[tuple[Any, Any]]) -> bool:
        return max([self._join(left, right) for left, right in pairs], default=False)

    def _seen(self, refs: Iterable[Ref]) -> set[Ref]:
        return {ref for ref in refs if ref in self.told.spans}

    def _hold_what_is_sure(self) -> None:
        for span, nodes in self.told.parts_of.items():
            if len(nodes) == 1:
                self._join(self.part(span), self.part(next(iter(nodes))))
        for reaction in set(self.told.reaction_of.values()) - self.batches:
            for other in self._seen(self.feeds[reaction]) | self.made[reaction]:
                self._join(self.part(reaction), self.part(other))

    def _hanging(self) -> dict[Any, set[Any]]:
        """The parts that have no flow of their own, and those that feed them by way of a batch."""
        caused = {target for kind, _, target in self.told.edges if kind == "cause"}
        own = {self.part(message) for message in self.told.messages if message not in caused}
        own |= {self.part(ref) for ref, anchor in self.told.anchors.items() if anchor[0] == "key"}
        hanging: dict[Any, set[Any]] = defaultdict(set)
        for batch in self.batches:
            for message in self._seen(self.feeds[batch]):
                if self.part(batch) not in own and self.part(message) != self.part(batch):
                    hanging[self.part(batch)].add(self.part(message))
        return hanging

    def _circles(self) -> bool:
        """Batches that feed each other in a circle are one."""
        hanging = self._hanging()
        reach = {part: reached(part, hanging) for part in hanging}
        both = [(a, b) for a in hanging for b in hanging if a != b and a in reach[b] and b in reach[a]]
        return self._join_all(both)

    def _joins(self) -> bool:
        """A consumer that has all its messages from one flow is a join, and holds it together."""
        hanging = self._hanging()
        self.owners = {}

        def owners(part: Any) -> set[Any]:
            if part not in self.owners:
                whose = set().union(*(owners(above) for above in hanging.get(part, ())))
                self.owners[part] = whose if 0 < len(whose) <= self.told.most_shared else {part}
            return self.owners[part]

        one = {}
        for batch in self.batches:
            whose = set().union(*(owners(self.part(ref)) for ref in self._seen(self.feeds[batch])))
            owners(self.part(batch))
            if len(whose) == 1 and self.feeds[batch] == self._seen(self.feeds[batch]):
                one[batch] = whose.pop()
        for ref in self.told.spans:
            owners(self.part(ref))
        self.joined = set(one)
        pairs = [(self.part(batch), flow) for batch, flow in one.items()]
        pairs += [(self.part(batch), self.part(ref)) for batch in one for ref in self.made[batch]]
        return self._join_all(pairs)

    def _members(self) -> dict[Ref, set[Any]]:
        found = {}
        for ref in self.told.spans:
            batch = ref in self.batches and ref not in self.joined
            at = self._seen(self.feeds[ref]) if batch else {ref}
            found[ref] = set().union(*(self.owners[self.part(one)] for one in at))
            if batch and not at:
                found[ref] = self.owners[self.part(ref)]
        for span, nodes in self.told.parts_of.items():
            if len(nodes) > 1:
                found[span] = set().union(*(found[node] for node in nodes))
        return found


def stitch(rows: Sequence[Row], most_shared: int = MOST_SHARED) -> Story:
    """The story of *rows* (READINGS)."""
    told = Stitcher(rows, most_shared)
    reactions = {}
    for attempts in told.attempts:
        first, last = told.spans[attempts[0]], told.spans[attempts[-1]]
        spans = {ref for ref, nodes in told.parts_of.items() if attempts[0] in nodes}
        reactions[attempts[0]] = Reaction(spans, len(attempts), first["start"], last["end"], last["failed"])
    for ref, row in told.spans.items():
        if row["end"] < row["start"]:
            told.notes.add(("end_before_start", ref))
        if row["dropped_links"]:
            told.notes.add(("dropped_links", ref))
    for kind, source, target in told.edges:
        early = source in told.spans and told.spans[target]["start"] < told.spans[source]["start"]
        if kind == "delivery" and early:
            told.notes.add(("clock_skew", target))
    return Story(told.messages, reactions, told.edges, told.flows, told.notes)


def once(deliveries: Iterable[Delivery]) -> list[Delivery]:
    """The first that names each message."""
    found: dict[Ref, Delivery] = {}
    for delivery in deliveries:
        found.setdefault(delivery.message, delivery)
    return list(found.values())


def above(ref: Ref, parents: Mapping[Ref, Ref]) -> list[Ref]:
    """What leads up from *ref*, itself only where it goes round in a circle."""
    line: list[Ref] = []
    while ref in parents and parents[ref] not in line:
        ref = parents[ref]
        line.append(ref)
    return line


def reached(part: Any, feeders: Mapping[Any, set[Any]]) -> set[Any]:
    """All that feeds *part*, through anything."""
    found: set[Any] = set()
    todo = set(feeders[part])
    while todo:
        one = todo.pop()
        found.add(one)
        todo |= feeders.get(one, set()) - found
    return found


def contents(rows: Sequence[Row]) -> list[int]:
    """A number for all that a row says but for when it came: copies have the same."""
    table = pa.Table.from_pylist(list(rows), schema=READINGS).drop_columns(["received"])
    return content_keys(table).tolist() if rows else []


def ranks(refs: Iterable[Ref]) -> dict[Ref, int]:
    """Which of two comes first where time does not say: the one with the smaller key."""
    keys = {}
    for trace, span in refs:
        of_trace = trace_keys(pa.array([trace], pa.binary(16)))
        keys[trace, span] = int(span_keys(of_trace, pa.array([span], pa.binary(8)))[0])
    return keys
