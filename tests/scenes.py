"""What do the services of a small shop send for an order? The live part and the API are tested with it.

OrderPlaced -> inventory: StockReserved -> payment: PaymentCaptured -> shipping (needs both): OrderShipped
            -> fraud: OrderCleared ------------------------------------^
            -> mailer, which publishes nothing
"""

from collections.abc import Collection, Iterable

import pyarrow as pa
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.conventions import DEFAULT_NAMING
from collector.diagnosis import Habits
from collector.formats.otlp import Body, Encoding, decode
from collector.live.snapshot import Snapshot
from collector.live.tick import Pacing, Tick
from collector.model.flows import State
from collector.store.clickhouse.connections import Database
from collector.store.clickhouse.opening import stores_over
from tests.factories import NOW, SECOND, pairs, protobuf, request, span
from tests.log_requests import log_request

MS = 10**6

Sent = tuple[str, Span]  # a service and one of its spans


def publish(
    service: str,
    event: str,
    key: str,
    *,
    at: int,
    by: str = "",
    verb: str = "send",
    error: str | None = None,
) -> Sent:
    """A message of *event* about the order *key*; *by* is the span that caused it."""
    said = {"messaging.operation.type": "send", "messaging.system": "nats", "messaging.nats.stream": "SHOP"}
    said["messaging.operation.name"] = verb
    said |= {"messaging.destination.name": f"shop.{event}", "cloudevents.event_type": event, "order.id": key}
    kind = Span.SPAN_KIND_PRODUCER
    name = f"{key}/{event}"
    return service, span(
        f"{verb} shop.{event}",
        id=name,
        trace=key,
        parent=by,
        kind=kind,
        start=at,
        end=at + MS,
        error=error,
        attributes=said,
    )


def react(
    service: str,
    event: str,
    key: str,
    *,
    at: int,
    took: int = 20 * MS,
    error: str | None = None,
    attempt: int = 1,
) -> Sent:
    """The handling of *event* by *service*."""
    said = {
        "messaging.operation.type": "process",
        "messaging.system": "nats",
        "messaging.nats.stream": "SHOP",
    }
    said |= {"messaging.destination.name": f"shop.{event}", "cloudevents.event_type": event, "order.id": key}
    return service, span(
        f"process shop.{event}",
        id=handling(service, event, key) + (f"/{attempt}" if attempt > 1 else ""),
        trace=key,
        parent=f"{key}/{event}",
        kind=Span.SPAN_KIND_CONSUMER,
        start=at,
        end=at + took,
        links=[(key, f"{key}/{event}")],
        error=error,
        attributes=said,
    )


def begin(service: str, event: str, key: str, *, at: int, attempt: int = 1) -> Sent:
    """The span that announces the start of this attempt of `react`."""
    _, its = react(service, event, key, at=at, attempt=attempt)
    word = span(
        f"started shop.{event}",
        id=f"{its.span_id.hex()} began",
        trace=key,
        parent=f"{key}/{event}",
        kind=Span.SPAN_KIND_INTERNAL,
        start=at,
        end=at,
    )
    word.attributes.extend(one for one in its.attributes if one.key != "messaging.operation.type")
    word.attributes.extend(pairs({"messaging.operation.name": "started"}))
    word.links.add(trace_id=its.trace_id, span_id=its.span_id)
    word.flags = 0x300
    return service, word


def handling(service: str, event: str, key: str) -> str:
    """The name that a reaction's id is made from."""
    return f"{key}/{service}/{event}"


def order(
    key: str,
    at: int,
    *,
    down: Collection[str] = (),
    silent: Collection[str] = (),
    failing: Collection[str] = (),
    fraud_after: int = 5 * MS,
) -> list[Sent]:
    """All spans of one order placed *at*; a service that is *down*, *silent* or *failing* ends its branch."""
    sent = [publish("order", "OrderPlaced", key, at=at)]
    published: dict[str, int] = {"OrderPlaced": at}

    def step(service: str, event: str, then: str | None, after: int = 5 * MS) -> int | None:
        if event not in published or service in down:
            return None
        start = published[event] + after
        error = "no connection" if service in failing else None
        sent.append(react(service, event, key, at=start, error=error))
        if then is not None and error is None and service not in silent:
            published[then] = start + 10 * MS
            sent.append(publish(service, then, key, at=start + 10 * MS, by=handling(service, event, key)))
        return start

    step("mailer", "OrderPlaced", None)
    step("inventory", "OrderPlaced", "StockReserved")
    step("fraud", "OrderPlaced", "OrderCleared", fraud_after)
    step("payment", "StockReserved", "PaymentCaptured")
    both = {event: step("shipping", event, None) for event in ("PaymentCaptured", "OrderCleared")}
    starts = {event: start for event, start in both.items() if start is not None}
    if len(starts) == 2 and "shipping" not in {*silent, *failing}:
        last = max(starts, key=starts.__getitem__)
        by = handling("shipping", last, key)
        sent.append(publish("shipping", "OrderShipped", key, at=starts[last] + 10 * MS, by=by))
    return sent


