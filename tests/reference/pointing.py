"""Which distinct spans are there, and what do they point at? Worked out one span at a time."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from collector.columns.keys import content_keys
from collector.model.identity import public_span_keys
from collector.model.readings import READINGS, Role
from collector.stitching import BELIEVED, Keying

Ref = tuple[bytes, bytes]  # a trace id and a span id
Row = Mapping[str, Any]  # of READINGS

ROOT = bytes(8)


class Pointing:
    """The spans of *rows* (READINGS), and what they point at."""

    def __init__(self, rows: Sequence[Row], keying: Keying = BELIEVED) -> None:
        self.keying = keying
        self.notes: set[tuple[str, Ref]] = set()
        self.lost_parent: set[Ref] = set()
        self.spans = self._distinct(rows)
        self.rank = ranks(self.spans)
        self.links = self._links()
        self.parents = self._parents()
        self.spans |= self._recorded()
        self.spans |= self._failed()
        takes = (Role.PROCESS, Role.RECEIVE)
        self.spans |= {
            ref: {**row, "role": int(Role.ANSWERED)}
            for ref, row in self.spans.items()
            if self.role(ref) in takes and self.replies_of(ref)
        }

    # Spans, links and parents

    def _distinct(self, rows: Sequence[Row]) -> dict[Ref, Row]:
        copies: dict[Ref, list[tuple[int, int, int, int, Row]]] = defaultdict(list)
        for row, content in zip(rows, contents(rows), strict=True):
            times = row["end"], row["start"], -row["received"]
            copies[row["trace_id"], row["span_id"]].append((*times, content, row))
        for ref, found in copies.items():
            if len({content for *_, content, _ in found}) > 1:
                self.notes.add(("id_reused", ref))
        return {ref: max(found, key=lambda copy: copy[:4])[4] for ref, found in copies.items()}

    def _parents(self) -> dict[Ref, Ref]:
        parents = {}
        announced = {
            next(iter(self.links[ref]), None) for ref in self.spans if self.role(ref) is Role.STARTED
        }
        for ref, row in self.spans.items():
            parent = (ref[0], row["parent_span_id"])
            if parent == ref:
                self.notes.add(("self_link", ref))
            elif parent in self.spans:
                parents[ref] = parent
            elif row["parent_span_id"] != ROOT:
                self.lost_parent.add(ref)
                if row["role"] != Role.STARTED and parent not in announced:
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
            if any(target not in self.spans for target in targets) and row["role"] != Role.STARTED:
                self.notes.add(("missing_link_target", ref))
            links[ref] = [target for target in targets if target != ref]
        return links

    def _recorded(self) -> dict[Ref, Row]:
        """The events that log records tell of: messages, unless their span is about the same event."""
        found: dict[Ref, Row] = {}
        for ref, row in self.spans.items():
            if row["role"] == Role.RECORDED:
                parent = self.parents.get(ref)
                same = parent is not None and self._same_event(row, parent)
                found[ref] = {**row, "role": int(Role.REPORT if same else Role.SEND)}
        return found

    def _same_event(self, row: Row, parent: Ref) -> bool:
        around = self.spans[parent]
        if around["role"] == Role.RECORDED:
            return False
        if row["event_id"] is not None and around["event_id"] is not None:
            return bool(row["event_id"] == around["event_id"])
        if around["typed"]:
            return around["event_type"] is not None and bool(row["event_type"] == around["event_type"])
        return self._publishes(parent)

    def _failed(self) -> dict[Ref, Row]:
        """The spans that a log record says have failed, unless their status is OK."""
        told = {
            self.parents[ref]
            for ref, row in self.spans.items()
            if row["role"] == Role.REPORT and row["failed"] and ref in self.parents
        }
        return {ref: {**self.spans[ref], "failed": True} for ref in told if not self.spans[ref]["well"]}

    def replies_of(self, ref: Ref) -> list[Ref]:
        """The replies that *ref* took: its parent, then those that it links to."""
        named = [self.parents.get(ref), *self.links[ref]]
        return [one for one in named if one in self.spans and self.role(one) is Role.REPLY]

    def role(self, ref: Ref | None) -> Role:
        return Role.NONE if ref is None else Role(self.spans[ref]["role"])

    def _publishes(self, ref: Ref | None) -> bool:
        return self.role(ref) in (Role.CREATE, Role.SEND)

    def local_parent(self, ref: Ref) -> Ref | None:
        parent = self.parents.get(ref)
        same = parent is not None and self.spans[parent]["service"] == self.spans[ref]["service"]
        return parent if same else None

    def identity(self, ref: Ref) -> tuple[Any, ...]:
        """What identifies the message of *ref*: three values, None where it has none."""
        row = self.spans[ref]
        place = None if row["record"] is None else (row["record"], row["destination"])
        return row["message_id"], row["event_id"], place

    def differ(self, one: Ref, other: Ref | None) -> bool:
        """Whether both have a value of `identity`, but not the same."""
        if other is None:
            return False
        names = ("message_id", "event_id", "record")
        pairs = [(self.spans[one][name], self.spans[other][name]) for name in names]
        return any(None not in pair and pair[0] != pair[1] for pair in pairs)


def above(ref: Ref, parents: Mapping[Ref, Ref]) -> list[Ref]:
    """The ancestors of *ref*, nearest first; *ref* itself only if it is on a cycle."""
    line: list[Ref] = []
    while ref in parents and parents[ref] not in line:
        ref = parents[ref]
        line.append(ref)
    return line


def contents(rows: Sequence[Row]) -> list[int]:
    """A hash of each row without its time of arrival: copies of a span have the same one."""
    table = pa.Table.from_pylist(list(rows), schema=READINGS).drop_columns(["received", "quotable"])
    return content_keys(table).tolist() if rows else []


def ranks(refs: Iterable[Ref]) -> dict[Ref, int]:
    """Ranks that break ties in time: the span with the smaller key comes first."""
    keys = {}
    for trace, span in refs:
        ids = pa.array([trace], pa.binary(16)), pa.array([span], pa.binary(8))
        keys[trace, span] = int(public_span_keys(*ids)[0])
    return keys
