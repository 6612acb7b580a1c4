"""Which spans form one flow, and which belong to several flows because a batch joins them?"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from tests.reference.edges import Stitcher
from tests.reference.handlings import Ref


def flows_of(told: Stitcher, most_shared: int) -> list[tuple[str | None, set[Ref]]]:
    """(key, spans) of each flow, in the order of their start."""
    holding = Holding(told, most_shared)
    spans_of: dict[Any, set[Ref]] = defaultdict(set)
    for ref, parts in holding.members.items():
        for part in parts:
            spans_of[part].add(ref)

    def when(ref: Ref) -> tuple[int, int]:
        return told.spans[ref]["start"], told.rank[ref]

    found = []
    for part, spans in spans_of.items():
        if not any(node in spans for nodes in told.parts_of.values() for node in nodes):
            continue
        own = [ref for ref in spans if holding.part(ref) == part]
        by_time = sorted(own, key=lambda ref: (ref not in told.messages, *when(ref)))
        key = next((told.keys[ref] for ref in by_time if ref in told.keys), None)
        found.append((when(by_time[0]), key, spans))
        if any(told.spans[ref]["flow_key"] in told.shared_keys for ref in spans):
            told.notes.add(("shared_key", by_time[0]))
    return [(key, spans) for _, key, spans in sorted(found, key=lambda flow: flow[0])]


class Holding:
    """Finds the parts of the graph that belong together, and those that belong to several flows."""

    def __init__(self, told: Stitcher, most_shared: int) -> None:
        self.told, self.most_shared = told, most_shared
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
            if not self._shared(span, nodes):
                self._join(self.part(span), self.part(next(iter(nodes))))
        for message, cause in self.told.led.items():
            self._join(self.part(message), self.part(cause))
        for reaction in set(self.told.reaction_of.values()) - self.batches:
            for other in self._seen(self.feeds[reaction]) | self.made[reaction]:
                self._join(self.part(reaction), self.part(other))

    def _shared(self, span: Ref, nodes: set[Ref]) -> bool:
        """Whether *span* belongs wherever *nodes* do without joining them: part of several, or a poll."""
        return len(nodes) > 1 or any(span == receive for receive, _ in self.told.around)

    def _hanging(self) -> dict[Any, set[Any]]:
        """The parts that have no flow of their own, each with the parts that feed it through a batch."""
        caused = {target for kind, _, target in self.told.edges if kind == "cause"} | set(self.told.led)
        own = {self.part(message) for message in self.told.messages if message not in caused}
        own |= {self.part(ref) for ref, anchor in self.told.anchors.items() if anchor[0] == "key"}
        hanging: dict[Any, set[Any]] = defaultdict(set)
        for batch in self.batches:
            for message in self._seen(self.feeds[batch]):
                if self.part(batch) not in own and self.part(message) != self.part(batch):
                    hanging[self.part(batch)].add(self.part(message))
        return hanging

    def _circles(self) -> bool:
        """Join batches that feed each other in a cycle."""
        hanging = self._hanging()
        reach = {part: reached(part, hanging) for part in hanging}
        both = [(a, b) for a in hanging for b in hanging if a != b and a in reach[b] and b in reach[a]]
        return self._join_all(both)

    def _joins(self) -> bool:
        """Join each batch consumer with its one flow, if all its messages are in that flow."""
        hanging = self._hanging()
        self.owners = {}

        def owners(part: Any) -> set[Any]:
            if part not in self.owners:
                whose = set().union(*(owners(above) for above in hanging.get(part, ())))
                self.owners[part] = whose if 0 < len(whose) <= self.most_shared else {part}
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
        for ref in self.told.spans:
            if messages := self.told.begun_of(ref):
                found[ref] = set().union(*(self.owners[self.part(message)] for message in messages))
        for span, nodes in self.told.parts_of.items():
            if self._shared(span, nodes):
                found[span] = set().union(*(found[node] for node in nodes))
        return found


def reached(part: Any, feeders: Mapping[Any, set[Any]]) -> set[Any]:
    """All parts that feed *part*, directly or through others."""
    found: set[Any] = set()
    todo = set(feeders[part])
    while todo:
        one = todo.pop()
        found.add(one)
        todo |= feeders.get(one, set()) - found
    return found
