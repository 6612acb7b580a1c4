"""What does stitching make of these messages and reactions? Written in as few words as a test needs.

    placed = publish("placed")
    packing = consume("packing", placed)
    assert tell(placed, packing).deliveries == {(placed, packing)}

Everything takes the full path: as protobuf through the decoder, the conventions and stitching to the
document.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector import conventions
from collector.stitching import Stitched, stitch
from tests.documents import document
from tests.factories import NOW, Value, request, span, table

MS = 10**6
REMOTE, LOCAL = 0x300, 0x100  # OTLP's flags: is the parent remote?

Pairs = set[tuple["Sent", "Sent"]]


@dataclass(frozen=True, eq=False)
class Sent:
    """A span and the service that sent it."""

    service: str
    trace: str
    name: str
    span: Span

    @property
    def ref(self) -> str:
        return f"{self.span.trace_id.hex()}:{self.span.span_id.hex()}"

    def __repr__(self) -> str:
        return self.name


def work(
    name: str,
    *,
    service: str = "order",
    parent: Sent | None = None,
    links: Iterable[Sent] = (),
    trace: str | None = None,
    kind: int = Span.SPAN_KIND_INTERNAL,
    at: int = 0,
    took: int = 1,
    key: str | None = None,
    error: str | None = None,
    flags: int = 0,
    called: str | None = None,
    said: Mapping[str, Value] = {},
) -> Sent:
    """A span in its parent's trace or in a new one, *at* milliseconds after the start.

    Its ids are made of *name*, which is also the span's name unless *called* gives another.
    """
    trace = trace or (parent.trace if parent else name)
    made = span(
        called or name,
        id=name,
        trace=trace,
        parent=parent.name if parent else b"",
        kind=kind,
        start=NOW + at * MS,
        end=NOW + (at + took) * MS,
        links=[(one.trace, one.name) for one in links],
        error=error,
        attributes={**said, **({} if key is None else {"order.id": key})},
    )
    made.flags = flags
    return Sent(service, trace, name, made)


def publish(name: str, *, operation: str = "send", subject: str = "orders", **more: Any) -> Sent:
    """A span that publishes a message."""
    said = {"messaging.operation.type": operation, "messaging.destination.name": subject}
    return work(name, kind=Span.SPAN_KIND_PRODUCER, said={**said, **more.pop("said", {})}, **more)


def create(name: str, **more: Any) -> Sent:
    """A span that creates a message for another span to send."""
    return publish(name, operation="create", **more)


def react(name: str, to: Sent, **more: Any) -> Sent:
    """The handling of one message, which is its parent."""
    return consume(name, parent=to, **{"flags": REMOTE, **more})


def consume(name: str, *messages: Sent, operation: str = "process", **more: Any) -> Sent:
    """The handling of *messages*, with a link to each, in its own trace and by its own service."""
    said = {"messaging.operation.type": operation, "messaging.destination.name": "orders"}
    group = more.pop("group", None)
    if group:
        said["messaging.consumer.group.name"] = group
    usual = {"service": name, "kind": Span.SPAN_KIND_CONSUMER}
    return work(name, links=messages, said={**said, **more.pop("said", {})}, **{**usual, **more})


def receive(name: str, *messages: Sent, **more: Any) -> Sent:
    """A poll that returned *messages*."""
    return consume(name, *messages, operation="receive", **more)


def spans_of(*sent: Sent) -> pa.Table:
    """SPANS of *sent*."""
    by_service: dict[str, list[Span]] = {}
    for one in sent:
        by_service.setdefault(one.service, []).append(one.span)
    return table(*(request(*spans, service=service) for service, spans in by_service.items()))


def stitched(*sent: Sent) -> Stitched:
    """What stitching makes of *sent*."""
    return stitch(conventions.read(spans_of(*sent)))


def tell(*sent: Sent, known: Iterable[Sent] = ()) -> "Told":
    """The document of *sent*; *known* are spans that were not sent but may be named in it."""
    return Told(document(stitched(*sent)), {one.ref: one for one in (*sent, *known)})


@dataclass(frozen=True)
class Told:
    """A document in which each span is the `Sent` that it was made from."""

    document: dict[str, Any]
    sent: Mapping[str, Sent]

    @property
    def deliveries(self) -> Pairs:
        """Each (message, reaction)."""
        return self._edges("delivery")

    @property
    def causes(self) -> Pairs:
        """Each (reaction, message)."""
        return self._edges("cause")

    def _edges(self, kind: str) -> Pairs:
        edges = [edge for edge in self.document["edges"] if edge["kind"] == kind]
        pairs = [(self.sent[edge["from"]], self.sent[edge["to"]]) for edge in edges]
        assert len(pairs) == len(set(pairs))
        return set(pairs)

    def because(self, source: Sent, target: Sent) -> str:
        """What an edge is based on."""
        return self.edge(source, target)[0]

    def edge(self, source: Sent, target: Sent) -> tuple[str, str]:
        """What an edge is based on, and its certainty."""
        (edge,) = (e for e in self.document["edges"] if (e["from"], e["to"]) == (source.ref, target.ref))
        return edge["because"], edge["certainty"]

    @cached_property
    def messages(self) -> dict[Sent, set[Sent]]:
        """The spans of each message."""
        return {self.sent[item["ref"]]: self._named(item["spans"]) for item in self.document["messages"]}

    @cached_property
    def reactions(self) -> dict[Sent, set[Sent]]:
        """The spans of each reaction."""
        return {self.sent[item["ref"]]: self._named(item["spans"]) for item in self.document["reactions"]}

    def reaction(self, sent: Sent) -> dict[str, Any]:
        """The entry of one reaction in the document."""
        (item,) = (item for item in self.document["reactions"] if item["ref"] == sent.ref)
        return dict(item)

    def _named(self, refs: Iterable[str]) -> set[Sent]:
        names = [self.sent[ref] for ref in refs]
        assert len(names) == len(set(names))
        return set(names)

    @property
    def flows(self) -> list[set[Sent]]:
        """The messages and reactions of each flow; flows in the order of their start."""
        found: dict[str, set[Sent]] = {flow["id"]: set() for flow in self.document["flows"]}
        for item in (*self.document["messages"], *self.document["reactions"]):
            for flow in item.get("flows", [item["flow"]]):
                found[flow].add(self.sent[item["ref"]])
        return list(found.values())

    @property
    def keys(self) -> list[str | None]:
        """The key of each flow."""
        return [flow["key"] for flow in self.document["flows"]]

    @property
    def notes(self) -> set[tuple[str, Sent]]:
        """The kind of each note, and the span it is about."""
        return {(note["kind"], self.sent[note["ref"]]) for note in self.document["notes"]}