def without(sent: Iterable[Sent], *ids: str) -> list[Sent]:
    """*sent* without the spans of these names, as if they had been lost."""
    lost = {span(id=name).span_id for name in ids}
    return [(service, one) for service, one in sent if one.span_id not in lost]


def table(sent: Iterable[Sent], received: int) -> pa.Table:
    """SPANS of *sent*, received at *received*."""
    by_service: dict[str, list[Span]] = {}
    for service, one in sent:
        by_service.setdefault(service, []).append(one)
    body = protobuf(
        *(
            request(*spans, resource={"service.name": service, "service.instance.id": f"{service}-1"})
            for service, spans in by_service.items()
        )
    )
    return decode([Body(body, Encoding.PROTOBUF)], received).spans


class Watch:
    """The live part on a given database, with a clock that the test controls."""

    def __init__(self, database: Database, *, learn_flows: int = 20) -> None:
        self.database = database
        self.stores = stores_over(database, clock=lambda: self.now)
        self.spans, self.flows = self.stores.spans, self.stores.flows
        self.tick = Tick(self.flows, habits=Habits(flows=learn_flows), pacing=Pacing())
        self.now = NOW
        self._orders = 0

    @property
    def snapshot(self) -> Snapshot:
        """What the live part knows now."""
        return self.tick.snapshot

    def receive(self, sent: Iterable[Sent], after_s: float = 0.5) -> Snapshot:
        """Store *sent* and tick, *after_s* seconds later."""
        return self.tick.advance(self.store(sent, after_s), self.now)

    def hear(self, *records: LogRecord, service: str, after_s: float = 0.5) -> Snapshot:
        """Store the log *records* of a service and tick, *after_s* seconds later."""
        self.now += int(after_s * SECOND)
        body = log_request(*records, service=service).SerializeToString()
        keys = DEFAULT_NAMING.flow_key
        spans = decode([Body(body, Encoding.PROTOBUF, logs=True)], self.now, flow_keys=keys).spans
        self.spans.write(spans)
        return self.tick.advance(spans, self.now)

    def store(self, sent: Iterable[Sent], after_s: float = 0.5) -> pa.Table:
        """Store *sent*, *after_s* seconds later, for another process to find; return its SPANS."""
        self.now += int(after_s * SECOND)
        spans = table(sent, self.now)
        self.spans.write(spans)
        return spans

    def wait(self, seconds: float, every_s: float = 1) -> Snapshot:
        """Let time pass without new spans, a tick *every_s* seconds."""
        until = self.now + int(seconds * SECOND)
        while self.now < until:
            self.now = min(self.now + int(every_s * SECOND), until)
            self.tick.advance(None, self.now)
        return self.snapshot

    def learn(self, orders: int = 40, fraud_first: float = 0.5) -> None:
        """Teach the live part *orders* healthy orders; in a share of them, *fraud_first*, fraud is fast."""
        sent: list[Sent] = []
        for number in range(orders):
            slow = number >= orders * fraud_first
            sent += order(f"L-{self._orders + number}", self.now, fraud_after=(60 if slow else 5) * MS)
        self._orders += orders
        self.receive(sent)
        self.wait(12)

    def state(self, key: str) -> State | None:
        """The state of a flow, unfinished or archived; None if the flow is unknown."""
        ids = self.snapshot.flows["id"].to_pylist()
        if key in ids:
            return State(int(self.snapshot.state[ids.index(key)]))
        stored = self.flows.named(key)
        return State(stored["state"][0].as_py()) if stored.num_rows else None
