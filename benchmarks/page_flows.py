"""Flows that are large for a page: chain, fan, order with many lines, mesh. As requests for a collector."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.factories import protobuf, request, span

Form: TypeAlias = Literal["chain", "fan", "order", "mesh"]
FORMS: tuple[Form, ...] = ("chain", "fan", "order", "mesh")
MS = 1_000_000
LINE = ("LineOpened", "StockChecked", "StockReserved", "PriceConfirmed", "PickRequested", "ItemsPicked")


@dataclass
class Business:
    """One flow under construction: its spans by service, and when each message was sent."""

    key: str
    at: int
    spans: dict[str, list[Span]] = field(default_factory=dict)
    sent: list[tuple[str, int]] = field(default_factory=list)  # id and time of each message
    taken: dict[tuple[str, tuple[int, ...]], str] = field(default_factory=dict)

    def publish(self, service: str, event: str, *causes: int) -> int:
        """Let *service* take the messages *causes*, by number, and publish *event*; return its number."""
        number = len(self.sent)
        at = max((self.sent[cause][1] for cause in causes), default=self.at) + 4 * MS
        handled = self.take(service, event, *causes) if causes else ""
        at += number % 50 * MS // 10
        self._add(service, f"send {event}", f"m{number}", handled, Span.SPAN_KIND_PRODUCER, at, event, ())
        self.sent.append((f"m{number}", at))
        return number

    def take(self, service: str, event: str, *causes: int) -> str:
        """Let *service* handle the messages *causes*, once; return the id of the handling."""
        if known := self.taken.get((service, causes)):
            return known
        name = self.taken[service, causes] = f"r{len(self.taken)}"
        at = max(self.sent[cause][1] for cause in causes) + 2 * MS
        links = tuple((self.key, self.sent[cause][0]) for cause in causes)
        parent = self.sent[causes[0]][0]
        self._add(service, "process", name, parent, Span.SPAN_KIND_CONSUMER, at, event, links)
        return name

    def _add(
        self,
        service: str,
        name: str,
        id_: str,
        parent: str,
        kind: int,
        at: int,
        event: str,
        links: tuple[tuple[str, str], ...],
    ) -> None:
        sends = kind == Span.SPAN_KIND_PRODUCER
        attributes = {
            "messaging.system": "nats",
            "messaging.operation.type": "send" if sends else "process",
            "messaging.consumer.group.name": "" if sends else service,
            "order.id": self.key,
        }
        if sends:
            attributes |= {"messaging.destination.name": f"shop.{event}", "cloudevents.event_type": event}
        made = span(
            name,
            id=f"{self.key}{id_}",
            trace=self.key,
            parent=f"{self.key}{parent}" if parent else b"",
            kind=kind,
            start=at,
            end=at + 3 * MS,
            links=[(trace, f"{self.key}{one}") for trace, one in links],
            attributes=attributes,
        )
        self.spans.setdefault(service, []).append(made)

    def body(self) -> bytes:
        """All spans as one OTLP request."""
        return protobuf(*(request(*spans, service=name) for name, spans in self.spans.items()))


def made(form: Form, messages: int, at: int | None = None) -> Business:
    """A flow of this *form* with so many *messages*; its key says both."""
    flow = Business(f"{form}-{messages}", at or time.time_ns() - 20_000 * MS)
    for service, event, causes in MAKERS[form](messages):
        flow.publish(service, event, *causes)
    return flow


Made: TypeAlias = Iterator[tuple[str, str, tuple[int, ...]]]


def _chain(messages: int) -> Made:
    for number in range(messages):
        yield f"service{number % 11}", f"Step{number % 40}", (number - 1,) if number else ()


def _fan(messages: int) -> Made:
    yield "planner", "BatchPlanned", ()
    for number in range(1, messages):
        yield f"picker{number % 7}", f"Picked{number % 5}", (0,)


def _order(messages: int) -> Made:
    yield "storefront", "OrderPlaced", ()
    number = 1
    while number < messages:
        for step, event in enumerate(LINE[: messages - number]):
            yield f"service{step}", event, (0 if step == 0 else number + step - 1,)
        number += len(LINE)


def _mesh(messages: int) -> Made:
    chance = random.Random(1)
    for number in range(messages):
        near = range(max(0, number - 30), number)
        causes = tuple(sorted(chance.sample(near, min(len(near), 1 + (chance.random() < 0.3)))))
        yield f"service{number % 11}", f"Step{number % 40}", causes


MAKERS = {"chain": _chain, "fan": _fan, "order": _order, "mesh": _mesh}


def businesses(services: int = 40, events: int = 300, orders: int = 3) -> Iterator[bytes]:
    """Short flows that together have so many *services* and *events*: what a large map is drawn of."""
    steps = 10
    for start in range(0, events, steps):
        for order in range(orders):
            flow = Business(f"map-{start}-{order}", time.time_ns() - 20_000 * MS)
            for step in range(steps):
                event = start + step
                flow.publish(f"service{event % services}", f"Event{event}", *((step - 1,) if step else ()))
            yield flow.body()
