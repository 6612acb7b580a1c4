"""Which messages and reactions do the spans describe? Worked out one span at a time."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import networkx as nx

from collector.model.readings import Role
from tests.reference.pointing import ROOT, Pointing, Ref, Row, above

__all__ = ["ROOT", "Delivery", "Handlings", "Ref", "Row", "above"]


@dataclass(frozen=True)
class Delivery:
    """A message, stored or missing, and the evidence that its consumer took it."""

    message: Ref
    because: str
    told_by: Ref


class Handlings(Pointing):
    """What the spans of *rows* (READINGS) publish and handle."""

    # Messages

    @cached_property
    def creates_of(self) -> dict[Ref, list[Ref]]:
        """The creates that each send links to."""
        found = {}
        for ref in self.spans:
            targets = {target for target in self.links[ref] if target in self.spans}
            creates = [target for target in targets if self.role(target) is Role.CREATE]
            if self.role(ref) is Role.SEND and creates:
                found[ref] = sorted(creates, key=self.rank.__getitem__)
        return found

    @cached_property
    def outermost(self) -> dict[Ref, Ref]:
        """For each publishing span: the outermost one that it repeats, or itself."""
        inner: dict[Ref, list[Ref]] = defaultdict(list)
        for ref in self.spans:
            parent = self.local_parent(ref)
            if self.role(ref) is not Role.SEND or ref in self.creates_of or not self._publishes(parent):
                continue
            assert parent is not None
            named = {self.spans[one]["destination"] for one in (ref, parent)} - {None}
            if len(named) < 2:
                inner[parent].append(ref)
        above_of = {ref: parent for parent, refs in inner.items() for ref in refs}
        for name in ("message_id", "event_id", "record", "type"):
            for parent, refs in inner.items():
                inner[parent] = [ref for ref in refs if self._agrees(ref, parent, name, above_of)]
        for name in ("message_id", "event_id", "record", "type"):
            for parent, refs in inner.items():
                if len({self._said(ref, name) for ref in refs} - {None}) > 1:
                    inner[parent] = []
        repeats = {
            ref: parent
            for parent, refs in inner.items()
            for ref in refs
            if self.role(parent) is Role.CREATE or len(refs) == 1
        }
        later = {ref: before for ref in self.spans if (before := self._sent_before(ref, repeats))}
        repeats |= {ref: later[ref] for ref in later if ref not in above(ref, {**repeats, **later})}
        return {ref: (ref, *above(ref, repeats))[-1] for ref in self.spans if self._publishes(ref)}

    def _sent_before(self, ref: Ref, repeats: Mapping[Ref, Ref]) -> Ref | None:
        """The span that published before what *ref* sends again, when it is due."""
        inside = {self.role(one) for one in above(ref, self.parents)} & {Role.PROCESS, Role.RECEIVE}
        if self.role(ref) is not Role.SEND or ref in self.creates_of or ref in repeats or inside:
            return None
        parent = self.parents.get(ref)
        named = [parent] if parent is not None and self.local_parent(ref) is None else []
        for one in (*named, *self.links[ref]):
            plain = one in self.spans and one not in self.creates_of
            if plain and self._publishes(one) and self._is_same(ref, one):
                return one
        return None

    def _is_same(self, one: Ref, other: Ref) -> bool:
        """Whether both name one message or event, and nothing that they say differs."""
        rows = self.spans[one], self.spans[other]
        named = any(None is not rows[0][name] == rows[1][name] for name in ("message_id", "event_id"))
        system = rows[0]["system"] == rows[1]["system"]
        to = {row["destination"] for row in rows} - {None}
        return named and system and len(to) < 2 and not self.differ(one, other)

    def _said(self, ref: Ref, name: str) -> Any:
        row = self.spans[ref]
        if name == "type":
            return row["event_type"] if row["typed"] else None
        return row[name]

    def _agrees(self, ref: Ref, parent: Ref, name: str, above_of: Mapping[Ref, Ref]) -> bool:
        """Whether *ref* says nothing else than the nearest span around it that has *name*."""
        line = (parent, *above(parent, above_of))
        theirs = next((said for said in (self._said(one, name) for one in line) if said is not None), None)
        return None in (theirs, self._said(ref, name)) or theirs == self._said(ref, name)

    def messages_of(self, ref: Ref | None) -> list[Ref]:
        """The messages that a publishing span belongs to."""
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
            by_parent.append(self._of_conversation(ref, message) or Delivery(message, "parent", ref))
            if row["remote"]:
                return by_parent
        elif row["remote"] and ref in self.lost_parent:
            by_parent.append(Delivery((ref[0], row["parent_span_id"]), "parent", ref))
        return unseen or by_parent or self._by_message_id(ref)

    def _by_message_id(self, ref: Ref) -> list[Delivery]:
        """The only message with the id that a consumer without trace context names."""
        message = self._identified.get(ref)
        return [Delivery(message, "message_id", ref)] if message else []

    @cached_property
    def _identified(self) -> dict[Ref, Ref]:
        """By consumer without a context: the message that it names, if that is none that it led to."""
        found = {}
        for ref, row in self.spans.items():
            parent = self.local_parent(ref)
            at_home = parent is not None and self.role(parent) is Role.NONE and not row["remote"]
            ignorant = not self.links[ref] and (row["parent_span_id"] == ROOT or at_home)
            takes = self.role(ref) in (Role.PROCESS, Role.RECEIVE)
            if takes and ignorant and None not in (row["system"], row["message_id"]):
                message = self._only_one(system=row["system"], message_id=row["message_id"])
                if message is not None:
                    found[ref] = message
        paths = nx.DiGraph([*self.parents.items(), *found.items()])
        paths.add_edges_from((ref, one) for ref in self.links for one in self.links[ref])
        circles = list(nx.strongly_connected_components(paths))
        return {
            ref: message
            for ref, message in found.items()
            if self.spans[message]["start"] <= self.spans[ref]["end"]
            and not any({ref, message} <= circle for circle in circles)
        }

    def _of_conversation(self, ref: Ref, message: Ref) -> Delivery | None:
        """The message that a consumer really took, if its parent message went to another destination."""
        found = self._passed_on(ref, message)
        if found is None or not self._was_passed_on(ref, message, []):
            return None
        row = self.spans[ref]
        polled = self.role(ref) is Role.RECEIVE
        if self.spans[found]["start"] > max(row["start"], row["end"] if polled else row["start"]):
            return None
        return Delivery(found, "conversation", ref)

    def _passed_on(self, ref: Ref, message: Ref) -> Ref | None:
        """The message that a consumer of another destination than *message* might have taken."""
        there, row = self.spans[message]["destination"], self.spans[ref]
        if None in (there, row["destination"]) or there == row["destination"]:
            return None
        for said in (row["conversation"], row["message_id"]):
            if said is not None:
                found = self._only_one(conversation=said, destination=row["destination"], trace_id=ref[0])
                if found:
                    return found
        return None

    def _was_passed_on(self, ref: Ref, message: Ref, known: Sequence[Ref]) -> bool:
        """Whether the handler that made that message got the context of *message*, with it or passed on."""
        found = self._passed_on(ref, message)
        if found is None or ref in known:
            return False
        line = (found, *above(found, self.parents))
        handler = next((one for one in line if self.role(one) in (Role.PROCESS, Role.RECEIVE)), None)
        if handler is None:
            return False
        if message in self._linked(handler) or self._by_parent(handler) == message:
            alike = self.spans[handler]["destination"] == self.spans[message]["destination"]
            if alike:
                return True
        if self._by_parent(handler) != message:
            return False
        return self._was_passed_on(handler, message, [*known, ref])

    def _linked(self, ref: Ref) -> set[Ref]:
        """The messages that a consumer links to."""
        found = {self.message_of(target) for target in self.links[ref]}
        return {one for one in found if one is not None}

    def _by_parent(self, ref: Ref) -> Ref | None:
        """The message that is a consumer's parent, if its links do not say more."""
        message = self.message_of(self.parents.get(ref))
        unseen = any(target not in self.spans for target in self.links[ref])
        if self._linked(ref) or (unseen and not self.spans[ref]["remote"]):
            return None
        return message

    def _only_one(self, **said: str | bytes) -> Ref | None:
        """The message with a span that says all of *said*; None unless there is exactly one."""
        named = [
            message
            for message, members in self.messages.items()
            if any(all(self.spans[ref][name] == value for name, value in said.items()) for ref in members)
        ]
        return named[0] if len(named) == 1 else None

    @cached_property
    def deliveries(self) -> dict[Ref, list[Delivery]]:
        """The messages that each consumer handles; none where they are unknown."""
        consumers = [ref for ref in self.spans if self.role(ref) in (Role.RECEIVE, Role.PROCESS)]
        told = {ref: once(self._told(ref)) for ref in consumers}
        drained = self._drain(told)
        found: dict[Ref, list[Delivery]] = {}
        handlers: dict[Ref, list[Ref]] = defaultdict(list)
        for ref in consumers:
            parent = self.local_parent(ref)
            if self.role(ref) is Role.RECEIVE:
                continue
            if self.role(parent) is Role.RECEIVE:
                assert parent is not None
                handlers[parent].append(ref)
            if told[ref] or self.role(parent) is not Role.PROCESS or self.differ(ref, parent):
                found[ref] = told[ref]
        self.around: list[tuple[Ref, Ref]] = []
        for ref in consumers:
            if self.role(ref) is not Role.RECEIVE:
                continue
            taken = {delivery.message for handler in handlers[ref] for delivery in told[handler]}
            left = [delivery for delivery in told[ref] if delivery.message not in taken]
            if ref in drained:
                left = []
            heirs = [handler for handler in handlers[ref] if not told[handler]]
            if left and len(heirs) == 1:
                found[heirs[0]] = left
            elif left:
                found[ref] = left
                for heir in heirs:
                    del found[heir]
            if ref in drained:
                self.around += [(ref, handling) for handling in drained[ref] if handling in found]
            elif ref not in found:
                self.around += [(ref, handler) for handler in handlers[ref]]
        beside = {
            (one.message, *self._taker(ref)) for ref in found if self._processes(ref) for one in found[ref]
        }
        for ref in [ref for ref in found if not self._processes(ref) and not handlers[ref]]:
            found[ref] = [one for one in found[ref] if (one.message, *self._taker(ref)) not in beside]
            if not found[ref]:
                del found[ref]
        return found

    def _drain(self, told: dict[Ref, list[Delivery]]) -> dict[Ref, list[Ref]]:
        """Add to *told* what handlings took from the receives that they link to; return those, by receive."""
        users: dict[Ref, list[Ref]] = defaultdict(list)
        for ref in told:
            for poll in dict.fromkeys(self.links[ref]):
                here = poll in told and self.role(poll) is Role.RECEIVE and self._processes(ref)
                if here and self.spans[poll]["service"] == self.spans[ref]["service"]:
                    users[poll].append(ref)
        drained = {
            poll: refs
            for poll, refs in users.items()
            if told[poll] and (len(refs) == 1 or len(told[poll]) == 1)
        }
        more: dict[Ref, list[Delivery]] = defaultdict(list)
        for ref in told:
            for poll in self.links[ref]:
                if ref in drained.get(poll, ()):
                    more[ref] += told[poll]
        told |= {ref: once([*told[ref], *deliveries]) for ref, deliveries in more.items()}
        return drained

    def _processes(self, ref: Ref) -> bool:
        return self.role(ref) is Role.PROCESS

    def _taker(self, ref: Ref) -> tuple[str, ...]:
        """What two consumers of one message have in common if one of them only polls for the other."""
        row = self.spans[ref]
        return row["service"], row["group"], row["destination"]

    @cached_property
    def consumer_around(self) -> dict[Ref, Ref]:
        """For each span inside a consumer: the nearest consumer, itself or an ancestor."""
        receives = [receive for receive, _ in self.around]
        at = {receive: handler for receive, handler in self.around if receives.count(receive) == 1}
        at |= {ref: ref for ref in self.deliveries}
        found = {}
        for ref in self.spans:
            here: Ref | None = ref
            while here is not None and here not in at:
                parent = self.parents.get(here)
                foreign = self._publishes(parent) or self.role(here) is Role.ANSWERED
                if foreign and self.local_parent(here) is None:
                    parent = None  # another service's message: its consequences are not this consumer's
                here = parent
            if here is not None:
                found[ref] = at[here]
        return found

    @cached_property
    def reaction_of(self) -> dict[Ref, Ref]:
        """The reaction of each consumer, named by its first attempt."""
        found = {ref: attempts[0] for attempts in self.attempts for ref in attempts}
        return {ref: found[self._outermost(ref)] for ref in self.deliveries}

    @cached_property
    def attempts(self) -> list[list[Ref]]:
        """The attempts of each reaction, earliest first."""
        runs: dict[Any, list[Ref]] = defaultdict(list)
        for ref, deliveries in self.deliveries.items():
            row = self.spans[ref]
            alone = len(deliveries) == 1
            reactor, identity = (row["group"], row["handler"]), self.identity(ref)
            alone = alone or self._is_unseen(ref)
            if deliveries and identity == (None, None, None) and self._is_several(deliveries[0].message):
                identity = row["delivery_tag"] or ref
            same = (self._handles(ref), reactor, identity) if alone else ref
            if self._outermost(ref) == ref:
                runs[same].append(ref)
        found = []
        for run in runs.values():
            run.sort(key=lambda ref: (self.spans[ref]["start"], self.rank[ref]))
            at_once = any(self.spans[b]["start"] < self.spans[a]["end"] for a, b in pairwise(run))
            in_a_group = self.spans[run[0]]["handler"] is None
            found += self._by_tag(run) if in_a_group or not at_once else [[ref] for ref in run]
        return found

    def _is_several(self, message: Ref) -> bool:
        return message in self.spans and bool(self.spans[message]["several"])

    def _by_tag(self, run: Sequence[Ref]) -> list[list[Ref]]:
        """*run*, cut where a delivery that went well is followed by one with another tag."""
        found = [[run[0]]]
        for before, ref in pairwise(run):
            tags = {self.spans[before]["delivery_tag"], self.spans[ref]["delivery_tag"]} - {None}
            if (len(tags) > 1 or self._is_unseen(ref)) and not self.spans[before]["failed"]:
                found.append([])
            found[-1].append(ref)
        return found

    def _outermost(self, ref: Ref) -> Ref:
        """The outermost consumer around *ref* with the same message and service, or *ref* itself."""
        parent = self.parents.get(ref)
        outer = None if parent is None else self.consumer_around.get(parent)
        if outer is None or outer == ref or self._handles(outer) != self._handles(ref):
            return ref
        if self.differ(ref, outer):
            return ref
        return self._outermost(outer)

    def _handles(self, ref: Ref) -> Any:
        row = self.spans[ref]
        if self._is_unseen(ref):
            return ref[0], row["system"], row["destination"], self.identity(ref), row["service"]
        alone = len(self.deliveries[ref]) == 1
        return (self.deliveries[ref][0].message, row["service"]) if alone else ref

    def _is_unseen(self, ref: Ref) -> bool:
        """Whether nothing is known of the message of *ref* but what identifies it."""
        nothing = not self.deliveries[ref] and self._processes(ref)
        return nothing and self.identity(ref) != (None, None, None)


def once(deliveries: Iterable[Delivery]) -> list[Delivery]:
    """The first delivery of each message."""
    found: dict[Ref, Delivery] = {}
    for delivery in deliveries:
        found.setdefault(delivery.message, delivery)
    return list(found.values())
