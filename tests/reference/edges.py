"""Which edges do the spans describe, and what follows from them? Worked out one span at a time."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import networkx as nx

from collector.model.readings import Role
from tests.reference.handlings import ROOT, Handlings, Ref, above


class Stitcher(Handlings):
    """Answers one question after another about the spans of *rows* (READINGS)."""

    @cached_property
    def edges(self) -> dict[tuple[str, Ref, Ref], str]:
        """The edges that spans state, and those that follow from the causation ids of messages."""
        found = dict(self.told)
        for ref in self.messages:
            if self.spans[ref]["general"]:
                self.notes.add(("general_name", ref))
        for kind, source, target in found:
            if kind == "delivery" and source not in self.spans and self.spans[target]["general"]:
                self.notes.add(("general_name", target))
        for edge in (*self.claimed, *self.resulting):
            found[edge] = "causation_id"
        made = {message for _, _, message in self.resulting}
        self.notes |= {("unclear_cause", message) for message in self.led if message not in made}
        return found

    @cached_property
    def claimed(self) -> set[tuple[str, Ref, Ref]]:
        """Deliveries that no span states, inferred from what a reaction's messages name as their cause."""
        return {
            edge
            for edge in self._claimed
            if not self._leads_back(edge) and self.spans[edge[1]]["start"] <= self.spans[edge[2]]["end"]
        }

    @cached_property
    def resulting(self) -> set[tuple[str, Ref, Ref]]:
        """Causes that no span states, inferred in the same way."""
        return {edge for edge in self._resulting if not self._leads_back(edge)}

    def _leads_back(self, edge: tuple[str, Ref, Ref]) -> bool:
        return any({*edge[1:]} <= circle for circle in self._circles)

    @cached_property
    def _circles(self) -> list[set[Ref]]:
        """The messages and reactions that would lead to one another if all were believed."""
        edges = [*self.told, *self._claimed, *self._resulting]
        paths = nx.DiGraph((source, target) for _, source, target in edges)
        return list(nx.strongly_connected_components(paths))

    @cached_property
    def _resulting(self) -> set[tuple[str, Ref, Ref]]:
        found = set()
        for message, cause in self.led.items():
            reactions = {
                target
                for kind, source, target in self.told
                if kind == "delivery"
                and source == cause
                and self.spans[target]["service"] == self.spans[message]["service"]
            }
            if len(reactions) == 1:
                found.add(("cause", reactions.pop(), message))
        return found

    @cached_property
    def _claimed(self) -> set[tuple[str, Ref, Ref]]:
        return {
            ("delivery", cause, reaction)
            for message, cause in self.named.items()
            for reaction in self._causes_of(message)
            if reaction not in self._causes_of(cause)
        }

    @cached_property
    def led(self) -> dict[Ref, Ref]:
        """For each message without a known cause: the message that it names as its cause."""
        return {message: cause for message, cause in self.named.items() if not self._causes_of(message)}

    @cached_property
    def named(self) -> dict[Ref, Ref]:
        """For each message whose trigger no span states: the message that it names as its cause."""
        reached = {target for kind, _, target in self.told if kind == "delivery"}
        found = {}
        for message, members in self.messages.items():
            said = {self.spans[ref]["causation"] for ref in members} - {None}
            if len(said) == 1 and not self._causes_of(message) & reached:
                causes = self._called(said.pop())
                if len(causes) == 1 and causes != {message}:
                    found[message] = causes.pop()
        return found

    def _causes_of(self, message: Ref) -> set[Ref]:
        return {source for kind, source, target in self.told if kind == "cause" and target == message}

    def _called(self, name: str) -> set[Ref]:
        """The messages with a span that has this message id or event id."""
        return {
            message
            for message, members in self.messages.items()
            if any(name in (self.spans[ref]["message_id"], self.spans[ref]["event_id"]) for ref in members)
        }

    @cached_property
    def told(self) -> dict[tuple[str, Ref, Ref], str]:
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
            if not any(kind == "cause" and target == message for kind, _, target in found):
                found |= {("cause", reaction, message): "link" for reaction in self._relayed(message)}
        return found

    def _relayed(self, message: Ref) -> set[Ref]:
        """The reactions that the nearest work of its own service around *message* links to."""
        around = self.local_parent(message)
        while around is not None:
            to = [one for one in self.links[around] if one in self.spans and not self._publishes(one)]
            found = {self.reaction_of[self.consumer_around[one]] for one in to if one in self.consumer_around}
            if found and self.role(around) is Role.NONE:
                return found
            around = self.local_parent(around)
        return set()

    @cached_property
    def handled(self) -> dict[Ref, set[Ref]]:
        """The messages of each consumer: those in `told` and those in `claimed`."""
        found = {ref: {d.message for d in deliveries} for ref, deliveries in self.deliveries.items()}
        for _, message, reaction in self.claimed:
            found[reaction] = found[reaction] | {message}
        return found

    def after(self, earlier: Ref, later: Ref) -> int:
        """The time from the start of one span to the start of another."""
        return int(self.spans[later]["start"] - self.spans[earlier]["start"])

    def had_after(self, message: Ref, ref: Ref) -> int:
        """The time from a message's start to its arrival: a poll may have waited for it until its end."""
        row = self.spans[ref]
        polled = self.role(ref) is Role.RECEIVE
        return int(max(row["start"], row["end"] if polled else 0) - self.spans[message]["start"])

    # Flows

    @cached_property
    def shared_keys(self) -> set[str]:
        """Keys that name no flow: more traces begin by themselves with one than an order plausibly has."""
        begin = {ref[0] for ref in self.spans if self._publishes(ref) and self._begins(ref)}
        traces = defaultdict(set)
        for ref, row in self.spans.items():
            if row["flow_key"] is not None and ref[0] in begin:
                traces[row["flow_key"]].add(ref[0])
        return {key for key, found in traces.items() if len(found) > self.keying.most} | self.keying.refused

    def _begins(self, ref: Ref) -> bool:
        """Whether nothing led to a span, neither a stored span nor a missing one."""
        line, row = [ref, *above(ref, self.parents)], self.spans[ref]
        inside = any(self.role(one) in (Role.RECEIVE, Role.PROCESS, Role.ANSWERED) for one in line)
        led = row["link_trace_ids"] or row["causation"] is not None
        return self.spans[line[-1]]["parent_span_id"] == ROOT and not inside and not led

    @cached_property
    def keys(self) -> dict[Ref, str]:
        found = {}
        for ref in self.spans:
            line = [self.spans[one]["flow_key"] for one in (ref, *above(ref, self.parents))]
            key = next((key for key in line if key is not None and key not in self.shared_keys), None)
            if key is not None:
                found[ref] = key
        return found

    @cached_property
    def units(self) -> dict[Ref, Any]:
        """Each span's unit: its trace, or one of several pieces of work that other traces caused in it."""
        caused = [(cause, reaction) for _, cause, reaction in self.claimed]
        caused += [(cause, message) for message, cause in self.led.items()]
        caused += [
            (reaction, message)
            for kind, reaction, message in self.told
            if kind == "cause" and reaction[0] != message[0]
        ]
        for ref, deliveries in self.deliveries.items():
            caused += [(d.message, ref) for d in deliveries if d.message in self.spans]
        heads = self._heads(caused)
        return {
            ref: next((one for one in (ref, *above(ref, self.parents)) if one in heads), ref[0])
            for ref in self.spans
        }

    def _heads(self, caused: Sequence[tuple[Ref, Ref]]) -> set[Ref]:
        """The spans that begin a unit; *caused* has (cause, span) for each span whose cause is stored."""
        arrived = {ref for cause, ref in caused if cause[0] != ref[0]}
        unknown = {ref for ref in self.reaction_of if self._is_unknown(ref)}
        leaked = {ref for ref in arrived if self._is_inside_another(ref)}
        strangers = {
            ref for ref in unknown if self._is_inside_another(ref) and self.differ(ref, self._outer(ref))
        }
        alone = {ref for ref in unknown if self._outer(ref) is None and self._is_of_a_worker(ref)}
        begins = Counter(ref[0] for ref in arrived | alone)
        heads = {ref for ref in {ref for _, ref in caused} | alone if begins[ref[0]] > 1}
        return heads | leaked | strangers

    def _outer(self, ref: Ref) -> Ref | None:
        """The consumer around *ref*, other than itself and its receive."""
        parent = self.parents.get(ref)
        outer = self.consumer_around.get(parent) if parent else None
        if outer == ref and parent is not None:
            above_it = self.parents.get(parent)
            outer = self.consumer_around.get(above_it) if above_it else None
        return outer

    def _is_inside_another(self, ref: Ref) -> bool:
        outer = self._outer(ref)
        if ref not in self.reaction_of or outer is None or self.reaction_of[outer] == self.reaction_of[ref]:
            return False
        return bool(self.spans[outer]["service"] == self.spans[ref]["service"])

    def _is_unknown(self, ref: Ref) -> bool:
        claimed = any(reaction == ref for _, _, reaction in self.claimed)
        return not self.deliveries[ref] and not claimed and self.local_parent(ref) is not None

    def _is_of_a_worker(self, ref: Ref) -> bool:
        """Whether *ref* handles something unknown in a trace that its own service began by itself."""
        top: Ref | None = ref
        while top is not None and not self.spans[top]["serves"] and self.local_parent(top) is not None:
            top = self.local_parent(top)
        assert top is not None
        served = self.spans[top]["serves"] or self._publishes(top)
        if top == ref or served or top in self.parents or top in self.lost_parent:
            return False
        to = {
            self.spans[message]["destination"]
            for message in self.messages
            if message[0] == ref[0]
            and not any(kind == "cause" and target == message for kind, _, target in self.told)
        }
        return self.spans[ref]["destination"] not in to

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
        """The messages and reactions that each span belongs to."""
        found: dict[Ref, set[Ref]] = defaultdict(set)
        for message, spans in self.messages.items():
            for span in spans:
                found[span].add(message)
        for consumer, reaction in self.reaction_of.items():
            found[consumer].add(reaction)
        for receive, handler in self.around:
            found[receive].add(self.reaction_of[handler])
        for ref in self.spans:
            if requests := self._requests_of(ref) | self._announced_by(ref):
                found[ref] |= requests
        return found

    def _handlings_of(self, word: Ref) -> list[Ref]:
        """The stored spans, except messages, that the announcement of a handling links to."""
        return [one for one in self.links[word] if one in self.spans and not self._publishes(one)]

    def _announced_by(self, ref: Ref) -> set[Ref]:
        """The reactions whose start *ref* announces."""
        handlings = self._handlings_of(ref) if self.role(ref) is Role.STARTED else []
        consumers = {self.consumer_around[one] for one in handlings if one in self.consumer_around}
        return {self.reaction_of[one] for one in consumers}

    def begun_of(self, ref: Ref) -> set[Ref]:
        """The messages of a handling that *ref* announces but that is not stored."""
        if self.role(ref) is not Role.STARTED or self._handlings_of(ref):
            return set()
        links = [one for one in self.links[ref] if one in self.spans]
        found = {self.message_of(one) for one in (*links, self.parents.get(ref))}
        return {one for one in found if one is not None}

    def spans_of(self, node: Ref) -> set[Ref]:
        """The spans that belong to a message or a reaction."""
        return {ref for ref, nodes in self.parts_of.items() if node in nodes}

    def requests(self) -> set[Ref]:
        """The messages whose senders wait for an answer: they say so, or were seen to get one."""
        found: set[Ref] = set()
        for ref, row in self.spans.items():
            asked = self.message_of(ref)
            if row["request"] and asked is not None:
                found.add(asked)
            if self.role(ref) is Role.ANSWERED:
                got = self._requests_of(ref)
                found |= {one for one in got if self.spans[one]["service"] == row["service"]}
        return found

    def _requests_of(self, ref: Ref) -> set[Ref]:
        """The request that *ref* answers, or whose answer it receives."""
        answered = self.replies_of(ref) if self.role(ref) is Role.ANSWERED else []
        reply = answered[0] if answered else ref if self.role(ref) is Role.REPLY else None
        consumer = self.consumer_around.get(reply) if reply is not None else None
        deliveries = self.deliveries[consumer] if consumer is not None else []
        return {d.message for d in deliveries if len(deliveries) == 1 and d.message in self.spans}
